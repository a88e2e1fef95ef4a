package sip

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// ParseURI parses a sip, sips, tel or other URI.
func ParseURI(s string) (Uri, error) {
	var u Uri
	if err := sip.ParseUri(s, &u); err != nil {
		return Uri{}, fmt.Errorf("sip: URI %q: %w", s, err)
	}

	if u.Port < 0 || u.Port > 65535 || u.Scheme == "" || (u.Scheme == "sip" || u.Scheme == "sips") && u.Host == "" {
		return Uri{}, fmt.Errorf("sip: URI %q", s)
	}

	return u, nil
}

// equalURI compares URIs by RFC 3261 §19.1.4, their hosts by RFC 5954 §4.2, and tel URIs by RFC 3966 §4.
func equalURI(a, b Uri) bool {
	if !strings.EqualFold(a.Scheme, b.Scheme) {
		return false
	}

	switch strings.ToLower(a.Scheme) {
	case "tel":
		return strings.EqualFold(separators.Replace(a.String()), separators.Replace(b.String()))
	case "sip", "sips":
	default:
		return a.String() == b.String()
	}

	if compared(a.User) != compared(b.User) || a.Password != b.Password || !equalHost(a.Host, b.Host) || a.Port != b.Port {
		return false
	}

	return equalParams(a.UriParams, b.UriParams) && equalParams(b.UriParams, a.UriParams) && equalHeaders(a.Headers, b.Headers)
}

// separators removes the visual separators of digits (RFC 3966 §5.1.1).
var separators = strings.NewReplacer("-", "", ".", "", "(", "", ")", "")

// equalHost compares names without regard to case, and addresses by their value (RFC 5954 §4.2).
func equalHost(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}

	p, errA := netip.ParseAddr(strings.Trim(a, "[]"))
	q, errB := netip.ParseAddr(strings.Trim(b, "[]"))

	return errA == nil && errB == nil && p == q
}

// equalHeaders compares the header fields of URIs: none is ignored, their order does not matter.
func equalHeaders(a, b sip.HeaderParams) bool {
	if len(a) != len(b) {
		return false
	}

	for _, p := range a {
		if !slices.ContainsFunc(b, func(q sip.HeaderKV) bool {
			return strings.EqualFold(p.K, q.K) && compared(p.V) == compared(q.V)
		}) {
			return false
		}
	}

	return true
}

// SameURI reports whether two URIs, as written in a message, are equal. A URI that cannot be read equals only the same text.
func SameURI(a, b string) bool {
	if a == b {
		return true
	}

	u, errA := ParseURI(a)
	v, errB := ParseURI(b)

	return errA == nil && errB == nil && equalURI(u, v)
}

// equalParams compares URI parameters: those on both sides must be equal, and some may not be missing on one side.
func equalParams(a, b sip.HeaderParams) bool {
	for _, p := range a {
		found := false

		for _, q := range b {
			if strings.EqualFold(p.K, q.K) {
				found = true

				if !strings.EqualFold(compared(p.V), compared(q.V)) {
					return false
				}
			}
		}

		if !found {
			switch strings.ToLower(p.K) {
			case "user", "ttl", "method", "maddr", "transport":
				return false
			}
		}
	}

	return true
}

// compared resolves %HH, except for reserved characters, whose escaped form is not equal to the plain one (§19.1.4).
func compared(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}

	var b strings.Builder

	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi >= 0 && lo >= 0 {
				if c := byte(hi<<4 | lo); strings.IndexByte(reserved, c) < 0 {
					b.WriteByte(c)
				} else {
					b.WriteString(strings.ToUpper(s[i : i+3]))
				}

				i += 2

				continue
			}
		}

		b.WriteByte(s[i])
	}

	return b.String()
}

const reserved = ";/?:@&=+$," // RFC 3261 §25.1

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}
