package gm

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pcscf/internal/dialog"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

const (
	early     = 15 * time.Minute // longer than an INVITE may ring
	unlimited = 24 * time.Hour   // a session without a session timer is assumed to have ended then
	// longestSubscription is the longest registration (TS 24.229 §5.1.1.3), whatever a notifier grants.
	longestSubscription = 600_000 * time.Second
	margin              = time.Minute // for delays: 64*T1 and a retransmission or two
)

// attempt is a pending initial request, and the dialogs that its responses make.
type attempt struct {
	proxy   *Proxy
	binding *binding.Binding
	request *sip.Request
	initial *dialog.Initial
	// fromCore is true of a request to the handset; routes are then those of the request, without this P-CSCF's.
	fromCore bool
	routes   []string
	target   string
	icid     string       // of P-Charging-Vector
	urgent   bool         // an emergency call
	centre   []netip.Addr // of the emergency centre that answers it
	bearing  *bearing     // nil: it asks for no bearers
}

// begin records an initial request that may make a dialog; it returns nil for other requests. An error means that the handset has reached
// its limit. received is the request before this P-CSCF's Record-Route.
func (p *Proxy) begin(received *sip.Request, b *binding.Binding, fromCore bool) (*attempt, error) {
	if !makesDialog(received) {
		return nil, nil
	}

	return p.start(&attempt{proxy: p, binding: b, request: received, fromCore: fromCore})
}

// beginUrgent is begin for an initial request of an emergency call.
func (p *Proxy) beginUrgent(received *sip.Request, b *binding.Binding) (*attempt, error) {
	if !makesDialog(received) {
		return nil, nil
	}

	return p.start(&attempt{proxy: p, binding: b, request: received, urgent: true})
}

func (p *Proxy) start(a *attempt) (*attempt, error) {
	received, b := a.request, a.binding
	half := dialogKey(received, b, a.fromCore)

	if a.fromCore {
		a.target = contactOf(received)

		records, err := sip.RecordRoutes(received)
		if err != nil {
			return nil, err
		}

		a.routes = texts(records)
	}

	var err error
	if a.initial, err = p.dialogs.Begin(half, dialog.Dialog{Routes: a.routes, Target: a.target, Urgent: a.urgent}, early); err != nil {
		return nil, err
	}

	if _, served := p.bindings.ByToken(b.Token); !served { // the registration has ended meanwhile, and its dialogs with it
		p.dialogs.RemoveAll(b.Token)
	}

	return a, nil
}

// charged records the ICID of a request, for the log.
func (a *attempt) charged(v ims.ChargingVector) {
	if a != nil {
		a.icid = v.ICID
	}
}

// with notes by which branch a response comes: from which emergency centre. nil is none: the response is this P-CSCF's own.
func (a *attempt) with(branch *stack.Branch) {
	if a == nil || branch == nil {
		return
	}

	a.centre = nil
	for _, t := range branch.To.Targets {
		a.centre = append(a.centre, t.Addr.Addr())
	}
}

// record records the dialog that a response makes (§5.2.6.3.4, §5.2.6.4.4). It is called with the response as it goes upstream.
func (a *attempt) record(r *sip.Response) {
	if a == nil || r.StatusCode == 100 || r.StatusCode >= 300 || tagOf(r.To().Params) == "" {
		return
	}

	k := a.key(r)
	d := dialog.Dialog{Routes: a.routes, Target: a.target, Centre: a.centre}

	if !a.fromCore {
		d.Routes, d.Target = a.proxy.beyond(r, a.binding.Token), contactOf(r)
	}

	var err error
	if r.IsSuccess() {
		lasts := lifetime(string(a.request.Method), r)
		err = a.initial.Confirm(k, d, lasts)
		a.proxy.stay(k.Token, lasts)
	} else {
		err = a.initial.Early(k, d, early)
	}

	if err != nil {
		a.proxy.log.Warn("a dialog cannot be recorded", "impi", a.binding.Private, "cause", err)
	}

	if _, served := a.proxy.bindings.ByToken(a.binding.Token); !served {
		a.proxy.dialogs.RemoveAll(a.binding.Token)
	}
}

// key names the dialog of a response, as the handset sees it.
func (a *attempt) key(r *sip.Response) dialog.Key {
	k := dialog.Key{Token: a.binding.Token, CallID: r.CallID().Value(), Local: tagOf(r.From().Params), Remote: tagOf(r.To().Params)}
	if a.fromCore {
		k.Local, k.Remote = k.Remote, k.Local
	}

	return k
}

// overtaking is how long a NOTIFY waits for the 200 to its SUBSCRIBE: less than the time until its retransmission (T1).
const overtaking = 400 * time.Millisecond

