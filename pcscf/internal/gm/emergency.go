package gm

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/alert"
	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pcscf/internal/dialog"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Emergency configures how emergency calls are served (TS 24.229 §5.2.10). The zero value refuses them all: nothing leaves the network by
// accident.
type Emergency struct {
	Numbers      *emergency.Plan   // nil: only URNs are known
	PSAPs        map[string]string // SIP URI of the emergency centre, by service; "sos" serves all others
	Unregistered bool              // handsets need not be registered
	Alternative  Alternative
	Alerts       *alert.Alerts // nil: nobody is told of calls
}

// centres returns the emergency centres for a service, the most specific first.
func (e *Emergency) centres(service string) (all []string) {
	for service != "" {
		if uri := e.PSAPs[service]; uri != "" && !slices.Contains(all, uri) {
			all = append(all, uri)
		}

		last := max(strings.LastIndexByte(service, '.'), 0)
		service = service[:last]
	}

	return all
}

// caller is the kind of caller of an emergency call.
type caller int

const (
	fromGuest      caller = iota
	fromSeveral           // one of several registered handsets; which one is not known
	fromRegistered        // with its normal registration
	fromEmergency         // with its emergency registration
)

var callers = [...]string{
	fromGuest: "unregistered", fromSeveral: "one of several", fromRegistered: "registered", fromEmergency: "emergency registration",
}

// String returns the label of the metrics.
func (c caller) String() string { return callers[c] }

// ofEmergencies names the procedure of emergency calls in logs and metrics.
const ofEmergencies = "emergency"

// emergencyCall is an initial request for an emergency service.
type emergencyCall struct {
	proxy   *Proxy
	tx      *stack.ServerTransaction
	out     *sip.Request // as forwarded
	service string
	from    caller
	binding *binding.Binding
}

// callForHelp implements TS 24.229 §5.2.10.2 to §5.2.10.4: a request for an emergency service goes from here to the emergency centre,
// bypassing the user's S-CSCF, and so all charging and any part of the core that may be down.
func (p *Proxy) callForHelp(ctx context.Context, tx *stack.ServerTransaction, out *sip.Request, service string) {
	c := &emergencyCall{proxy: p, tx: tx, out: out, service: service}

	refusal := c.identify()
	c.announce(refusal)

	switch {
	case refusal != nil:
	case p.emergencies.Alternative.meant(c.from):
		c.toAlternative()
		return
	case !reachable(out):
		refusal = sip.Refuse(400, withoutContact)
	default:
		refusal = c.forward(ctx)
	}

	if refusal != nil {
		c.refuse(refusal)
	}
}

// announce tells the operator of the call, whatever its outcome, in the log and by alerts.
func (c *emergencyCall) announce(refusal *sip.Refusal) {
	r := c.tx.Request()

	private, identity := "", ""
	if c.binding != nil {
		private, identity = c.binding.Private, c.binding.Default()
	}

	location := "none"
	if sip.Has(r, "Geolocation") || strings.Contains(strings.Join(sip.Values(r, "Content-Type"), ""), "multipart/") ||
		strings.Contains(sip.Value(r, "Content-Type"), "pidf+xml") {
		location = "in the request"
	}

	access := c.proxy.bearers.whereabouts(r, c.tx.Flow())

	c.proxy.log.Warn("emergency call", "service", c.service, "case", c.from.String(), "method", string(r.Method),
		"impi", private, "impu", identity, "from", r.From().Address.String(),
		"imei", handsetOf(r), "source", c.tx.Flow().Remote.String(), "location", location,
		"access", access, "call_id", r.CallID().Value())

	if !r.IsInvite() {
		return
	}

	call := alert.Call{
		Time: time.Now(), Service: c.service, Caller: c.from.String(), Private: private, Public: identity, Handset: handsetOf(r),
		Source: c.tx.Flow().Remote.String(), Location: location, Access: access,
		CallID: strings.Clone(r.CallID().Value()),
	}
	if refusal != nil {
		call.Refused = refusal.Text()
	}

	c.proxy.emergencies.Alerts.Tell(call)
}

