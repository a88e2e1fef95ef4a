// Package regevent notifies watchers of registrations, as the S-CSCF does for the reg event package (RFC 3680, RFC 6665, TS
// 24.229 §5.4.2.1).
package regevent

import (
	"encoding/xml"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// reginfo is the document of RFC 3680 §5.
type reginfo struct {
	XMLName       xml.Name              `xml:"urn:ietf:params:xml:ns:reginfo reginfo"`
	Version       uint32                `xml:"version,attr"`
	State         string                `xml:"state,attr"` // full, partial
	Registrations []registrationElement `xml:"registration"`
}

type registrationElement struct {
	AOR      string    `xml:"aor,attr"`
	ID       string    `xml:"id,attr"`
	State    string    `xml:"state,attr"` // init, active, terminated
	Contacts []contact `xml:"contact"`
}

type contact struct {
	ID                 string         `xml:"id,attr"`
	State              string         `xml:"state,attr"` // active, terminated
	Event              string         `xml:"event,attr"`
	DurationRegistered int64          `xml:"duration-registered,attr"`
	Expires            *int64         `xml:"expires,attr"`
	Q                  string         `xml:"q,attr,omitempty"`
	CallID             string         `xml:"callid,attr,omitempty"`
	CSeq               uint32         `xml:"cseq,attr,omitempty"`
	URI                string         `xml:"uri"`
	DisplayName        string         `xml:"display-name,omitempty"`
	Unknown            []unknownParam `xml:"unknown-param"`
}

type unknownParam struct {
	Name  string `xml:"name,attr"`
	Value string `xml:",chardata"`
}

// full returns the whole state of a set (RFC 3680 §5.2), and once more the contacts that have just ended. If g is nil, before, the state
// until then, is shown as terminated.
func full(g, before *registration.Registration, ended []registration.ContactChange, now time.Time) reginfo {
	document := reginfo{State: "full"}
	shown := g

	if shown == nil {
		shown = before
	}

	for _, aor := range shown.Associated() {
		r := registrationElement{AOR: aor, ID: registrationID(aor), State: "terminated"}

		for _, c := range ended {
			if c.Event.Ended() {
				r.Contacts = append(r.Contacts, contactOf(aor, c, now))
			}
		}

		if g != nil && g.State == registration.Registered {
			r.State = "active"

			for _, b := range g.Bindings {
				event := registration.ContactRegistered
				if at := slices.IndexFunc(ended, func(c registration.ContactChange) bool { return c.Binding.ID == b.ID && !c.Event.Ended() }); at >= 0 {
					event = ended[at].Event
				}

				r.Contacts = append(r.Contacts, contactOf(aor, registration.ContactChange{Binding: b, Event: event}, now))
			}
		}

		document.Registrations = append(document.Registrations, r)
	}

	return document
}

// partial returns the document of one change.
func partial(c registration.Change, now time.Time) reginfo {
	document := reginfo{State: "partial"}

	var before, after []string
	if c.Before != nil {
		before = c.Before.Associated()
	}

	if c.After != nil {
		after = c.After.Associated()
	}

	for _, aor := range after {
		r := registrationElement{AOR: aor, ID: registrationID(aor), State: "terminated"}
		if c.Registered() {
			r.State = "active"
		}

		for _, change := range c.Contacts {
			r.Contacts = append(r.Contacts, contactOf(aor, change, now))
		}

		if !slices.Contains(before, aor) && c.Cause == registration.ByProfile {
			for _, b := range c.After.Bindings {
				r.Contacts = append(
					r.Contacts,
					contactOf(aor, registration.ContactChange{Binding: b, Event: registration.ContactCreated}, now),
				)
			}
		}

		if len(r.Contacts) > 0 {
			document.Registrations = append(document.Registrations, r)
		}
	}

	for _, aor := range before {
		if slices.Contains(after, aor) {
			continue
		}

		r := registrationElement{AOR: aor, ID: registrationID(aor), State: "terminated"}
		for _, change := range c.Contacts {
			r.Contacts = append(r.Contacts, contactOf(aor, change, now))
		}

		if c.Cause == registration.ByProfile { // the identity left the set
			for _, b := range c.Before.Bindings {
				r.Contacts = append(
					r.Contacts,
					contactOf(aor, registration.ContactChange{Binding: b, Event: registration.ContactDeactivated}, now),
				)
			}
		}

		document.Registrations = append(document.Registrations, r)
	}

	return document
}

// contactOf returns the element for a contact of one identity. If the handset registered the identity itself the event is "registered";
// if it came with the implicit registration set, "created" (TS 24.229 §5.4.2.1.2).
func contactOf(aor string, c registration.ContactChange, now time.Time) contact {
	b, event := c.Binding, c.Event
	if event == registration.ContactRegistered && b.Identity != aor {
		event = registration.ContactCreated
	}

	out := contact{
		ID: contactID(
			aor,
			b.ID,
		), State: "active", Event: string(event), DurationRegistered: max(0, int64(now.Sub(b.Registered)/time.Second)),
		CallID: b.CallID, CSeq: b.CSeq, URI: b.Contact,
	}

	if b.Q != 1000 {
		out.Q = strconv.FormatFloat(float64(b.Q)/1000, 'f', -1, 64)
	}

	if event.Ended() {
		out.State = "terminated"
	} else {
		left := max(0, int64(b.Expires.Sub(now).Round(time.Second)/time.Second))
		out.Expires = &left
	}

	params, err := sip.ParseParams(b.Params)
	if err != nil {
		return out
	}

	for _, p := range params {
		out.Unknown = append(out.Unknown, unknownParam{Name: p.Name, Value: p.Value})
	}

	return out
}

// registrationID returns the id of an identity's registration; it is the same in every document.
func registrationID(aor string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.ToLower(aor))) // a hash never fails

	return fmt.Sprintf("r%08x", h.Sum32())
}

// contactID returns the id of a contact; it is the same in every document, and a different one for each identity.
func contactID(aor string, id uint32) string {
	return "c" + strconv.FormatUint(uint64(id), 36) + "-" + registrationID(aor)[1:]
}

// portion writes as many whole registrations as fit into most octets, and returns the rest for another, partial document. If a single
// registration is too large, its unknown parameters are left out; the document is valid without them (RFC 3680).
func (d reginfo) portion(version uint32, most int) (body []byte, left []registrationElement, err error) {
	for n := len(d.Registrations); ; n-- {
		part := d
		part.Registrations = d.Registrations[:n]

		switch body, err = part.marshal(version); {
		case err != nil || len(body) <= most || n == 0:
			return body, d.Registrations[n:], err
		case n > 1:
			continue
		}

		short := d.Registrations[0]
		short.Contacts = slices.Clone(short.Contacts)

		for i := range short.Contacts {
			short.Contacts[i].Unknown = nil
		}

		part.Registrations = []registrationElement{short}
		body, err = part.marshal(version)

		return body, d.Registrations[1:], err
	}
}

// marshal writes the document with its version.
func (d reginfo) marshal(version uint32) ([]byte, error) {
	d.Version = version

	body, err := xml.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("reginfo: %w", err)
	}

	return append([]byte(xml.Header), body...), nil
}
