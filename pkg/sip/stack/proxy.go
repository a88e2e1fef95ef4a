package stack

import (
	"strconv"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Branch is one copy of a request on its way to one target.
type Branch struct {
	Request *sip.Request  // of Forwardable or a Copy of it, changed as this target needs; each attempt goes out with a Via of its own
	To      Destination   // where to
	Timeout time.Duration // without any response by then the branch counts as unanswered; 0: the transaction's own timers
	// asked at Timeout: true if the target works on the request, though it has said nothing; then it keeps the transaction's timers
	Busy func() bool
	// Doubtful is for a target that is probably gone: when all other branches are over, this one is given up if it has said nothing
	// but 100 by so long after it was sent. 0: the branch is waited for as long as any (RFC 3261 §16.7 6).
	Doubtful time.Duration
	Label    string // for the caller: what this branch is

	Provisional bool // set by the stack: a provisional response has come, be it a 100
}

// Plan says how a request is proxied. Its functions are called one at a time, from goroutines of the stack's, with no lock held; they
// may wait for others.
type Plan struct {
	// Groups are tried one after the other, the branches of one group at the same time (RFC 3261 §16.6).
	Groups [][]Branch
	// OnResponse sees every response that goes upstream, without this proxy's Via, and may change it. Retransmissions of a 2xx
	// are not shown again. Of an INVITE that forked, a further 2xx may come after Then.
	OnResponse func(b *Branch, r *sip.Response)
	// OnFailure sees the final response other than 2xx that ends a branch, made by the stack itself if nobody answered.
	// Branches that it returns are tried in its place; nil makes it that branch's answer. It is not asked about a branch that
	// rang until timer C, nor once the request is cancelled.
	OnFailure func(b *Branch, r *sip.Response) []Branch
	// OnCancel sees the header fields by which a CANCEL says why it goes downstream, and gives those that it shall have; nil: all.
	OnCancel func(why []sip.Header) []sip.Header
	// Then is called once, when the final response has gone upstream, with that response.
	Then func(final *sip.Response)
}

// Forward proxies a request (RFC 3261 §16). It returns when the first branches are sent, and no goroutine waits for what comes of
// them: Then is called at the end. Whoever calls it leaves the request alone from then on. A 408 to what is no INVITE does not go
// upstream (RFC 4320 §4.2).
func (s *Stack) Forward(tx *ServerTransaction, p Plan) {
	c := &responseContext{
		stack: s, tx: tx, plan: p, invite: tx.request.IsInvite(), loop: loopHash(tx.request), breadth: breadthOf(tx.request),
		latest: time.Now().Add(s.config.Timers.Ringing), next: p.Groups, stepped: true,
	}
	c.plan.Groups = nil // they are not needed as long as the request lasts

	var events []event
	if tx.entrust(c) { // the CANCEL was faster
		events = append(events, event{})
	}

	c.step(events)
	c.run()
}

const (
	maxBreadth   = 60 // RFC 5393 §5.3.3.1
	maxForwarded = 16 // 2xx responses of different callees that one INVITE may have
)

// breadthOf returns how many branches a request may have (RFC 5393 §5.3.3).
func breadthOf(r *sip.Request) int {
	n, err := strconv.ParseUint(sip.Value(r, "Max-Breadth"), 10, 31)
	if err != nil {
		return maxBreadth
	}

	return int(n)
}
