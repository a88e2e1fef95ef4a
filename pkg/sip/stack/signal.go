package stack

import "sync"

// signal is a channel that is closed once, and made when first asked for: most transactions end without anybody who waits.
type signal struct {
	c     chan struct{}
	given bool
}

// channel returns the channel, which is closed when the signal is set. mu is the lock of the signal's owner.
func (s *signal) channel(mu *sync.Mutex) <-chan struct{} {
	mu.Lock()
	defer mu.Unlock()

	if s.c == nil {
		if s.given {
			return closed
		}

		s.c = make(chan struct{})
	}

	return s.c
}

// set closes the channel. It is called once, with the owner's lock held.
func (s *signal) set() {
	if s.given = true; s.c != nil {
		close(s.c)
	}
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)

	return c
}()
