package stack

import (
	"errors"
	"log/slog"
	"net/netip"
	"runtime/debug"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Cases of the requests that the stack itself refuses: the case of the log line, and the reason of the count.
const (
	caseOverload  = "overload"    // max_transactions
	caseCancel    = "cancel"      // for no transaction
	caseMerged    = "merged"      // an INVITE that came again, to which no response comes any more
	caseBreadth   = "max-breadth" // RFC 5393 §5
	caseForward   = "forward"     // no answer came from the next hop
	casePanic     = "panic"       // counted whether there is an answer to give or not
	caseUndecided = "undecided"   // a procedure ended without an answer
	caseOversized = "too large to send"
)

// Refusals that are always the same.
var (
	overloaded = sip.Standing(503, "too many requests are in work", sip.NewHeader("Retry-After", "5")).
			Because(errors.New("max_transactions is reached"))
	nothingCancelled = sip.Standing(481, "there is no INVITE in work that this CANCEL is for").
				Because(errors.New("no transaction has its branch"))
	overtaken = sip.Standing(408, "the INVITE came by another branch, too, and no answer comes for this one any more").
			Because(errors.New("merged into one that has ended, or that came too often"))
	tooNarrow   = sip.Standing(440, "the request may not be forked any more").Because(errors.New("Max-Breadth is 0"))
	panicked    = sip.Standing(500, "the request ran into a fault of this program").Because(errors.New("the procedure panicked"))
	undecided   = sip.Standing(500, "this program came to no answer").Because(errors.New("the procedure ended without a final response"))
	tooLarge    = sip.Standing(513, "the request would be larger than the next hop takes")
	tooLargeOut = sip.Standing(500, "the response would be larger than its receiver takes")
)

// forwardFailures has the reasons of responses in place of those that never came. They may go to a stranger, so they name no host; the
// log does.
var forwardFailures = map[int]*sip.Refusal{
	404: sip.Standing(404, "the next hop has no address"),
	408: sip.Standing(408, "the next hop did not answer in time"),
	480: sip.Standing(480, "there was nowhere to send the request"),
	487: sip.Standing(487, "the request was cancelled"),
	503: sip.Standing(503, "the next hop cannot be reached"),
	500: sip.Standing(500, "the next hop cannot be reached"), // 503 becomes 500 (RFC 3261 §16.7 6)
}

// newRefuser returns the refuser for requests that the stack itself refuses, in the same way as the functions do.
func (s *Stack) newRefuser(log *slog.Logger) sip.Refuser {
	return sip.Refuser{Log: log, Count: func(reason, _ string, _ int) { s.metrics.refused.WithLabelValues(reason).Inc() }}
}

// ofFaults returns a refuser for requests whose fault is counted already.
func (s *Stack) ofFaults() sip.Refuser { return sip.Refuser{Log: s.log} }

// unkept is a request that is answered without a transaction: nothing of it is kept.
type unkept struct {
	stack   *Stack
	flow    Flow
	reply   netip.AddrPort
	request *sip.Request
}

func (u unkept) Request() *sip.Request { return u.request }

func (u unkept) Respond(r *sip.Response) error { return u.stack.transmitResponse(u.flow, u.reply, r) }

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

// open reports whether the request has no answer yet.
func (tx *ServerTransaction) open() bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	return tx.state == proceeding
}

// fault logs and counts the value that a procedure panicked with.
func (s *Stack) fault(request string, value any) {
	s.metrics.refused.WithLabelValues(casePanic).Inc()
	s.log.Error("SIP procedure panicked", "request", request, "panic", value, "stack", string(debug.Stack()))
}

// ownResponse returns a response of the proxy's own.
func (c *responseContext) ownResponse(refuser sip.Refuser, reason string, refusal *sip.Refusal) *sip.Response {
	response := sip.NewResponse(c.tx.request, refusal.Status, "")
	refuser.Replace(c.tx.request, response, reason, refusal)

	return response
}

// explain adds a Reason to a response in place of one that never came, unless the transaction user has given it one.
func (c *responseContext) explain(response *sip.Response) {
	if response.Source() == oversizedSource && response.StatusCode == tooLarge.Status {
		why := *tooLarge
		c.stack.refuser.Replace(c.tx.request, response, caseOversized, why.Because(c.oversized))

		return
	}

	if !Local(response) || sip.Has(response, "Reason") {
		return
	}

	why := forwardFailures[response.StatusCode]
	if why == nil {
		why = sip.Refuse(response.StatusCode, "")
	}

	if response.StatusCode == 487 { // cancelled, not refused: no log line, and no count
		why.Replace(response)
		return
	}

	own := *why
	own.Cause = errors.New(LocalCause(response))
	c.stack.refuser.Replace(c.tx.request, response, caseForward, &own)
}

// gaveUp logs and counts a refusal of a request that is not kept any more.
func (s *Stack) gaveUp(flow Flow, response *sip.Response, reason string, refusal *sip.Refusal) {
	s.metrics.refused.WithLabelValues(reason).Inc()
	s.log.Warn("request refused", "case", reason, "method", methodOf(response), "status", response.StatusCode, "reason", refusal.Text(),
		"source", flow.Remote.String(), "call_id", sip.Value(response, "Call-ID"), "cause", refusal.Cause)
}

// unavailable is the Reason of a 500 in place of the next hop's 503, which gave none (RFC 3261 §16.7 6).
var unavailable = sip.StatusReason(500, "the next hop answered 503")
