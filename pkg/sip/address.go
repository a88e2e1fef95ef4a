package sip

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// NameAddr is an address with what stands around it: "Display" <URI>;parameters (RFC 3261 §20.10, §25.1). URI and values
// are kept to the letter.
type NameAddr struct {
	Display string // without quotes
	URI     string
	Params  Params
}

// Contact is one value of Contact.
type Contact = NameAddr

// Params are parameters in their order. Values are as written, quotes included.
type Params []Param

// Param is one parameter; Flag has no "=".
type Param struct {
	Name, Value string
	Flag        bool
}

var errAddress = errors.New("sip: the address cannot be read")

const maxParams = 64

// ParseNameAddr reads one address.
func ParseNameAddr(s string) (NameAddr, error) {
	var a NameAddr

	s = strings.TrimSpace(s)
	rest := s

	if strings.HasPrefix(rest, `"`) {
		display, after, err := unquote(rest)
		if err != nil {
			return NameAddr{}, err
		}

		a.Display, rest = display, strings.TrimSpace(after)
		if !strings.HasPrefix(rest, "<") {
			return NameAddr{}, fmt.Errorf("%w: %q", errAddress, s)
		}
	}

	switch open := strings.IndexByte(rest, '<'); {
	case open >= 0 && !strings.Contains(rest[:open], ";"):
		end := strings.IndexByte(rest, '>')
		if end < open {
			return NameAddr{}, fmt.Errorf("%w: %q", errAddress, s)
		}

		if a.Display == "" {
			a.Display = strings.TrimSpace(rest[:open])
		}

		a.URI, rest = strings.TrimSpace(rest[open+1:end]), rest[end+1:]
	default: // without brackets the parameters are the header's, not the URI's
		uri, after, found := strings.Cut(rest, ";")
		a.URI, rest = strings.TrimSpace(uri), ""

		if found {
			rest = ";" + after
		}
	}

	if a.URI == "" || strings.ContainsAny(a.URI, " \t\"<>") {
		return NameAddr{}, fmt.Errorf("%w: %q", errAddress, s)
	}

	var err error
	a.Params, err = ParseParams(rest)

	return a, err
}

// unquote reads a quoted string from the front of s.
func unquote(s string) (text, rest string, err error) {
	var b strings.Builder

	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			i++
			if i == len(s) {
				return "", "", errAddress
			}

			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}

	return "", "", fmt.Errorf("%w: open quotes", errAddress)
}

// ParseParams reads ";name=value;flag".
func ParseParams(s string) (Params, error) {
	var all Params

	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		if s[0] != ';' {
			return nil, fmt.Errorf("%w: parameter %q", errAddress, s)
		}

		s = strings.TrimLeft(s[1:], " \t\r\n;")
		if s == "" {
			break
		}

		end, quoted := 0, false
		for end < len(s) && (quoted || s[end] != ';') {
			switch {
			case s[end] == '\\' && quoted && end+1 < len(s):
				end++
			case s[end] == '"':
				quoted = !quoted
			}

			end++
		}

		if quoted {
			return nil, fmt.Errorf("%w: open quotes", errAddress)
		}

		name, value, valued := strings.Cut(s[:end], "=")

		name = strings.TrimSpace(name)
		if name == "" || strings.ContainsAny(name, " \t\"<>,") || len(all) == maxParams {
			return nil, fmt.Errorf("%w: parameter %q", errAddress, s[:end])
		}

		all = append(all, Param{Name: name, Value: strings.TrimSpace(value), Flag: !valued})
		s = s[end:]
	}

	return all, nil
}

// String writes the address with its URI in brackets.
func (a NameAddr) String() string {
	var b strings.Builder

	if a.Display != "" {
		b.WriteByte('"')
		b.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(a.Display))
		b.WriteString(`" `)
	}

	b.WriteByte('<')
	b.WriteString(a.URI)
	b.WriteByte('>')
	b.WriteString(a.Params.String())

	return b.String()
}

// String writes ";name=value;flag".
func (p Params) String() string {
	var b strings.Builder

	for _, param := range p {
		b.WriteByte(';')
		b.WriteString(param.Name)

		if !param.Flag {
			b.WriteByte('=')
			b.WriteString(param.Value)
		}
	}

	return b.String()
}

// Get finds a parameter in any case; quotes around the value are taken off.
func (p Params) Get(name string) (string, bool) {
	for _, param := range p {
		if strings.EqualFold(param.Name, name) {
			if strings.HasPrefix(param.Value, `"`) {
				if text, _, err := unquote(param.Value); err == nil {
					return text, true
				}
			}

			return param.Value, true
		}
	}

	return "", false
}

// Set makes a parameter have this value.
func (p *Params) Set(name, value string) {
	p.Del(name)
	*p = append(*p, Param{Name: name, Value: value})
}

// Del takes a parameter out.
func (p *Params) Del(name string) {
	kept := make(Params, 0, len(*p))

	for _, param := range *p {
		if !strings.EqualFold(param.Name, name) {
			kept = append(kept, param)
		}
	}

	*p = kept
}

const maxContacts = 32

// Contacts are the values of Contact; star tells "Contact: *".
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
func (a NameAddr) Expires() (seconds uint32, given bool) {
	value, given := a.Params.Get("expires")
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
