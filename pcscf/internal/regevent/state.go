package regevent

import (
	"maps"
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// state is what a subscriber knows of a user's registrations (RFC 3680 §6.2).
type state struct {
	version uint32
	begun   bool // a document of this subscription has come
	active  []registered
}

// registered is a contact with its registered identities.
type registered struct {
	uri        string
	identities []string
}

// outcome is what a document changes.
type outcome struct {
	Old    bool // the document is older than what is known: nothing changes
	Missed bool // an earlier document was lost: the whole state must be requested

	Ended     []contact // not registered for any identity any more
	Shortened []contact
	Joined    []identity
	Left      []identity
}

// identity is a public identity that a contact is registered for now, or not any more.
type identity struct{ Contact, AOR string }

// resubscribed prepares for a new subscription, which numbers its documents from 0 again.
func (s *state) resubscribed() { s.begun = false }

// apply applies a document. Documents count from 0; a partial one builds on the one before.
func (s *state) apply(d document) outcome {
	if s.begun && d.Version <= s.version {
		return outcome{Old: true}
	}

	o := outcome{Missed: !d.Full && (!s.begun || d.Version != s.version+1)}
	s.begun, s.version = true, d.Version

	before, next := map[string][]string{}, map[string][]string{}

	for _, c := range s.active {
		if before[c.uri] = c.identities; !d.Full {
			next[c.uri] = slices.Clone(c.identities)
		}
	}

	ended := map[string]contact{}

	for _, r := range d.Registrations {
		if r.Terminated {
			for uri := range next {
				next[uri] = without(next[uri], r.AOR)
			}
		}

		for _, c := range r.Contacts {
			if c.Active && !r.Terminated {
				next[c.URI] = append(without(next[c.URI], r.AOR), r.AOR)

				if c.Event == "shortened" && c.Expires != nil {
					o.Shortened = append(o.Shortened, c)
				}
			} else {
				next[c.URI] = without(next[c.URI], r.AOR)
				ended[c.URI] = c
			}
		}
	}

	o.compare(before, next, ended)

	s.active = nil

	for uri, identities := range next {
		if len(identities) > 0 {
			s.active = append(s.active, registered{uri, identities})
		}
	}

	return o
}

// compare finds the differences between two states.
func (o *outcome) compare(before, after map[string][]string, ended map[string]contact) {
	known := maps.Clone(after)
	for uri := range before {
		known[uri] = after[uri]
	}

	for _, uri := range slices.Sorted(maps.Keys(known)) {
		now := after[uri]

		if len(now) == 0 && stays(uri, after) { // the same contact, now written differently
			continue
		}

		if len(now) == 0 {
			c, said := ended[uri]
			if !said { // the document that reported it was lost
				c = contact{URI: uri, Event: "deactivated"}
			}

			o.Ended = append(o.Ended, c)

			continue
		}

		for _, aor := range now {
			if !slices.Contains(before[uri], aor) {
				o.Joined = append(o.Joined, identity{uri, aor})
			}
		}

		for _, aor := range before[uri] {
			if !slices.Contains(now, aor) {
				o.Left = append(o.Left, identity{uri, aor})
			}
		}
	}
}

// stays reports whether a contact is registered for something by an equal URI (RFC 3261 §19.1.4).
func stays(uri string, after map[string][]string) bool {
	for other, identities := range after {
		if len(identities) > 0 && sip.SameURI(other, uri) {
			return true
		}
	}

	return false
}

func without(identities []string, aor string) []string {
	return slices.DeleteFunc(identities, func(other string) bool { return other == aor })
}
