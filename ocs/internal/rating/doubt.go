package rating

import (
	"fmt"
	"slices"
	"strings"
)

// Doubtful returns, of a plan that can be read, the prefixes that match other numbers than they seem to.
func Doubtful(text []byte) Faults {
	t, source, faults := parse(text)
	if t == nil || len(faults) > 0 {
		return nil
	}

	return source.locate(t.doubtful())
}

func (t *Tariff) doubtful() (notices Faults) {
	look := func(path, prefix string) {
		if without := doubt(prefix); without != "" {
			notices.add(path, "the prefix %q matches no international number, for it has no +: write \"+%s\" if %s is a country code",
				prefix, without, without)
		}
	}

	for i := range t.Rates {
		look(fmt.Sprintf("rates[%d].prefix", i), t.Rates[i].Prefix)
	}

	for kind, of := range map[string]map[string][]string{"destinations": t.Destinations, "groups": t.Groups} {
		for _, name := range keys(of) {
			for i, prefix := range of[name] {
				look(fmt.Sprintf("%s.%s[%d]", kind, name, i), prefix)
			}
		}
	}

	return notices
}

// doubt returns the digits from a country code on, if a prefix without + begins with one; "" if it is that of short numbers. Emergency
// numbers are among those (TS 22.101 §10.1), and all that begin with 10 or 11, which no number of the country code 1 does.
func doubt(prefix string) string {
	if prefix == "" || strings.Trim(prefix, "0123456789") != "" || slices.Contains([]string{"000", "08", "911", "999"}, prefix) {
		return ""
	}

	switch digits, dialled := strings.CutPrefix(prefix, "00"); {
	case dialled: // such numbers are rated in international form
		return digits
	case prefix[0] == '0', strings.HasPrefix(prefix, "10"), strings.HasPrefix(prefix, "11"), prefix[0] == '1' && len(prefix) == len("112"):
		return ""
	default:
		return digits
	}
}
