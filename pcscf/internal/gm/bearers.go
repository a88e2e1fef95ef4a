package gm

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pcscf/internal/dialog"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Bearers requests of the access network what calls need (TS 24.229 §5.2.8, TS 29.213 §6.2) when an SDP answer passes; the answer is held
// until the PCRF has replied. A call leg is a dialog of a handset; its bearers are released when the dialog is dropped.
type Bearers struct {
	BearerConfig

	sessions *bearer.Bearers

	mu         sync.Mutex
	legs       map[dialog.Key]*leg
	bearings   map[string]map[*bearing]struct{} // pending INVITEs, by the token of the handset
	signalling map[string]*signalling           // by the token of the handset
}

// BearerConfig configures the request of bearers.
type BearerConfig struct {
	Policy     BearerPolicy
	Endpoints  map[string]BearerPolicy // the policy for handsets registered by these endpoints, if another
	Patience   time.Duration           // how long a message is held
	Kinds      []media.Kind            // of media that bearers are requested for
	Signalling bool                    // ask to be told when a handset becomes unreachable
	Location   bool                    // tell the core where handsets are, as the access network says
}

// BearerPolicy is what happens to a call whose bearers are refused or lost.
type BearerPolicy string

// The values of BearerPolicy.
const (
	NoBearers  BearerPolicy = "off"         // none are requested
	BestEffort BearerPolicy = "best-effort" // the call goes on
	Required   BearerPolicy = "required"    // the call ends
)

// NewBearers returns Bearers that use these sessions.
func NewBearers(sessions *bearer.Bearers, c BearerConfig) *Bearers {
	return &Bearers{
		BearerConfig: c, sessions: sessions, legs: map[dialog.Key]*leg{}, bearings: map[string]map[*bearing]struct{}{},
		signalling: map[string]*signalling{},
	}
}

// policy returns the policy of the endpoint that a handset is registered by, or of the one that its protected ports belong to.
func (b *Bearers) policy(of *binding.Binding) BearerPolicy {
	name := of.Flow.Endpoint.Name()

	policy, found := b.Endpoints[name]
	if at := strings.LastIndexByte(name, '/'); !found && at >= 0 {
		policy, found = b.Endpoints[name[:at]]
	}

	if !found {
		return b.Policy
	}

	return policy
}

// leg is a dialog of a handset that carries media.
type leg struct {
	proxy   *Proxy
	key     dialog.Key
	bearing *bearing // of the INVITE that makes it
	handset sip.Side // the handset's side of the dialog
	bearers *bearer.CallLeg

	mu       sync.Mutex
	settled  chan struct{}    // closed by the ACK of its last 2xx
	granted  bool             // it has had bearers
	offer    []byte           // from a response: the answer comes in a PRACK or ACK
	offerer  sip.Side         // who sent the offer
	dialog   *sip.ProxyDialog // nil: no 2xx has come yet
	released bool
}

// ended ends the leg of a dropped dialog.
func (b *Bearers) ended(k dialog.Key) {
	if b == nil {
		return
	}

	b.mu.Lock()
	l := b.legs[k]
	delete(b.legs, k)
	b.mu.Unlock()

	if l != nil {
		l.bearers.End()
	}
}

func (b *Bearers) find(k dialog.Key) *leg {
	if b == nil {
		return nil
	}

	b.mu.Lock()
	defer b.mu.Unlock()

	return b.legs[k]
}

// begin returns the leg of a dialog in the table; nil: the table does not have it.
func (b *Bearers) begin(k dialog.Key, bearing *bearing) *leg {
	p := bearing.attempt.proxy

	if _, found := p.dialogs.Find(k); !found {
		return nil // there was no room for it
	}

	b.mu.Lock()
	l := b.legs[k]

	if l == nil {
		k = dialog.Key{
			Token: strings.Clone(k.Token), CallID: strings.Clone(k.CallID), Local: strings.Clone(k.Local), Remote: strings.Clone(k.Remote),
		}
		l = &leg{proxy: p, key: k, bearing: bearing, handset: bearing.handset, settled: make(chan struct{})}
		l.bearers = b.sessions.Leg(bearing.next(l), l.lost)
		b.legs[k] = l
	}
	b.mu.Unlock()

	if _, found := p.dialogs.Find(k); !found { // it has ended meanwhile
		b.ended(k)
		return nil
	}

	return l
}

