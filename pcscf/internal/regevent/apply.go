package regevent

import (
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// apply updates the bindings of a user from a document (TS 24.229 §5.2.3).
func (s *Subscriber) apply(private string, o outcome) {
	for _, b := range s.registrations.Of(private) {
		if !b.Registered {
			continue
		}

		if ended := slices.IndexFunc(o.Ended, func(c contact) bool { return sip.SameURI(c.URI, b.Contact) && !newer(b, c) }); ended >= 0 {
			s.registrations.End(b, endLabel(o.Ended[ended].Event))
			continue
		}

		next := *b
		changed := false

		for _, i := range o.Left {
			if sip.SameURI(i.Contact, b.Contact) {
				next.Identities = slices.DeleteFunc(
					slices.Clone(next.Identities),
					func(identity string) bool { return ims.SameIdentity(identity, i.AOR) },
				)
				changed = true
			}
		}

		for _, i := range o.Joined {
			has := slices.ContainsFunc(next.Identities, func(identity string) bool { return ims.SameIdentity(identity, i.AOR) })
			if sip.SameURI(i.Contact, b.Contact) && !has {
				next.Identities = append(slices.Clone(next.Identities), i.AOR)
				changed = true
			}
		}

		for _, c := range o.Shortened {
			if !sip.SameURI(c.URI, b.Contact) || newer(b, c) {
				continue
			}

			if until := time.Now().Add(time.Duration(*c.Expires) * time.Second); until.Before(b.Expires) {
				next.Expires, changed = until, true
				s.log.Info(
					"registration shortened by the network, for the handset to authenticate again",
					"impi", private,
					"contact", b.Contact,
					"seconds", *c.Expires,
				)
			}
		}

		if changed {
			s.registrations.Change(b, &next)
		}
	}
}

// newer reports whether a binding was registered after the state in a document: the document was on its way when the handset registered
// again.
func newer(b *binding.Binding, c contact) bool {
	if b.CallID == "" || c.CallID == "" {
		return false
	}

	return b.CallID != c.CallID || c.CSeq != 0 && c.CSeq < b.CSeq
}

// endLabel keeps invented events from making new time series.
func endLabel(event string) string {
	switch event {
	case "unregistered", "rejected", "deactivated", "expired", "probation":
		return event
	default:
		return "terminated"
	}
}
