package sip

import (
	"fmt"
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

// equalURI compares as RFC 3261 §19.1.4 says.
func equalURI(a, b Uri) bool {
	if !strings.EqualFold(a.Scheme, b.Scheme) {
		return false
	}

	if a.Scheme != "sip" && a.Scheme != "sips" {
		return a.String() == b.String()
	}

	if unescape(a.User) != unescape(b.User) || a.Password != b.Password || !strings.EqualFold(a.Host, b.Host) || a.Port != b.Port {
		return false
	}

	return equalParams(a.UriParams, b.UriParams) && equalParams(b.UriParams, a.UriParams) && a.Headers.ToString('&') == b.Headers.ToString('&')
}

// SameURI compares two that are written as in a message. What cannot be read is the same only as what is written alike.
func SameURI(a, b string) bool {
	if a == b {
		return true
	}

	u, errA := ParseURI(a)
	v, errB := ParseURI(b)

	return errA == nil && errB == nil && equalURI(u, v)
}

// equalParams: what both have must be the same, and some may not be missing on one side.
func equalParams(a, b sip.HeaderParams) bool {
	for _, p := range a {
		found := false

		for _, q := range b {
			if strings.EqualFold(p.K, q.K) {
				found = true

				if !strings.EqualFold(unescape(p.V), unescape(q.V)) {
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

// unescape resolves %HH (§19.1.2).
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}

	var b strings.Builder

	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2

				continue
			}
		}

		b.WriteByte(s[i])
	}

	return b.String()
}

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
