package stack

import (
	"context"
	"fmt"
	"time"
)

// connect sends a request that has to wait for its connection.
func (tx *ClientTransaction) connect(ctx context.Context, raw []byte) {
	if err := tx.first(ctx, raw); err != nil {
		tx.terminate(fmt.Errorf("%w: %w", errTransport, err))
		return
	}

	tx.sent()
}

// first sends the request for the first time.
func (tx *ClientTransaction) first(ctx context.Context, raw []byte) error {
	e := tx.flow.Endpoint
	if tx.flow.Transport == "UDP" {
		return e.transmit(ctx, tx.flow, raw)
	}

	for {
		c, err := e.stream(ctx, tx.flow)
		if err != nil {
			return err
		}

		again := c.dialled && !tx.resent

		tx.mu.Lock()
		withdrawn, carried := tx.state == terminated, false
		if !withdrawn {
			if carried = c.carried.add(tx); carried {
				tx.stream, tx.withdraw = c, nil
			}
		}
		tx.mu.Unlock()

		switch {
		case withdrawn:
			return errWithdrawn
		case !carried: // the stream has ended since, and is no longer the endpoint's
			continue
		}

		tx.stack.trace(c.flow, raw, true)

		err = c.write(raw)

		switch {
		case err == nil || !c.carried.remove(tx): // otherwise the end of the connection tells the transaction
			return nil
		case !again:
			return err
		}

		e.forget(c) // the other side has closed it meanwhile

		tx.mu.Lock()
		tx.resent, tx.stream = true, nil
		tx.mu.Unlock()
	}
}

// sent starts the timers.
func (tx *ClientTransaction) sent() {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	if tx.state != proceeding || tx.answered && tx.method == "INVITE" { // the answer was faster
		return
	}

	t := tx.flow.Endpoint.timers
	tx.deadline = time.Now().Add(64 * t.T1) // timers B and F
	wait := 64 * t.T1

	if tx.flow.Transport == "UDP" {
		tx.interval = t.T1
		wait = t.T1
	}

	tx.arm(wait)
}

// disconnected handles the end of the connection that the request went over. No response will come over it, unless the other side is
// alive and rings: it may open another connection for its answer (RFC 3261 §18.2.2). Otherwise the same request is sent once more over a
// new connection: the old one may have ended because of a message of another transaction, and a receiver that has the request already
// takes it for a retransmission, as its branch is the same (§17.2.3).
func (tx *ClientTransaction) disconnected(by *stream, err error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	tx.stream = nil

	switch s := tx.stack; {
	case tx.state != proceeding || tx.ringing:
	case !by.dialled || tx.resent || tx.cancel || s.ctx.Err() != nil:
		tx.over(err)
	default:
		tx.resent = true
		raw := serialise(tx.request)

		s.metrics.retransmissions.WithLabelValues("sent", tx.flow.Endpoint.name).Inc()
		s.running.Go(func() {
			if again := tx.first(s.ctx, raw); again != nil {
				tx.terminate(fmt.Errorf("%w, and there is no other: %w", err, again))
			}
		})
	}
}
