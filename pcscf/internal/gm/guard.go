package gm

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pcscf/internal/protection"
	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/border"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

var errNotHeard = errors.New("the source is not heard (protection)")

// Screen decides on each message before anything of it is stored. A message that it lets through may still be refused, with an answer.
func (p *Proxy) Screen(flow stack.Flow, m sip.Message) error {
	if p.guard == nil {
		return nil
	}

	if flow.Endpoint == p.mw {
		// A response is trusted only within the transaction that it belongs to.
		if r, isRequest := m.(*sip.Request); isRequest && !p.fromPSAP(flow, r) && !p.guard.Core(flow.Remote.Addr()) {
			return border.ErrOutside
		}

		return nil
	}

	if p.guard.Judge(p.describe(flow, m)) == protection.Drop {
		return errNotHeard
	}

	return nil
}

// describe returns what the guard needs to know of a message, and no more.
func (p *Proxy) describe(flow stack.Flow, m sip.Message) protection.Message {
	described := protection.Message{Source: flow.Remote.Addr(), Forgeable: flow.Transport == "UDP" && !p.security.Protected(flow)}

	r, isRequest := m.(*sip.Request)
	if isRequest {
		described.Request, described.UserAgent = true, sip.Value(r, "User-Agent")
	}

	if !p.guard.Counts() {
		return described
	}

	described.Emergency = isRequest && p.emergency(r) || p.ofEmergency(flow, m)

	if b, found := p.bindings.At(p.security.Return(flow).Remote); found {
		described.Handset = b.Token
	}

	return described
}

// emergency reports whether a request is for an emergency service, or is an emergency registration (TS 24.229 §5.1.6.2).
func (p *Proxy) emergency(r *sip.Request) bool {
	if r.Method == "REGISTER" {
		return emergency.Registers(r)
	}

	if inDialog(r) && !r.IsAck() { // it goes the way of its dialog
		return false
	}

	_, called := p.emergencies.Numbers.Called(r.Recipient)

	return called
}

// Bounds in octets of what a handset may send, above what any handset sends: the core forwards it with additions, and stores some of it.
const (
	maxRequestURI  = 2 << 10
	maxHeaderField = 8 << 10
)

// sized refuses a request with an excessive Request-URI (RFC 3261 §21.4.15) or header field (§21.5.7).
func (p *Proxy) sized(tx *stack.ServerTransaction) bool {
	r := tx.Request()

	if n := len(r.Recipient.String()); n > maxRequestURI {
		p.refuse(tx, "protection", sip.Refusef(414, "the Request-URI has %d octets, more than %d", n, maxRequestURI))
		return false
	}

	for _, h := range r.Headers() {
		if n := len(h.Value()); n > maxHeaderField {
			p.refuse(tx, "protection", sip.Refusef(513, "a header field, %.40s, has %d octets, more than %d", h.Name(), n, maxHeaderField))
			return false
		}
	}

	return true
}

// admitted refuses a handset's request that the guard has let through only to be answered.
func (p *Proxy) admitted(tx *stack.ServerTransaction) bool {
	if !p.sized(tx) {
		return false
	}

	if p.guard == nil {
		return true
	}

	r := tx.Request()

	if p.guard.Restricts() {
		switch p.guard.Refused(p.describe(tx.Flow(), r)) {
		case protection.Forbid:
			p.refuse(tx, "protection", sip.Refuse(403, "the source is not in the access list"))
			return false
		case protection.Busy:
			p.refuse(tx, "protection", sip.Refuse(503, "the source sends too much", retryAfter(p.guard.BanTime())))
			return false
		}
	}

	if n := len(r.Body()); p.guard.Oversized(n) {
		p.refuse(tx, "protection", sip.Refusef(513, "the body has %d octets, more than protection.max_body", n))
		return false
	}

	return true
}

// locked refuses a user who has failed to authenticate too often from there. An emergency registration passes, unless it answers with
// a password, which could be guessed so.
func (p *Proxy) locked(tx *stack.ServerTransaction, private string, given *digest.Credentials) bool {
	if p.guard == nil || p.emergency(tx.Request()) && !byPassword(given) {
		return false
	}

	left, locked := p.guard.Locked(tx.Flow().Remote.Addr(), private)
	if locked {
		refusal := sip.Refuse(429, "too many failed authentications: check K and OPc", retryAfter(left))
		refusal.Phrase = "Too Many Requests" // HTTP's phrase; RFC 3892 uses the status otherwise
		p.refuse(tx, "registration", refusal)
	}

	return locked
}