// notified lets the 200 to a SUBSCRIBE or REFER pass before the NOTIFY that comes with it, perhaps by another transport: handsets and soft
// phones do not know the dialog before. If the 200 does not come in time, the NOTIFY makes the dialog (RFC 6665 §4.1.2.4, §4.4.1), and
// makes is true.
func (p *Proxy) notified(ctx context.Context, k dialog.Key, notify *sip.Request, fromCore bool) (makes bool) {
	if notify.Method != "NOTIFY" {
		return false
	}

	initial, awaited := p.dialogs.Awaited(k)
	if !awaited || !initial.Await(ctx, overtaking) {
		return false
	}

	if _, found := p.dialogs.Find(k); found {
		return false
	}

	d := initial.Dialog()

	if fromCore {
		records, err := sip.RecordRoutes(notify)
		if err != nil {
			return false
		}

		d.Routes, d.Target = texts(records), contactOf(notify)
	}

	if err := initial.Confirm(k, d, subscribed(notify)); err != nil {
		p.log.Warn("a dialog cannot be recorded", "call_id", k.CallID, "cause", err)
		return false
	}

	return true
}

// subscribed returns how long a subscription lasts, as stated by a NOTIFY (RFC 6665 §4.1.3).
func subscribed(notify *sip.Request) time.Duration {
	_, params := sip.ValueParams(notify, "Subscription-State")
	expires, _ := params.Get("expires")

	return subscription(expires)
}

// subscription returns how long the dialog of a subscription of this many seconds lasts.
func subscription(seconds string) time.Duration {
	return min(time.Duration(sip.Seconds(seconds, 3600))*time.Second, longestSubscription) + margin
}

// abandoned is called when the request is not forwarded.
func (a *attempt) abandoned() {
	if a == nil {
		return
	}

	a.initial.Over(false)

	if a.bearing != nil {
		a.proxy.bearers.finished(a.bearing)
	}
}

// finished is called when the final response was forwarded.
func (a *attempt) finished(final *sip.Response) {
	if a == nil {
		return
	}

	a.initial.Over(final.IsSuccess())
	a.bearing.over(final)

	if a.request.IsInvite() && final.IsSuccess() {
		a.proxy.log.Info("call begun", "case", direction(a.fromCore), "impi", a.binding.Private, "impu", a.binding.Default(),
			"call_id", final.CallID().Value(), "icid", a.icid)
	}
}

// beyond returns the part of the route set that lies between this P-CSCF and the other side.
func (p *Proxy) beyond(r *sip.Response, token string) []string {
	records, err := sip.RecordRoutes(r)
	if err != nil {
		return nil
	}

	own := -1

	for i, record := range records { // the last one: when a handset calls itself, the first may be the callee's and equal
		if u, err := sip.ParseURI(record.URI); err == nil && u.User == token && p.mw.Own(u) {
			own = i
		}
	}

	if own < 0 {
		return nil
	}

	records = records[:own]
	slices.Reverse(records)

	return texts(records)
}

func texts(addresses []sip.NameAddr) []string {
	all := make([]string, len(addresses))
	for i, a := range addresses {
		all[i] = a.String()
	}

	return all
}

// lifetime returns how long a dialog lasts from the 2xx that made or extended it: until the end of its session timer (RFC 4028 §10) or
// subscription, and no longer than a session without a timer.
func lifetime(method string, r *sip.Response) time.Duration {
	if method == "SUBSCRIBE" {
		return subscription(sip.Value(r, "Expires"))
	}

	interval, _ := sip.ValueParams(r, "Session-Expires")
	if seconds := sip.Seconds(interval, 0); seconds > 0 {
		return min(time.Duration(seconds)*time.Second+margin, unlimited)
	}

	return unlimited
}

// dialogKey names the dialog of a handset that a request within it belongs to, as the handset sees it.
func dialogKey(r *sip.Request, b *binding.Binding, fromCore bool) dialog.Key {
	k := dialog.Key{Token: b.Token, CallID: r.CallID().Value(), Local: tagOf(r.From().Params), Remote: tagOf(r.To().Params)}
	if fromCore {
		k.Local, k.Remote = k.Remote, k.Local
	}

	return k
}

// dialogOf finds the dialog of a handset's request. One that is not known may go on by its own Route, if that begins with the
// S-CSCF of the registration: a BYE always, for a call can always be hung up, and others when the dialog may be one of before a
// restart. Else any MESSAGE would be in one: of what does not keep a dialog going or end it only a call's passes.
func (p *Proxy) dialogOf(k dialog.Key, out *sip.Request, b *binding.Binding) (dialog.Dialog, bool) {
	if d, found := p.dialogs.Find(k); found {
		return d, true
	}

	if out.Method != "BYE" && (b.Restored.IsZero() || time.Since(b.Restored) > unlimited) || len(b.ServiceRoute) == 0 || p.anothers(k, b) {
		return dialog.Dialog{}, false
	}

	routes, err := sip.Routes(out)
	if err != nil || len(routes) == 0 {
		return dialog.Dialog{}, false
	}

	first, errFirst := sip.ParseURI(routes[0].URI)
	serving, errServing := sip.ParseURI(b.ServiceRoute[0])

	if errFirst != nil || errServing != nil || !strings.EqualFold(first.Host, serving.Host) || first.Port != serving.Port {
		return dialog.Dialog{}, false
	}

	if !slices.Contains(keeping, string(out.Method)) && !strings.HasPrefix(first.User, callPrefix) {
		return dialog.Dialog{}, false
	}

	return dialog.Dialog{Routes: texts(routes)}, true
}

