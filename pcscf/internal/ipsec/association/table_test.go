package association

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/agreement"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// TS 33.203 §7.2, §7.4: from the 401 to the 200, and the end of a registration that is not refreshed.
func TestRegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)

		b.states(1, 0, 0, 0)

		if life := b.lifetime(flow); life != 4*time.Minute {
			t.Errorf("temporary associations live for %s", life)
		}

		b.screen(403, flow, "INVITE")
		b.screen(0, flow, "REGISTER", answer(server, 1, 31000, 31001)...)

		if !b.Protected(flow) || b.Protected(b.clear()) {
			t.Error("what is protected is taken for clear, or the reverse")
		}

		back := b.Return(flow)
		if back.Remote.Port() != 31001 || back.Endpoint.Name() != "c"+clientPort(server) || back.Named() != flow.Endpoint || !back.TakesTCP ||
			back != b.Return(back) {
			t.Errorf("the way back is %+v", back)
		}

		b.Established(back, 600)
		b.states(0, 1, 0, 0)

		if life := b.lifetime(flow); life != 630*time.Second {
			t.Errorf("the associations of a registration of 600 s live for %s", life)
		}

		b.screen(0, flow, "INVITE")
		time.Sleep(300 * time.Second)
		b.screen(0, flow, "REGISTER", "Security-Verify: "+server, authorization(`nonce="nonce1",response="x"`))
		b.Established(back, 600) // a refresh without challenge
		b.states(0, 1, 0, 0)

		if life := b.lifetime(flow); life != 630*time.Second {
			t.Errorf("after the refresh they live for %s", life)
		}

		time.Sleep(631 * time.Second)
		b.states(0, 0, 0, 0)
		b.screen(403, flow, "INVITE")

		if kept := b.remembered(); len(kept) != 0 {
			t.Errorf("still kept: %v", kept)
		}
	})
}

// A handset that never answers the 401 leaves nothing.
func TestSilentAfterChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		b.challenge(b.clear(), 1, 31000, 31001)
		time.Sleep(4*time.Minute + time.Second)
		b.states(0, 0, 0, 0)
	})
}

// Each challenge has its own set, including the one after a resynchronisation (open5gs#486).
func TestSetPerChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		first := b.challenge(b.clear(), 1, 31000, 31001)
		b.screen(
			0,
			b.clear(),
			"REGISTER",
			authorization(`nonce="nonce1",response="x",auts="AAAA"`),
			fmt.Sprintf("Security-Client: "+offer, 2000, 2001, 31002, 31001),
		)
		second := b.challenge(b.clear(), 2, 31002, 31001)

		b.states(1, 0, 0, 0)

		if first == second {
			t.Error("the second challenge has the associations of the first")
		}

		b.screen(403, b.protected(first, 31000), "REGISTER", answer(first, 1, 31000, 31001)...)
		b.screen(0, b.protected(second, 31002), "REGISTER", answer(second, 2, 31002, 31001)...)
	})
}

// A wrong answer inside the new associations is challenged again: they stay, because the 401 leaves through them and their
// SPIs cannot be another set's at the same time.
func TestChallengedAgainInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)
		b.again(flow, server)
		b.states(1, 0, 0, 0)
		b.screen(0, flow, "REGISTER", answer(server, 1, 31000, 31001)...)
		b.Established(flow, 600)

		// The same when a refresh offers the SPIs that it comes by.
		b.again(flow, server)
		b.states(0, 1, 0, 0)

		if back := b.Return(flow); back.Remote.Port() != 31001 {
			t.Errorf("the 401 goes to %s", back)
		}
	})
}

// again is a challenge to a request that offers what is in use.
func (b *bench) again(flow stack.Flow, server string) {
	b.t.Helper()

	r := b.request("REGISTER", answer(server, 1, 31000, 31001)...)
	if refusal := b.Screen(r, flow); refusal != nil {
		b.t.Errorf("%v", refusal)
	}

	response := sip.NewResponse(r, 401, "")
	if err := b.Challenge(r, flow, response, keys); err != nil || sip.Has(response, "Security-Server") {
		b.t.Errorf("%v, %v", err, response)
	}
}

