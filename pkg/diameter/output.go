package diameter

import (
	"errors"
	"sync"
)

// maxUnwritten is how many octets may wait for a peer that does not read.
const maxUnwritten = 4 << 20

var errCongested = errors.New("the peer does not read what is sent to it")

// output gathers messages while one goroutine writes, so that many go out in one write.
type output struct {
	mu      sync.Mutex
	waiting []byte
	spare   []byte
	writing bool
	closing bool
}

// add appends a message. If idle is true, the caller must write the output.
func (o *output) add(raw []byte) (idle bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()

	switch {
	case o.closing:
		return false, errLost
	case len(o.waiting)+len(raw) > maxUnwritten:
		return false, errCongested
	}

	if o.waiting == nil {
		o.waiting, o.spare = o.spare[:0], nil
	}

	o.waiting = append(o.waiting, raw...)
	idle = !o.writing
	o.writing = true

	return idle, nil
}

// take returns the octets to write next. When none are left, writing ends; finished reports whether the output is closed, too.
func (o *output) take() (raw []byte, finished bool) {
	o.mu.Lock()
	defer o.mu.Unlock()

	if len(o.waiting) == 0 {
		o.writing = false
		return nil, o.closing
	}

	raw, o.waiting = o.waiting, nil

	return raw, false
}

// untake puts back octets that were taken and not written.
func (o *output) untake(raw []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()

	o.waiting = append(raw, o.waiting...)
}

// done returns the buffer of octets that were written.
func (o *output) done(raw []byte) {
	const keep = 64 << 10 // a burst's buffer is not kept

	o.mu.Lock()
	defer o.mu.Unlock()

	if cap(raw) <= keep {
		o.spare = raw[:0]
	}
}

// close takes no more messages. It reports true when nothing is left to write.
func (o *output) close() bool {
	o.mu.Lock()
	defer o.mu.Unlock()

	o.closing = true

	return !o.writing
}
