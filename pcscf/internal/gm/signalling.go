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

// signalling is the session for the signalling of a registration (TS 29.214 §4.4.5), by which the access network says that the handset
// cannot be reached any more.
type signalling struct {
	bearers *bearer.CallLeg
	ue      netip.Addr
	lost    string // why the handset cannot be reached; "": nobody has said that
}

// signal asks to be told when the signalling of a handset that has just been heard has no bearer any more. Nobody waits for the answer,
// and no registration depends on it; what is refused is asked for again at the next REGISTER.
func (p *Proxy) signal(b *binding.Binding) {
	if !p.bearers.follows(b) {
		p.bearers.silence(b.Token) // it may have moved from where it is asked for
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
		_ = s.Need(context.Background(), media.Signalling()) // the log has what comes of it
	})
}

// AskForSignalling asks for the sessions that these handsets do not have.
func (p *Proxy) AskForSignalling() {
	for _, b := range p.bindings.All() {
		if b.Registered && p.bearers.follows(b) && p.Unreachable(b) == "" {
			p.signal(b)
		}
	}
}

// heard is called with each request of a handset: it can be reached.
func (p *Proxy) heard(b *binding.Binding) {
	if p.Unreachable(b) != "" {
		p.signal(b)
	}
}

// Unreachable says why a handset cannot be reached, as the access network says; "": it can, for all that is known.
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

// whenLost is what happens when the bearer of a handset's signalling is lost (TS 23.228 §5.10.3.0, TS 24.229 §5.2.8.1.2): its calls are
// released, and until it is heard again nobody is connected to it.
func (p *Proxy) whenLost(token string) func(bearer.Loss) {
	return func(loss bearer.Loss) {
		b, found := p.bindings.ByToken(token)
		if !found || loss.Late || !p.bearers.lose(token, loss.Why) { // a session that never was says nothing
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

// follows reports whether it is asked for the signalling of a handset. An emergency registration is as good as any without.
func (b *Bearers) follows(of *binding.Binding) bool {
	return b != nil && b.Signalling && b.policy(of) != NoBearers && !emergency.Contact(of.Contact)
}

// signallingOf is the session of a handset, a new one if it has moved, and whether it is reached again.
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

// adopt takes over the session of a handset that has been registered since before a restart.
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

// lose marks a handset that cannot be reached, unless it is gone.
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

// pending are the INVITEs of a handset, or to it, that are on their way.
func (b *Bearers) pending(token string) (all []*bearing) {
	b.mu.Lock()
	defer b.mu.Unlock()

	for i := range b.bearings[token] {
		all = append(all, i)
	}

	return all
}
