package call

import (
	"fmt"
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// SentFrom records the contact of the served user that the call's INVITE came from, if it can be determined, and releases the call if
// that contact has gone.
//
// recorded and contacts are the INVITE's Record-Route and Contact.
func (c *Call) SentFrom(user registration.User, recorded []sip.NameAddr, contacts []sip.Contact) {
	c.bind(sentFrom(user, recorded, contacts))
	c.verify()
}

// Changed handles a change of a registration: it releases the sessions of contacts that have ended, whoever ended them (TS 24.229
// §5.4.1.4, §5.4.1.5). The calls of a handset that registers from another address go on.
func (t *Table) Changed(change registration.Change) {
	for i, ended := range change.Contacts {
		if !ended.Event.Ended() {
			continue
		}

		moved := uint32(0)
		if next := i + 1; next < len(change.Contacts) && sameHandset(ended, change.Contacts[next]) {
			moved = change.Contacts[next].Binding.ID
		}

		for _, c := range t.with(ended.Binding.ID) {
			if moved != 0 {
				c.bind(moved)
				c.moved()

				continue
			}

			why := fmt.Sprintf("the registration has ended: %s", ended.Event)
			t.running.Go(func() { c.releaseAs(480, why, charging.Normal) })
		}
	}
}

// bind records the contact of the call's user.
func (c *Call) bind(contact uint32) {
	t := c.table

	t.mu.Lock()
	defer t.mu.Unlock()

	if contact == 0 || t.calls[c.entry.token] == nil { // the contact is unknown, or the call has ended
		return
	}

	t.unbind(c)
	c.contact = contact

	if t.contacts[contact] == nil {
		t.contacts[contact] = map[*Call]struct{}{}
	}

	t.contacts[contact][c] = struct{}{}
}

// verify releases a call whose contact had gone before the call was bound to it.
func (c *Call) verify() {
	t := c.table

	t.mu.Lock()
	contact := c.contact
	t.mu.Unlock()

	if contact == 0 {
		return
	}

	g, found := t.registrations.Registration(c.Public)
	if !found || !slices.ContainsFunc(g.Bindings, func(b *registration.Binding) bool { return b.ID == contact }) {
		t.running.Go(func() { c.releaseAs(480, "the registration has ended", charging.Normal) })
	}
}

// heir returns the current contact of a call that began with this one: the same, or the one that its handset registered instead from
// another address while the call rang.
func (t *Table) heir(public string, b *registration.Binding) uint32 {
	g, found := t.registrations.Registration(public)
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

// unbind removes the call from its contact. Called with the lock held.
func (t *Table) unbind(c *Call) {
	delete(t.contacts[c.contact], c)

	if len(t.contacts[c.contact]) == 0 {
		delete(t.contacts, c.contact)
	}

	c.contact = 0
}

// with returns the calls of a contact.
func (t *Table) with(contact uint32) []*Call {
	t.mu.Lock()
	defer t.mu.Unlock()

	all := make([]*Call, 0, len(t.contacts[contact]))
	for c := range t.contacts[contact] {
		all = append(all, c)
	}

	return all
}

// moved writes a call that goes on with another contact to the journal.
func (c *Call) moved() {
	c.mu.Lock()
	defer c.mu.Unlock()

	if !c.ended && c.invite == nil {
		c.keep()
	}
}

// sameHandset reports whether two changes are those of a handset that registers from another address: its old contact ends, and the new
// one begins.
func sameHandset(ended, begun registration.ContactChange) bool {
	return ended.Event == registration.ContactUnregistered && begun.Event == registration.ContactRegistered &&
		ofOneHandset(ended.Binding, begun.Binding)
}

func ofOneHandset(old, fresh *registration.Binding) bool {
	return old.Private == fresh.Private && (old.Instance != "" && old.Instance == fresh.Instance || sip.SameURI(old.Contact, fresh.Contact))
}

// sentFrom returns the contact of the user that sent an initial request: the one whose P-CSCF, by the URI of its Path, stands in
// Record-Route; else the one in Contact; else the only one. 0: it cannot be determined.
func sentFrom(user registration.User, recorded []sip.NameAddr, contacts []sip.Contact) uint32 {
	for _, b := range user.Bindings {
		if len(b.Path) == 0 {
			continue
		}

		path, err := sip.ParseNameAddr(b.Path[0])
		if err == nil && slices.ContainsFunc(recorded, func(r sip.NameAddr) bool { return sip.SameURI(r.URI, path.URI) }) {
			return b.ID
		}
	}

	for _, b := range user.Bindings {
		if len(contacts) > 0 && sip.SameURI(contacts[0].URI, b.Contact) {
			return b.ID
		}
	}

	if len(user.Bindings) == 1 {
		return user.Bindings[0].ID
	}

	return 0
}
