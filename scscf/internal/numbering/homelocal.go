package numbering

import (
	"context"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
)

const (
	homeLocalTime = 3 * time.Second // for the HSS's answer about a number; the call goes on without it
	shortest      = 4               // fewest digits that are completed; a shorter number is a service, such as 112
)

// homeLocal returns the global number for a number local to the home network; "" if it is none. The HSS is asked whether somebody has the
// number, as an I-CSCF asks it: first the digits as they are, then completed by the first digits of the caller's own number, as within
// one exchange.
func (t *Translator) homeLocal(ctx context.Context, target, own string) string {
	digits, dialled, ok := homeDigits(target, t.home)
	if !ok || t.subscribers == nil {
		return ""
	}

	ctx, cancel := context.WithTimeout(ctx, homeLocalTime)
	defer cancel()

	var candidates []string
	if !dialled { // it may be somebody's name
		candidates = append(candidates, target)
	}

	candidates = append(candidates, "tel:+"+digits)
	if missing := len(own) - len(digits); missing > 1 && len(digits) >= shortest {
		candidates = append(candidates, "tel:"+own[:missing]+digits)
	}

	for _, candidate := range candidates {
		exists, err := t.subscribers.Exists(ctx, candidate)

		switch {
		case err != nil:
			t.log.Warn("the HSS does not say whose a local number is; it goes on as it is", "number", target, "cause", err)
			return ""
		case exists && candidate == target:
			return ""
		case exists:
			return ims.Number(candidate)
		}
	}

	return ""
}

// homeDigits returns the digits of a number that is local to the home network: by its phone-context, by the domain, or for want of both
// (TS 24.229 §5.1.2A.1.5). dialled reports that it can only be a number; the user part of a sip URI without user=phone may be a name.
func homeDigits(target, home string) (digits string, dialled, ok bool) {
	scheme, rest, _ := strings.Cut(target, ":")
	user, dialled := rest, strings.EqualFold(scheme, "tel")

	if !dialled {
		part, address, found := strings.Cut(rest, "@")
		host, parameters, _ := strings.Cut(address, ";")
		name, _, _ := strings.Cut(host, ":")

		if !found || !strings.EqualFold(name, home) {
			return "", false, false
		}

		user, dialled = part, hasParameter(parameters, "user=phone")
	}

	for i, p := range strings.Split(user, ";") {
		name, value, _ := strings.Cut(p, "=")
		if i > 0 && strings.EqualFold(name, "phone-context") && !strings.EqualFold(value, home) {
			return "", false, false
		}
	}

	const longest = 15 // digits of E.164

	digits = ims.Number(target)

	return digits, dialled, digits != "" && len(digits) <= longest && strings.Trim(digits, "0123456789") == ""
}
