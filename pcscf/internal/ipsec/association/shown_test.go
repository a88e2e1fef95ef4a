package association

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ipsec"
)

// The operator sees everything of a set except the keys, and in words what its counters point to.
func TestShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		everything := Selection{Limit: 10}
		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)

		want := func(state, says string) Shown {
			t.Helper()

			shown, total, _ := b.Show(everything)
			if total != 1 || len(shown) != 1 {
				t.Fatalf("%d sets of %d are shown", len(shown), total)
			}

			if s := shown[0]; s.State != state || !strings.Contains(s.Says, says) || says == "" && s.Says != "" {
				t.Errorf("it is %s and says %q, want %s and %q", s.State, s.Says, state, says)
			}

			return shown[0]
		}

		first := want("temporary", "nothing has come")
		if first.Private != private || first.LastRequest != nil || first.SecondsLeft != 240 || first.Integrity != "hmac-sha-1-96" ||
			first.Encryption != "aes-cbc" {
			t.Errorf("%+v", first)
		}

		b.kernel.used[0] = ipsec.Counters{Packets: 3, Octets: 1800}
		want("temporary", "has not got a 200")
		b.kernel.used[0].Failed = 2
		want("temporary", "2 packets of the handset had a wrong integrity")
		b.kernel.used[0].Failed = 0

		b.screen(0, flow, "REGISTER", answer(server, 1, 31000, 31001)...)
		b.Established(flow, 600)
		time.Sleep(10 * time.Second)
		b.kernel.used[0].FirstUse = time.Now()

		shown := want("established", "")
		if shown.SecondsLeft != 620 || shown.LastRequest == nil || time.Since(*shown.LastRequest) < 10*time.Second || len(shown.Four) != 4 {
			t.Errorf("%+v", shown)
		}

		leg := shown.Four[0]
		if leg.Name != "uc-ps" || leg.Sender != "UE" || leg.Source != netip.MustParseAddrPort("192.0.2.100:31000") ||
			leg.Destination != flow.Endpoint.Address() ||
			leg.Packets != 3 || leg.Octets != 1800 || leg.FirstUse == nil || leg.LastUse != nil ||
			shown.Four[1].SPI != "0x3e9" {
			t.Errorf("%+v", shown.Four)
		}

		b.kernel.used[0].Replayed = 1
		want("established", "came twice")
		b.kernel.used[0].Replayed = 0

		text, err := json.Marshal(shown)
		if err != nil {
			t.Fatal(err)
		}

		for _, secret := range []string{keys.CK, keys.IK, "0123456789abcdef", "fedcba9876543210"} {
			if strings.Contains(strings.ToLower(string(text)), secret) {
				t.Errorf("a key is shown: %s", text)
			}
		}

		for name, c := range map[string]struct {
			Selection
			shown, total int
		}{
			"the user":        {Selection{Private: []string{private}, Limit: 10}, 1, 1},
			"another user":    {Selection{Private: []string{"someone@else"}, Limit: 10}, 0, 0},
			"the handset":     {Selection{UE: ue, Limit: 10}, 1, 1},
			"another handset": {Selection{UE: netip.MustParseAddr("192.0.2.101"), Limit: 10}, 0, 0},
			"none of them":    {Selection{}, 0, 1},
		} {
			if shown, total, _ := b.Show(c.Selection); len(shown) != c.shown || total != c.total {
				t.Errorf("%s: %d of %d", name, len(shown), total)
			}
		}

		// Somebody has taken it out of the kernel.
		b.kernel.sets = map[uint32]time.Time{}
		want("established", "the kernel does not have it")
	})
}

// Sets are shown page by page, each after the last of the one before, even if that one is gone by then.
func TestShowGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		for i := range 3 {
			flow := b.clear()
			flow.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(101 + i)}), 5060)
			b.challenge(flow, i+1, 31000, 31001)
		}

		all, total, more := b.Show(Selection{Limit: 3})
		if len(all) != 3 || total != 3 || more {
			t.Fatalf("%d of %d, more: %v", len(all), total, more)
		}

		for after, want := range map[string]struct {
			first Shown
			more  bool
		}{
			all[0].Place().String():                          {all[1], true},
			all[1].Place().String():                          {all[2], false},
			fmt.Sprintf("%d/0.0.0.0/%s", 1<<32-1, private):   {all[0], true}, // none of them, and in front of them
			fmt.Sprintf("0/255.255.255.255/%s", private[:3]): {all[0], true},
		} {
			place, err := ParsePlace(after)
			if err != nil {
				t.Fatal(err)
			}

			shown, total, more := b.Show(Selection{After: place, Limit: 1})
			if len(shown) != 1 || shown[0].Place() != want.first.Place() || total != 3 || more != want.more {
				t.Errorf("after %s: %v of %d, more: %v", after, shown, total, more)
			}
		}

		if shown, _, more := b.Show(Selection{After: all[2].Place(), Limit: 1}); len(shown) != 0 || more {
			t.Errorf("behind the last: %v, more: %v", shown, more)
		}

		for _, wrong := range []string{"", "1", "1/192.0.2.1", "x/192.0.2.1/alice", "1/here/alice", "4294967296/192.0.2.1/alice"} {
			if place, err := ParsePlace(wrong); err == nil {
				t.Errorf("%q is %v", wrong, place)
			}
		}
	})
}

// The reason for an unanswered challenge is logged when its set is removed: a silent handset is not one with other keys.
func TestSaysWhyUnanswered(t *testing.T) {
	for says, used := range map[string]ipsec.Counters{
		"nothing has come from the handset by ESP": {},
		"had a wrong integrity":                    {Packets: 5, Failed: 5},
		"its REGISTER has not got a 200":           {Packets: 5},
	} {
		t.Run(says, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Optional)
				log := b.listen()
				b.kernel.used[0] = used
				b.challenge(b.clear(), 1, 31000, 31001)
				time.Sleep(4*time.Minute + time.Second)
				synctest.Wait()

				if got := log.String(); !strings.Contains(got, says) || !strings.Contains(got, fmt.Sprintf("impi=%s", private)) {
					t.Errorf("the log has\n%s", got)
				}
			})
		})
	}
}
