//go:build esp

package ipsec

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// A thousand registrations and de-registrations leave nothing in the kernel, and the P-CSCF does not grow.
func TestThousand(t *testing.T) {
	const (
		phones = 10
		rounds = 100
	)

	// By the timers of TS 24.229 §7.7 a transaction of Gm is kept for 128 s.
	n := core(t, strings.ReplaceAll(gm, "transports:", "timers: {t1: 500ms, t2: 4s, t4: 5s}, transports:"),
		"DIALTONE_ICSCF_SCSCF_TIMEOUT=32s") // there is no other S-CSCF, and the kernel below has one processor for all of it

	phone := func(rounds int) func() {
		subscriber := n.Subscribe(0, "")
		h := n.Handset(subscriber, secured(t, false, func(c *handset.Config) { c.Security.Linger = 10 * time.Millisecond }))

		return func() {
			for range rounds {
				if err := errors.Join(h.Register(t.Context()), h.Deregister(t.Context())); err != nil {
					t.Errorf("%v\nits last lines in the logs:\n%sthe kernel dropped by then:\n%s", err, n.Lines(subscriber.IMSI), dropped(t))
					return
				}

				h.Forget()
			}
		}
	}

	phone(1)() // what is started once runs from here on

	var (
		goroutines  = gauge(n, "go_goroutines")
		established = gauge(n, establishedSets)
		all         sync.WaitGroup
	)

	for range phones {
		all.Go(phone(rounds))
	}

	all.Wait()
	n.Await("no set to be left", func() bool { return sets(n) == "" })
	nothingLeft(t)

	if states, policies := counts(t); states != 0 || policies != 24 {
		t.Errorf("%d states and %d policies are left, want none and the 24 guards of 12 ports", states, policies)
	}

	n.Await("all transactions to end", func() bool { return gauge(n, "dialtone_sip_transactions") == 0 })

	if now := gauge(n, "go_goroutines"); now > goroutines+20 {
		t.Errorf("%v goroutines, after %v", now, goroutines)
	}

	if got := gauge(n, establishedSets) - established; got != phones*rounds {
		t.Errorf("%v sets were established", got)
	}
}

// A P-CSCF that is killed with a hundred handsets registered.
func TestRestart(t *testing.T) {
	for _, mode := range []string{"keep", "clean"} {
		t.Run(mode, func(t *testing.T) {
			environment := []string{"DIALTONE_PCSCF_IPSEC_RESTART=" + mode, "DIALTONE_PCSCF_DATA=" + t.TempDir()}
			n := core(t, environment...)

			var (
				phones []*handset.Handset
				users  []network.Subscriber
			)

			for range 100 {
				s := n.Subscribe(100, "")
				users = append(users, s)
				phones = append(phones, n.Registered(s, secured(t, false, nil)))
			}

			if states, _ := counts(t); states != 400 {
				t.Fatalf("%d states for 100 handsets", states)
			}

			n.Kill("pcscf")
			n.Run("pcscf", append(environment, gm, linger)...)

			if mode == "clean" {
				if states, policies := counts(t); states != 0 || policies != 24 {
					t.Errorf("%d states and %d policies are left", states, policies)
				}

				return
			}

			if got := sets(n); got != "established 100" {
				t.Errorf("the P-CSCF has %s", got)
			}

			for i, h := range phones {
				to := (i + 1) % len(phones)

				if response, err := h.Message(t.Context(), users[to].Tel(), strconv.Itoa(i)); err != nil || !response.IsSuccess() {
					t.Fatalf("handset %d after the restart: %v, %v", i, response, err)
				}

				select {
				case m := <-phones[to].Messages():
					if string(m.Body) != strconv.Itoa(i) {
						t.Errorf("handset %d reads %q", to, m.Body)
					}
				case <-time.After(5 * time.Second):
					t.Fatalf("handset %d got nothing", to)
				}
			}

			if err := phones[0].Register(t.Context()); err != nil {
				t.Errorf("a refresh after the restart: %v", err)
			}

			if err := phones[1].Deregister(t.Context()); err != nil {
				t.Errorf("a de-registration after the restart: %v", err)
			}

			n.Await("its set to go", func() bool { return sets(n) == "established 99" })
		})
	}
}
