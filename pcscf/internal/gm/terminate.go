package gm

import (
	"context"
	"net/netip"
	"strings"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ims/trust"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// terminate implements TS 24.229 §5.2.6.4: a request from the core to a handset. The Route entry with this P-CSCF's token, from Path or
// Record-Route, identifies the handset.
func (p *Proxy) terminate(ctx context.Context, tx *stack.ServerTransaction, out *sip.Request, own []sip.NameAddr) {
	if p.stack.Repeated(tx) {
		return
	}

	b, found := p.party(own)

	switch {
	case !found && inDialog(out):
		p.refuse(tx, "terminating", sip.Refuse(481, "no dialog of a handset goes through here"))
		return
	case !found && !tokened(own):
		p.refuse(tx, "terminating", sip.Refuse(480, "the request does not say by which registration it reaches the handset"))
		return
	case found && !inDialog(out) && p.Unreachable(b) != "":
		p.refuse(tx, "terminating", sip.Refuse(480, "the handset cannot be reached: the bearer of its signalling is lost"))
		return
	case !found || !b.Registered && !inDialog(out):
		p.refuse(tx, "terminating", sip.Refuse(430, "the handset is not registered here any more")) // RFC 5626 §5.3.1: its S-CSCF drops it
		return
	}

	var started *attempt

	if !inDialog(out) {
		if !reachable(out) {
			p.refuse(tx, "terminating", sip.Refuse(400, withoutContact))
			return
		}

		var err error
		if started, err = p.begin(out, b, true); err != nil {
			p.refuse(tx, "terminating", refusalOf(err, true))
			return
		}
	}

	k := dialogKey(out, b, true)
	vector := ims.ParseChargingVector(sip.Value(out, "P-Charging-Vector"))
	started.charged(vector)

	called := sip.Value(out, "P-Called-Party-ID")

	makes := p.notified(ctx, k, out, true)

	var media *passing
	if started == nil {
		media = p.passes(ctx, k, tx, out, true)
	}

	shownToHandset(out)

	if inDialog(out) { // the privacy that the initial request wanted is not known here; the handset knows the other side by now
		sip.Remove(out, "P-Asserted-Identity")
	}

	if makes || makesDialog(out) { // RFC 6665 §4.3
		p.recordRoute(out, b, false)
	}

	started.bear(ctx, tx, out)

	p.stack.Forward(tx, stack.Plan{
		Groups: [][]stack.Branch{{{Request: out, To: p.handset(b)}}},
		OnResponse: func(_ *stack.Branch, r *sip.Response) {
			p.putBack(r, out, b)
			p.putContact(r, out, b)
			started.record(r)
			started.ask(r)
			media.answered(r)
			p.towardsCore(r, b, called, vector)
		},
		OnFailure: func(branch *stack.Branch, r *sip.Response) []stack.Branch {
			switch to, found := contacted(b); {
			case !stack.Local(r):
				if r.StatusCode == 430 { // a handset may not send it (RFC 5626 §11.5)
					r.StatusCode, r.Reason = 480, sip.Phrase(480)
				}
			case branch.To.Flow == nil || r.StatusCode != 503:
			case found:
				return []stack.Branch{{Request: out, To: to}}
			case b.Flow.Transport == "TCP" && !b.Protected() && !inDialog(out): // its connection is gone, and it cannot be reached
				sip.Refuse(430, "the handset's connection is gone, and its Contact is not where it came from").Replace(r)
			}

			return nil
		},
		OnCancel: shownInCancel,
		Then: func(final *sip.Response) {
			started.finished(final)

			if started == nil {
				p.updateDialog(k, b, out, final, true)
			}

			media.over()

			p.count("terminating", out, final)
		},
	})
}

// putBack restores the Record-Route that this P-CSCF sent in a handset's response (§5.2.6.4.4). An entry removed by the handset would make
// the caller's BYE bypass the S-CSCFs, which would go on charging.
func (p *Proxy) putBack(r *sip.Response, sent *sip.Request, b *binding.Binding) {
	if r.StatusCode >= 300 || !makesDialog(sent) {
		sip.Remove(r, "Record-Route")
		return
	}

	if sip.RestoreRecordRoute(r, sent) || len(sip.Values(r, "Record-Route")) != len(sip.Values(sent, "Record-Route")) {
		p.outcomes.WithLabelValues("terminating", label.Method(string(sent.Method)), "Record-Route put back").Inc()
		p.log.Warn(
			"the handset changed Record-Route in its response",
			"impi", b.Private,
			"status", r.StatusCode,
			"call_id", sip.Value(r, "Call-ID"),
		)
		sip.SetRecordRoute(r, sent)
	}
}

// putContact adds the registered Contact to an answer to INVITE without one (RFC 3261 §13.3.1.4): otherwise the session would have no
// target, and nobody could end it for the user by a BYE.
func (p *Proxy) putContact(r *sip.Response, sent *sip.Request, b *binding.Binding) {
	if !sent.IsInvite() || !r.IsSuccess() || oneContact(r) {
		return
	}

	p.outcomes.WithLabelValues("terminating", "INVITE", "Contact put in").Inc()
	p.log.Warn("the handset answered without a Contact", "impi", b.Private, "status", r.StatusCode, "call_id", sip.Value(r, "Call-ID"))
	sip.Set(r, "Contact", "<"+b.Contact+">")
}

// contacted returns where a handset states that it takes connections, for when the one that it registered over is gone. The address must be
// the same: what a handset states of another address is not trusted.
func contacted(b *binding.Binding) (stack.Destination, bool) {
	if b.Flow.Transport != "TCP" || b.Protected() {
		return stack.Destination{}, false
	}

	address, found := b.Stated()
	if !found {
		return stack.Destination{}, false
	}

	return stack.Destination{Endpoint: b.Flow.Endpoint, Targets: []stack.Target{{Transport: "TCP", Addr: address}}}, true
}

// servedAtContact reports whether a handset registered by UDP in clear from another port than that of its Contact, where it listens:
// nothing points to a NAT, which would need the way back to the source, and the handset does not ask for that by rport (RFC 3261 §18.2.2,
// RFC 3581 §4).
func servedAtContact(register *sip.Request, b *binding.Binding) bool {
	via := register.Via()
	if via == nil || b.Flow.Transport != "UDP" || b.Protected() || via.Params.Has("rport") {
		return false
	}

	sent, err := netip.ParseAddr(strings.Trim(via.Host, "[]"))
	stated, found := b.Stated()

	return err == nil && sent.Unmap() == b.Flow.Remote.Addr() && found && stated != b.Flow.Remote
}

// hidden reports whether the sender wants its identity hidden. A Privacy that cannot be parsed counts as that wish.
func hidden(m sip.Message) bool {
	privacy, err := ims.ParsePrivacy(sip.Values(m, "Privacy")...)
	return err != nil || privacy.HidesIdentity()
}

// towardsCore makes a handset's response trustworthy for the core (§5.2.6.4.4).
func (p *Proxy) towardsCore(r *sip.Response, b *binding.Binding, called string, vector ims.ChargingVector) {
	identity := b.Default()

	for _, value := range append(sip.Values(r, "P-Preferred-Identity"), called) {
		if preferred, ok := registeredAs(value, b); ok {
			identity = preferred
			break
		}
	}

	trust.Cross(r, trust.Handset, trust.Core)

	if identity != "" && r.StatusCode > 100 {
		sip.Set(r, "P-Asserted-Identity", "<"+identity+">")
	}

	p.bearers.provide(r, b)

	if vector.ICID != "" {
		sip.Set(r, "P-Charging-Vector", vector.String())
	}
}

// handset returns the destination of a handset: its registration's, with its current security associations. A message too large for UDP
// tries TCP first (RFC 3261 §18.1.1), in clear if there is no NAT between.
func (p *Proxy) handset(b *binding.Binding) stack.Destination {
	flow := p.security.Return(b.Flow)

	if stated, found := b.Stated(); found && b.ToContact {
		flow.Remote = stated
	}

	if stated, found := b.Stated(); found && !b.Protected() && stated == flow.Remote {
		flow.TakesTCP = true
	}

	return stack.Destination{Flow: &flow}
}
