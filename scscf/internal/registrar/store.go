package registrar

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/dialtone-ims/dialtone/pkg/fsm"

	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
	"github.com/dialtone-ims/dialtone/scscf/internal/schedule"
)

// errFull is the error for a registration beyond the configured limit.
var errFull = errors.New("the S-CSCF serves as many registrations as its configuration allows")

// record holds one implicit registration set. Its registration is replaced as a whole.
type record struct {
	registrar   *Registrar
	id          uint64 // in the journal
	current     atomic.Pointer[registration.Registration]
	registrants []*registrant  // under the store's lock: the private identities with contacts
	expiry      schedule.Entry // of the contact that ends first, or of the profile of an unregistered user
}

// registrant is a private identity in a set, with the state of its registration. Without contacts it belongs to one procedure alone.
type registrant struct {
	private string
	run     fsm.Instance[State, Event, Action] // under the store's lock
}

// hold adds a registrant to the record, or removes it if it has no contacts there. It is called with the store's lock held.
func (r *record) hold(who *registrant, after *registration.Registration) {
	r.registrants = slices.DeleteFunc(r.registrants, func(other *registrant) bool { return other.private == who.private })

	if after != nil && len(after.Of(who.private)) > 0 {
		r.registrants = append(r.registrants, who)
	}
}

// store indexes records by identity. All changes are made under its lock and are short.
type store struct {
	limit int

	mu        sync.RWMutex
	sequence  uint64
	records   map[*record]struct{}
	byPublic  map[string]*record
	byPrivate map[string][]*record // the records where a private identity has contacts, or is the one of the profile
	wildcards []*record
}

func newStore(limit int) *store {
	return &store{limit: limit, records: map[*record]struct{}{}, byPublic: map[string]*record{}, byPrivate: map[string][]*record{}}
}

// find returns the record of a canonical public identity.
func (s *store) find(public string) *record {
	s.mu.RLock()
	defer s.mu.RUnlock()

	return s.locate(public)
}

func (s *store) locate(public string) *record {
	if r := s.byPublic[public]; r != nil {
		return r
	}

	for _, r := range s.wildcards {
		if r.current.Load().Find(public) != nil {
			return r
		}
	}

	return nil
}

// of returns the records of a private identity.
func (s *store) of(private string) []*record {
	s.mu.RLock()
	defer s.mu.RUnlock()

	return slices.Clone(s.byPrivate[private])
}

// all returns all records.
func (s *store) all() []*record {
	s.mu.RLock()
	defer s.mu.RUnlock()

	all := make([]*record, 0, len(s.records))
	for r := range s.records {
		all = append(all, r)
	}

	return all
}

func (s *store) count() int {
	s.mu.RLock()
	defer s.mu.RUnlock()

	return len(s.records)
}

// update replaces the registration of a record with the result of decide. Its argument is nil for a new record, and its result nil to
// remove the record. then, which may be nil, is called with the new registration, and steps registrants before anybody sees it.
func (s *store) update(
	r *record,
	decide func(old *registration.Registration) (*registration.Registration, error),
	then func(after *registration.Registration),
) (before, after *registration.Registration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	before = r.current.Load()

	if after, err = decide(before); err != nil {
		return before, before, err
	}

	switch {
	case before == after:
	case after == nil:
		s.drop(r)
	default:
		if err := s.put(r, after); err != nil {
			return before, before, err
		}
	}

	if then != nil {
		then(after)
	}

	return before, after, nil
}

// step steps a registrant outside any change of its record.
func (s *store) step(who *registrant, event Event) (actions []Action, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	return who.run.Step(event)
}

func (s *store) state(who *registrant) State {
	s.mu.RLock()
	defer s.mu.RUnlock()

	return who.run.State()
}

// registrantOf returns the registrant of a private identity in a set, or a new one without contacts.
func (r *Registrar) registrantOf(rec *record, private string) *registrant {
	if rec != nil {
		r.store.mu.RLock()
		defer r.store.mu.RUnlock()

		if who := rec.registrant(private); who != nil {
			return who
		}
	}

	return &registrant{private: private, run: r.machine.Start(NotRegistered)}
}

// registrant returns the registrant of a private identity in the record. It is called with the store's lock held.
func (r *record) registrant(private string) *registrant {
	for _, who := range r.registrants {
		if who.private == private {
			return who
		}
	}

	return nil
}

// putNew makes g the registration of a new record, unless its identities are served already: then nothing changes.
func (s *store) putNew(r *record, g *registration.Registration) (*record, *registration.Registration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	for i := range g.Identities {
		if other := s.locate(g.Identities[i].URI); other != nil {
			return other, other.current.Load(), nil
		}
	}

	return r, g, s.put(r, g)
}

// put makes next the registration of a record. Identities that belonged to another set move.
func (s *store) put(r *record, next *registration.Registration) error {
	before := r.current.Load()
	if before == nil && len(s.records) >= s.limit {
		return errFull
	}

	s.sequence++
	next.Sequence = s.sequence // nobody else has seen it yet

	if before != nil {
		if sharesPlaces(before, next) {
			r.current.Store(next)
			return nil
		}

		s.unlink(r, before)
	}

	r.current.Store(next)
	s.records[r] = struct{}{}

	for i := range next.Identities {
		identity := &next.Identities[i]

		if other := s.byPublic[identity.URI]; other != nil && other != r {
			s.leave(other, identity.URI)
		}

		if identity.Wildcard == nil {
			s.byPublic[identity.URI] = r
		} else if !slices.Contains(s.wildcards, r) {
			s.wildcards = append(s.wildcards, r)
		}
	}

	for _, private := range next.Privates() {
		s.byPrivate[private] = append(s.byPrivate[private], r)
	}

	return nil
}

// leave removes an identity from its previous set.
func (s *store) leave(r *record, uri string) {
	left := *r.current.Load()
	left.Identities = slices.DeleteFunc(slices.Clone(left.Identities), func(i registration.Identity) bool { return i.URI == uri })
	delete(s.byPublic, uri)

	if len(left.Identities) == 0 {
		s.drop(r)
		return
	}

	r.current.Store(&left)
}

func (s *store) drop(r *record) {
	if g := r.current.Load(); g != nil {
		s.unlink(r, g)
	}

	r.current.Store(nil)
	delete(s.records, r)
}

func (s *store) unlink(r *record, g *registration.Registration) {
	for i := range g.Identities {
		if uri := g.Identities[i].URI; s.byPublic[uri] == r {
			delete(s.byPublic, uri)
		}
	}

	s.wildcards = slices.DeleteFunc(s.wildcards, func(other *record) bool { return other == r })

	for _, private := range g.Privates() {
		left := slices.DeleteFunc(s.byPrivate[private], func(other *record) bool { return other == r })
		if len(left) == 0 {
			delete(s.byPrivate, private)
		} else {
			s.byPrivate[private] = left
		}
	}
}

// sharesPlaces reports whether two registrations have the same identities, as before and after each refresh.
func sharesPlaces(a, b *registration.Registration) bool {
	if len(a.Identities) != len(b.Identities) || len(a.Identities) > 0 && &a.Identities[0] != &b.Identities[0] {
		return false
	}

	return slices.Equal(a.Privates(), b.Privates())
}
