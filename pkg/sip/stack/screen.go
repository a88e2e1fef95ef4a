package stack

import (
	"errors"

	"golang.org/x/time/rate"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// refusalsPerSecond bounds the answers to messages that are not let through: sources of datagrams can be forged, and an answer would go to
// whose address it is.
const refusalsPerSecond = 10

func newRefusals() *rate.Limiter { return rate.NewLimiter(refusalsPerSecond, refusalsPerSecond) }

// turnAway drops a message that the screen does not let through. When its error is a *Refusal, its sender may be told why: a request is
// answered, without any transaction, as long as not too many are.
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
