// Package ims is what IMS adds to SIP as text: identities and header values of TS 23.003, TS 24.229 and the P-headers. It
// reads and writes strings and knows nothing of messages.
package ims

import (
	"errors"
	"fmt"
	"strings"
)

var errIdentity = errors.New("ims: the identity cannot be read")

// HomeDomain is the home network domain of an IMSI (TS 23.003 §13.2). mncLength is 2 or 3.
func HomeDomain(imsi string, mncLength int) (string, error) {
	if len(imsi) < 6 || len(imsi) > 15 || strings.Trim(imsi, "0123456789") != "" || mncLength != 2 && mncLength != 3 {
		return "", fmt.Errorf("%w: IMSI %q with an MNC of %d digits", errIdentity, imsi, mncLength)
	}

	mnc := imsi[3 : 3+mncLength]
	if mncLength == 2 {
		mnc = "0" + mnc
	}

	return "ims.mnc" + mnc + ".mcc" + imsi[:3] + ".3gppnetwork.org", nil
}

// PrivateIdentity is the one derived from an IMSI (TS 23.003 §13.3).
func PrivateIdentity(imsi, domain string) string { return imsi + "@" + domain }

// TemporaryPublicIdentity is the one that a handset without an ISIM registers with (TS 23.003 §13.4B).
func TemporaryPublicIdentity(imsi, domain string) string { return "sip:" + imsi + "@" + domain }

// CanonicalIdentity is a public identity as subscriber data has it (TS 24.229 §5.4.1.2, TS 29.228 §6.1): without port,
// parameters and visual separators, scheme and host in lower case. A sip URI with user=phone whose user part is a global
// number becomes the tel URI, as TS 24.229 §5.3.2.1 wants of an I-CSCF.
func CanonicalIdentity(uri string) (string, error) {
	uri = strings.TrimSpace(uri)

	scheme, rest, found := strings.Cut(uri, ":")
	if !found || rest == "" || strings.ContainsAny(uri, "<>\" \t\r\n") {
		return "", fmt.Errorf("%w: %q", errIdentity, uri)
	}

	switch scheme = strings.ToLower(scheme); scheme {
	case "tel":
		number, _, _ := strings.Cut(rest, ";")
		if number = digits(number); number == "" {
			return "", fmt.Errorf("%w: %q", errIdentity, uri)
		}

		return "tel:" + number, nil
	case "sip", "sips":
		address, parameters, _ := strings.Cut(rest, ";")
		address, _, _ = strings.Cut(address, "?")

		user, host, hasUser := strings.Cut(address, "@")
		if !hasUser {
			user, host = "", address
		}

		user, _, _ = strings.Cut(user, ":") // a password
		host = strings.ToLower(withoutPort(host))

		if host == "" || strings.ContainsAny(host, "@;:?") && host[0] != '[' || hasUser && user == "" {
			return "", fmt.Errorf("%w: %q", errIdentity, uri)
		}

		if strings.HasPrefix(user, "+") && hasParameter(parameters, "user=phone") {
			if number := digits(user); number != "" {
				return "tel:" + number, nil
			}

			return "", fmt.Errorf("%w: %q", errIdentity, uri)
		}

		if user == "" {
			return "sip:" + host, nil
		}

		return "sip:" + user + "@" + host, nil
	default:
		return "", fmt.Errorf("%w: %q", errIdentity, uri)
	}
}

func hasParameter(parameters, wanted string) bool {
	for p := range strings.SplitSeq(parameters, ";") {
		if strings.EqualFold(strings.TrimSpace(p), wanted) {
			return true
		}
	}

	return false
}

func withoutPort(host string) string {
	if strings.HasPrefix(host, "[") {
		if end := strings.IndexByte(host, ']'); end > 0 {
			return host[:end+1]
		}
	}

	host, _, _ = strings.Cut(host, ":")

	return host
}

// digits takes the visual separators out of a number (RFC 3966 §3).
func digits(number string) string {
	var b strings.Builder

	for i := range len(number) {
		switch c := number[i]; {
		case c >= '0' && c <= '9', c == '+' && i == 0, c == '*', c == '#':
			b.WriteByte(c)
		case c == '-' || c == '.' || c == '(' || c == ')':
		default:
			return ""
		}
	}

	return b.String()
}

// PrivateFromPublic is the private identity of a REGISTER that states none (TS 24.229 §5.3.1.2).
func PrivateFromPublic(public string) string {
	_, rest, _ := strings.Cut(public, ":")
	return rest
}

// Number is the telephone number of a tel URI, or of a sip URI whose user part is one; "" if it is neither.
func Number(uri string) string {
	scheme, rest, _ := strings.Cut(uri, ":")
	rest, _, _ = strings.Cut(rest, ";")

	if strings.EqualFold(scheme, "tel") {
		return digits(rest)
	}

	user, _, found := strings.Cut(rest, "@")
	if !found || user == "" || strings.Trim(user, "+0123456789") != "" {
		return ""
	}

	return user
}
