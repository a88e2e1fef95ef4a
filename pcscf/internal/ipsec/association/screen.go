package association

import (
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/agreement"
	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Screen checks a handset's request against its security agreement (RFC 3329 §2.3, TS 33.203 §7.2, TS 24.229 §5.2.2).
func (p *Table) Screen(r *sip.Request, flow stack.Flow) *sip.Refusal {
	switch {
	case p.ports.client(flow.Endpoint):
		return p.refusal(403, "requests go to the P-CSCF's protected server port", nil)
	case p.ports.server(flow.Endpoint):
		return p.screenProtected(r, flow)
	case r.Method == "REGISTER":
		return p.screenFirst(r, flow)
	default:
		return nil
	}
}

// screenFirst checks a REGISTER outside all associations.
func (p *Table) screenFirst(r *sip.Request, flow stack.Flow) *sip.Refusal {
	mode := p.settings.Modes[flow.Endpoint.Name()]
	if mode == Off {
		return nil
	}

	read, err := agreement.Parse(r)
	if err != nil {
		return p.refusal(400, err.Error(), nil)
	}

	needed := mode == Required || read.Demanded

	switch {
	case !read.Offered() && !needed:
		return p.answeredInClear(r, flow, mode)
	case !read.Offered() && !read.Demanded:
		return p.refusal(421, "this P-CSCF serves handsets by security associations only", p.offers())
	case !read.Offered():
		return p.refusal(494, "sec-agree is required, and Security-Client is missing", p.offers())
	}

	if _, err := agreement.Choose(p.settings.Suites, read.Client); err != nil {
		if needed {
			return p.refusal(494, err.Error(), p.offers())
		}

		p.log.Warn("handset served without security associations", "source", flow.Remote.String(), "cause", err)
	}

	return p.answeredInClear(r, flow, mode)
}

// answeredInClear refuses the answer to a challenge with associations when it comes outside them, unless it has AUTS (TS 24.229
// §5.1.1.5.3). Where associations are required, no answer in clear is forwarded: the home network challenges again.
func (p *Table) answeredInClear(r *sip.Request, flow stack.Flow, mode Mode) *sip.Refusal {
	credentials, err := digest.ParseCredentials(digest.Offered(sip.Values(r, "Authorization")))
	if err != nil || credentials.Response == "" || credentials.AUTS != "" {
		return nil
	}

	if a := p.challengedBy(credentials.Nonce, flow); a != nil {
		return p.refusal(494, "the answer to the challenge came outside the security associations", a.answer)
	}

	if mode == Required {
		credentials.Response = ""
		sip.Set(r, "Authorization", credentials.String())
	}

	return nil
}

// challengedBy returns the set made for a challenge to the sender of this flow; nil: there is none.
func (p *Table) challengedBy(nonce string, flow stack.Flow) *association {
	if nonce == "" {
		return nil
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	for _, a := range p.byHandset[flow.Remote.Addr()] {
		if a.state == temporary && a.nonce == nonce {
			return a
		}
	}

	return nil
}

// Offered reports whether a REGISTER outside all associations comes from a handset that is offered some (TS 24.229 §5.2.2.2): the S-CSCF
// then waits for an answer that comes through them.
func (p *Table) Offered(r *sip.Request, flow stack.Flow) bool {
	if p.settings.Modes[flow.Endpoint.Name()] == Off || p.ports.server(flow.Endpoint) {
		return false
	}

	if read, err := agreement.Parse(r); err == nil && read.Offered() {
		if _, err := agreement.Choose(p.settings.Suites, read.Client); err == nil {
			return true
		}
	}

	credentials, err := digest.ParseCredentials(sip.Value(r, "Authorization"))

	return err == nil && p.challengedBy(credentials.Nonce, flow) != nil
}

// screenProtected checks a request to a protected server port: the kernel lets nothing in there outside an association.
func (p *Table) screenProtected(r *sip.Request, flow stack.Flow) *sip.Refusal {
	a := p.find(flow)
	if a == nil {
		return p.refusal(403, "no security association of this handset is known here", nil)
	}

	register := r.Method == "REGISTER"

	if a.state == temporary && !register {
		return p.refusal(403, "the registration is not complete", nil)
	}

	if register || sip.Has(r, "Security-Verify") {
		read, err := agreement.Parse(r)

		switch {
		case err != nil:
			return p.refusal(400, err.Error(), nil)
		case !ims.SameSecurity(a.answer, read.Verify):
			return p.refusal(494, "Security-Verify is not the Security-Server that was sent", a.answer)
		case register && a.state == temporary && read.Offered() && !ims.SameSecurity(a.offer, read.Client):
			return p.refusal(494, "Security-Client is another than before the challenge", a.answer)
		}
	}

	if register {
		if refusal := p.screenUser(r, flow, a); refusal != nil {
			return refusal
		}
	}

	p.use(a, flow, register)

	return nil
}

// screenUser prevents the association of one user from registering another.
func (p *Table) screenUser(r *sip.Request, flow stack.Flow, a *association) *sip.Refusal {
	credentials, err := digest.ParseCredentials(digest.Offered(sip.Values(r, "Authorization")))
	if err == nil && a.private != "" && credentials.Username != "" && credentials.Username != a.private {
		return p.refusal(403, "the security associations are another user's", nil)
	}

	return nil
}

// use records that a message came through a set. With the first message other than REGISTER the sets before it end (TS 33.203 §7.4).
func (p *Table) use(a *association, flow stack.Flow, register bool) {
	p.mu.Lock()
	defer p.mu.Unlock()

	a.takesTCP = a.takesTCP || flow.Transport == "TCP"
	a.heard = time.Now()

	if register || a.used || a.state != established {
		return
	}

	a.used = true

	for _, other := range p.byHandset[a.set.UE] {
		if other.state == replaced && other.with(a) {
			p.end(other, "the newer ones are in use")
		}
	}
}

func (p *Table) offers() []ims.SecurityMechanism { return agreement.Offers(p.settings.Suites) }

// refusal returns the refusal of a handset, with the mechanisms that it may choose from (RFC 3329 §2.3.1).
func (p *Table) refusal(status int, why string, server []ims.SecurityMechanism) *sip.Refusal {
	p.outcomes.WithLabelValues(label.Status(status)).Inc()

	refusal := sip.Refuse(status, why)

	if len(server) > 0 {
		refusal.Headers = append(refusal.Headers, sip.NewHeader("Security-Server", ims.FormatSecurity(server)))
	}

	if status == 421 {
		refusal.Headers = append(refusal.Headers, sip.NewHeader("Require", agreement.Option))
	}

	return refusal
}

// remaining returns the remaining life of a set.
func (a *association) remaining() time.Duration { return time.Until(a.until) }
