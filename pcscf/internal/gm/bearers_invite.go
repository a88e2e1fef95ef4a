package gm

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// bearing is an initial INVITE whose dialogs request bearers.
type bearing struct {
	attempt *attempt
	ctx     context.Context
	tx      *stack.ServerTransaction
	handset sip.Side // the handset's side of its dialogs
	offer   []byte   // nil: none
	which   bearer.Leg
	policy  BearerPolicy

	mu       sync.Mutex
	legs     []*leg
	refused  *sip.Refusal // why it is cancelled, or ended by BYE once its 2xx has been forwarded
	answered bool         // its 2xx has been forwarded
}

// bear makes an initial INVITE request bearers when it is answered. sent is the request as forwarded.
func (a *attempt) bear(ctx context.Context, tx *stack.ServerTransaction, sent *sip.Request) {
	if a == nil || a.proxy.bearers == nil || !sent.IsInvite() {
		return
	}

	policy := a.proxy.bearers.policy(a.binding)
	if policy == NoBearers {
		return
	}

	told := sip.Message(sent)
	if a.fromCore { // the handset is not told
		told = tx.Request()
	}

	a.bearing = &bearing{attempt: a, ctx: ctx, tx: tx, handset: sip.Caller, offer: bytes.Clone(session(sent)), policy: policy}
	a.bearing.which = bearer.Leg{
		UE:         a.binding.Flow.Remote.Addr(),
		Identity:   a.binding.Default(),
		Call:       strings.Clone(sent.CallID().Value()),
		ICID:       strings.Clone(a.icid),
		Service:    strings.Clone(sip.Value(told, "P-Asserted-Service")),
		ServiceURN: serviceURN(sent),
		Access:     accessOf(tx.Request()),
	}

	if a.fromCore {
		a.bearing.handset, a.bearing.which.Access = sip.Callee, ""
	}

	a.proxy.bearers.begun(a.bearing)
}

// accessOf returns what a handset states about its access, by which the PCRF or PCF is chosen: a caller in the INVITE, a callee in its
// answer.
func accessOf(m sip.Message) string {
	return strings.Join(sip.Values(m, "P-Access-Network-Info"), ", ")
}

// begun records a pending INVITE.
func (b *Bearers) begun(i *bearing) {
	token := i.attempt.binding.Token

	b.mu.Lock()
	defer b.mu.Unlock()

	if b.bearings[token] == nil {
		b.bearings[token] = map[*bearing]struct{}{}
	}

	b.bearings[token][i] = struct{}{}
}

// finished drops the INVITE.
func (b *Bearers) finished(i *bearing) {
	token := i.attempt.binding.Token

	b.mu.Lock()
	defer b.mu.Unlock()

	if delete(b.bearings[token], i); len(b.bearings[token]) == 0 {
		delete(b.bearings, token)
	}
}

// serviceURN returns the service of an emergency call (TS 29.214 §5.3.23); "" for other calls.
func serviceURN(r *sip.Request) string {
	service, _ := emergency.Service(r.Recipient.String())
	return service
}

// next returns the description of a new leg of the INVITE: from the second on, it is marked as one of several (TS 29.214 §4.4.1).
func (b *bearing) next(l *leg) bearer.Leg {
	b.mu.Lock()
	defer b.mu.Unlock()

	which := b.which
	which.Forked = len(b.legs) > 0
	b.legs = append(b.legs, l)

	return which
}

// ask holds a response until what it needs is granted. It is called once the dialog that the response makes is stored.
func (a *attempt) ask(r *sip.Response) {
	if a == nil || a.bearing == nil {
		return
	}

	b := a.bearing

	switch refused := b.why(); {
	case r.StatusCode >= 300 && refused != nil:
		refused.Replace(r)
		return
	case r.StatusCode == 100, r.StatusCode >= 300, tagOf(r.To().Params) == "":
		return
	}

	if a.fromCore {
		b.heard(r)
	}

	l := a.proxy.bearers.begin(a.key(r), b)
	if l == nil {
		return
	}

	if r.IsSuccess() {
		l.confirm(b.tx.Request(), r)
	}

	answer := session(r)

	switch {
	case answer == nil:
	case b.offer == nil: // the answer comes in PRACK or ACK
		l.offers(answer, sip.Callee)
	default:
		if refused := l.need(b.ctx, b.tx.Cancelled(), b.offer, answer, sip.Caller); refused != nil {
			b.refuse(refused, r.IsSuccess())
		}
	}
}

// heard notes what a callee states about its access.
func (b *bearing) heard(r *sip.Response) {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.which.Access = cmp.Or(accessOf(r), b.which.Access)
}

// confirm prepares the dialog of a 2xx for being ended from here.
func (l *leg) confirm(received *sip.Request, r *sip.Response) {
	p := l.proxy

	d, err := sip.WatchDialog(received, r, func(a sip.NameAddr) bool {
		u, err := sip.ParseURI(a.URI)
		return err == nil && u.User == l.key.Token
	})
	if err != nil {
		p.log.Warn("a call could not be released from here", "call_id", l.key.CallID, "cause", err)
		return
	}

	l.mu.Lock()
	defer l.mu.Unlock()

	l.dialog = d
}

func (b *bearing) why() *sip.Refusal {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.refused
}

// refuse ends the INVITE; if it is answered already, once the answer has been forwarded.
func (b *bearing) refuse(why *sip.Refusal, answered bool) {
	b.mu.Lock()
	again, gone := b.refused != nil, b.answered
	b.refused = why
	b.mu.Unlock()

	switch {
	case again:
	case gone:
		b.release(why)
	case !answered:
		b.tx.Withdraw(why.Reasons[0].Header())
	}
}

// release ends the dialogs of the INVITE, whose 2xx has been forwarded.
func (b *bearing) release(why *sip.Refusal) {
	b.mu.Lock()
	legs := slices.Clone(b.legs)
	b.mu.Unlock()

	for _, l := range legs {
		if l.confirmed() {
			l.refuse(why)
		}
	}
}

func (l *leg) confirmed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.dialog != nil
}

// over is called when the final response was forwarded. The legs of early dialogs other than the confirmed one end.
func (b *bearing) over(final *sip.Response) {
	if b == nil {
		return
	}

	bearers := b.attempt.proxy.bearers
	bearers.finished(b)

	b.mu.Lock()
	legs, refused := slices.Clone(b.legs), b.refused
	b.answered = final.IsSuccess()
	b.mu.Unlock()

	for _, l := range legs {
		if !l.confirmed() {
			bearers.ended(l.key)
		}
	}

	if refused != nil && final.IsSuccess() {
		b.release(refused)
	}
}
