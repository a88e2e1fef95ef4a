package ims

import (
	"fmt"
	"strings"
)

// Address is one value of P-Asserted-Identity, P-Preferred-Identity, P-Associated-URI, Path, Service-Route and the like: a
// URI, perhaps with a display name, and with parameters of its own.
type Address struct {
	Display    string // without quotes
	URI        string // to the letter
	Parameters Parameters
}

// ParseAddresses reads the addresses of all fields of one header, in order (RFC 3325 §9.1, RFC 3327 §4, RFC 3608 §5,
// RFC 7315 §4.1).
func ParseAddresses(fields ...string) ([]Address, error) {
	values, err := list(fields)
	if err != nil {
		return nil, err
	}

	addresses := make([]Address, 0, len(values))

	for _, value := range values {
		a, err := ParseAddress(value)
		if err != nil {
			return nil, err
		}

		addresses = append(addresses, a)
	}

	return addresses, nil
}

// ParseAddress reads one address. Without angle brackets what stands behind a semicolon is the header's and not the URI's
// (RFC 3261 §20.10).
func ParseAddress(value string) (Address, error) {
	var a Address

	pieces, err := split(value, ';')
	if err != nil {
		return a, err
	}

	text := strings.TrimSpace(pieces[0])

	if strings.HasPrefix(text, `"`) {
		if a.Display, text, err = unquote(text); err != nil {
			return a, err
		}

		if text = strings.TrimSpace(text); !strings.HasPrefix(text, "<") {
			return a, fmt.Errorf("%w: address %q", errHeader, clip(value))
		}
	}

	if display, rest, found := strings.Cut(text, "<"); found {
		if a.Display == "" {
			if a.Display = strings.TrimSpace(display); strings.ContainsAny(a.Display, `"\\>`) {
				return Address{}, fmt.Errorf("%w: address %q", errHeader, clip(value))
			}
		}

		uri, behind, closed := strings.Cut(rest, ">")
		if !closed || strings.TrimSpace(behind) != "" {
			return Address{}, fmt.Errorf("%w: address %q", errHeader, clip(value))
		}

		text = strings.TrimSpace(uri)
	}

	if a.URI = text; !strings.Contains(text, ":") || strings.ContainsAny(text, " \t\"<>\\") {
		return Address{}, fmt.Errorf("%w: address %q", errHeader, clip(value))
	}

	a.Parameters, err = parseParameters(pieces[1:])

	return a, err
}

// String writes the address, always in angle brackets.
func (a Address) String() string {
	var b strings.Builder

	if a.Display != "" {
		writeQuoted(&b, a.Display)
		b.WriteByte(' ')
	}

	b.WriteByte('<')
	b.WriteString(a.URI)
	b.WriteByte('>')
	b.WriteString(a.Parameters.String())

	return b.String()
}

// LooseRoute reports whether the URI has the lr parameter, as each of a Path or Service-Route must (RFC 3261 §16.4).
func (a Address) LooseRoute() bool {
	uri, _, _ := strings.Cut(a.URI, "?")
	_, parameters, _ := strings.Cut(uri[strings.IndexByte(uri, '@')+1:], ";")

	for p := range strings.SplitSeq(parameters, ";") {
		if name, _, _ := strings.Cut(p, "="); strings.EqualFold(strings.TrimSpace(name), "lr") {
			return true
		}
	}

	return false
}

// FormatAddresses writes them as one header field value.
func FormatAddresses(addresses []Address) string {
	texts := make([]string, len(addresses))
	for i, a := range addresses {
		texts[i] = a.String()
	}

	return strings.Join(texts, ", ")
}

// ServedUser is P-Served-User (RFC 5502, RFC 8498; TS 24.229 §5.4.3.2, §5.4.3.3): whom an application server serves with the
// request, and in which role.
type ServedUser struct {
	Address
	Case         ServedCase
	Unregistered bool // regstate=unreg
}

// ServedCase is the session case of P-Served-User.
type ServedCase int

// Session cases that P-Served-User may have.
const (
	ServedCaseUnknown ServedCase = iota
	ServedOriginating
	ServedTerminating
	ServedOriginatingCDIV // RFC 8498
)

// ParseServedUser reads the header.
func ParseServedUser(value string) (ServedUser, error) {
	a, err := ParseAddress(value)
	if err != nil {
		return ServedUser{}, err
	}

	u := ServedUser{Address: a}
	u.Parameters = nil

	for _, p := range a.Parameters {
		switch strings.ToLower(p.Name) {
		case "sescase":
			switch strings.ToLower(p.Value) {
			case "orig":
				u.Case = ServedOriginating
			case "term":
				u.Case = ServedTerminating
			default:
				return ServedUser{}, fmt.Errorf("%w: sescase %q", errHeader, clip(p.Value))
			}
		case "orig-cdiv":
			u.Case = ServedOriginatingCDIV
		case "regstate":
			u.Unregistered = strings.EqualFold(p.Value, "unreg")
			if !u.Unregistered && !strings.EqualFold(p.Value, "reg") {
				return ServedUser{}, fmt.Errorf("%w: regstate %q", errHeader, clip(p.Value))
			}
		default:
			u.Parameters = append(u.Parameters, p)
		}
	}

	return u, nil
}

// String writes the header. A case that is not known, and the registration state with it, are left out; originating after
// call diversion has neither of the two older parameters (RFC 8498).
func (u ServedUser) String() string {
	state := ";regstate=reg"
	if u.Unregistered {
		state = ";regstate=unreg"
	}

	text := Address{Display: u.Display, URI: u.URI}.String()

	switch u.Case {
	case ServedOriginating:
		text += ";sescase=orig" + state
	case ServedTerminating:
		text += ";sescase=term" + state
	case ServedOriginatingCDIV:
		text += ";orig-cdiv"
	case ServedCaseUnknown:
	}

	return text + u.Parameters.String()
}
