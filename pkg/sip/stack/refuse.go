package stack

import (
	"errors"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// malformed answers a request that cannot be read, without keeping anything of it (RFC 3261 §16.3 1, §18.3).
func (s *Stack) malformed(flow Flow, raw []byte, err error) {
	s.metrics.malformed.WithLabelValues(flow.Endpoint.name).Inc()
	s.about(flow).Warn("SIP message cannot be read", "cause", err, "octets", len(raw))

	var parse *sip.ParseError
	if !errors.As(err, &parse) {
		return
	}

	if refusal, via := parse.Answer(raw); refusal != nil {
		_ = s.transmitResponse(flow, stampVia(via, flow), refusal)
	}
}
