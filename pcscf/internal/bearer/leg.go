package bearer

import (
	"context"
	"errors"
	"sync"
	"time"

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
	needs   int         // how often something was needed
	retry   *time.Timer // until that which was refused for a time is asked for again
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
// that; if it needs no other bearers than it had, nothing is refused. What is refused for a time is asked for again when that is over.
func (l *CallLeg) Need(ctx context.Context, components []media.Component) error {
	for again := false; ; again = true {
		s, heard, number, err := l.need(components)
		if heard == nil {
			return err
		}

		select {
		case err = <-heard:
		case <-ctx.Done():
			l.bearers.Go(func() { l.late(s, heard, number, components) })
			return ErrLate
		}

		refusal, refused := errors.AsType[*Refusal](err)

		switch {
		case refused && refusal.Unknown && !again:
			continue
		case refused && s.keeps(components):
			return nil
		case refused:
			l.later(refusal.Retry, number, components)
		}

		return err
	}
}

const (
	leastRetry   = time.Second
	longestRetry = time.Hour
)

// later asks again for what was refused for a time, unless something has been needed since.
func (l *CallLeg) later(wait time.Duration, number int, components []media.Component) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if wait <= 0 || l.over || l.needs != number {
		return
	}

	l.retry = time.AfterFunc(min(max(wait, leastRetry), longestRetry), func() {
		l.bearers.Go(func() {
			if l.needed() == number {
				_ = l.Need(l.bearers.context, components) // the log has what comes of it
			}
		})
	})
}

func (l *CallLeg) needed() int {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.needs
}

// need also says which of the leg's needs this one is.
func (l *CallLeg) need(components []media.Component) (*session, <-chan error, int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.needs++
	l.stopRetry()

	var had []media.Component

	if l.current != nil && l.current.over() {
		had = l.current.left()
		l.current = nil
	}

	switch {
	case l.over:
		return nil, nil, 0, ErrOver
	case !media.Any(components):
		if l.current != nil {
			l.current.happen(LegOver, input{})
			l.current = nil
		}

		return nil, nil, 0, nil
	case l.current != nil && l.current.holds(components):
		return nil, nil, 0, nil
	case l.current == nil:
		l.current = l.bearers.begin(l, had)
	}

	return l.current, l.current.need(components), l.needs, nil
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
	heard, number := s.need(had), l.needs
	l.mu.Unlock()

	l.late(s, heard, number, had)
}

// late hears the outcome that nobody has waited for.
func (l *CallLeg) late(s *session, heard <-chan error, number int, components []media.Component) {
	select {
	case err := <-heard:
		if refusal, refused := errors.AsType[*Refusal](err); refused && !s.isFollowed() {
			l.later(refusal.Retry, number, components)
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
	l.stopRetry()

	if l.current != nil {
		l.current.happen(LegOver, input{})
		l.current.forsake()
		l.current = nil
	}
}

func (l *CallLeg) stopRetry() {
	if l.retry != nil {
		l.retry.Stop()
		l.retry = nil
	}
}

// Adopt is the leg of a registration's signalling whose session outlived the process, if there is one for the same UE. It is called
// before Resume.
func (b *Bearers) Adopt(leg Leg, lost func(Loss)) (*CallLeg, bool) {
	b.mu.Lock()
	s := b.left[leg.Signalling]
	delete(b.left, leg.Signalling)
	b.mu.Unlock()

	if s == nil || s.record.Leg.UE != leg.UE {
		return nil, false
	}

	l := b.Leg(leg, lost)

	s.mu.Lock()
	defer s.mu.Unlock()

	s.lost, s.anew, l.current = lost, l.anew, s

	return l, true
}
