package core

import (
	"context"
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/policy"
	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// sessionsOf are the sessions at the PCRF that are calls', and those of the signalling of registrations, by the address of the UE.
func sessionsOf(server *policy.PCRF) (calls map[string]*rx.AAR, signalling map[netip.Addr]string) {
	calls, signalling = map[string]*rx.AAR{}, map[netip.Addr]string{}

	for id, q := range server.Sessions() {
		ue, err := q.UE()
		if err == nil && len(q.MediaComponents) == 1 && q.MediaComponents[0].Number == 0 {
			signalling[ue.Addr()] = id
		} else {
			calls[id] = q
		}
	}

	return calls, signalling
}

// Calls ask a PCRF for their bearers (TS 29.214 §4.4), and whatever becomes of them, no session is left there.
func TestBearersOverRx(t *testing.T) {
	config := diameter.DefaultConfig("pcrf.epc", "epc")
	config.Listen = []diameter.Listener{{Address: "127.0.0.20:3868"}}
	config.AllowUnknownPeers = true

	server, err := policy.NewPCRF(config, diameter.Options{})
	if err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()

	pcscf := []string{
		"DIALTONE_PCSCF_DATA=" + t.TempDir(), "DIALTONE_PCSCF_BEARER_POLICY=required", "DIALTONE_PCSCF_BEARER_SIGNALLING=true",
		`DIALTONE_PCSCF_DIAMETER_PEERS=[{host: pcrf.epc, realm: epc, address: "127.0.0.20:3868"}]`,
	}
	n := network.Start(t, pcscf...)
	n.Await("the PCRF", func() bool {
		return strings.Contains(n.Metrics("pcscf"), `dialtone_diameter_peer_open{peer="pcrf.epc"} 1`)
	})

	alice, bob := n.Subscribe(1000, ""), n.Subscribe(0, "")
	a, b := n.Registered(alice, nil), n.Registered(bob, nil)
	answered := n.Answering(b)

	none := func() {
		t.Helper()
		n.Await("the end of all sessions", func() bool {
			calls, _ := sessionsOf(server)
			return len(calls) == 0
		})
	}

	addressOf := func(s network.Subscriber) netip.Addr { return netip.MustParseAddrPort(s.Address).Addr() }
	signalling := func() map[netip.Addr]string {
		_, all := sessionsOf(server)
		return all
	}
	n.Await("the sessions of the signalling", func() bool { return len(signalling()) == 2 })

	call, err := a.Dial(t.Context(), bob.Tel())
	if err != nil {
		t.Fatal(err)
	}
	other := <-answered

	ends := map[string]bool{}
	calls, _ := sessionsOf(server)
	for id, q := range calls {
		ue, err := q.UE()
		if err != nil || len(q.MediaComponents) != 1 || len(q.MediaComponents[0].SubComponents) == 0 {
			t.Fatalf("%s: %+v, %v", id, q, err)
		}

		for _, text := range q.MediaComponents[0].SubComponents[0].FlowDescriptions {
			if rule, err := rx.ParseFilterRule(text); err != nil || !rule.Uplink && rule.To.Address != ue || rule.Uplink && rule.From.Address != ue {
				t.Errorf("%s is no flow of %s: %v", text, ue, err)
			}
		}

		ends[ue.Addr().String()] = true
	}

	for _, s := range []network.Subscriber{alice, bob} {
		if at := addressOf(s).String(); !ends[at] {
			t.Errorf("nobody has asked for %s, but for %v", at, ends)
		}
	}

	if err := call.HangUp(t.Context()); err != nil {
		t.Error(err)
	}
	<-other.Ended()
	none()

	t.Run("refused", func(t *testing.T) {
		server.Decide(func(context.Context, *rx.AAR) error { return rx.IPCANSessionNotAvailable })
		defer server.Decide(nil)

		call, err := a.Dial(t.Context(), bob.Tel()) // the answer is in the 200, which goes on before the call is ended
		if err != nil {
			t.Fatal(err)
		}
		other := <-answered

		<-call.Ended()
		<-other.Ended()
		if !strings.Contains(call.Why()+other.Why(), "5065 IP-CAN_SESSION_NOT_AVAILABLE") {
			t.Errorf("BYE says %q and %q", call.Why(), other.Why())
		}
		none()
		n.Await("the settlement", func() bool { _, reserved := n.Balance(alice); return reserved == 0 })
	})

	t.Run("taken back", func(t *testing.T) {
		call, err := a.Dial(t.Context(), bob.Tel())
		if err != nil {
			t.Fatal(err)
		}
		other := <-answered

		calls, _ := sessionsOf(server)
		for id := range calls {
			if result, err := server.Abort(t.Context(), id, rx.BearerReleased); err != nil || result != rx.Success {
				t.Errorf("ASA: %v %v", result, err)
			}
			break
		}

		<-call.Ended()
		<-other.Ended()
		if !strings.Contains(call.Why()+other.Why(), "BEARER_RELEASED") {
			t.Errorf("BYE says %q and %q", call.Why(), other.Why())
		}
		none()
		n.Await("the settlement", func() bool { _, reserved := n.Balance(alice); return reserved == 0 })
	})

	t.Run("signalling lost", func(t *testing.T) {
		call, err := a.Dial(t.Context(), bob.Tel())
		if err != nil {
			t.Fatal(err)
		}
		other := <-answered

		lost := signalling()[addressOf(bob)]
		if result, err := server.Abort(t.Context(), lost, rx.BearerReleased); err != nil || result != rx.Success {
			t.Errorf("ASA: %v %v", result, err)
		}

		<-call.Ended()
		<-other.Ended()
		if want := "the bearer of the handset's signalling is lost: BEARER_RELEASED"; !strings.Contains(call.Why(), want) {
			t.Errorf("BYE says %q", call.Why())
		}
		none()
		n.Await("the settlement", func() bool { _, reserved := n.Balance(alice); return reserved == 0 })

		if _, err := a.Dial(t.Context(), bob.Tel()); err == nil || !strings.Contains(err.Error(), "480") {
			t.Errorf("a call to who cannot be reached: %v", err)
		}

		if err := b.Register(t.Context()); err != nil {
			t.Fatal(err)
		}
		n.Await("another session", func() bool { now := signalling()[addressOf(bob)]; return now != "" && now != lost })

		call, err = a.Dial(t.Context(), bob.Tel())
		if err != nil {
			t.Fatal(err)
		}
		other = <-answered
		if err := call.HangUp(t.Context()); err != nil {
			t.Error(err)
		}
		<-other.Ended()
		none()
	})

	t.Run("killed in a call", func(t *testing.T) {
		call, err := a.Dial(t.Context(), bob.Tel())
		if err != nil {
			t.Fatal(err)
		}
		<-answered

		before := signalling()

		n.Kill("pcscf")
		if calls, _ := sessionsOf(server); len(calls) != 2 {
			t.Errorf("%d sessions", len(calls))
		}

		n.Run("pcscf", pcscf...)
		none()

		if after := signalling(); !maps.Equal(before, after) {
			t.Errorf("the sessions of the signalling are %v, and were %v", after, before)
		}

		if err := call.HangUp(t.Context()); err != nil {
			t.Error(err)
		}
	})

	t.Run("de-registered", func(t *testing.T) {
		for _, h := range []*handset.Handset{a, b} {
			if err := h.Deregister(t.Context()); err != nil {
				t.Error(err)
			}
		}
		n.Await("the end of all sessions", func() bool { return len(server.Sessions()) == 0 })
	})
}
