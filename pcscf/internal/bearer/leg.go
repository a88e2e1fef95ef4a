package bearer

import (
	"context"
	"errors"
	"sync"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
)

// CallLeg is one call leg with the session that it has at the authority, at most one at a time.
type CallLeg struct {
	bearers *Bearers
	leg     Leg
	lost    func(Loss)

	mu      sync.Mutex
	current *session
	over    bool
}

var (
	// ErrLate is the outcome of a request whose answer the context did not wait for. It may still be granted.
	ErrLate = errors.New("the answer of the PCRF or PCF is not there yet")
	// ErrOver is the outcome where the call leg has ended meanwhile, or the PCRF or PCF has ended the session.
	ErrOver = errors.New("the call leg has ended, or its session at the PCRF or PCF")
)

// Leg begins a call leg. It asks for nothing before Need. lost is called when bearers are lost or refused by themselves, from another
// goroutine.
func (b *Bearers) Leg(leg Leg, lost func(Loss)) *CallLeg {
	return &CallLeg{bearers: b, leg: leg, lost: lost}
}

// Need asks for what an SDP answer says that the leg needs, all of it, and waits until it is granted (nil) or refused (a *Refusal), or
// no answer came. What is granted already is not asked for again; needs without flows end the session. A session that was refused or
// lost is followed by another one. After a refused change the leg asks for what it had before, under another name, and nobody waits for
// that.
func (l *CallLeg) Need(ctx context.Context, components []media.Component) error {
	for again := false; ; again = true {
		s, heard, err := l.need(components)
		if heard == nil {
			return err
		}

		select {
		case err = <-heard:
		case <-ctx.Done():
			l.bearers.Go(func() { l.late(s, heard) })
			return ErrLate
		}

		refusal, refused := errors.AsType[*Refusal](err)
		if !refused || !refusal.Unknown || again {
			return err
		}
	}
}

func (l *CallLeg) need(components []media.Component) (*session, <-chan error, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	var had []media.Component

	if l.current != nil && l.current.over() {
		had = l.current.left()
		l.current = nil
	}

	switch {
	case l.over:
		return nil, nil, ErrOver
	case !media.Any(components):
		if l.current != nil {
			l.current.happen(LegOver, input{})
			l.current = nil
		}

		return nil, nil, nil
	case l.current != nil && l.current.holds(components):
		return nil, nil, nil
	case l.current == nil:
		l.current = l.bearers.begin(l, had)
	}

	return l.current, l.current.need(components), nil
}

// anew asks for what a session had whose change was refused, unless the leg has begun another one meanwhile.
func (l *CallLeg) anew(before *session, had []media.Component) {
	l.mu.Lock()

	if l.over || l.current != before {
		l.mu.Unlock()
		return
	}

	s := l.bearers.begin(l, nil)
	l.current = s
	heard := s.need(had)
	l.mu.Unlock()

	l.late(s, heard)
}

// late hears the outcome that nobody has waited for.
func (l *CallLeg) late(s *session, heard <-chan error) {
	select {
	case err := <-heard:
		if refusal, refused := errors.AsType[*Refusal](err); refused && !s.isFollowed() {
			l.lost(Loss{Late: true, All: true, Why: refusal.Why})
		}
	case <-l.bearers.context.Done():
	}
}

// End ends the leg, and its session. It may be called more than once.
func (l *CallLeg) End() {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.over = true

	if l.current != nil {
		l.current.happen(LegOver, input{})
		l.current.forsake()
		l.current = nil
	}
}
