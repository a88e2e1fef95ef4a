package stack

import (
	"errors"

	"golang.org/x/time/rate"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// refusalsPerSecond bounds the answers to messages that the screen refuses: the source of a datagram can be forged, and the answer would
// go to the forged address.
const refusalsPerSecond = 10

func newRefusals() *rate.Limiter { return rate.NewLimiter(refusalsPerSecond, refusalsPerSecond) }

// turnAway drops a message that the screen refuses. If its error is a *Refusal, a request is answered with it, without a transaction and
// within the rate limit.
func (s *Stack) turnAway(flow Flow, m sip.Message, err error) {
	s.metrics.refused.WithLabelValues("screen").Inc()
	s.about(flow).Warn("SIP message dropped", "cause", err)

	var refusal *sip.Refusal

	r, isRequest := m.(*sip.Request)
	if !isRequest || r.IsAck() || !errors.As(err, &refusal) || !s.refusals.Allow() {
		return
	}

	reply := stampVia(r.Via(), flow)
	_ = s.transmitResponse(flow, reply, refusal.Response(r))
}
