package rating

import (
	"fmt"
	"regexp"
	"strings"
)

// Fault is what is wrong with a plan, and where.
type Fault struct {
	Path string `json:"path,omitempty"` // rates[2].when, counted from 0
	Line int    `json:"line,omitempty"` // of the file; 0: not known
	Text string `json:"text"`

	of string // the part of the plan that cannot be judged before this is mended
}

// whole is all of a plan.
const whole = "*"

// Error names the line if it is known.
func (f Fault) Error() string {
	var b strings.Builder

	if f.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", f.Line)
	}

	if f.Path != "" {
		fmt.Fprintf(&b, "%s: ", place(f.Path))
	}

	b.WriteString(f.Text)

	return b.String()
}

// place returns a path for people, who count from one: "rate 3, when #1".
func place(path string) string {
	path = index.ReplaceAllStringFunc(path, func(found string) string {
		at := 0
		_, _ = fmt.Sscanf(found[strings.IndexByte(found, '[')+1:], "%d", &at)

		switch name, _, _ := strings.Cut(found, "["); name {
		case "rates", "discounts":
			return fmt.Sprintf("%s %d", strings.TrimSuffix(name, "s"), at+1)
		default:
			return fmt.Sprintf("%s #%d", name, at+1)
		}
	})

	return afterIndex.ReplaceAllString(path, "$1, ")
}

var (
	index      = regexp.MustCompile(`[^.\[\]]*\[\d+\]`)
	afterIndex = regexp.MustCompile(`((?:rate|discount| #) ?\d+)\.`)
)

// Faults are all that is wrong with a plan.
type Faults []Fault

// maxFaults is how many are named.
const maxFaults = 20

// Error names each fault on a line of its own.
func (f Faults) Error() string {
	texts := make([]string, 0, min(len(f), maxFaults)+1)
	for _, fault := range f[:min(len(f), maxFaults)] {
		texts = append(texts, fault.Error())
	}

	if len(f) > maxFaults {
		texts = append(texts, fmt.Sprintf("and %d more", len(f)-maxFaults))
	}

	return strings.Join(texts, "\n")
}

func (f *Faults) add(path, format string, values ...any) {
	*f = append(*f, Fault{Path: path, Text: fmt.Sprintf(format, values...)})
}