// refuse answers a call that is not forwarded.
func (c *emergencyCall) refuse(why *sip.Refusal) {
	c.proxy.refuse(c.tx, ofEmergencies, why)
	c.ended(why.Status)
}

// ended counts the call, and ends a guest that has no other.
func (c *emergencyCall) ended(status int) {
	c.proxy.emergencyCalls.WithLabelValues(c.from.String(), label.Status(status)).Inc()

	if c.binding != nil {
		c.proxy.leave(c.binding.Token)
	}
}

// forward sends the call to the emergency centre. If that cannot be reached, the centre for all services is tried, if there is one.
func (c *emergencyCall) forward(ctx context.Context) *sip.Refusal {
	p, out := c.proxy, c.out

	centres := p.emergencies.centres(c.service)
	if len(centres) == 0 {
		return sip.Refusef(503, "no emergency centre for %s is configured (emergency.psaps)", c.service)
	}

	var err error
	if out.Recipient, err = sip.ParseURI(emergency.URN(c.service)); err != nil {
		return sip.Refuse(400, "the emergency service cannot be read").Because(err)
	}

	started, err := c.begin()
	if err != nil {
		return refusalOf(err, false)
	}

	b := c.binding
	assert(out, b)
	p.bearers.provide(out, b)
	assertNumber(out, b)

	vector := p.chargingVector()
	sip.Set(out, "P-Charging-Vector", vector.String())
	started.charged(vector)

	if makesDialog(out) {
		p.recordRoute(out, b, true)
	}

	started.bear(ctx, c.tx, out)

	next, left, refusal := c.towards(ctx, centres)
	if refusal != nil {
		started.abandoned()
		return refusal
	}

	p.stack.Forward(c.tx, stack.Plan{
		Groups: [][]stack.Branch{{next}},
		OnResponse: func(branch *stack.Branch, r *sip.Response) {
			sip.RestoreRecordRoute(r, out)
			started.with(branch)
			started.record(r)
			started.ask(r)
			c.towardsHandset(r)
		},
		OnFailure: func(_ *stack.Branch, r *sip.Response) []stack.Branch {
			if !stack.Local(r) && r.StatusCode < 500 || r.StatusCode >= 600 || len(left) == 0 {
				return nil
			}

			p.log.Warn("an emergency centre has failed", "service", c.service, "status", r.StatusCode, "call_id", out.CallID().Value())

			if next, left, refusal = c.towards(ctx, left); refusal != nil {
				return nil
			}

			return []stack.Branch{next}
		},
		Then: func(final *sip.Response) {
			started.finished(final)
			p.count(ofEmergencies, out, final)
			p.log.Warn("emergency call answered", "service", c.service, "status", final.StatusCode, "call_id", out.CallID().Value(),
				"icid", vector.ICID)
			c.ended(final.StatusCode)
		},
	})

	return nil
}

// towards returns the branch to the first of these centres that can be resolved, and the remaining ones.
func (c *emergencyCall) towards(ctx context.Context, centres []string) (branch stack.Branch, left []string, refusal *sip.Refusal) {
	p := c.proxy

	for i, centre := range centres {
		u, err := sip.ParseURI(centre)
		if err != nil {
			refusal = sip.Refuse(503, "the emergency centre's URI cannot be read").Because(err)
			continue
		}

		targets, err := p.stack.Resolver().Resolve(ctx, u)
		if err != nil || len(targets) == 0 {
			p.log.Error("an emergency centre cannot be found", "psap", centre, "cause", err)
			refusal = sip.Refuse(503, "the emergency centre cannot be found").Because(err)

			continue
		}

		if !u.UriParams.Has("lr") {
			u.UriParams.Add("lr", "")
		}

		r := sip.Copy(c.out)
		sip.SetRoutes(r, []sip.NameAddr{{URI: u.String()}})
		p.log.Warn("emergency call goes on", "service", c.service, "psap", centre, "call_id", r.CallID().Value())

		return stack.Branch{Request: r, To: stack.Destination{Endpoint: p.mw, Targets: targets}}, centres[i+1:], nil
	}

	return stack.Branch{}, nil, refusal
}

