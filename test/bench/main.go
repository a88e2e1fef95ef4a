// Command bench loads the five binaries with SIPp and with simulated handsets at fixed rates and prints what that costs: CPU
// seconds of P-, I- and S-CSCF together per 1,000 registrations and per 1,000 calls, failures and retransmissions, and live bytes per
// registered subscriber. It loads OCSs alone over Ro, on both databases. Then it measures this core and Kamailio in turn under the same
// loads. Figures of other machines, or of another hour, say nothing beside these: there are none.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
)

func main() {
	var o options

	flag.StringVar(&o.binaries, "bin", "bin", "`folder` of the five binaries")
	flag.IntVar(&o.subscribers, "subscribers", 4000, "`handsets` of each kind of load")
	flag.IntVar(&o.seconds, "seconds", 8, "`length` of each load")
	flag.IntVar(&o.flood, "flood", 3000, "`CCRs` per second of length that an OCS gets as fast as it answers")
	flag.IntVar(&o.accounts, "accounts", 1_000_000, "`accounts` of an OCS with many")
	flag.IntVar(&o.movements, "movements", 10_000_000, "`movements` of an OCS with a long history")
	flag.IntVar(&o.rounds, "rounds", 5, "how `often` this core and Kamailio are measured in turn")
	flag.StringVar(&o.profiles, "profiles", "", "`folder` for CPU profiles of P-, I- and S-CSCF under each load")
	only := flag.String("only", "", "`expression` of the names of the loads to measure, such as 'SIPp.*calls'")
	flag.Parse()

	err := o.prepare(*only)
	if err == nil {
		err = o.run()
	}

	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	binaries, profiles   string
	subscribers, seconds int
	rounds               int // of the comparison
	flood                int // CCRs
	accounts, movements  int
	only                 *regexp.Regexp
}

func (o *options) prepare(only string) (err error) {
	if o.only, err = regexp.Compile(only); err != nil {
		return err
	}

	if min(o.subscribers/2, o.seconds, o.rounds, o.flood, o.movements, o.accounts/1000) < 1 {
		return errors.New("no figure without two subscribers, 1,000 accounts, a second and a round")
	}

	if o.profiles != "" {
		err = os.MkdirAll(o.profiles, 0o755)
	}

	return err
}

// run measures one core after another, as they are configured for the loads.
func (o *options) run() error {
	fmt.Printf("%d cores for everything: the five functions, the load and this program. Tracing off, UDP.\n"+
		"CPU seconds of P-, I- and S-CSCF per 1,000.\n\n", runtime.NumCPU())
	heading()

	for _, one := range []struct {
		loads    []string // without "handsets: " or "SIPp: "
		settings []string
		measure  func(*bench) error
	}{
		{
			[]string{"AKA registrations at 400/s", "AKA registrations at 1000/s", "live per registered subscriber"},
			[]string{"DIALTONE_PCSCF_REG_EVENT=false", charging(false)},
			(*bench).registrations,
		},
		{[]string{"registrations, each with SUBSCRIBE and NOTIFY"}, []string{charging(false)}, (*bench).subscriptions},
		{[]string{"calls at 200/s"}, []string{charging(false)}, func(b *bench) error { return b.calls("") }},
		{[]string{"calls at 200/s, online charging"}, []string{charging(true)}, func(b *bench) error { return b.calls(", online charging") }},
	} {
		if !o.wants(one.loads) {
			continue
		}

		b := &bench{options: o}

		err := b.start(one.settings, measured...)
		if err == nil {
			err = one.measure(b)
		}

		b.close()

		if err != nil {
			return err
		}
	}

	if err := o.charges(); err != nil {
		return err
	}

	return o.compare()
}

// wants reports whether any of these loads is to be measured.
func (o *options) wants(loads []string) bool {
	return slices.ContainsFunc(loads, func(load string) bool {
		return o.only.MatchString(load) || o.only.MatchString("handsets: "+load) || o.only.MatchString("SIPp: "+load)
	})
}

func charging(enabled bool) string {
	return fmt.Sprintf("DIALTONE_SCSCF_SESSIONS_CHARGING_ENABLED=%v", enabled)
}
