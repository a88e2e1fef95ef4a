package core

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx/pcrf"
	"github.com/dialtone-ims/dialtone/test/network"
)

// Calls ask a PCRF for their bearers (TS 29.214 §4.4), and whatever becomes of them, no session is left there.
func TestBearersOverRx(t *testing.T) {
	config := diameter.DefaultConfig("pcrf.epc", "epc")
	config.Listen = []diameter.Listener{{Address: "127.0.0.20:3868"}}
	config.AllowUnknownPeers = true

	server, err := pcrf.New(config, diameter.Options{})
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
		"DIALTONE_PCSCF_DATA=" + t.TempDir(), "DIALTONE_PCSCF_BEARER_POLICY=required",
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
		n.Await("the end of all sessions", func() bool { return len(server.Sessions()) == 0 })
	}

	call, err := a.Dial(t.Context(), bob.Tel())
	if err != nil {
		t.Fatal(err)
	}
	other := <-answered

	ends := map[string]bool{}
	for id, q := range server.Sessions() {
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
		if at := netip.MustParseAddrPort(s.Address).Addr().String(); !ends[at] {
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

		for id := range server.Sessions() {
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

	t.Run("killed in a call", func(t *testing.T) {
		call, err := a.Dial(t.Context(), bob.Tel())
		if err != nil {
			t.Fatal(err)
		}
		<-answered

		n.Kill("pcscf")
		if len(server.Sessions()) != 2 {
			t.Errorf("%d sessions", len(server.Sessions()))
		}

		n.Run("pcscf", pcscf...)
		none()

		if err := call.HangUp(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