// towardsHandset removes from a response what belongs to the trust domain, and states whose fault a missing one is.
func (c *emergencyCall) towardsHandset(r *sip.Response) {
	shownToHandset(r)

	if stack.Local(r) && r.StatusCode == 408 && stack.Silent(r) {
		sip.Refuse(504, "the emergency centre did not answer").Replace(r)
	}
}

// assertNumber adds the user's number to the asserted identity, if that is no number: the centre uses it to call back (§5.2.10.3).
func assertNumber(out *sip.Request, b *binding.Binding) {
	if strings.HasPrefix(sip.Value(out, "P-Asserted-Identity"), "<tel:") {
		return
	}

	for _, identity := range b.Identities {
		if strings.HasPrefix(identity, "tel:") {
			sip.Add(out, "P-Asserted-Identity", "<"+identity+">")
			return
		}
	}
}

// identify identifies the caller: a handset by its emergency registration, by another one, or by none, where that is allowed.
func (c *emergencyCall) identify() *sip.Refusal {
	p := c.proxy
	c.from = fromGuest

	claim := p.claim(c.tx.Flow(), c.tx.Request())
	claim.From, claim.Emergency = c.tx.Request().From().Address.String(), true

	b, err := p.bindings.Sender(claim)
	if errors.Is(err, binding.ErrAnother) { // elsewhere the wrong user would pay; emergency calls are free
		claim.Preferred = nil
		b, err = p.bindings.Sender(claim)
	}

	switch {
	case err == nil:
		p.heard(b)

		if c.from, c.binding = fromRegistered, b; b.Emergency {
			c.from = fromEmergency
		}

		return nil
	case errors.Is(err, binding.ErrSeveral):
		c.from = fromSeveral
	case !p.emergencies.Unregistered:
		return sip.Refuse(403, "this network serves emergency calls of registered handsets alone (emergency.unregistered)")
	}

	if !reachable(c.tx.Request()) {
		return sip.Refuse(400, withoutContact)
	}

	if r := c.tx.Request(); makesDialog(r) && !r.IsInvite() {
		return sip.Refusef(403, "a handset that is not registered makes emergency calls, and no %s", r.Method)
	}

	return nil
}

// begin notes the call, and makes a guest of a handset that calls without a registration. Its other requests have an answer and no more:
// they take no place.
func (c *emergencyCall) begin() (started *attempt, err error) {
	p, r := c.proxy, c.tx.Request()

	switch {
	case c.binding != nil:
		return p.beginUrgent(r, c.binding)
	case !r.IsInvite():
		c.binding = &binding.Binding{Contact: contactOf(r), Flow: p.security.Return(c.tx.Flow()), Emergency: true, Guest: true}
		return nil, nil
	}

	p.guests.Lock()
	defer p.guests.Unlock()

	if c.binding, err = p.welcome(c.tx); err != nil {
		c.binding = nil
		return nil, err
	}

	return p.beginUrgent(r, c.binding)
}

// welcome makes a guest of a handset that is not registered: a binding for as long as its calls last, by which the centre's requests
// reach it. It gives no identity, for nobody knows it (§5.2.10.2). It is called with guests held.
func (p *Proxy) welcome(tx *stack.ServerTransaction) (*binding.Binding, error) {
	r, flow := tx.Request(), p.security.Return(tx.Flow())
	contact := strings.Clone(contactOf(r))

	b := &binding.Binding{
		Token: p.bindings.Token(flow.Remote.Addr(), contact, "", ""), Contact: contact, Instance: handsetOf(r), Flow: flow,
		Emergency: true, Guest: true, Expires: time.Now().Add(early + margin),
	}

	if old, found := p.bindings.ByToken(b.Token); found && old.Expires.After(b.Expires) { // it is in another call
		b.Expires = old.Expires
	}

	return b, p.bindings.Put(b)
}