// TS 33.203 §7.4: old and new sets side by side on re-authentication; the old ones go when the new are first used.
func TestReauthentication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		first := b.challenge(b.clear(), 1, 31000, 31001)
		old := b.protected(first, 31000)
		b.screen(0, old, "REGISTER", answer(first, 1, 31000, 31001)...)
		b.Established(old, 3600)

		second := b.challenge(old, 2, 31002, 31001, "Security-Verify: "+first)
		fresh := b.protected(second, 31002)

		if clientPort(first) == clientPort(second) || old.Endpoint != fresh.Endpoint {
			t.Errorf("the P-CSCF's client port must change and its server port stay: %s, %s", first, second)
		}

		b.states(1, 1, 0, 0)
		b.screen(0, old, "INVITE") // still in use meanwhile
		b.screen(0, fresh, "REGISTER", answer(second, 2, 31002, 31001)...)
		b.Established(b.Return(fresh), 600)
		b.states(0, 1, 1, 0)

		if life := b.lifetime(fresh); life != 3630*time.Second {
			t.Errorf("the new associations live %s, the old ones longer", life)
		}

		b.screen(0, old, "BYE") // crossing
		b.states(0, 1, 1, 0)
		b.screen(0, fresh, "BYE", "Security-Verify: "+second)
		b.states(0, 1, 0, 1)
		b.screen(0, old, "BYE") // still on its way
		time.Sleep(33 * time.Second)
		b.states(0, 1, 0, 0)
	})
}

// The ports suffice however often a handset re-authenticates (open5gs#486, open5gs#408), even if it uses the same ports again.
func TestManyReauthentications(t *testing.T) {
	for name, next := range map[string]func(n int) int{
		"new client ports": func(n int) int { return 31000 + 2*n }, "the same client port": func(int) int { return 31000 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Optional)
				flow, verify := b.clear(), ""

				for n := 1; n <= 50; n++ {
					var headers []string
					if verify != "" {
						headers = []string{"Security-Verify: " + verify}
					}

					verify = b.challenge(flow, n, next(n), 31001, headers...)
					flow = b.protected(verify, uint16(next(n)))
					b.screen(0, flow, "REGISTER", answer(verify, n, next(n), 31001)...)
					b.Established(flow, 600)
					b.screen(0, flow, "INVITE")
				}

				if got := b.inState(established); got != 1 {
					t.Errorf("%d sets are established", got)
				}

				b.Ended(flow)
				time.Sleep(33 * time.Second)
				b.states(0, 0, 0, 0)
			})
		})
	}
}

// The client ports are used in turn, free or not: a handset may still have the associations that are gone here.
func TestClientPortsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		flow, verify := b.clear(), ""

		for n, port := range []string{"6100", "6101", "6102", "6100", "6101"} {
			verify = b.challenge(flow, n+1, 31000+2*n, 31001, "Security-Verify: "+verify)

			if clientPort(verify) != port {
				t.Errorf("set %d has the client port %s, want %s", n+1, clientPort(verify), port)
			}

			flow = b.protected(verify, uint16(31000+2*n))
			b.screen(0, flow, "REGISTER", answer(verify, n+1, 31000+2*n, 31001)...)
			b.Established(flow, 600)
			b.screen(0, flow, "INVITE")
			time.Sleep(time.Minute)
		}
	})
}

// TS 24.229 §5.2.5.1: the 200 of a de-registration and the NOTIFY leave through the set, then it goes.
func TestDeregistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)
		b.screen(0, flow, "REGISTER", answer(server, 1, 31000, 31001)...)
		b.Established(flow, 600)
		b.Ended(b.Return(flow))
		b.states(0, 0, 0, 1)

		if back := b.Return(flow); back.Remote.Port() != 31001 {
			t.Errorf("the 200 goes to %s", back)
		}

		// The handset comes back at once, with the ports it had.
		again := b.challenge(b.clear(), 2, 31000, 31001)
		b.states(1, 0, 0, 1)
		b.screen(0, b.protected(again, 31000), "REGISTER", answer(again, 2, 31000, 31001)...)
		b.Established(b.protected(again, 31000), 600)
		time.Sleep(33 * time.Second)
		b.states(0, 1, 0, 0)
	})
}

