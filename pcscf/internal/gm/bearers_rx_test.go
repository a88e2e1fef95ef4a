package gm

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overrx"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/policy"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// node returns one of the two Diameter nodes; each listens, and the P-CSCF connects.
func node(host, address string, peers ...diameter.Peer) diameter.Config {
	c := diameter.DefaultConfig(host, "epc")
	c.Listen = []diameter.Listener{{Address: address}}
	c.Peers, c.AllowUnknownPeers = peers, true

	return c
}

// withPCRF makes calls that require their bearers ask a PCRF over Rx.
func withPCRF(t *testing.T, test func(t *testing.T, d *desk, server *policy.PCRF)) {
	t.Helper()

	var (
		server   *policy.PCRF
		sessions *bearer.Bearers
		stop     func()
	)

	withDesk(t, func(_ *Config, o *Options) {
		network := memory.New()
		options := diameter.Options{
			Listen: func(_, address string) (net.Listener, error) {
				return network.Listen(context.Background(), address, false)
			},
			Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
				return network.Dial(ctx, netip.MustParseAddrPort("192.0.2.99:0"), netip.MustParseAddrPort(address))
			},
		}

		var err error
		if server, err = policy.NewPCRF(node("pcrf.epc", "192.0.2.20:3868"), options); err != nil {
			t.Fatal(err)
		}

		own, err := diameter.New(
			node("pcscf.epc", "192.0.2.10:3868", diameter.Peer{Host: "pcrf.epc", Realm: "epc", Address: "192.0.2.20:3868"}),
			[]diameter.Application{rx.Application}, options)
		if err != nil {
			t.Fatal(err)
		}

		authority := overrx.New(overrx.Config{Realm: "epc"}, own)
		sessions = bearer.New(authority, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		authority.Serve(sessions)
		o.Bearers = NewBearers(sessions, BearerConfig{
			Policy: Required, Patience: 3 * time.Second, Kinds: []media.Kind{media.Audio, media.Video},
		})

		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 2)
		go func() { done <- server.Run(ctx) }()
		go func() { done <- own.Run(ctx) }()

		stop = func() {
			if err := sessions.Close(); err != nil {
				t.Error(err)
			}
			cancel()
			for range 2 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		}
	}, func(t *testing.T, d *desk) {
		time.Sleep(5 * time.Second) // they have met
		d.register()
		test(t, d, server)
		synctest.Wait()

		for id := range server.Sessions() {
			t.Errorf("session %s is left open at the PCRF", id)
		}
		for _, s := range sessions.Sessions() {
			t.Errorf("session %s is left: %s", s.Session, s.State)
		}
		stop()
	})
}

// refusing refuses every request for this many components with a result.
func refusing(components int, result diameter.Result) func(context.Context, *rx.AAR) error {
	return func(_ context.Context, q *rx.AAR) error {
		if len(q.MediaComponents) >= components {
			return result
		}

		return nil
	}
}

// hungUp expects a BYE at both sides with this reason.
func (d *desk) hungUp(why string) {
	d.t.Helper()

	for _, p := range []*memory.Peer{d.scscf, d.alice} {
		bye := p.Request("BYE")
		if reason := bye.GetHeader("Reason"); reason == nil || !strings.Contains(reason.Value(), why) {
			d.t.Errorf("BYE says %v, want %s", reason, why)
		}
		p.Answer(bye, 200)
	}
}

// A PCRF refuses the needs of a late offer, or of a change: the call is released with the PCRF's reason, and nothing is left open there (TS
// 24.229 §5.2.8.1.2, TS 29.214 §4.4.2).
func TestRequiredOverRx(t *testing.T) {
	t.Run("late offer", func(t *testing.T) {
		withPCRF(t, func(_ *testing.T, d *desk, server *policy.PCRF) {
			server.Decide(refusing(1, rx.IPCANSessionNotAvailable))

			invite := d.invite()
			describe(d.scscf, invite, 200, hers, bobs(invite, "b")...)
			routes := d.routesOf(d.alice.Response(200))
			d.within("ACK", invite.CallID().Value(), append(routes, "CSeq: 2 ACK", sdp, "\n"+own)...)
			d.scscf.Request("ACK")
			d.hungUp("5065 IP-CAN_SESSION_NOT_AVAILABLE")
		})
	})

	t.Run("video is added", func(t *testing.T) {
		withPCRF(t, func(t *testing.T, d *desk, server *policy.PCRF) {
			server.Decide(refusing(2, rx.ServiceNotAuthorized))

			invite := d.invite(sdp, "\n"+own)
			describe(d.scscf, invite, 200, hers, bobs(invite, "b")...)
			routes, callID := d.routesOf(d.alice.Response(200)), invite.CallID().Value()
			d.within("ACK", callID, append(slices.Clone(routes), "CSeq: 2 ACK")...)
			d.scscf.Request("ACK")

			if open := server.Sessions(); len(open) != 1 {
				t.Errorf("%d sessions in the call", len(open))
			}

			d.within("UPDATE", callID, append(slices.Clone(routes), sdp, "\n"+own+ownVideo)...)
			describe(d.scscf, d.scscf.Request("UPDATE"), 200, hers+hersVideo, "Contact: <sip:bob@198.51.100.7>")
			d.alice.Response(200)
			d.hungUp("5063 REQUESTED_SERVICE_NOT_AUTHORIZED")
		})
	})

	t.Run("for a time", func(t *testing.T) {
		withPCRF(t, func(t *testing.T, d *desk, server *policy.PCRF) {
			server.Decide(func(context.Context, *rx.AAR) error { return policy.Later{Wait: time.Minute} })

			invite := d.invite(sdp, "\n"+own)
			describe(d.scscf, invite, 183, hers, bobs(invite, "b")...)
			d.alice.Response(183)
			d.scscf.Answer(d.scscf.Request("CANCEL"), 200)
			d.scscf.Answer(invite, 487, "To: <"+bob+">;tag=b")
			want(t, d.alice.Response(503), "Retry-After", "60")
		})
	})
}
