package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// load registers users and has them call each other.
type load interface {
	name() string
	// register registers the first n users at a rate per second, each anew: a REGISTER without credentials, its 401, another with
	// them, its 200.
	register(rate, n int) outcome
	// call has n calls set up and ended at a rate per second.
	call(rate, n int) outcome
	close()
}

// outcome is what a load saw.
type outcome struct {
	failed int
	remark string // such as the reason of the last failure
}

func heading() {
	fmt.Printf("%-52s %9s %8s %16s\n", "load", "CPU s", "failed", "retransmissions")
}

// measure runs one load and prints its line.
func (b *bench) measure(what string, n, seconds int, run func() outcome) {
	if !b.only.MatchString(what) {
		return
	}

	b.profile(what, seconds)

	cpu, sent := b.cpu(), sum("dialtone_sip_retransmissions_total")
	seen := run()
	cpu, sent = b.cpu()-cpu, sum("dialtone_sip_retransmissions_total")-sent

	cost := cpu * 1000 / float64(n)
	fmt.Printf("%-52s %9.2f %8d %16.0f\n", what, cost, seen.failed, sent)

	if seen.remark != "" {
		fmt.Printf("    %s\n", seen.remark)
	}
}

// profile takes CPU profiles while the next load runs.
func (b *bench) profile(what string, seconds int) {
	if b.profiles == "" {
		return
	}

	what = strings.NewReplacer(" ", "-", "/", "-per-", ",", "").Replace(what)

	for _, name := range measured {
		go func() {
			text := get(name, fmt.Sprint("/debug/pprof/profile?seconds=", seconds))
			_ = os.WriteFile(filepath.Join(b.profiles, what+"."+name+".pprof"), []byte(text), 0o644)
		}()
	}

	time.Sleep(100 * time.Millisecond)
}

// both makes the two kinds of load.
func (b *bench) both() error {
	handsets, err := newHandsets(b.subscribers)
	if err != nil {
		return err
	}

	b.loads = append(b.loads, handsets)

	sipp, err := newSIPp(users(2, b.subscribers), filepath.Join(b.data, "sipp"))
	if err != nil {
		return err
	}

	b.loads = append(b.loads, sipp)

	return nil
}

// registrations measures REGISTER alone: the P-CSCF does not subscribe to the reg event.
func (b *bench) registrations() error {
	if err := b.both(); err != nil {
		return err
	}

	for i, l := range b.loads {
		empty := live()

		for _, rate := range []int{400, 1000} {
			n := min(rate*b.seconds, b.subscribers)
			what := fmt.Sprintf("%s: AKA registrations at %d/s", l.name(), rate)
			b.measure(what, n, n/rate, func() outcome { return l.register(rate, n) })
			settle()
		}

		if i > 0 || !b.only.MatchString("live") {
			continue
		}

		each := (live() - empty) / float64(b.subscribers) / 1000
		fmt.Printf("%-52s %6.1f kB\n", "live per registered subscriber", each)
	}

	return nil
}

// subscriptions measures what the P-CSCF's subscriptions to the reg event add, which go out at their own pace.
func (b *bench) subscriptions() error {
	if err := b.both(); err != nil {
		return err
	}

	n, l := min(400*b.seconds, b.subscribers), b.loads[0]
	b.measure(l.name()+": registrations, each with SUBSCRIBE and NOTIFY", n, n/200, func() outcome {
		defer settle()
		return l.register(400, n)
	})

	return nil
}

func (b *bench) calls(suffix string) error {
	if err := b.both(); err != nil {
		return err
	}

	const rate = 200

	for _, l := range b.loads {
		if what := fmt.Sprintf("%s: calls at %d/s%s", l.name(), rate, suffix); b.only.MatchString(what) {
			l.register(200, b.subscribers)
			settle()

			n := rate * b.seconds
			b.measure(what, n, b.seconds, func() outcome { return l.call(rate, n) })
		}
	}

	return nil
}