// RFC 3329 §2.3: requests that are refused, without effect.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)
		good := answer(server, 1, 31000, 31001)

		for name, headers := range map[string][]string{
			"no Security-Verify":      {good[0], good[2], good[3]},
			"another Security-Verify": {good[0], strings.Replace(good[1], "q=0.1", "q=0.2", 1), good[3]},
			"a weaker algorithm":      {good[0], strings.Replace(good[1], "aes-cbc", "null", 1), good[3]},
			"another Security-Client": {strings.Replace(good[0], "aes-cbc", "null", 1), good[1], good[3]},
		} {
			refusal := b.screen(494, flow, "REGISTER", headers...)
			if refusal == nil || sip.Value(refusal, "Security-Server") != server || sip.Value(refusal, "Reason") == "" {
				t.Errorf("%s: %v", name, refusal)
			}
		}

		b.screen(
			403,
			flow,
			"REGISTER",
			good[0],
			good[1],
			`Authorization: Digest username="someone@else",realm="r",nonce="nonce1",uri="sip:r",response="x"`,
		)
		b.screen(403, b.flow("c"+clientPort(server), "TCP", 31001), "INVITE")
		b.screen(400, flow, "REGISTER", `Security-Verify: "`)
		b.screen(494, b.clear(), "REGISTER", good...) // the answer in clear
		b.screen(494, b.clear(), "REGISTER", good[3]) // without a word of the agreement
		b.screen(494, b.clear(), "REGISTER", "Require: sec-agree")
		b.screen(494, b.clear(), "REGISTER", "Proxy-Require: sec-agree", "Security-Client: tls")
		b.screen(400, b.clear(), "REGISTER", `Security-Client: "`)
		b.screen(0, b.clear(), "REGISTER", "Security-Client: tls") // wants it, does not need it
		b.screen(0, b.clear(), "REGISTER")
		b.states(1, 0, 0, 0)
	})
}

// TS 24.229 §5.2.2.2, §5.2.2.4: integrity-protected=no is for handsets that are offered associations, whatever their answer leaves out.
func TestOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		good := answer(server, 1, 31000, 31001)

		for _, test := range []struct {
			name    string
			headers []string
			want    bool
		}{
			{"asks for some", []string{fmt.Sprintf("Security-Client: "+offer, 1000, 1001, 31000, 31001)}, true},
			{"answers a challenge that came with some", []string{good[3]}, true},
			{"asks for none", nil, false},
			{"asks for what is not to be had", []string{"Security-Client: tls"}, false},
			{"answers another challenge", []string{authorization(`nonce="old",response="0123"`)}, false},
		} {
			if got := b.Offered(b.request("REGISTER", test.headers...), b.clear()); got != test.want {
				t.Errorf("%s: %v, want %v", test.name, got, test.want)
			}
		}
	})
}

// Where associations are required, nobody registers without.
func TestRequired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Required)

		if refusal := b.screen(421, b.clear(), "REGISTER"); sip.Value(refusal, "Require") != "sec-agree" || !sip.Has(refusal, "Security-Server") {
			t.Errorf("%v", refusal)
		}

		b.screen(494, b.clear(), "REGISTER", "Security-Client: tls")

		r := b.request("REGISTER", fmt.Sprintf("Security-Client: "+offer, 1000, 1001, 31000, 31001), authorization(`nonce="old",response="0123"`))
		if refusal := b.Screen(r, b.clear()); refusal != nil || strings.Contains(sip.Value(r, "Authorization"), "0123") {
			t.Errorf("an answer in clear goes on: %v, %s", refusal, sip.Value(r, "Authorization"))
		}
	})
}

func TestOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Off)
		r := b.request("REGISTER", fmt.Sprintf("Security-Client: "+offer, 1000, 1001, 31000, 31001), "Require: sec-agree")
		b.screen(0, b.clear(), "REGISTER", "Require: sec-agree")

		response := sip.NewResponse(r, 401, "")
		if err := b.Challenge(r, b.clear(), response, keys); err != nil || sip.Has(response, "Security-Server") {
			t.Errorf("%v, %v", err, response)
		}

		b.states(0, 0, 0, 0)
	})
}