// need requests what an offer and its answer need, and waits as long as the message may be held, or until its request is cancelled. A
// refusal ends a call that requires its bearers.
func (l *leg) need(ctx context.Context, cancelled <-chan struct{}, offer, answer []byte, offerer sip.Side) *sip.Refusal {
	p := l.proxy

	b, found := p.bindings.ByToken(l.key.Token)
	if !found {
		return nil
	}

	components, err := media.Needs(media.Negotiation{
		Offer: offer, Answer: answer, UEOffered: offerer == l.handset, UE: b.Flow.Remote.Addr(),
	}, p.bearers.Kinds)
	if err != nil {
		p.log.Warn("a session description says nothing of media", "call_id", l.key.CallID, "cause", err)
		return nil
	}

	ctx, cancel := context.WithTimeout(ctx, p.bearers.Patience)
	defer cancel()

	p.bearers.sessions.Go(func() {
		select {
		case <-cancelled:
			cancel()
		case <-ctx.Done():
		}
	})

	switch err := l.bearers.Need(ctx, components); {
	case err == nil:
		l.mu.Lock()
		l.granted = true
		l.mu.Unlock()

		return nil
	case errors.Is(err, bearer.ErrOver):
		return nil
	case errors.Is(err, bearer.ErrLate) && errors.Is(ctx.Err(), context.Canceled):
		return nil
	case errors.Is(err, bearer.ErrLate):
		p.log.Warn("a call goes on without waiting any longer for the answer to its request for bearers", "call_id", l.key.CallID)
		return nil
	case !l.required():
		return nil
	case l.has() && !refused(err): // it still has what it had, as far as is known
		return nil
	default:
		return whyRefused(err)
	}
}

// refused reports whether a request was processed, and refused.
func refused(err error) bool {
	refusal, refused := errors.AsType[*bearer.Refusal](err)
	return refused && !refusal.Undone
}

// whyRefused returns the refusal of a call that requires its bearers, with Retry-After where that is known.
func whyRefused(err error) *sip.Refusal {
	if refusal, refused := errors.AsType[*bearer.Refusal](err); refused && refusal.Retry > 0 {
		return sip.Refuse(503, err.Error(), retryAfter(refusal.Retry))
	}

	return sip.Refuse(503, err.Error())
}

// required reports whether the call ends without its bearers. An emergency call never does.
func (l *leg) required() bool {
	return l.bearing.policy == Required && l.bearing.which.ServiceURN == ""
}

func (l *leg) has() bool {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.granted
}

// lost is called when the access network has released bearers, or refuses them late.
func (l *leg) lost(loss bearer.Loss) {
	if !l.required() && (loss.Late || !loss.All) {
		return // it may go on without
	}

	l.release(sip.Refuse(503, loss.Why))
}

// refuse ends a call that requires its bearers, because those that it needs from now on are refused.
func (l *leg) refuse(why *sip.Refusal) {
	l.proxy.bearers.sessions.Go(func() { l.release(why) })
}

// release ends the call from here (TS 24.229 §5.2.8.1.1, §5.2.8.1.2): before the answer, the callee gets a CANCEL and the caller 503;
// afterwards each party gets a BYE in the name of the other.
func (l *leg) release(why *sip.Refusal) {
	p := l.proxy

	l.mu.Lock()
	d, settled, again := l.dialog, l.settled, l.released
	l.released = again || d != nil
	l.mu.Unlock()

	switch {
	case again:
		return
	case d == nil:
		l.bearing.refuse(why, false)
		return
	}

	select { // a BYE that overtook the 2xx would leave somebody in the call
	case <-settled:
	case <-time.After(unacknowledged):
	}

	if p.bearers.find(l.key) != l { // it was hung up meanwhile
		return
	}

	attributes := []any{"call_id", l.key.CallID, "cause", why.Text()}
	if b, found := p.bindings.ByToken(l.key.Token); found {
		attributes = append(attributes, "impi", b.Private, "impu", b.Default())
	}

	p.log.Warn("call released by the P-CSCF", attributes...)
	p.outcomes.WithLabelValues("both", "BYE", "released").Inc()

	ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
	defer cancel()

	var group sync.WaitGroup

	for _, to := range []sip.Side{sip.Caller, sip.Callee} {
		group.Go(func() { l.hangUp(ctx, d, to, why) })
	}

	p.dialogs.Remove(l.key)
	group.Wait()
}

const (
	releaseTime    = 40 * time.Second // more than the timers of a BYE
	unacknowledged = 5 * time.Second  // for the ACK of a 2xx
)

func (l *leg) hangUp(ctx context.Context, d *sip.ProxyDialog, to sip.Side, why *sip.Refusal) {
	p := l.proxy

	bye, err := d.Request(to, "BYE")
	if err != nil {
		p.log.Error("BYE cannot be made", "call_id", l.key.CallID, "cause", err)
		return
	}

	sip.SetReasons(bye, why.Reasons...)

	destination := stack.Destination{Endpoint: p.mw}

	if to == l.handset {
		b, found := p.bindings.ByToken(l.key.Token)
		if !found {
			return
		}

		destination = p.handset(b)
	}

	response, err := p.stack.Do(ctx, bye, destination)

	switch {
	case err != nil:
		p.log.Warn("BYE was not taken", "call_id", l.key.CallID, "cause", err)
	case !response.IsSuccess() && response.StatusCode != 481:
		p.log.Warn("BYE was not taken", "call_id", l.key.CallID, "status", response.StatusCode)
	}
}
