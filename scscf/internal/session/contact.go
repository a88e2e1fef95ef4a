package session

import (
	"fmt"
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// sentFrom is the contact of the user that an initial request came from: the one whose P-CSCF, by the URI of its Path, stands in
// Record-Route; else the one that is its Contact; else the only one. 0: it cannot be told.
func sentFrom(user registration.User, invite *sip.Request) uint32 {
	records, _ := sip.RecordRoutes(invite)
	contacts, _, _ := sip.Contacts(invite)

	for _, b := range user.Bindings {
		if len(b.Path) == 0 {
			continue
		}

		path, err := sip.ParseNameAddr(b.Path[0])
		if err == nil && slices.ContainsFunc(records, func(r sip.NameAddr) bool { return sameURI(r.URI, path.URI) }) {
			return b.ID
		}
	}

	for _, b := range user.Bindings {
		if len(contacts) > 0 && sameURI(contacts[0].URI, b.Contact) {
			return b.ID
		}
	}

	if len(user.Bindings) == 1 {
		return user.Bindings[0].ID
	}

	return 0
}

// branchTo is the contact that a branch to the called user went to, by its label.
func branchTo(user registration.User, label string) *registration.Binding {
	at := slices.IndexFunc(user.Bindings, func(b *registration.Binding) bool { return b.Contact == label })
	if at < 0 {
		return nil
	}

	return user.Bindings[at]
}

func sameURI(a, b string) bool {
	if a == b {
		return true
	}

	u, errA := sip.ParseURI(a)
	v, errB := sip.ParseURI(b)

	return errA == nil && errB == nil && sip.EqualURI(u, v)
}

// bind notes which contact of its user a call is with.
func (s *Server) bind(c *call, contact uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if contact == 0 || s.calls[c.entry.token] == nil { // it cannot be told, or the call is over
		return
	}

	s.unbind(c)
	c.contact = contact

	if s.contacts[contact] == nil {
		s.contacts[contact] = map[*call]struct{}{}
	}

	s.contacts[contact][c] = struct{}{}
}

// verify releases a call whose contact has gone before the call was bound to it.
func (s *Server) verify(c *call) {
	s.mu.Lock()
	contact := c.contact
	s.mu.Unlock()

	if contact == 0 {
		return
	}

	g, found := s.Registrations.Registration(c.public)
	if !found || !slices.ContainsFunc(g.Bindings, func(b *registration.Binding) bool { return b.ID == contact }) {
		s.running.Go(func() { c.releaseAs(480, "the registration has ended", charging.Normal) })
	}
}

// heir is the contact that a call is with which began with this one: itself, or that which its handset has registered in its place
// from another address while it rang.
func (s *Server) heir(public string, b *registration.Binding) uint32 {
	g, found := s.Registrations.Registration(public)
	if !found || slices.ContainsFunc(g.Bindings, func(other *registration.Binding) bool { return other.ID == b.ID }) {
		return b.ID
	}

	for _, other := range g.Bindings {
		if ofOneHandset(b, other) {
			return other.ID
		}
	}

	return b.ID
}

// unbind is called with the server's lock held.
func (s *Server) unbind(c *call) {
	delete(s.contacts[c.contact], c)

	if len(s.contacts[c.contact]) == 0 {
		delete(s.contacts, c.contact)
	}

	c.contact = 0
}

// with are the calls with a contact.
func (s *Server) with(contact uint32) []*call {
	s.mu.Lock()
	defer s.mu.Unlock()

	all := make([]*call, 0, len(s.contacts[contact]))
	for c := range s.contacts[contact] {
		all = append(all, c)
	}

	return all
}

// Changed is told of every change of a registration. The sessions of contacts that have ended are released, whoever ended them
// (TS 24.229 §5.4.1.4, §5.4.1.5). A handset that has registered from another address has its calls go on.
func (s *Server) Changed(change registration.Change) {
	for i, ended := range change.Contacts {
		if !ended.Event.Ended() {
			continue
		}

		moved := uint32(0)
		if next := i + 1; next < len(change.Contacts) && sameHandset(ended, change.Contacts[next]) {
			moved = change.Contacts[next].Binding.ID
		}

		for _, c := range s.with(ended.Binding.ID) {
			if moved != 0 {
				s.bind(c, moved)
				c.moved()

				continue
			}

			why := fmt.Sprintf("the registration has ended: %s", ended.Event)
			s.running.Go(func() { c.releaseAs(480, why, charging.Normal) })
		}
	}
}

// moved writes a call that goes on with another contact.
func (c *call) moved() {
	c.mu.Lock()
	defer c.mu.Unlock()

	if !c.ended && c.invite == nil {
		c.keep()
	}
}

// sameHandset tells the two changes that a handset makes that registers from another address: its old contact ends, and the new
// one begins.
func sameHandset(ended, begun registration.ContactChange) bool {
	return ended.Event == registration.ContactUnregistered && begun.Event == registration.ContactRegistered &&
		ofOneHandset(ended.Binding, begun.Binding)
}

func ofOneHandset(old, fresh *registration.Binding) bool {
	return old.Private == fresh.Private && (old.Instance != "" && old.Instance == fresh.Instance || sameURI(old.Contact, fresh.Contact))
}
