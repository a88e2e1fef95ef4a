package stack

import (
	"context"
	"sync"
)

// precedence holds a request until the ACK that came before it, with the same Call-ID, has been passed on: a BYE that overtakes the ACK
// ends a call that has not begun for its callee.
type precedence struct {
	mu   sync.Mutex
	acks map[string]chan struct{} // by Call-ID, the latest ACK in work; closed when it is done
}

// hold is called for each ACK in the order of arrival. The function that it returns is called when the ACK has been passed on.
func (p *precedence) hold(callID string) (done func()) {
	own := make(chan struct{})

	p.mu.Lock()
	defer p.mu.Unlock()

	if p.acks == nil {
		p.acks = map[string]chan struct{}{}
	}

	p.acks[callID] = own

	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()

		if p.acks[callID] == own {
			delete(p.acks, callID)
		}

		close(own)
	}
}

// ahead is called for every other request in the order of arrival; its procedure begins once the ack returned is done.
func (p *precedence) ahead(callID string) ack {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.acks[callID]
}

// ack is an ACK in work, or nil.
type ack chan struct{}

func (a ack) wait(ctx context.Context) {
	if a == nil {
		return
	}

	select {
	case <-a:
	case <-ctx.Done():
	}
}
