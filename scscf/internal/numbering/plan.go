package numbering

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Plan is the operator's numbering plan: what a dialled number means (TS 24.229 §5.4.3.2), and the routes for numbers that nobody at home
// has.
type Plan struct {
	// Prefixes maps the first digits dialled to their replacement: "00": "+", "0": "+49". The longest match counts.
	Prefixes map[string]string `yaml:"prefixes"`
	// Contexts maps the phone-context of a local number (RFC 3966 §5.1.5) to the prefix of the number; "" is for a number without one.
	Contexts map[string]string `yaml:"contexts"`
	// Digits also takes sip URIs without user=phone for numbers.
	Digits bool `yaml:"digits"`
	// Breakout maps the first digits of numbers to SIP URIs; "" is for all. With ;lr the URI is that of a BGCF or MGCF and put into
	// Route; without it, that of a gateway which is called by the number.
	Breakout map[string]string `yaml:"breakout"`
}

// Validate refuses settings that cannot work.
func (p *Plan) Validate() error {
	for from, to := range p.Prefixes {
		if from == "" || !isNumber(from) || !isNumber(to) || to == "" || to[0] != '+' {
			return fmt.Errorf("sessions.numbers.prefixes: %q: %q: not what is dialled and what begins with +", from, to)
		}
	}

	for context, to := range p.Contexts {
		if !isNumber(to) || to == "" || to[0] != '+' {
			return fmt.Errorf("sessions.numbers.contexts: %q: %q does not begin with +", context, to)
		}
	}

	for prefix, route := range p.Breakout {
		u, err := sip.ParseURI(route)
		if err != nil || u.Scheme != "sip" && u.Scheme != "sips" || !isNumber(prefix) {
			return errors.Join(fmt.Errorf("sessions.numbers.breakout: %q: %q: not a prefix and a SIP URI", prefix, route), err)
		}
	}

	return nil
}

func isNumber(text string) bool {
	for i, c := range []byte(text) {
		if (c < '0' || c > '9') && c != '*' && c != '#' && (c != '+' || i > 0) {
			return false
		}
	}

	return true
}

// dialled returns the number that a Request-URI means, and its phone-context; ok is false if it means none: another domain's user, or a
// name.
func (p *Plan) dialled(target, home string) (number, context string, ok bool) {
	scheme, rest, _ := strings.Cut(target, ":")
	parameters := rest

	if !strings.EqualFold(scheme, "tel") {
		user, address, found := strings.Cut(rest, "@")
		host, after, _ := strings.Cut(address, ";")
		name, _, _ := strings.Cut(host, ":")

		if !found || !strings.EqualFold(name, home) || !p.Digits && !hasParameter(after, "user=phone") {
			return "", "", false
		}

		parameters = user
	}

	for parameter := range strings.SplitSeq(parameters, ";") {
		if name, value, _ := strings.Cut(parameter, "="); strings.EqualFold(name, "phone-context") {
			context = strings.ToLower(value)
		}
	}

	number = ims.Number(target)

	return number, context, number != ""
}

func hasParameter(parameters, wanted string) bool {
	for p := range strings.SplitSeq(parameters, ";") {
		if strings.EqualFold(strings.TrimSpace(p), wanted) {
			return true
		}
	}

	return false
}

// global returns the number in international form (TS 24.229 §5.4.3.2: local numbers by the policy of the operator); "" if the plan does
// not define it.
func (p *Plan) global(number, context string) string {
	const longest = 15 // digits of E.164

	if number[0] != '+' {
		if from, to, found := longestPrefix(p.Prefixes, number); found {
			number = to + number[len(from):]
		} else if to, found := p.Contexts[context]; found {
			number = to + number
		}
	}

	if number[0] != '+' || len(number) < 2 || len(number) > longest+1 || strings.Trim(number[1:], "0123456789") != "" {
		return ""
	}

	return number
}

// longestPrefix returns the entry with the longest key that is a prefix of text.
func longestPrefix(all map[string]string, text string) (key, value string, found bool) {
	for k, v := range all {
		if strings.HasPrefix(text, k) && (!found || len(k) > len(key)) {
			key, value, found = k, v, true
		}
	}

	return key, value, found
}