// handsetOf returns the sender's IMEI, or another name of the handset: from Contact's +sip.instance (RFC 7254), or its GRUU; "".
func handsetOf(r *sip.Request) string {
	contacts, _, err := sip.Contacts(r)
	if err != nil || len(contacts) == 0 {
		return ""
	}

	if instance, _, err := sip.Instance(contacts[0], false); err == nil && instance != "" {
		return strings.Clone(instance)
	}

	u, err := sip.ParseURI(contacts[0].URI)
	if err != nil {
		return ""
	}

	instance, _ := u.UriParams.Get("gr")

	return strings.Clone(instance)
}

// isGuest reports whether a binding is a guest's, which it is for all its time.
func (p *Proxy) isGuest(token string) bool {
	b, found := p.bindings.ByToken(token)
	return found && b.Guest
}

// stay has a guest's binding last as long as a dialog of it.
func (p *Proxy) stay(token string, lasts time.Duration) {
	if !p.isGuest(token) {
		return
	}

	until := time.Now().Add(lasts + margin)

	p.guests.Lock()
	defer p.guests.Unlock()

	b, found := p.bindings.ByToken(token)
	if !found || b.Ended == "" && b.Expires.After(until) || p.dialogs.Of(token) == 0 {
		return
	}

	longer := *b
	longer.Ended, longer.Expires = "", until
	p.bindings.Replace(b, &longer)
}

// leave ends a guest's binding when no call of it is left, nor an early dialog that the centre may still confirm.
func (p *Proxy) leave(token string) {
	if !p.isGuest(token) {
		return
	}

	p.guests.Lock()
	defer p.guests.Unlock()

	b, found := p.bindings.ByToken(token)
	if !found || b.Ended != "" || p.dialogs.Of(token) > 0 {
		return
	}

	p.bindings.Replace(b, b.Ending("its emergency call is over"))
}

// ofEmergency reports whether a message belongs to an emergency call in progress: by its dialog, and from where the handset is, or from
// the other side.
func (p *Proxy) ofEmergency(flow stack.Flow, m sip.Message) bool {
	fromCore := flow.Endpoint == p.mw

	return p.inEmergency(m, fromCore, func(b *binding.Binding, _ dialog.Dialog) bool {
		return fromCore || b.Flow.Remote.Addr() == flow.Remote.Addr()
	})
}

// inEmergency reports whether a message is in the dialog of an emergency call that meets a condition. Its Call-ID alone says nothing:
// anybody who has called can give that to any request.
func (p *Proxy) inEmergency(m sip.Message, fromCore bool, meets func(*binding.Binding, dialog.Dialog) bool) bool {
	k := dialog.Key{CallID: sip.Value(m, "Call-ID")}

	tokens := p.dialogs.Urgent(k.CallID)
	if len(tokens) == 0 || m.From() == nil || m.To() == nil {
		return false
	}

	k.Local, k.Remote = tagOf(m.From().Params), tagOf(m.To().Params)
	if _, isRequest := m.(*sip.Request); isRequest == fromCore { // From is of the other side
		k.Local, k.Remote = k.Remote, k.Local
	}

	for _, k.Token = range tokens {
		b, known := p.bindings.ByToken(k.Token)
		if d, found := p.dialogs.Find(k); known && found && d.Urgent && meets(b, d) {
			return true
		}
	}

	return false
}

// Urgent reports whether a request is served even when the P-CSCF is at its limit of work: requests for emergency services, and all in an
// emergency call.
func (p *Proxy) Urgent(flow stack.Flow, r *sip.Request) bool {
	return flow.Endpoint != p.mw && p.emergency(r) || p.ofEmergency(flow, r)
}

// fromPSAP reports whether a request from outside the core is of an emergency centre, in a call that went there, and for the handset that
// made the call.
func (p *Proxy) fromPSAP(flow stack.Flow, r *sip.Request) bool {
	return inDialog(r) && p.inEmergency(r, true, func(caller *binding.Binding, d dialog.Dialog) bool {
		if !slices.Contains(d.Centre, flow.Remote.Addr()) {
			return false
		}

		_, own, _ := p.stack.Forwardable(r) // if there is a refusal, it comes again when the request is served
		b, found := p.party(own)

		return found && b.Token == caller.Token
	})
}