// keeping lists the methods that set up, refresh or end what a dialog exists for.
var keeping = []string{"BYE", "ACK", "INVITE", "UPDATE", "PRACK", "INFO", "SUBSCRIBE", "NOTIFY"}

// callPrefix begins the S-CSCF's Record-Route in calls, and not in subscriptions.
const callPrefix = "call-"

// anothers reports whether a request is in somebody else's name: this side of the dialog is another user's, or the user itself has the
// other side. A BYE whose Route led back to its sender would make the S-CSCFs take the call for ended while it goes on.
func (p *Proxy) anothers(k dialog.Key, b *binding.Binding) bool {
	other := dialog.Key{CallID: k.CallID, Local: k.Remote, Remote: k.Local}

	for _, own := range p.bindings.Of(b.Private) {
		k.Token, other.Token = own.Token, own.Token

		if _, found := p.dialogs.Find(other); found {
			return true
		}

		if _, found := p.dialogs.Find(k); found { // by another contact of the user
			return false
		}
	}

	return p.dialogs.Taken(k)
}

// updateDialog applies the changes that a request within a dialog and its final response make to the dialog.
func (p *Proxy) updateDialog(k dialog.Key, b *binding.Binding, r *sip.Request, response *sip.Response, fromCore bool) {
	switch method := string(r.Method); {
	case method == "BYE" && response.StatusCode != 401 && response.StatusCode != 407:
		p.dialogs.Remove(k)
		p.leave(k.Token)
		p.log.Info("call ended", "impi", b.Private, "impu", b.Default(), "call_id", k.CallID)
	case response.IsSuccess() && (method == "INVITE" || method == "UPDATE" || method == "SUBSCRIBE"):
		target := contactOf(response)
		if fromCore {
			target = contactOf(r)
		}

		p.dialogs.Prolong(k, target, lifetime(method, response))
		p.stay(k.Token, lifetime(method, response))
	case response.IsSuccess() && method == "NOTIFY" && fromCore:
		p.dialogs.Prolong(k, contactOf(r), 0)
	}
}

// follow puts a handset's request on the route of its dialog (§5.2.6.3.5): through the nodes that the core put there. ok is false when
// Route differs and is not to be replaced.
func (p *Proxy) follow(ctx context.Context, out *sip.Request, d dialog.Dialog) (to stack.Destination, ok bool) {
	to = stack.Destination{Endpoint: p.mw}

	routes := make([]sip.NameAddr, 0, len(d.Routes))

	for _, text := range d.Routes {
		if a, err := sip.ParseNameAddr(text); err == nil {
			routes = append(routes, a)
		}
	}

	given, err := sip.Routes(out)
	if err != nil {
		return to, false
	}

	if !sameRoute(given, routes) {
		if p.config.Enforce {
			return to, false
		}

		sip.SetRoutes(out, routes)
	}

	if len(routes) > 0 {
		return to, true
	}

	// The route has no other node than this P-CSCF: the request goes to the other side, wherever its Request-URI points.
	target, err := sip.ParseURI(d.Target)
	if err != nil {
		return to, false
	}

	if to.Targets, err = p.stack.Resolver().Resolve(ctx, target); err != nil {
		return to, false
	}

	return to, true
}

func sameRoute(a, b []sip.NameAddr) bool {
	return slices.EqualFunc(a, b, func(a, b sip.NameAddr) bool { return sip.SameURI(a.URI, b.URI) })
}

const withoutContact = "the request has not exactly one SIP URI as its Contact (RFC 3261 §8.1.1.8)"

// reachable reports whether a request that may make a dialog states where its sender is reached in it (RFC 3261 §8.1.1.8, RFC 6665
// §4.1.2.1, RFC 3515 §2.2).
func reachable(r *sip.Request) bool { return !makesDialog(r) || oneContact(r) }

func oneContact(m sip.Message) bool {
	contacts, star, err := sip.Contacts(m)
	if err != nil || star || len(contacts) != 1 {
		return false
	}

	u, err := sip.ParseURI(contacts[0].URI)

	return err == nil && (strings.EqualFold(u.Scheme, "sip") || strings.EqualFold(u.Scheme, "sips"))
}

func contactOf(m sip.Message) string {
	contacts, _, err := sip.Contacts(m)
	if err != nil || len(contacts) == 0 {
		return ""
	}

	return contacts[0].URI
}

// tagOf returns the tag among the parameters of From or To.
func tagOf(parameters interface {
	Get(name string) (string, bool)
},
) string {
	tag, _ := parameters.Get("tag")
	return tag
}
