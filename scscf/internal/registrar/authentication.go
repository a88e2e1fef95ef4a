package registrar

import (
	"slices"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/scscf/internal/challenge"
	"github.com/dialtone-ims/dialtone/scscf/internal/schedule"
)

// authentication is the authentication of one handset, by one 401 or several in a row.
type authentication struct {
	registrar *Registrar
	run       fsm.Instance[AuthenticationState, AuthenticationEvent, AuthenticationAction] // under the lock of authentications
	await     schedule.Entry                                                               // timer reg-await-auth, and patience before it
	until     time.Time                                                                    // when reg-await-auth expires, under that lock

	private, public string
	callID          string
	asked           *challenge.Challenge // the last one
	offered         bool                 // with the last challenge, security associations were offered
	attempt         int                  // wrong responses so far
	resynchronised  int                  // AUTS so far
}

const perUser = 4 // challenges in flight; one more replaces the oldest

// authentications holds the authentications with a challenge in flight. Anyone can cause one, so their number and life are limited.
type authentications struct {
	limit int

	mu      sync.Mutex
	byNonce map[string]*authentication
	byUser  map[string][]*authentication // private identity; the oldest first
}

func newAuthentications(limit int) *authentications {
	return &authentications{limit: limit, byNonce: map[string]*authentication{}, byUser: map[string][]*authentication{}}
}

// step is the only way to move an authentication. An authentication that is no longer Challenged is no longer found.
func (s *authentications) step(a *authentication, event AuthenticationEvent) (actions []AuthenticationAction, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	actions, ok = a.run.Step(event)
	if a.asked != nil && a.run.State() != Challenged {
		s.drop(a)
	}

	return actions, ok
}

// displaced returns the authentications that another challenge replaces: those of the same Call-ID, or the oldest of too many.
func (s *authentications) displaced(private, callID string) (others []*authentication) {
	s.mu.Lock()
	defer s.mu.Unlock()

	own := s.byUser[private]

	for _, other := range own {
		if other.callID == callID {
			others = append(others, other)
		}
	}

	if len(others) == 0 && len(own) >= perUser {
		others = append(others, own[0])
	}

	return others
}

// admit records a challenge. It returns false if there is no room.
func (s *authentications) admit(a *authentication, asked *challenge.Challenge) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	if len(s.byNonce) >= s.limit {
		return false
	}

	a.asked = asked
	s.byNonce[asked.Nonce] = a
	s.byUser[a.private] = append(s.byUser[a.private], a)

	return true
}

// find returns the authentication to which a nonce belongs, if the challenge went to this user.
func (s *authentications) find(private, nonce string) *authentication {
	s.mu.Lock()
	defer s.mu.Unlock()

	if a := s.byNonce[nonce]; a != nil && a.private == private {
		return a
	}

	return nil
}

func (s *authentications) drop(a *authentication) {
	if s.byNonce[a.asked.Nonce] != a {
		return
	}

	delete(s.byNonce, a.asked.Nonce)

	left := slices.DeleteFunc(s.byUser[a.private], func(other *authentication) bool { return other == a })
	if len(left) == 0 {
		delete(s.byUser, a.private)
	} else {
		s.byUser[a.private] = left
	}
}

// of returns the authentications of a user.
func (s *authentications) of(private string) []*authentication {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Clone(s.byUser[private])
}

// pending reports whether a user has a challenge to answer.
func (s *authentications) pending(private string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	return len(s.byUser[private]) > 0
}

func (s *authentications) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return len(s.byNonce)
}

// patience is how long a handset may take to answer a challenge until the log says so, long before reg-await-auth. A handset in a cell
// takes about a second.
const patience = 10 * time.Second

// challenged records when reg-await-auth expires, and returns when the schedule should call Due.
func (s *authentications) challenged(a *authentication, now time.Time, await time.Duration) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()

	a.until = now.Add(await)

	return now.Add(min(patience, await))
}

// expires returns when reg-await-auth expires; silent reports whether a challenge is in flight.
func (s *authentications) expires(a *authentication) (at time.Time, silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	return a.until, a.run.State() == Challenged
}

// Due is called by the schedule after patience, and when reg-await-auth expires.
func (a *authentication) Due(now time.Time) {
	at, silent := a.registrar.authentications.expires(a)
	if !now.Before(at) {
		a.registrar.authenticationEnds(a, AwaitAuthExpired)
		return
	}

	if silent { // not an event of the machine: nothing changes
		a.registrar.log.Info("challenge not answered yet", a.silence()...)
		a.registrar.schedule.Set(&a.await, a, at)
	}
}

// silence returns the log attributes of an unanswered challenge: its user, and the likeliest reasons.
func (a *authentication) silence() (attributes []any) {
	return []any{"impi", a.private, "impu", a.public, "call_id", a.callID, "cause", unansweredChallenge(a.asked)}
}

// withdraw ends the authentications of a user whose registration the HSS ends.
func (r *Registrar) withdraw(private string) {
	for _, a := range r.authentications.of(private) {
		r.authenticationEnds(a, Withdrawn)
	}
}
