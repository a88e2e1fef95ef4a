package registrar

import (
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// errOutOfOrder is RFC 3261 §10.3 7: the REGISTER is older than what it would change.
func outOfOrder() *sip.Refusal {
	return sip.Refuse(500, "the REGISTER is older than the one that made the contact: same Call-ID, CSeq not higher")
}

// update decides what a REGISTER does to the contacts of a set (RFC 3261 §10.3 7, RFC 5626 §6, TS 24.229 §5.4.1.2.2,
// §5.4.1.4). Either all of it is done or, with a refusal, nothing. nextID names new contacts.
func update(
	old []*registration.Binding,
	r *request,
	policy *Policy,
	now time.Time,
	nextID func() uint32,
) (next []*registration.Binding, changes []registration.ContactChange, refusal *sip.Refusal) {
	next = slices.Clone(old)

	if r.star {
		for _, b := range old {
			if b.Private != r.private {
				continue
			}

			if b.CallID == r.callID && b.CSeq >= r.cseq {
				return nil, nil, outOfOrder()
			}

			changes = append(changes, registration.ContactChange{Binding: b, Event: registration.ContactUnregistered})
		}

		return slices.DeleteFunc(next, func(b *registration.Binding) bool { return b.Private == r.private }), changes, nil
	}

	for _, w := range r.contacts {
		at := slices.IndexFunc(next, func(b *registration.Binding) bool { return b.Private == r.private && w.same(b) })

		if at >= 0 && next[at].CallID == r.callID && next[at].CSeq >= r.cseq {
			return nil, nil, outOfOrder()
		}

		switch {
		case at < 0 && w.expires == 0:
		case w.expires == 0:
			changes = append(changes, registration.ContactChange{Binding: next[at], Event: registration.ContactUnregistered})
			next = slices.Delete(next, at, at+1)
		case at >= 0 && next[at].Contact == w.contact: // to the letter, for by its letters watchers know it
			fresh := w.binding(r, next[at].ID, next[at].Registered, now)
			event := registration.ContactRefreshed

			if fresh.Expires.Before(next[at].Expires) {
				event = registration.ContactShortened
			}

			next[at] = fresh
			changes = append(changes, registration.ContactChange{Binding: fresh, Event: event})
		case at >= 0: // the same handset at another address
			changes = append(changes, registration.ContactChange{Binding: next[at], Event: registration.ContactUnregistered})
			next[at] = w.binding(r, nextID(), now, now)
			changes = append(changes, registration.ContactChange{Binding: next[at], Event: registration.ContactRegistered})
		default:
			if w.rivals(next) >= policy.MaxContacts {
				oldest := slices.IndexFunc(next, func(b *registration.Binding) bool { return b.Private == r.private && w.rival(b) })
				if oldest < 0 || policy.AtContactLimit == "refuse" {
					return nil, nil, sip.Refuse(403, "the user has as many contacts as registrar.max_contacts allows")
				}

				changes = append(changes, registration.ContactChange{Binding: next[oldest], Event: registration.ContactRejected})
				next = slices.Delete(next, oldest, oldest+1)
			}

			fresh := w.binding(r, nextID(), now, now)
			next = append(next, fresh)
			changes = append(changes, registration.ContactChange{Binding: fresh, Event: registration.ContactRegistered})
		}
	}

	return next, changes, nil
}

// same reports whether a contact is registered already: by instance and reg-id (RFC 5626 §6) where both have them, else by URI
// (RFC 3261 §19.1.4). A contact that is taken back without reg-id is always meant by its URI: a handset that has moved takes back
// where it was, not where it is. One for emergency calls is another one (TS 24.229 §5.4.8.2).
func (w *wanted) same(b *registration.Binding) bool {
	if !w.rival(b) {
		return false
	}

	if w.instance != "" && b.Instance != "" && (w.expires > 0 || w.regID != 0) {
		return strings.EqualFold(w.instance, b.Instance) && w.regID == b.RegID
	}

	return sip.SameURI(w.contact, b.Contact)
}

// rivals returns the contacts among which a new one needs a place: an emergency registration takes none from the others, and finds its own
// whatever they are (TS 24.229 §5.4.8.2).
func (w *wanted) rivals(all []*registration.Binding) int {
	n := 0

	for _, b := range all {
		if w.rival(b) {
			n++
		}
	}

	return n
}

func (w *wanted) rival(b *registration.Binding) bool {
	return b.Emergency() == emergency.Contact(w.contact)
}

func (w *wanted) binding(r *request, id uint32, registered, now time.Time) *registration.Binding {
	return &registration.Binding{
		Contact: w.contact, Params: w.params, Path: r.path, Private: r.private, Identity: r.public, Instance: w.instance,
		CallID: r.callID, CSeq: r.cseq, RegID: w.regID, ID: id, Q: w.q, Expires: now.Add(w.expires), Registered: registered,
	}
}

// ends reports whether a private identity has no contact after a REGISTER: then it is a de-registration, or a query of somebody
// who is not registered.
func (r *request) ends(next []*registration.Binding) bool {
	return !slices.ContainsFunc(next, func(b *registration.Binding) bool { return b.Private == r.private })
}
