package registrar

import (
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// outOfOrder is the refusal of a REGISTER that is older than the contacts it would change (RFC 3261 §10.3 step 7).
func outOfOrder() *sip.Refusal {
	return sip.Refuse(500, "the REGISTER is older than the one that made the contact: same Call-ID, CSeq not higher")
}

// update computes the contacts of a set after a REGISTER (RFC 3261 §10.3 step 7, RFC 5626 §6, TS 24.229 §5.4.1.2.2, §5.4.1.4). With a
// refusal nothing changes. nextID names new contacts.
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
		case at >= 0 && next[at].Contact == w.contact: // letter by letter, because watchers know it by its text
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

// same reports whether a wanted contact is this binding. They are compared by instance and reg-id (RFC 5626 §6) if both have them, else by
// URI (RFC 3261 §19.1.4). A contact that is removed without reg-id is compared by URI: a handset that has moved removes its old address,
// not its new one. A contact for emergency calls is never the same as another (TS 24.229 §5.4.8.2).
func (w *wanted) same(b *registration.Binding) bool {
	if !w.rival(b) {
		return false
	}

	if w.instance != "" && b.Instance != "" && (w.expires > 0 || w.regID != 0) {
		return strings.EqualFold(w.instance, b.Instance) && w.regID == b.RegID
	}

	return sip.SameURI(w.contact, b.Contact)
}

// rivals counts the contacts with which a new one competes for the limit. Emergency registrations have places of their own (TS 24.229
// §5.4.8.2).
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

// ends reports whether the private identity has no contact after a REGISTER, which then is a de-registration, or a query by a user who
// is not registered.
func (r *request) ends(next []*registration.Binding) bool {
	return !slices.ContainsFunc(next, func(b *registration.Binding) bool { return b.Private == r.private })
}
