//go:build esp

package ipsec

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/policy"
	"github.com/dialtone-ims/dialtone/pkg/trace"
	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

const pcrfAddress = "127.0.0.20:3868"

// gate is a PCRF that grants when it is told to.
type gate struct {
	*policy.PCRF
	asked chan *rx.AAR
	grant chan struct{}
}

func startPCRF(t *testing.T) *gate {
	t.Helper()

	c := diameter.DefaultConfig("pcrf.epc", "epc")
	c.Listen, c.AllowUnknownPeers = []diameter.Listener{{Address: pcrfAddress}}, true

	server, err := policy.NewPCRF(c, diameter.Options{})
	if err != nil {
		t.Fatal(err)
	}

	g := &gate{PCRF: server, asked: make(chan *rx.AAR, 16), grant: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)

	go func() { done <- server.Run(ctx) }()

	t.Cleanup(func() {
		stop()

		if err := <-done; err != nil {
			t.Error(err)
		}
	})

	return g
}

// hold makes it wait with each grant.
func (g *gate) hold() {
	g.Decide(func(ctx context.Context, q *rx.AAR) error {
		g.asked <- q

		select {
		case <-g.grant:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// has reports whether a UE has a session.
func (g *gate) has(ue netip.Addr) bool {
	for _, q := range g.Sessions() {
		if at, err := q.UE(); err == nil && at.Addr() == ue {
			return true
		}
	}

	return false
}

// A call over ESP between handsets that insist on their bearers (RFC 3312, TS 24.229 §5.2.8): on each side the 183 with the answer waits
// for the PCRF, PRACK and UPDATE follow, and nobody rings before both have their bearers.
func TestPreconditions(t *testing.T) {
	server := startPCRF(t)
	n := core(t, "DIALTONE_PCSCF_IPSEC_MODE=required", "DIALTONE_PCSCF_DATA="+t.TempDir(), "DIALTONE_PCSCF_BEARER_POLICY=required",
		"DIALTONE_PCSCF_BEARER_PATIENCE=30s",
		`DIALTONE_PCSCF_DIAMETER_PEERS=[{host: pcrf.epc, realm: epc, address: "`+pcrfAddress+`"}]`)
	n.Await("the PCRF", func() bool {
		return strings.Contains(n.Metrics("pcscf"), `dialtone_diameter_peer_open{peer="pcrf.epc"} 1`)
	})

	wire := capture(t)
	alice, bob := n.Subscribe(1000, ""), n.Subscribe(0, "")

	var ends [2]netip.Addr

	insisting := func(i int, s network.Subscriber) *handset.Handset {
		return n.Registered(s, secured(t, false, func(c *handset.Config) {
			at := c.Address.Addr()
			ends[i] = at
			c.Reserve = func(ctx context.Context) error {
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()

				for !server.has(at) {
					select {
					case <-tick.C:
					case <-ctx.Done():
						return ctx.Err()
					}
				}

				return nil
			}
		}))
	}
	a, b := insisting(0, alice), insisting(1, bob)
	answered := n.Answering(b)
	server.hold()

	type dialled struct {
		call *handset.Call
		err  error
	}
	result := make(chan dialled, 1)

	go func() {
		call, err := a.Dial(t.Context(), bob.Tel())
		result <- dialled{call, err}
	}()

	// Each side in turn, the callee's first; while the PCRF thinks, the 183 is nowhere beyond the P-CSCF.
	for _, side := range []struct{ here, held string }{{"bob", "183 to core"}, {"alice", "183 to alice"}} {
		q := <-server.asked

		if ue, err := q.UE(); err != nil || ue.Addr() != ends[slices.Index([]string{"alice", "bob"}, side.here)] {
			t.Errorf("the AAR is for %v, want %s's: %v", ue, side.here, err)
		}
		if passed := passed(t, ends); slices.Contains(passed, side.held) {
			t.Errorf("%s has passed before the PCRF has answered: %q", side.held, passed)
		}

		server.grant <- struct{}{}
	}

	server.Decide(nil)

	d := <-result
	if d.err != nil {
		t.Fatal(d.err)
	}

	other := <-answered
	if err := d.call.HangUp(t.Context()); err != nil {
		t.Fatal(err)
	}

	<-other.Ended()
	n.Await("the end of all sessions", func() bool { return len(server.Sessions()) == 0 })

	want := []string{
		"INVITE of alice", "INVITE to core", "INVITE of core", "INVITE to bob",
		"183 of bob", "AAR of bob", "AAA of bob", "183 to core",
		"183 of core", "AAR of alice", "AAA of alice", "183 to alice",
		"PRACK of alice", "PRACK to bob", "UPDATE of alice", "UPDATE to bob", "180 of bob", "180 to alice", "200 INVITE to alice",
		"BYE of alice", "STR of alice",
	}
	got := passed(t, ends)

	at := 0
	for _, line := range got {
		if at < len(want) && line == want[at] {
			at++
		}
	}
	if at < len(want) {
		t.Errorf("no %q after %q in\n%s", want[at], want[:at], strings.Join(got, "\n"))
	}

	for _, ue := range ends {
		inClear, inESP := wire.split(ue)
		if text := strings.Join(inClear, "\n"); inESP < 8 || strings.Contains(text, "INVITE") || strings.Contains(text, "PRACK") {
			t.Errorf("%d packets of ESP, and in clear\n%s", inESP, text)
		}
	}
}

// passed lists what the P-CSCF has traced, everything once, where it came first: "183 of bob", "AAR of alice", "200 INVITE to core".
func passed(t *testing.T, ends [2]netip.Addr) (lines []string) {
	t.Helper()

	var records []trace.Record
	if err := httpapi.Local("http://127.0.0.10:9090").Do(t.Context(), "GET", "/trace?limit=10000", nil, &records); err != nil {
		t.Fatal(err)
	}

	names := []string{"alice", "bob"}
	sessions := map[string]string{} // who has a session at the PCRF

	for _, r := range records {
		who, way := "core", "of"
		if i := slices.Index(ends[:], r.Remote.Addr().Unmap()); i >= 0 {
			who = names[i]
		}

		line := r.Method

		switch {
		case r.Protocol == trace.Diameter:
			session, _, _ := strings.Cut(r.Text, "\n")
			for i, end := range ends {
				if strings.Contains(r.Text, "Framed-IP-Address: "+end.String()+"\n") {
					sessions[session] = names[i]
				}
			}

			who = sessions[session]
		case r.Status >= 200:
			line = r.Text[len("SIP/2.0 "):][:3] + " " + r.Method
		case r.Status > 0:
			line = r.Text[len("SIP/2.0 "):][:3]
		}

		if r.Protocol != trace.Diameter && r.Sent {
			way = "to"
		}

		if line += " " + way + " " + who; !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}

	return lines
}
