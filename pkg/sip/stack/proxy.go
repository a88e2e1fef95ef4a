package stack

import (
	"strconv"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Branch is one copy of a request on its way to one target.
type Branch struct {
	Request *sip.Request  // from Forwardable or a Copy of it, changed as this target needs; each attempt goes out with a Via of its own
	To      Destination   // where to send it
	Timeout time.Duration // without any response by then the branch counts as unanswered; 0: the transaction's own timers
	// Busy is asked at Timeout whether the target works on the request, though it has said nothing; if so, the branch keeps the
	// transaction's timers.
	Busy func() bool
	// Doubtful is for a target that is probably gone: when all other branches are over, this one is given up if nothing but a 100 has
	// come this long after it was sent. 0: the branch is waited for as long as any (RFC 3261 §16.7 6).
	Doubtful time.Duration
	Label    string // the caller's name for this branch

	Provisional bool // set by the stack: a provisional response has come, even if only a 100
}

// Plan says how a request is proxied. Its functions are called one at a time, from goroutines of the stack, with no lock held; they may
// wait for others.
type Plan struct {
	// Groups are tried one after the other, the branches of one group at the same time (RFC 3261 §16.6).
	Groups [][]Branch
	// OnResponse sees every response that goes upstream, without this proxy's Via, and may change it. It is not called again for
	// retransmissions of a 2xx. When an INVITE has forked, a further 2xx may come after Then.
	OnResponse func(b *Branch, r *sip.Response)
	// OnFailure sees the final response other than 2xx that ends a branch, made by the stack itself if nobody answered. The branches that
	// it returns are tried in its place; with nil the response is that branch's answer. It is not called for a branch that rang until
	// timer C, nor once the request is cancelled.
	OnFailure func(b *Branch, r *sip.Response) []Branch
	// OnCancel sees the header fields with which a CANCEL says why it goes downstream, and returns those to send; nil: all.
	OnCancel func(why []sip.Header) []sip.Header
	// Then is called once, when the final response has gone upstream, with that response.
	Then func(final *sip.Response)
}

// Forward proxies a request (RFC 3261 §16). It returns when the first branches are sent, without a goroutine that waits for their
// responses: Then is called at the end. The caller must not touch the request from then on. A 408 to a request other than INVITE does not
// go upstream (RFC 4320 §4.2).
func (s *Stack) Forward(tx *ServerTransaction, p Plan) {
	c := &responseContext{
		stack: s, tx: tx, plan: p, invite: tx.request.IsInvite(), loop: loopHash(tx.request), breadth: breadthOf(tx.request),
		latest: time.Now().Add(s.config.Timers.Ringing), next: p.Groups, stepped: true,
	}
	c.plan.Groups = nil // not needed for as long as the request lasts

	var events []event
	if tx.entrust(c) { // the CANCEL was faster
		events = append(events, event{})
	}

	c.step(events)
	c.run()
}

const (
	maxBreadth   = 60 // RFC 5393 §5.3.3.1
	maxForwarded = 16 // 2xx responses of different callees to one INVITE
)

// breadthOf returns the number of branches that a request may have (RFC 5393 §5.3.3).
func breadthOf(r *sip.Request) int {
	n, err := strconv.ParseUint(sip.Value(r, "Max-Breadth"), 10, 31)
	if err != nil {
		return maxBreadth
	}

	return int(n)
}
