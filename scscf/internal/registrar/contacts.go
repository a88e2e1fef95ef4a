package registrar

import (
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// ContactEvent is what happened to a contact, in the words of RFC 3680 §5.3.
type ContactEvent string

const (
	ContactRegistered   ContactEvent = "registered"
	ContactCreated      ContactEvent = "created" // through another identity of the set
	ContactRefreshed    ContactEvent = "refreshed"
	ContactShortened    ContactEvent = "shortened"
	ContactExpired      ContactEvent = "expired"
	ContactDeactivated  ContactEvent = "deactivated" // by the network; the handset should register again
	ContactUnregistered ContactEvent = "unregistered"
	ContactRejected     ContactEvent = "rejected" // by the network, for good
)

// ContactChange is one contact and what happened to it.
type ContactChange struct {
	Binding *Binding
	Event   ContactEvent
}

// Ended tells the events after which the contact is gone.
func (e ContactEvent) Ended() bool {
	return e == ContactExpired || e == ContactDeactivated || e == ContactUnregistered || e == ContactRejected
}

// errOutOfOrder is RFC 3261 §10.3 7: the REGISTER is older than what it would change.
func outOfOrder() *Refusal {
	return refuse(500, "the REGISTER is older than the one that made the contact: same Call-ID, CSeq not higher")
}

// update decides what a REGISTER does to the contacts of a set (RFC 3261 §10.3 7, RFC 5626 §6, TS 24.229 §5.4.1.2.2,
// §5.4.1.4). Either all of it is done or, with a refusal, nothing. nextID names new contacts.
func update(
	old []*Binding,
	r *request,
	policy *Policy,
	now time.Time,
	nextID func() uint32,
) (next []*Binding, changes []ContactChange, refusal *Refusal) {
	next = slices.Clone(old)

	if r.star {
		for _, b := range old {
			if b.Private != r.private {
				continue
			}

			if b.CallID == r.callID && b.CSeq >= r.cseq {
				return nil, nil, outOfOrder()
			}

			changes = append(changes, ContactChange{b, ContactUnregistered})
		}

		return slices.DeleteFunc(next, func(b *Binding) bool { return b.Private == r.private }), changes, nil
	}

	for _, w := range r.contacts {
		at := slices.IndexFunc(next, func(b *Binding) bool { return b.Private == r.private && w.same(b) })

		if at >= 0 && next[at].CallID == r.callID && next[at].CSeq >= r.cseq {
			return nil, nil, outOfOrder()
		}

		switch {
		case at < 0 && w.expires == 0:
		case w.expires == 0:
			changes = append(changes, ContactChange{next[at], ContactUnregistered})
			next = slices.Delete(next, at, at+1)
		case at >= 0 && next[at].Contact == w.contact:
			fresh := w.binding(r, next[at].ID, next[at].Registered, now)
			event := ContactRefreshed

			if fresh.Expires.Before(next[at].Expires) {
				event = ContactShortened
			}

			next[at] = fresh
			changes = append(changes, ContactChange{fresh, event})
		case at >= 0: // the same handset at another address
			changes = append(changes, ContactChange{next[at], ContactUnregistered})
			next[at] = w.binding(r, nextID(), now, now)
			changes = append(changes, ContactChange{next[at], ContactRegistered})
		default:
			if len(next) >= policy.MaxContacts {
				oldest := slices.IndexFunc(next, func(b *Binding) bool { return b.Private == r.private })
				if oldest < 0 || policy.AtContactLimit == "refuse" {
					return nil, nil, refuse(403, "the user has as many contacts as registrar.max_contacts allows")
				}

				changes = append(changes, ContactChange{next[oldest], ContactRejected})
				next = slices.Delete(next, oldest, oldest+1)
			}

			fresh := w.binding(r, nextID(), now, now)
			next = append(next, fresh)
			changes = append(changes, ContactChange{fresh, ContactRegistered})
		}
	}

	return next, changes, nil
}

// same tells a contact that is registered already: by instance and reg-id (RFC 5626 §6) where both have them, else by URI
// (RFC 3261 §19.1.4).
func (w *wanted) same(b *Binding) bool {
	if w.instance != "" && b.Instance != "" {
		return strings.EqualFold(w.instance, b.Instance) && w.regID == b.RegID
	}

	if w.contact == b.Contact {
		return true
	}

	mine, err := sip.ParseURI(w.contact)
	if err != nil {
		return false
	}

	theirs, err := sip.ParseURI(b.Contact)

	return err == nil && sip.EqualURI(mine, theirs)
}

func (w *wanted) binding(r *request, id uint32, registered, now time.Time) *Binding {
	return &Binding{
		Contact: w.contact, Params: w.params, Path: r.path, Private: r.private, Identity: r.public, Instance: w.instance,
		CallID: r.callID, CSeq: r.cseq, RegID: w.regID, ID: id, Q: w.q, Expires: now.Add(w.expires), Registered: registered,
	}
}

// ends tells whether a private identity has no contact after a REGISTER: then it is a de-registration, or a query of somebody
// who is not registered.
func (r *request) ends(next []*Binding) bool {
	return !slices.ContainsFunc(next, func(b *Binding) bool { return b.Private == r.private })
}
