package handset

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const again = 30 * time.Second // after a refresh that failed

// Automatic makes the handset answer every call until the other side hangs up, and stay registered, until ctx ends. say is called with
// calls and messages.
func (h *Handset) Automatic(ctx context.Context, say func(string)) {
	var calls sync.WaitGroup
	defer calls.Wait()

	refresh := time.NewTimer(h.half())
	defer refresh.Stop()

	for {
		select {
		case c := <-h.Incoming():
			say("call from " + c.Remote())
			calls.Go(func() { c.Take(ctx, say) })
		case m := <-h.Messages():
			say(fmt.Sprintf("message from %s: %s", m.From, m.Body))
		case <-refresh.C:
			if err := h.Register(ctx); err != nil {
				say("not registered again: " + err.Error())
				refresh.Reset(again)

				continue
			}

			refresh.Reset(h.half())
		case <-ctx.Done():
			return
		}
	}
}

// half returns half of the remaining registration, when it is refreshed (TS 24.229 §5.1.1.4.1 for less than 1200 s).
func (h *Handset) half() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()

	return max(time.Until(h.session.until)/2, time.Second)
}

// Take answers an incoming call, and stays in it until the other side hangs up, or ctx ends. say is called with how it ends.
func (c *Call) Take(ctx context.Context, say func(string)) {
	err := c.Answer(ctx)
	if err != nil && ctx.Err() == nil {
		say("not answered: " + err.Error())
		return
	}

	select {
	case <-c.Ended():
		say("the call from " + c.Remote() + " is over")
	case <-ctx.Done(): // else the other side would go on, and pay
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()

		if err := c.HangUp(end); err != nil {
			say("not hung up: " + err.Error())
		}
	}
}

const goodbye = 5 * time.Second // for the answer to a BYE at the end
