package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// comparison is a load of SIPp that this core and Kamailio get in turn.
type comparison struct {
	what           string
	rate           int
	calls, charged bool
}

var comparisons = []comparison{
	{what: "AKA registrations", rate: 400},
	{what: "AKA registrations", rate: 1000},
	{what: "calls", rate: 200, calls: true},
	{what: "calls, online charging", rate: 200, calls: true, charged: true},
}

func (c comparison) String() string {
	return fmt.Sprintf("%s at %d/s, beside Kamailio", c.what, c.rate)
}

// core is one of the two that are compared.
type core struct {
	name  string
	start func(b *bench, charged bool) error
}

var (
	dialtone = core{"Dialtone", func(b *bench, charged bool) error {
		if err := b.start([]string{"DIALTONE_PCSCF_REG_EVENT=false", charging(charged)}, measured...); err != nil {
			return err
		}

		b.cpu = func() float64 { return processor(b.running[len(b.running)-len(measured):]) }

		return nil
	}}
	kamailio = core{"Kamailio", (*bench).startKamailio}
)

// share is what a core did of a load.
type share struct {
	cpu          float64
	done, failed int
}

func (s share) cost() float64 { return s.cpu * 1000 / float64(s.done) }

// round is one turn of each of the two, one right after the other.
type round struct{ ours, theirs share }

func (r round) ratio() float64 { return r.ours.cost() / r.theirs.cost() }

// compare measures this core and Kamailio in turn, each started anew for every load, and prints the ratio of this run.
func (o *options) compare() error {
	var wanted []comparison

	for _, c := range comparisons {
		if o.only.MatchString("SIPp: " + c.String()) {
			wanted = append(wanted, c)
		}
	}

	if len(wanted) == 0 {
		return nil
	}

	if _, err := kamailioPath(); err != nil {
		fmt.Println("\nno ratio to Kamailio: it is not installed (Debian: kamailio, kamailio-ims-modules, kamailio-presence-modules)")
		return nil
	}

	fmt.Printf("\nIn turn, %d rounds, each core started anew, both with our HSS and OCS; Kamailio holds everything in memory.\n"+
		"Medians over the rounds; a ratio is of the two turns of one round. What fails has no figure.\n"+
		"%-52s %9s %9s %7s %14s %9s\n", o.rounds, "SIPp's load", "Dialtone", "Kamailio", "ratio", "lowest-highest", "failed")

	for _, c := range wanted {
		rounds, err := o.rounded(c)
		if err != nil {
			return err
		}

		fmt.Println(line(c, rounds))
	}

	return nil
}

// rounded has the two do a load in turn; who begins alternates, too.
func (o *options) rounded(c comparison) ([]round, error) {
	rounds := make([]round, o.rounds)

	for i := range rounds {
		turns := []struct {
			core  core
			share *share
		}{{dialtone, &rounds[i].ours}, {kamailio, &rounds[i].theirs}}
		if i%2 == 1 {
			slices.Reverse(turns)
		}

		for _, turn := range turns {
			var err error
			if *turn.share, err = o.turn(c, turn.core); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", c, turn.core.name, err)
			}
		}
	}

	return rounds, nil
}

// line says what the rounds of a comparison show. What fails costs something else than what succeeds: then there is no figure.
func line(c comparison, rounds []round) string {
	var (
		ours, theirs, ratios       []float64
		ourFailures, theirFailures int
	)

	for _, r := range rounds {
		ours, theirs, ratios = append(ours, r.ours.cost()), append(theirs, r.theirs.cost()), append(ratios, r.ratio())
		ourFailures, theirFailures = ourFailures+r.ours.failed, theirFailures+r.theirs.failed
	}

	figure := func(figures []float64, failed int) string {
		if failed > 0 {
			return "none"
		}

		return fmt.Sprintf("%.2f", median(figures))
	}

	span := ""
	if ourFailures+theirFailures == 0 {
		span = fmt.Sprintf("%.2f-%.2f", slices.Min(ratios), slices.Max(ratios))
	}

	return fmt.Sprintf("%-52s %9s %9s %7s %14s %9s", c, figure(ours, ourFailures), figure(theirs, theirFailures),
		figure(ratios, ourFailures+theirFailures), span, fmt.Sprintf("%d, %d", ourFailures, theirFailures))
}

// median returns the middle of some figures, or the mean of the two in the middle.
func median(figures []float64) float64 {
	sorted, n := slices.Sorted(slices.Values(figures)), len(figures)

	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// turn starts a core, gives it the load, and says what that took.
func (o *options) turn(c comparison, one core) (s share, err error) {
	b := &bench{options: o}
	defer b.close()

	if err := one.start(b, c.charged); err != nil {
		return s, err
	}

	// Users have no numbers: Kamailio 5.6 ends where a tel URI is looked up, and keeps no contact under a barred identity.
	all := users(2, o.subscribers)
	for i := range all {
		all[i].number = ""
	}

	sipp, err := newSIPp(all, filepath.Join(b.data, "sipp"))
	if err != nil {
		return s, err
	}

	s.done = min(c.rate*o.seconds, o.subscribers)
	load := sipp.register

	if c.calls {
		s.done, load = c.rate*o.seconds, sipp.call
		s.failed = one.failures(sipp.register(400, o.subscribers))
	}

	began := b.cpu()
	s.failed += one.failures(load(c.rate, s.done))

	if s.failed == 0 && c.charged {
		s.failed = uncharged(s.done)
	}

	s.cpu = b.cpu() - began

	return s, nil
}

// failures returns how many a load saw; what it said about them is printed above the line of the comparison.
func (c core) failures(seen outcome) int {
	if seen.remark != "" {
		fmt.Printf("    %s: %s\n", c.name, seen.remark)
	}

	return seen.failed
}

// uncharged waits until the OCS has closed the sessions of n calls, which ends behind the calls themselves, and is how many it has not.
func uncharged(n int) int {
	var closed int

	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		closed = int(metric("ocs", "dialtone_ocs_requests_total", `result="2001"`)) / 2 // a CCR initial and a terminate for each call
		if closed >= n && metric("ocs", "dialtone_ocs_sessions") == 0 {
			return 0
		}
	}

	return max(1, n-closed)
}
