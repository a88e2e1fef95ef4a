package stack

import (
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// receive handles a response. The endpoint calls it in the order of arrival.
func (tx *ClientTransaction) receive(r *sip.Response) {
	if via := r.Via(); via.Port != tx.port || !strings.EqualFold(bareHost(via.Host), bareHost(tx.host)) { // §18.1.2
		tx.stack.metrics.unexpected.WithLabelValues(tx.flow.Endpoint.name, "sent-by").Inc()
		return
	}

	if tx.responses == nil && tx.method != "CANCEL" && !passable(r) { // every CANCEL is made here (§16.10)
		tx.stack.metrics.unexpected.WithLabelValues(tx.flow.Endpoint.name, "via").Inc()
		return
	}

	tx.mu.Lock()

	invite := tx.method == "INVITE"
	pass := false

	var send []byte

	switch {
	case tx.state == terminated:
	case r.IsProvisional():
		pass = tx.state == proceeding
		if !pass {
			break
		}

		if !tx.answered && tx.cancel { // §9.1: only now may CANCEL go
			tx.stack.running.Go(tx.sendCancel)
		}

		tx.answered = true
		tx.ringing = tx.ringing || r.StatusCode > 100

		switch {
		case invite && tx.cancel: // §9.1: the deadline that Cancel set stays, whatever still rings
			tx.interval = 0
			tx.arm(time.Until(tx.deadline))
		case invite:
			tx.rest() // timer B stops; the proxy's timer C goes on
		}
	case tx.state == proceeding:
		pass = true
		send = tx.finish(r)
	case tx.state == accepted && r.IsSuccess():
		pass = true // another 2xx, or the same again: the sender of the ACK must know
	case tx.state == completed && invite && r.IsSuccess():
		pass = true // another callee behind a fork: the sender of the INVITE must know (§16.7 5)
	case tx.state == completed && invite:
		send = tx.ack // the ACK was lost
		tx.stack.metrics.retransmissions.WithLabelValues("received", tx.flow.Endpoint.name).Inc()
	default:
		tx.stack.metrics.retransmissions.WithLabelValues("received", tx.flow.Endpoint.name).Inc()
	}

	if pass { // under the lock, so that the end of the transaction cannot overtake it
		tx.user.delivered(tx, r, nil)
	}

	if tx.state == completed && !time.Now().Before(tx.deadline) { // reliable transport: nothing to wait for
		tx.over(nil)
	}

	tx.mu.Unlock()

	switch {
	case send == nil:
	case tx.flow.Transport != "UDP" && tx.flow.Endpoint.connected(tx.flow.Remote) == nil: // the reader of the socket cannot wait
		tx.stack.running.Go(func() { _ = tx.flow.Endpoint.transmit(tx.stack.ctx, tx.flow, send) })
	default:
		_ = tx.flow.Endpoint.transmit(tx.stack.ctx, tx.flow, send)
	}
}

// passable reports whether a response to a proxy can be passed on: a Via of the request's sender is left (RFC 3261 §16.7 3).
func passable(r *sip.Response) bool {
	vias := 0

	for _, h := range r.Headers() {
		if strings.EqualFold(h.Name(), "via") {
			vias++
		}
	}

	return vias > 1
}

func bareHost(host string) string { return strings.Trim(host, "[]") }

// finish enters Accepted or Completed and returns the ACK to send. It is called with the lock held.
func (tx *ClientTransaction) finish(r *sip.Response) (ack []byte) {
	t, now := tx.flow.Endpoint.timers, time.Now()

	switch {
	case tx.method == "INVITE" && r.IsSuccess():
		tx.state, tx.deadline = accepted, now.Add(64*t.T1) // timer M
	case tx.method == "INVITE":
		tx.state, tx.deadline = completed, now
		if tx.flow.Transport == "UDP" {
			tx.deadline = now.Add(max(32*time.Second, 64*t.T1)) // timer D
		}

		tx.ack = serialise(newAck(tx.request, r))
		ack = tx.ack
	default:
		tx.state, tx.deadline = completed, now
		if tx.flow.Transport == "UDP" {
			tx.deadline = now.Add(t.T4) // timer K
		}
	}

	tx.request, tx.interval = nil, 0
	if wait := tx.deadline.Sub(now); wait > 0 {
		tx.arm(wait)
	} else if tx.timer != nil {
		tx.timer.Stop()
	}

	return ack
}
