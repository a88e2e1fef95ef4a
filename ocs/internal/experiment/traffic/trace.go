package traffic

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Arrival is one line of a trace.
type Arrival struct {
	After      time.Duration // since the beginning
	Subscriber int           // 0 is the first
	Holding    float64       // seconds, octets or messages, as its service counts
	Number     string        // that is called; empty: one of the service's
}

// Trace reads arrivals one after the other: seconds,subscriber,holding[,number]. Lines that begin with # are comments.
type Trace struct {
	lines *bufio.Scanner
	line  int
	last  time.Duration
}

// NewTrace returns a trace.
func NewTrace(r io.Reader) *Trace { return &Trace{lines: bufio.NewScanner(r)} }

// Next returns the next arrival, or io.EOF. They must come in order.
func (t *Trace) Next() (a Arrival, err error) {
	for t.lines.Scan() {
		t.line++

		text := strings.TrimSpace(t.lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}

		if a, err = arrival(text); err == nil && a.After < t.last {
			err = fmt.Errorf("it comes before the line before it")
		}

		if err != nil {
			return a, fmt.Errorf("line %d: %q: %w", t.line, text, err)
		}

		t.last = a.After

		return a, nil
	}

	if err := t.lines.Err(); err != nil {
		return a, fmt.Errorf("line %d: %w", t.line+1, err)
	}

	return a, io.EOF
}

func arrival(text string) (a Arrival, err error) {
	const longest = 100 * 365 * day

	fields := strings.Split(text, ",")
	if len(fields) != 3 && len(fields) != 4 {
		return a, fmt.Errorf("there must be 3 or 4 fields: seconds,subscriber,holding[,number]")
	}

	at, err := strconv.ParseFloat(strings.TrimSpace(fields[0]), 64)
	if err != nil || !(at >= 0 && at <= longest.Seconds()) {
		return a, fmt.Errorf("%q is no time in seconds since the beginning", fields[0])
	}

	a.After = seconds(at)

	if a.Subscriber, err = strconv.Atoi(strings.TrimSpace(fields[1])); err != nil || a.Subscriber < 0 {
		return a, fmt.Errorf("%q is no number of a subscriber", fields[1])
	}

	a.Holding, err = strconv.ParseFloat(strings.TrimSpace(fields[2]), 64)
	if err != nil || !(a.Holding >= 0) || math.IsInf(a.Holding, 1) {
		return a, fmt.Errorf("%q is no holding time or volume", fields[2])
	}

	if len(fields) == 4 {
		a.Number = strings.TrimSpace(fields[3])
	}

	return a, nil
}
