// Package regevent subscribes the P-CSCF to the reg event of the users registered through it (TS 24.229 §5.2.3, RFC 3680, RFC 6665), so
// that it learns when the network ends a registration.
package regevent

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	contentType = "application/reginfo+xml"
	maxDocument = 256 << 10 // octets
	maxContacts = 1000      // of one document, counted once per registration
)

// document is a notification of RFC 3680 §5: the whole state of a user's registrations, or its changes.
type document struct {
	Version       uint32
	Full          bool
	Registrations []registration
}

// registration is the registration of one public identity.
type registration struct {
	AOR        string
	Terminated bool
	Contacts   []contact
}

// contact is one contact of a registration.
type contact struct {
	URI     string
	Active  bool
	Event   string
	Expires *uint32 // seconds left
	CallID  string
	CSeq    uint32
}

type reginfo struct {
	XMLName       xml.Name `xml:"urn:ietf:params:xml:ns:reginfo reginfo"`
	Version       string   `xml:"version,attr"`
	State         string   `xml:"state,attr"`
	Registrations []struct {
		AOR      string `xml:"aor,attr"`
		State    string `xml:"state,attr"`
		Contacts []struct {
			State   string `xml:"state,attr"`
			Event   string `xml:"event,attr"`
			Expires string `xml:"expires,attr"`
			CallID  string `xml:"callid,attr"`
			CSeq    string `xml:"cseq,attr"`
			URI     string `xml:"uri"`
		} `xml:"contact"`
	} `xml:"registration"`
}

var errDocument = errors.New("regevent: the document cannot be used")

// parse parses a document. Anything outside the terms of RFC 3680 is refused, since a wrong guess could end a user's service.
func parse(body []byte) (document, error) {
	if len(body) > maxDocument {
		return document{}, fmt.Errorf("%w: %d octets", errDocument, len(body))
	}

	var read reginfo

	decoder := xml.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&read); err != nil {
		return document{}, fmt.Errorf("%w: %w", errDocument, err)
	}

	version, err := strconv.ParseUint(strings.TrimSpace(read.Version), 10, 32)
	if err != nil {
		return document{}, fmt.Errorf("%w: version %q", errDocument, read.Version)
	}

	d := document{Version: uint32(version)}

	switch read.State {
	case "full":
		d.Full = true
	case "partial":
	default:
		return document{}, fmt.Errorf("%w: state %q", errDocument, read.State)
	}

	contacts := 0

	for _, r := range read.Registrations {
		registration := registration{AOR: strings.TrimSpace(r.AOR)}

		switch r.State {
		case "active":
		case "terminated", "init":
			registration.Terminated = true
		default:
			return document{}, fmt.Errorf("%w: registration state %q", errDocument, r.State)
		}

		for _, c := range r.Contacts {
			if contacts++; contacts > maxContacts {
				return document{}, fmt.Errorf("%w: more than %d contacts", errDocument, maxContacts)
			}

			contact := contact{URI: strings.TrimSpace(c.URI), Event: c.Event, CallID: c.CallID}

			switch c.State {
			case "active":
				contact.Active = true
			case "terminated":
			default:
				return document{}, fmt.Errorf("%w: contact state %q", errDocument, c.State)
			}

			if contact.URI == "" {
				return document{}, fmt.Errorf("%w: a contact without URI", errDocument)
			}

			if seconds, err := strconv.ParseUint(strings.TrimSpace(c.Expires), 10, 32); err == nil {
				left := uint32(seconds)
				contact.Expires = &left
			}

			if number, err := strconv.ParseUint(strings.TrimSpace(c.CSeq), 10, 32); err == nil {
				contact.CSeq = uint32(number)
			}

			registration.Contacts = append(registration.Contacts, contact)
		}

		if len(d.Registrations) == maxContacts {
			return document{}, fmt.Errorf("%w: more than %d registrations", errDocument, maxContacts)
		}

		d.Registrations = append(d.Registrations, registration)
	}

	return d, nil
}
