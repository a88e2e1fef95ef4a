package handset

import (
	"fmt"
	"sync"
	"time"
)

const firstWord = 5 * time.Second // of waiting; each further report comes after twice the time

func (h *Handset) say(text string) {
	if h.config.Say != nil {
		h.config.Say(text)
	}
}

// waits reports what the handset waits for, after a while and then ever more rarely, until done is called.
func (h *Handset) waits(what func() string) (done func()) {
	if h.config.Say == nil {
		return func() {}
	}

	over, ended := make(chan struct{}), make(chan struct{})

	go func() {
		defer close(ended)

		for next, began := firstWord, time.Now(); ; next *= 2 {
			timer := time.NewTimer(time.Until(began.Add(next)))

			select {
			case <-over:
				timer.Stop()
				return
			case <-timer.C:
				h.say(fmt.Sprintf("after %v: %s", next, what()))
			}
		}
	}()

	return sync.OnceFunc(func() {
		close(over)
		<-ended
	})
}