// A failed setup leaves nothing, and the handset is told.
func TestFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional, func(s *Settings) { s.MaxSets = 1 })
		r := b.request("REGISTER", fmt.Sprintf("Security-Client: "+offer, 1000, 1001, 31000, 31001), "Require: sec-agree")
		response := sip.NewResponse(r, 401, "")

		b.kernel.full = true
		if err := b.Challenge(r, b.clear(), response, keys); err == nil || sip.Has(response, "Security-Server") {
			t.Errorf("the kernel refuses: %v, %v", err, response)
		}

		b.states(0, 0, 0, 0)
		b.kernel.full = false

		if err := b.Challenge(r, b.clear(), response, agreement.Keys{CK: "00"}); err == nil {
			t.Error("associations without keys")
		}

		b.challenge(b.clear(), 1, 31000, 31001)
		other := b.clear()
		other.Remote = netip.MustParseAddrPort("192.0.2.101:5060")

		if err := b.Challenge(r, other, response, keys); !errors.Is(err, errFull) {
			t.Errorf("one set more than max_sets: %v", err)
		}

		b.states(1, 0, 0, 0)
	})
}

// A handset restarts after a power loss with the same SPIs: the old set is removed, or the kernel would not accept the new one.
func TestSameSPIsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)
		b.screen(0, flow, "REGISTER", answer(server, 1, 31000, 31001)...)
		b.Established(flow, 600)
		b.challenge(b.clear(), 1, 31000, 31001)
		b.states(1, 0, 0, 0)
	})
}

// A restart that keeps: established sets that the kernel still has are restored, others are not.
func TestRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)
		b.screen(0, flow, "REGISTER", answer(server, 1, 31000, 31001)...)
		b.Established(flow, 600)

		kept := b.remembered()
		if len(kept) != 1 {
			t.Fatalf("%d sets are kept", len(kept))
		}

		gone := kept[0]
		gone.Set.ReqID++
		late := kept[0]
		late.Until = time.Now()
		moved := kept[0]
		moved.Set.Ports.PCSCFServer = 7000

		after := newBench(t, Optional)
		restored := after.Restore([]Kept{gone, late, kept[0], moved}, func(s ipsec.Set) bool { return s != gone.Set })

		if len(restored) != 1 || restored[0] != kept[0].Set || after.inState(established) != 1 {
			t.Errorf("taken up: %v", restored)
		}

		again := after.protected(server, 31000)
		after.screen(0, again, "INVITE", "Security-Verify: "+server)
		after.screen(494, again, "INVITE", "Security-Verify: tls")
		time.Sleep(631 * time.Second)
		synctest.Wait()

		if after.inState(established) != 0 {
			t.Error("a set that was taken up never ends")
		}
	})
}

// TS 33.203 §7.4 across a restart: the sets of an earlier registration are not taken for the current one's, and end when the newer ones are
// used.
func TestRestoreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		first := b.challenge(b.clear(), 1, 31000, 31001)
		old := b.protected(first, 31000)
		b.screen(0, old, "REGISTER", answer(first, 1, 31000, 31001)...)
		b.Established(old, 600)

		second := b.challenge(old, 2, 31002, 31001, "Security-Verify: "+first)
		fresh := b.protected(second, 31002)
		b.screen(0, fresh, "REGISTER", answer(second, 2, 31002, 31001)...)
		b.Established(fresh, 600)

		restart := func(before *bench) *bench {
			before.Close()

			after := newBench(t, Optional)
			after.kernel.sets, after.kernel.held, after.kept = before.kernel.sets, before.kernel.held, before.kept
			after.Restore(before.remembered(), func(ipsec.Set) bool { return true })

			return after
		}

		b = restart(b)
		b.states(0, 1, 1, 0)
		b.screen(0, b.protected(second, 31002), "INVITE", "Security-Verify: "+second)
		b.states(0, 1, 0, 1)

		b = restart(b)
		b.states(0, 1, 0, 1)
		b.screen(0, b.protected(first, 31000), "BYE") // still on its way
		time.Sleep(33 * time.Second)
		b.states(0, 1, 0, 0)
	})
}

// A journal entry with an unknown state is not restored as another one.
func TestRestoreOddState(t *testing.T) {
	for _, odd := range []string{"temporary", "old", "Established"} {
		if was, err := stateOf(Kept{State: odd}); err == nil {
			t.Errorf("%s is read as %s", odd, was)
		}
	}
}
