package sip

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
)

// These are the address and parameter types of package grammar, so that functions need not import it.
type (
	// NameAddr is an address with its display name and header parameters.
	NameAddr = grammar.NameAddr
	// Contact is one value of Contact.
	Contact = grammar.NameAddr
	// Params are the parameters of a header field or URI.
	Params = grammar.Params
)

var errAddress = errors.New("sip: the address cannot be read")

// ParseNameAddr reads one address.
func ParseNameAddr(s string) (NameAddr, error) { return grammar.ParseNameAddr(s) }

// ParseParams reads ";name=value;flag".
func ParseParams(s string) (Params, error) { return grammar.ParseParams(s) }

const maxContacts = 32

// Contacts returns the values of Contact; star reports whether it is "Contact: *".
func Contacts(m Message) (contacts []Contact, star bool, err error) {
	for _, value := range Values(m, "Contact") {
		if value == "*" {
			star = true
			continue
		}

		contact, err := ParseNameAddr(value)
		if err != nil {
			return nil, false, err
		}

		contacts = append(contacts, contact)
	}

	if star && len(contacts) > 0 || len(contacts) > maxContacts {
		return nil, false, fmt.Errorf("%w: too many contacts", errAddress)
	}

	return contacts, star, nil
}

// Expires returns the expires parameter of a contact, if there is one. A value that is not a number of seconds counts as 3600 (RFC 3261
// §20.10).
func Expires(c Contact) (seconds uint32, given bool) {
	value, given := c.Params.Get("expires")
	if !given {
		return 0, false
	}

	return Seconds(value, 3600), true
}

// Seconds reads a number of seconds such as Expires. It returns otherwise for a missing or malformed number (RFC 3261 §10.2.1.1), and the
// largest value for one that is too large.
func Seconds(text string, otherwise uint32) uint32 {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)

	switch {
	case err == nil:
		return uint32(n)
	case errors.Is(err, strconv.ErrRange):
		return 1<<32 - 1
	default:
		return otherwise
	}
}