// byPassword reports whether credentials answer a challenge of SIP Digest. Those of a SIM name an algorithm of AKA (TS 24.229 §5.1.1.5.1),
// by which the S-CSCF takes no answer to another challenge.
func byPassword(given *digest.Credentials) bool {
	return given != nil && given.Response != "" && !slices.ContainsFunc(digest.AKAAlgorithms, func(algorithm string) bool {
		return strings.EqualFold(algorithm, given.Algorithm)
	})
}

// authenticated counts how a REGISTER that answered a challenge ended. A repeated challenge after a right answer, as when a nonce
// is stale, and one after AUTS are no failures.
func (p *Proxy) authenticated(source netip.Addr, private string, given *digest.Credentials, r *sip.Response) {
	switch {
	case p.guard == nil || stack.Local(r):
	case r.IsSuccess():
		p.guard.Succeeded(source, private)
	case given == nil || given.Response == "" || given.AUTS != "":
	case r.StatusCode == 403:
		p.guard.Failed(source, private, given.Nonce)
	case r.StatusCode == 401:
		if challenge, err := digest.ParseChallenge(sip.Value(r, "WWW-Authenticate")); err == nil && !challenge.Stale {
			p.guard.Failed(source, private, given.Nonce)
		}
	}

	if p.guard == nil || r.StatusCode != 401 {
		return
	}

	if challenge, err := digest.ParseChallenge(sip.Value(r, "WWW-Authenticate")); err == nil {
		p.guard.Challenged(source, private, challenge.Nonce)
	}
}

// translated reports whether a handset is behind a NAT: its Contact or Via has another address than the source of its messages.
func translated(r *sip.Request, contact string, source netip.Addr) (says string, behind bool) {
	if via := r.Via(); via != nil {
		if a, err := netip.ParseAddr(strings.Trim(via.Host, "[]")); err == nil && a.Unmap() != source {
			return "Via says " + a.String(), true
		}
	}

	if u, err := sip.ParseURI(contact); err == nil {
		if a, err := netip.ParseAddr(strings.Trim(u.Host, "[]")); err == nil && a.Unmap() != source {
			return "Contact says " + a.String(), true
		}
	}

	return "", false
}

// sayTranslated warns the operator of a NAT, once per registration.
func (p *Proxy) sayTranslated(r *sip.Request, b *binding.Binding, refreshed bool) {
	says, behind := translated(r, b.Contact, b.Flow.Remote.Addr())
	if !behind || refreshed {
		return
	}

	p.outcomes.WithLabelValues("registration", "REGISTER", "behind NAT").Inc()
	p.log.Warn(
		"the handset is behind a NAT, or states another address than it has",
		"impi", b.Private,
		"source", b.Flow.Remote.String(),
		"says", says,
		"hint",
		"masquerading at the packet gateway (iptables -t nat -S): the core needs a route to the handsets' addresses instead. ESP does not "+
			"pass a NAT; without IPsec, requests to the handset reach it only while the NAT remembers it",
	)
}

// sayUnreachable warns the operator of a NAT that blocks ESP, when the challenge goes out: its answer will not come, so that there will be
// no registration to warn about.
func (p *Proxy) sayUnreachable(r *sip.Request, flow stack.Flow) {
	contact := contactOf(r)

	says, behind := translated(r, contact, flow.Remote.Addr())
	if !behind {
		return
	}

	p.outcomes.WithLabelValues("registration", "REGISTER", "ESP behind NAT").Inc()

	p.log.Warn(
		"the handset wants IPsec and is behind a NAT, or states another address than it has: its answer to the challenge will not come by ESP",
		"contact", contact,
		"source", flow.Remote.String(),
		"says", says,
		"hint",
		"masquerading between the packet gateway and the P-CSCF (iptables -t nat -S): give the core a route to the handsets' addresses instead, "+
			"or serve such handsets without IPsec (ipsec.mode: off)",
	)
}
