package rating

import (
	"fmt"
	"strings"
)

// Fault is what is wrong with a plan, and where.
type Fault struct {
	Path string // rates[2].when
	Line int    // of the file; 0: not known
	Text string
}

// Error names the line if it is known.
func (f Fault) Error() string {
	var b strings.Builder

	if f.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", f.Line)
	}

	if f.Path != "" {
		fmt.Fprintf(&b, "%s: ", f.Path)
	}

	b.WriteString(f.Text)

	return b.String()
}

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
