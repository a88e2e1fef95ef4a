package main

import (
	"strings"
	"testing"
)

func TestLine(t *testing.T) {
	cost := func(ours, theirs float64, failed ...int) round {
		r := round{ours: share{cpu: ours, done: 1000}, theirs: share{cpu: theirs, done: 1000}}
		if len(failed) > 0 {
			r.ours.failed, r.theirs.failed = failed[0], failed[1]
		}

		return r
	}

	for name, test := range map[string]struct {
		rounds []round
		want   string // columns
	}{
		"the ratio is the median of the rounds', not that of the medians": {
			[]round{cost(1, 2), cost(4, 2), cost(3, 3)}, "3.00 2.00 1.00 0.50-2.00 0, 0",
		},
		"of an even number the middle two count":         {[]round{cost(1, 2), cost(3, 2)}, "2.00 2.00 1.00 0.50-1.50 0, 0"},
		"one disturbed round does not move it":           {[]round{cost(2, 2), cost(90, 2), cost(2, 2)}, "2.00 2.00 1.00 1.00-45.00 0, 0"},
		"Kamailio fails once: no ratio, none of its own": {[]round{cost(1, 2), cost(1, .1, 0, 3)}, "1.00 none none 0, 3"},
		"this core fails once: no ratio either":          {[]round{cost(1, 2, 1, 0), cost(1, 2)}, "none 2.00 none 1, 0"},
	} {
		t.Run(name, func(t *testing.T) {
			c := comparison{what: "calls", rate: 200}
			got := strings.Join(strings.Fields(strings.TrimPrefix(line(c, test.rounds), c.String())), " ")
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestWants(t *testing.T) {
	loads := []string{"calls at 200/s"}

	for only, want := range map[string]bool{
		"": true, "beside": false, "SIPp: calls": true, "handsets: calls": true, "^calls": true, "registrations": false,
	} {
		var o options
		o.subscribers, o.seconds, o.rounds = 2, 1, 1
		o.flood, o.accounts, o.movements = 1, 1000, 1

		if err := o.prepare(only); err != nil {
			t.Fatal(err)
		}

		if got := o.wants(loads); got != want {
			t.Errorf("%q: %v, want %v", only, got, want)
		}
	}
}
