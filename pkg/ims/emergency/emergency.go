// Package emergency recognises emergency calls and emergency registrations (TS 24.229 §5.1.6, §5.2.10, RFC 5031).
package emergency

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

const prefix = "urn:service:"

// Service returns the service of an emergency URN (RFC 5031 §3), in lower case and without "urn:service:", as in Service-URN
// (TS 29.214 §5.3.23): "sos.fire". ok is false for any other URI.
func Service(uri string) (service string, ok bool) {
	if len(uri) < len(prefix) || !strings.EqualFold(uri[:len(prefix)], prefix) {
		return "", false
	}

	service = strings.ToLower(uri[len(prefix):])
	if service != sos && !strings.HasPrefix(service, sos+".") {
		return "", false
	}

	for label := range strings.SplitSeq(service, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return "", false
		}
	}

	return service, true
}

// Contact reports whether a Contact URI is for emergency calls alone (TS 24.229 §5.1.6.2, §7.2A.13).
func Contact(uri string) bool {
	if !strings.Contains(strings.ToLower(uri), ";sos") { // of a thousand contacts none is one
		return false
	}

	u, err := sip.ParseURI(uri)
	if err != nil {
		return false
	}

	for _, p := range u.UriParams {
		if strings.EqualFold(p.K, "sos") {
			return true
		}
	}

	return false
}

// SameContact reports whether two Contact URIs mean the same contact. One for emergency calls stands beside the other of the same handset
// (TS 24.229 §5.4.8.2), although RFC 3261 §19.1.4 does not look at a parameter that only one of them has.
func SameContact(a, b string) bool { return Contact(a) == Contact(b) && sip.SameURI(a, b) }

// Registers reports whether a REGISTER is an emergency registration, or the end of one: every Contact of it is for emergency calls.
func Registers(r *sip.Request) bool {
	emergencies, others := contacts(r)
	return emergencies > 0 && others == 0
}

// Mixes reports whether a REGISTER names contacts for emergency calls beside others. There is no such registration: what an emergency
// registration is spared, as barring, would be spared the other one (TS 24.229 §5.1.6.2).
func Mixes(r *sip.Request) bool {
	emergencies, others := contacts(r)
	return emergencies > 0 && others > 0
}

// contacts counts the contacts of a REGISTER; none when they cannot be read.
func contacts(r *sip.Request) (emergencies, others int) {
	all, _, err := sip.Contacts(r)
	if err != nil {
		return 0, 0
	}

	for _, c := range all {
		if Contact(c.URI) {
			emergencies++
		}
	}

	return emergencies, len(all) - emergencies
}

// Mixed is why a REGISTER that mixes is refused.
const Mixed = "the REGISTER names a contact for emergency calls beside another one: each needs a REGISTER of its own"

// Config says by which numbers emergency calls are known.
type Config struct {
	Country string            `yaml:"country"` // MCC; empty: that of home_domain
	Numbers map[string]string `yaml:"numbers"` // more than the country's, each with its service
}

// Plan returns the plan of a network of this configuration.
func (c Config) Plan(homeDomain string) (*Plan, error) {
	plan, err := NewPlan(homeDomain, cmp.Or(c.Country, countryOf(homeDomain)), c.Numbers)
	if err != nil {
		return nil, fmt.Errorf("emergency.%w", err)
	}

	return plan, nil
}

// Plan knows the emergency numbers of a network.
type Plan struct {
	home    string
	numbers map[string]string
}

// NewPlan returns the numbers of a country, and more of the operator's, each with its service: "sos.police". An operator's takes the place
// of the country's; one with no service is no emergency number.
func NewPlan(homeDomain, mcc string, more map[string]string) (*Plan, error) {
	if mcc != "" && !isMCC(mcc) {
		return nil, fmt.Errorf("country: %q is no MCC, as 262", mcc)
	}

	p := &Plan{home: homeDomain, numbers: maps.Clone(everywhere)}

	maps.Copy(p.numbers, countries[mcc])

	for number, named := range more {
		if digits, ok := dialled(number); !ok || digits != number {
			return nil, fmt.Errorf("numbers: %q is no number that a handset dials", number)
		}

		if named == "" {
			delete(p.numbers, number)
			continue
		}

		service, ok := Service(prefix + named)
		if !ok {
			return nil, fmt.Errorf("numbers: %q of %s is no emergency service, as sos.police (RFC 5031)", named, number)
		}

		p.numbers[number] = service
	}

	return p, nil
}

// service returns the emergency service that a Request-URI means: by its URN, or by a number as it is dialled, in a tel URI or in a SIP
// URI of the home network (TS 24.229 §5.2.10.1). A number is taken in whatever context it is local (RFC 3966 §5.1.5): better one call too
// many than one too few. A global one, with a +, is somebody's. Without a plan only URNs are known.
func (p *Plan) service(uri string) (service string, ok bool) {
	if service, ok := Service(uri); ok {
		return service, true
	}

	if p == nil {
		return "", false
	}

	number := ""

	scheme, rest, _ := strings.Cut(uri, ":")
	switch strings.ToLower(scheme) {
	case "tel":
		number = rest
	case "sip", "sips":
		u, err := sip.ParseURI(uri)
		if err != nil || !strings.EqualFold(u.Host, p.home) {
			return "", false
		}

		number = u.User
	default:
		return "", false
	}

	number, _, _ = strings.Cut(number, ";")

	digits, ok := dialled(number)
	if !ok {
		return "", false
	}

	service, ok = p.numbers[digits]

	return service, ok
}

// Called returns the emergency service that a Request-URI means.
func (p *Plan) Called(target sip.Uri) (service string, ok bool) {
	const dials = "0123456789-.()"

	if target.Scheme == "sip" && (target.User == "" || !strings.ContainsRune(dials, rune(target.User[0]))) { // of a thousand none is one
		return "", false
	}

	return p.service(target.String())
}

// URN returns the Request-URI of a service.
func URN(service string) string { return prefix + service }

// dialled returns the digits of a local number, without what is only for the eye (RFC 3966 §5.1.1).
func dialled(number string) (digits string, ok bool) {
	const longest = 16

	digits = separators.Replace(number)

	return digits, digits != "" && len(digits) <= longest && strings.Trim(digits, "0123456789") == ""
}

var separators = strings.NewReplacer("-", "", ".", "", "(", "", ")", "")

// countryOf returns the MCC of a home network domain (TS 23.003 §13.2: "ims.mnc001.mcc262.3gppnetwork.org"); "" when it has another form.
func countryOf(domain string) string {
	for label := range strings.SplitSeq(strings.ToLower(domain), ".") {
		if mcc, found := strings.CutPrefix(label, "mcc"); found && isMCC(mcc) {
			return mcc
		}
	}

	return ""
}

func isMCC(text string) bool { return len(text) == 3 && strings.Trim(text, "0123456789") == "" }
