package ims

import (
	"fmt"
	"strings"
)

// HomeDomain returns the home network domain of an IMSI (TS 23.003 §13.2). mncLength is 2 or 3.
func HomeDomain(imsi string, mncLength int) (string, error) {
	if len(imsi) < 6 || len(imsi) > 15 || strings.Trim(imsi, "0123456789") != "" || mncLength != 2 && mncLength != 3 {
		return "", fmt.Errorf("%w: IMSI %q with an MNC of %d digits", errIdentity, clip(imsi), mncLength)
	}

	mnc := imsi[3 : 3+mncLength]
	if mncLength == 2 {
		mnc = "0" + mnc
	}

	return "ims.mnc" + mnc + ".mcc" + imsi[:3] + ".3gppnetwork.org", nil
}

// PrivateIdentity returns the private identity derived from an IMSI (TS 23.003 §13.3).
func PrivateIdentity(imsi, domain string) string { return imsi + "@" + domain }

// TemporaryPublicIdentity returns the public identity that a handset without an ISIM registers (TS 23.003 §13.4B).
func TemporaryPublicIdentity(imsi, domain string) string { return "sip:" + imsi + "@" + domain }

// PrivateFromPublic returns the private identity of a REGISTER that has none (TS 24.229 §5.3.1.2): the public identity without scheme,
// port and parameters.
func PrivateFromPublic(public string) string {
	_, rest, _ := strings.Cut(public, ":")
	user, address, found := strings.Cut(rest, "@")

	if !found {
		rest, _, _ = strings.Cut(rest, ";")
		return rest
	}

	if end := strings.IndexAny(address, ";?"); end >= 0 {
		address = address[:end]
	}

	return user + "@" + withoutPort(address)
}

// Number returns the telephone number of a tel URI, or of a sip URI whose user part is one, as it is dialled: without password, escapes
// (%23 is #) and visual separators; "" if it is neither. Whatever prices, routes or compares numbers takes them from here.
func Number(uri string) string {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(uri), ":")
	number := rest

	if !strings.EqualFold(scheme, "tel") {
		user, _, found := strings.Cut(rest, "@")
		if !found {
			return ""
		}

		number = user
	}

	if end := strings.IndexAny(number, ";:"); end >= 0 { // parameters, a password
		number = number[:end]
	}

	digits, ok := appendNumber(nil, number)
	if !ok {
		return ""
	}

	return strings.ReplaceAll(string(digits), hash, "#")
}

// EscapeNumber returns a number as it is written in a URI, with %23 for # (RFC 3966 §3).
func EscapeNumber(number string) string { return strings.ReplaceAll(number, "#", hash) }
