package main

import (
	"fmt"
	"path/filepath"
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

// turns is how often each of the two is measured.
const turns = 2

// share is what a core did of a comparison.
type share struct {
	cpu          float64
	done, failed int
}

func (s share) cost() float64 { return s.cpu * 1000 / float64(s.done) }

// compare measures this core and Kamailio in turn, each started anew for every load, and prints the ratio of this run.
func (o *options) compare() error {
	if _, err := kamailioPath(); err != nil {
		fmt.Println("\nno ratio to Kamailio: it is not installed (Debian: kamailio, kamailio-ims-modules, kamailio-presence-modules)")
		return nil
	}

	fmt.Printf("\nIn turn, %d times, each started anew, both with our HSS and OCS; Kamailio holds everything in memory.\n"+
		"%-44s %9s %9s %9s %12s\n", turns, "SIPp's load", "Dialtone", "Kamailio", "ratio", "failed")

	for _, c := range comparisons {
		what := fmt.Sprintf("%s at %d/s, beside Kamailio", c.what, c.rate)
		if !o.only.MatchString("SIPp: " + what) {
			continue
		}

		var ours, theirs share

		for range turns {
			for _, one := range []struct {
				share *share
				start func(*bench) error
			}{
				{&ours, func(b *bench) error {
					return b.start([]string{"DIALTONE_PCSCF_REG_EVENT=false", charging(c.charged)}, "scscf", "icscf", "pcscf")
				}},
				{&theirs, func(b *bench) error { return b.startKamailio(c.charged) }},
			} {
				if err := o.turn(c, one.share, one.start); err != nil {
					return err
				}
			}
		}

		ratio := fmt.Sprintf("%9.2f", ours.cost()/theirs.cost())
		if max(ours.failed, theirs.failed)*100 > ours.done {
			ratio = "     none" // a failure costs something else
		}

		fmt.Printf("%-44s %9.2f %9.2f %s %12s\n", what, ours.cost(), theirs.cost(), ratio, fmt.Sprintf("%d, %d", ours.failed, theirs.failed))
	}

	return nil
}

// turn gives a core that is started for it the load, and adds what that did.
func (o *options) turn(c comparison, sum *share, start func(*bench) error) error {
	b := &bench{options: o}
	defer b.close()

	if err := start(b); err != nil {
		return err
	}

	// Users have no numbers: Kamailio 5.6 ends where a tel URI is looked up, and keeps no contact under a barred identity.
	all := users(2, o.subscribers)
	for i := range all {
		all[i].number = ""
	}

	sipp, err := newSIPp(all, filepath.Join(b.data, "sipp"))
	if err != nil {
		return err
	}

	n, load := min(c.rate*o.seconds, o.subscribers), sipp.register
	if c.calls {
		n, load = c.rate*o.seconds, sipp.call

		if seen := sipp.register(400, o.subscribers); seen.failed > 0 {
			fmt.Printf("    %d registrations before the calls failed: %s\n", seen.failed, seen.remark)
		}
	}

	began := b.cpu()
	seen := load(c.rate, n)

	sum.cpu += b.cpu() - began
	sum.done += n
	sum.failed += seen.failed

	if seen.remark != "" {
		fmt.Printf("    %s\n", seen.remark)
	}

	return nil
}
