package sip

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
)

// Addresses and parameters are those of the grammar; functions need not import it for them.
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

// Contacts returns the values of Contact; star tells "Contact: *".
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

// Expires is for how long a contact is to be registered, if it says so: what is no number of seconds is 3600 (RFC 3261 §20.10).
func Expires(c Contact) (seconds uint32, given bool) {
	value, given := c.Params.Get("expires")
	if !given {
		return 0, false
	}

	return Seconds(value, 3600), true
}

// Seconds reads a number of seconds such as Expires; what is no number, or missing, is otherwise (RFC 3261 §10.2.1.1), and
// what is too large is the largest.
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
