package sip

import (
	"errors"
	"fmt"

	"golang.org/x/time/rate"
)

// Refusal is an error of Options.Screen for a message whose sender may be told why: a request is answered with it, without any
// transaction, as long as not too many are.
type Refusal struct {
	Status int
	Text   string // for Reason (RFC 3326): what to do about it
	Cause  string // for the log
}

func (r *Refusal) Error() string { return r.Cause }

// refusalsPerSecond bounds such answers: sources of datagrams can be forged, and an answer would go to whose address it is.
const refusalsPerSecond = 10

func newRefusals() *rate.Limiter { return rate.NewLimiter(refusalsPerSecond, refusalsPerSecond) }

// turnAway drops a message that the screen does not let through.
func (s *Stack) turnAway(flow Flow, m Message, err error) {
	s.metrics.refused.WithLabelValues("screen").Inc()
	s.complain(flow, "SIP message dropped", "reason", err)

	var refusal *Refusal

	r, isRequest := m.(*Request)
	if !isRequest || r.IsAck() || !errors.As(err, &refusal) || !s.refusals.Allow() {
		return
	}

	reply := stampVia(r.Via(), flow)
	response := NewResponse(r, refusal.Status, "")
	Set(response, "Reason", fmt.Sprintf(`SIP;cause=%d;text="%s"`, refusal.Status, refusal.Text))
	_ = s.transmitResponse(flow, reply, response)
}
