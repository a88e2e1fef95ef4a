// Package core tests the five functions together, as they are built and run: through Gm, ISC and their APIs.
package core

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

func TestMain(m *testing.M) { network.Main(m) }

func TestRegistration(t *testing.T) {
	n := network.Start(t)
	alice := n.Subscribe(1000, "")

	t.Run("over UDP, refreshed, taken back", func(t *testing.T) {
		h := n.Registered(alice, nil)
		if got := h.Identities(); len(got) != 2 || !slices.Contains(got, alice.Tel()) {
			t.Errorf("identities %v", got)
		}
		if err := h.Register(t.Context()); err != nil {
			t.Errorf("refreshing: %v", err)
		}
		if err := h.SubscribeReg(t.Context()); err != nil {
			t.Logf("reg event: %v", err)
		}
		if err := h.Deregister(t.Context()); err != nil {
			t.Errorf("taking it back: %v", err)
		}
	})

	t.Run("over TCP", func(t *testing.T) {
		bob := n.Subscribe(0, "")
		n.Registered(bob, func(c *handset.Config) { c.Transport = "TCP" })
	})

	t.Run("TS 33.102 §6.3.5 a SIM that is ahead resynchronises", func(t *testing.T) {
		carol := n.Subscribe(0, "")
		h := n.Registered(carol, func(c *handset.Config) { c.SQN = aka.SQN(1 << 30) })
		if got := h.SIM().SQN(); got <= 1<<30 {
			t.Errorf("SQN %d, want more than where the SIM was", got)
		}
	})

	t.Run("another K: the SIM refuses the network", func(t *testing.T) {
		dave := n.Subscribe(0, "")
		h := n.Handset(dave, func(c *handset.Config) { c.K[0]++ })
		if err := h.Register(t.Context()); !errors.Is(err, aka.ErrMAC) {
			t.Errorf("got %v, want ErrMAC", err)
		}
	})

	t.Run("TS 24.229 §5.3.1.2 a subscriber that nobody knows: 403", func(t *testing.T) {
		h := n.Handset(network.Subscriber{IMSI: "001019999999999", Address: "127.0.1.200:5060"}, nil)
		if err := h.Register(t.Context()); network.Status(err) != 403 {
			t.Errorf("got %v, want 403", err)
		}
	})
}

