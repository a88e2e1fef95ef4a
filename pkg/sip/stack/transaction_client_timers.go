package stack

import (
	"time"
)

// rest stops the timers while an INVITE rings. It is called with the lock held.
func (tx *ClientTransaction) rest() {
	tx.deadline, tx.interval = time.Time{}, 0
	if tx.timer != nil {
		tx.timer.Stop()
	}
}

// arm sets the timer. It is called with the lock held.
func (tx *ClientTransaction) arm(d time.Duration) {
	if tx.timer == nil {
		tx.timer = time.AfterFunc(d, tx.fire)
	} else {
		tx.timer.Reset(d)
	}
}

// fire handles every timer of the transaction.
func (tx *ClientTransaction) fire() {
	tx.mu.Lock()

	switch {
	case tx.state == terminated || tx.deadline.IsZero():
		tx.mu.Unlock()
		return
	case !time.Now().Before(tx.deadline):
		var err error
		if tx.state == proceeding {
			err = errTimeout // timers B and F
		}

		tx.mu.Unlock()
		tx.terminate(err)

		return
	case tx.interval == 0:
		tx.arm(time.Until(tx.deadline))
		tx.mu.Unlock()

		return
	}

	// Timers A and E. The interval of an INVITE doubles without end, that of others up to T2; after a provisional response it is T2
	// (§17.1.2.2).
	switch tx.interval *= 2; {
	case tx.method == "INVITE":
	case tx.answered:
		tx.interval = tx.flow.Endpoint.timers.T2
	default:
		tx.interval = min(tx.interval, tx.flow.Endpoint.timers.T2)
	}

	tx.arm(min(tx.interval, time.Until(tx.deadline)))
	raw := serialise(tx.request) // serialised anew: it is larger than its parts, and seldom needed
	tx.mu.Unlock()

	tx.stack.metrics.retransmissions.WithLabelValues("sent", tx.flow.Endpoint.name).Inc()
	_ = tx.flow.Endpoint.transmit(tx.stack.ctx, tx.flow, raw)
}

// over ends the transaction and tells its user. It is called with the lock held.
func (tx *ClientTransaction) over(err error) {
	if tx.state == terminated {
		return
	}

	tx.state, tx.err = terminated, err
	if tx.timer != nil {
		tx.timer.Stop()
	}

	if tx.withdraw != nil {
		tx.withdraw()
	}

	if tx.stream != nil {
		tx.stream.carried.remove(tx)
		tx.stream = nil
	}

	tx.request, tx.ack = nil, nil
	tx.stack.transactions.removeClient(tx)
	tx.user.delivered(tx, nil, err)
}

func (tx *ClientTransaction) terminate(err error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	tx.over(err)
}
