package stack

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// errOversized is the error of a message that is larger than max_message, or than a datagram can be.
var errOversized = errors.New("sip: the message would be larger than its receiver takes")

// maxDatagram is the largest payload of a datagram over IPv4: 65535 octets without the headers of IP and UDP.
const maxDatagram = 65507

// fits returns an error for a message that its receiver need not take: it may close the connection that all others use, too.
func (s *Stack) fits(flow Flow, raw []byte) error {
	most := s.config.Limits.MaxMessage
	if flow.Transport == "UDP" {
		most = min(most, maxDatagram)
	}

	if len(raw) <= most {
		return nil
	}

	return fmt.Errorf("%w: %d octets, more than %d, by %s to %s", errOversized, len(raw), most, flow.Transport, flow.Remote)
}

// dropped counts and logs a message that did not fit, and in place of which nothing is sent.
func (s *Stack) dropped(raw []byte, err error) {
	line, _, _ := bytes.Cut(raw[:min(len(raw), 80)], []byte("\r\n"))

	s.metrics.refused.WithLabelValues(caseOversized).Inc()
	s.log.Warn("SIP message not sent: too large", "start_line", string(line), "cause", err)
}

const oversizedSource = "oversized" // Source of a response in place of a request that was too large

// unsent returns the response to a request that could not be sent. One that is too large is refused as its receiver would refuse it (RFC
// 3261 §21.5.7): the receiver is not at fault, and no other one would take it.
func unsent(r *sip.Request, err error) *sip.Response {
	if !errors.Is(err, errOversized) {
		return local(r, 503, err.Error())
	}

	response := tooLarge.Response(r)
	response.SetSource(oversizedSource)

	return response
}

// instead returns the response sent in place of a final response that did not fit.
func (tx *ServerTransaction) instead(r *sip.Response, err error) *sip.Response {
	out := sip.EmptyResponse(500)

	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		for _, h := range r.GetHeaders(name) {
			out.AppendHeader(h)
		}
	}

	why := *tooLargeOut
	tx.stack.refuser.Replace(tx.request, out, caseOversized, why.Because(err))
	out.SetBody(nil)

	return out
}
