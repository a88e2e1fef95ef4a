package bearer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
)

// CallLeg is one call leg with its session at the authority, at most one at a time.
type CallLeg struct {
	bearers *Bearers
	leg     Leg
	lost    func(Loss)

	mu      sync.Mutex
	current *session
	over    bool
	needs   int         // number of calls of Need
	retry   *time.Timer // until a request refused for a time is repeated
}

var (
	// ErrLate is returned when the context ends before the answer comes. The request may still be granted.
	ErrLate = errors.New("the answer of the PCRF or PCF is not there yet")
	// ErrOver is returned when the call leg has ended meanwhile, or the PCRF or PCF has ended the session.
	ErrOver = errors.New("the call leg has ended, or its session at the PCRF or PCF")
)

// Leg begins a call leg. Nothing is requested before Need. lost is called, from another goroutine, when bearers are lost, or refused after
// nobody waited for them.
func (b *Bearers) Leg(leg Leg, lost func(Loss)) *CallLeg {
	return &CallLeg{bearers: b, leg: leg, lost: lost}
}

// Need requests everything that an SDP answer says the leg needs, and waits until it is granted (nil), refused (a *Refusal), or no answer
// came. What is granted already is not requested again; needs without flows end the session. A session that was refused or lost is followed
// by another one. After a refused change the leg requests what it had before, under another name, and nobody waits for that; if it needs no
// other bearers than it had, the change does not count as refused. A request refused for a time is repeated when that time is over.
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

// later repeats a request that was refused for a time, unless Need was called since.
func (l *CallLeg) later(wait time.Duration, number int, components []media.Component) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if wait <= 0 || l.over || l.needs != number {
		return
	}

	l.retry = time.AfterFunc(min(max(wait, leastRetry), longestRetry), func() {
		l.bearers.Go(func() {
			if l.needed() == number {
				_ = l.Need(l.bearers.context, components) // the outcome is logged
			}
		})
	})
}

func (l *CallLeg) needed() int {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.needs
}

// need also returns the number of this call of Need.
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

// anew requests what a session had before its change was refused, unless the leg has begun another one meanwhile.
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

// late handles an outcome that nobody waited for.
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

// End ends the leg and its session. It may be called more than once.
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

// Adopt returns a leg for a registration's signalling whose session outlived a restart, if there is one for the same UE. It is called
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