func TestCalls(t *testing.T) {
	n := network.Start(t)
	alice, bob, carol := n.Subscribe(1000, ""), n.Subscribe(0, ""), n.Subscribe(5, "")
	a, b, c := n.Registered(alice, nil), n.Registered(bob, func(c *handset.Config) { c.Transport = "TCP" }), n.Registered(carol, nil)
	answered := n.Answering(b)

	t.Run("answered, and hung up by the caller", func(t *testing.T) {
		call, err := a.Dial(t.Context(), bob.Tel())
		if err != nil {
			t.Fatal(err)
		}
		other := <-answered
		if err := call.HangUp(t.Context()); err != nil {
			t.Error(err)
		}
		<-other.Ended()
		n.Await("the settlement", func() bool { _, reserved := n.Balance(alice); return reserved == 0 })
		if balance, _ := n.Balance(alice); balance >= 1000 || balance < 990 {
			t.Errorf("balance %d after a call of a second or two at 1 each", balance)
		}
	})

	t.Run("by sip URI, and hung up by the callee", func(t *testing.T) {
		call, err := a.Dial(t.Context(), "sip:+"+bob.MSISDN+"@"+network.Domain)
		if err != nil {
			t.Fatal(err)
		}
		if err := (<-answered).HangUp(t.Context()); err != nil {
			t.Error(err)
		}
		<-call.Ended()
		n.Await("the settlement", func() bool { _, reserved := n.Balance(alice); return reserved == 0 })
	})

	t.Run("RFC 3261 §9 given up while it rings: 487, and nothing is charged", func(t *testing.T) {
		before, _ := n.Balance(alice)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if _, err := a.Dial(ctx, carol.Tel()); network.Status(err) != 487 {
			t.Errorf("got %v, want 487", err)
		}
		n.Await("the settlement", func() bool { balance, reserved := n.Balance(alice); return reserved == 0 && balance == before })
	})

	t.Run("TS 24.229 §5.4.5.1.2 the credit ends: both sides are released", func(t *testing.T) {
		call, err := c.Dial(t.Context(), bob.Tel())
		if err != nil {
			t.Fatal(err)
		}
		other := <-answered
		for _, side := range []*handset.Call{call, other} {
			select {
			case <-side.Ended():
			case <-time.After(20 * time.Second):
				t.Fatal("a side was not released")
			}
			if !strings.Contains(side.Why(), "credit") {
				t.Errorf("BYE says %q", side.Why())
			}
		}
		n.Await("the settlement", func() bool { balance, reserved := n.Balance(carol); return balance == 0 && reserved == 0 })
	})

	t.Run("TS 32.260 §5.2.2 no credit: 402 before the callee rings", func(t *testing.T) {
		if _, err := c.Dial(t.Context(), bob.Tel()); network.Status(err) != 402 {
			t.Errorf("got %v, want 402", err)
		}
	})

	t.Run("TS 24.229 §5.3.2.1 a number that nobody has: 404", func(t *testing.T) {
		if _, err := a.Dial(t.Context(), "tel:+19990000"); network.Status(err) != 404 {
			t.Errorf("got %v, want 404", err)
		}
	})

	t.Run("a callee that is not registered: 480", func(t *testing.T) {
		dave := n.Subscribe(0, "")
		if _, err := a.Dial(t.Context(), dave.Tel()); network.Status(err) != 480 {
			t.Errorf("got %v, want 480", err)
		}
	})

	t.Run("RFC 3428 a message", func(t *testing.T) {
		response, err := a.Message(t.Context(), bob.Tel(), "hello")
		if err != nil || response.StatusCode != 200 {
			t.Fatalf("%v %v", response, err)
		}
		if m := <-b.Messages(); string(m.Body) != "hello" {
			t.Errorf("came as %q", m.Body)
		}
	})
}

// TestOCSDead: what happens without the OCS is configuration. The 503 of the S-CSCF is a 500 behind the P-CSCF (RFC 3261 §16.7 6).
func TestOCSDead(t *testing.T) {
	for handling, want := range map[string]int{"terminate": 500, "continue": 0} {
		t.Run(handling, func(t *testing.T) {
			n := network.Start(t, "DIALTONE_SCSCF_SESSIONS_CHARGING_FAILURE_HANDLING="+handling)
			alice, bob := n.Subscribe(1000, ""), n.Subscribe(0, "")
			a, b := n.Registered(alice, nil), n.Registered(bob, nil)
			answered := n.Answering(b)
			n.Kill("ocs")

			call, err := a.Dial(t.Context(), bob.Tel())
			if network.Status(err) != want || (want == 0) != (err == nil) {
				t.Fatalf("got %v, want status %d", err, want)
			}
			if err == nil {
				<-answered
				if err := call.HangUp(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestHSSDead: a dead HSS is not an unknown user.
func TestHSSDead(t *testing.T) {
	n := network.Start(t)
	alice := n.Subscribe(0, "")
	n.Kill("hss")

	if err := n.Handset(alice, nil).Register(t.Context()); network.Status(err) != 480 {
		t.Errorf("got %v, want 480", err)
	}

	n.Run("hss")
	n.Await("the I-CSCF and the S-CSCF to find the HSS again", func() bool {
		return registers(n, alice)
	})
}

func registers(n *network.Network, s network.Subscriber) bool {
	h, err := handset.New(handset.Config{
		IMSI: s.IMSI, Domain: network.Domain, K: network.Key(network.K), OPc: network.Key(network.OPc), Transport: "UDP", Expires: 600,
		Address: netip.MustParseAddrPort("127.0.1.250:0"), Proxy: netip.MustParseAddrPort("127.0.0.10:5060"),
	})
	if err != nil {
		n.Fatal(err)
	}
	defer h.Close()

	return h.Register(n.Context()) == nil
}
