package gm

import (
	"context"
	"net/netip"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// signalling is the session for the signalling of a registration (TS 29.214 §4.4.5), by which the access network reports a handset that
// cannot be reached any more.
type signalling struct {
	bearers *bearer.CallLeg
	ue      netip.Addr
	lost    string // why the handset is unreachable; "": it is not, as far as is known
}

// signal requests notification when the signalling of a handset that was just heard loses its bearer. Nobody waits for the answer, and no
// registration depends on it; a refused request is repeated at the next REGISTER.
func (p *Proxy) signal(b *binding.Binding) {
	if !p.bearers.follows(b) {
		p.bearers.silence(b.Token) // it may have moved to an endpoint that does not request it
		return
	}

	s, reached := p.bearers.signallingOf(b, p.whenLost(b.Token))
	if reached {
		p.log.Info("the handset can be reached again", "impi", b.Private, "contact", b.Contact)
	}

	if now, found := p.bindings.ByToken(b.Token); !found || !now.Registered { // it has ended meanwhile
		p.bearers.silence(b.Token)
		return
	}

	p.bearers.sessions.Go(func() {
		_ = s.Need(context.Background(), media.Signalling()) // the outcome is logged
	})
}

// AskForSignalling requests the signalling sessions that handsets lack.
func (p *Proxy) AskForSignalling() {
	for _, b := range p.bindings.All() {
		if b.Registered && p.bearers.follows(b) && p.Unreachable(b) == "" {
			p.signal(b)
		}
	}
}

// heard is called with each request of a handset, which is reachable then.
func (p *Proxy) heard(b *binding.Binding) {
	if p.Unreachable(b) != "" {
		p.signal(b)
	}
}

// Unreachable returns why a handset is unreachable, as stated by the access network; "": it is not, as far as is known.
func (p *Proxy) Unreachable(b *binding.Binding) string {
	if p.bearers == nil || !p.bearers.Signalling {
		return ""
	}

	p.bearers.mu.Lock()
	defer p.bearers.mu.Unlock()

	if s := p.bearers.signalling[b.Token]; s != nil {
		return s.lost
	}

	return ""
}

// whenLost returns what is done when the bearer of a handset's signalling is lost (TS 23.228 §5.10.3.0, TS 24.229 §5.2.8.1.2): its calls
// are released, and until it is heard again nobody is connected to it.
func (p *Proxy) whenLost(token string) func(bearer.Loss) {
	return func(loss bearer.Loss) {
		b, found := p.bindings.ByToken(token)
		if !found || loss.Late || !p.bearers.lose(token, loss.Why) { // a session that was never granted says nothing
			return
		}

		p.log.Warn("the bearer of a handset's signalling is lost; it gets no calls until it is heard again",
			"impi", b.Private, "contact", b.Contact, "cause", loss.Why)

		why := sip.Refuse(503, "the bearer of the handset's signalling is lost: "+loss.Why)

		for _, i := range p.bearers.pending(token) {
			i.refuse(why, false)
		}

		for _, k := range p.dialogs.Keys(token) {
			if l := p.bearers.find(k); l != nil {
				l.refuse(why)
			}
		}
	}
}

// follows reports whether a signalling session is requested for a handset; an emergency registration is treated like any other.
func (b *Bearers) follows(of *binding.Binding) bool {
	return b != nil && b.Signalling && b.policy(of) != NoBearers && !emergency.Contact(of.Contact)
}

// signallingOf returns the session of a handset, a new one if it has moved, and whether the handset is reachable again.
func (b *Bearers) signallingOf(of *binding.Binding, lost func(bearer.Loss)) (session *bearer.CallLeg, again bool) {
	b.mu.Lock()
	defer b.mu.Unlock()

	which := signallingLeg(of)

	s := b.signalling[of.Token]
	if s != nil && s.ue != which.UE {
		s.bearers.End()
		s = nil
	}

	if s == nil {
		s = &signalling{bearers: b.sessions.Leg(which, lost), ue: which.UE}
		b.signalling[of.Token] = s
	}

	again, s.lost = s.lost != "", ""

	return s.bearers, again
}

func signallingLeg(of *binding.Binding) bearer.Leg {
	return bearer.Leg{UE: of.Flow.Remote.Addr(), Identity: of.Default(), Signalling: of.Token}
}

// adopt takes over the session of a handset that registered before a restart.
func (b *Bearers) adopt(of *binding.Binding, lost func(bearer.Loss)) {
	if !b.follows(of) {
		return
	}

	which := signallingLeg(of)

	if session, found := b.sessions.Adopt(which, lost); found {
		b.mu.Lock()
		defer b.mu.Unlock()

		b.signalling[of.Token] = &signalling{bearers: session, ue: which.UE}
	}
}

// lose marks a handset as unreachable, unless it is gone.
func (b *Bearers) lose(token, why string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()

	s := b.signalling[token]
	if s == nil {
		return false
	}

	s.lost = why

	return true
}

// silence ends the session of a handset that is not registered any more.
func (b *Bearers) silence(token string) {
	if b == nil {
		return
	}

	b.mu.Lock()
	s := b.signalling[token]
	delete(b.signalling, token)
	b.mu.Unlock()

	if s != nil {
		s.bearers.End()
	}
}

// pending returns the pending INVITEs from and to a handset.
func (b *Bearers) pending(token string) (all []*bearing) {
	b.mu.Lock()
	defer b.mu.Unlock()

	for i := range b.bearings[token] {
		all = append(all, i)
	}

	return all
}
