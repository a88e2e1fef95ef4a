package overn5_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overn5"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overrx"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/policy"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// A PCF is asked when the PCRF does not know the UE: a call creates and changes its session there, over the wire, and gets its end from
// there.
func TestEitherOverTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t, network: memory.New()}
		d.pcf = policy.NewPCF(d.dial("192.0.2.20:0"))
		d.serve()

		options := diameter.Options{
			Listen: func(_, address string) (net.Listener, error) {
				return d.network.Listen(context.Background(), address, false)
			},
			Dial: d.dial("192.0.2.10:0"),
		}

		config := func(host, address string, peers ...diameter.Peer) diameter.Config {
			c := diameter.DefaultConfig(host, "epc")
			c.Listen, c.Peers, c.AllowUnknownPeers = []diameter.Listener{{Address: address}}, peers, true

			return c
		}

		server, err := policy.NewPCRF(config("pcrf.epc", "192.0.2.21:3868"), options)
		if err != nil {
			t.Fatal(err)
		}
		server.Decide(func(context.Context, *rx.AAR) error { return rx.IPCANSessionNotAvailable })

		node, err := diameter.New(
			config("pcscf.epc", "192.0.2.10:3868", diameter.Peer{Host: "pcrf.epc", Realm: "epc", Address: "192.0.2.21:3868"}),
			[]diameter.Application{rx.Application}, options)
		if err != nil {
			t.Fatal(err)
		}

		byRx := overrx.New(overrx.Config{Realm: "epc"}, node)
		byN5 := overn5.New(overn5.Config{PCF: "http://" + pcfAddress, Notify: notify}, overn5.Options{
			Dial: d.dial("192.0.2.10:0"), Listen: options.Listen,
		})
		d.bearers = bearer.New(bearer.NewEither(byRx, byN5, bearer.ByAccess), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		byRx.Serve(d.bearers)

		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 3)
		go func() { done <- server.Run(ctx) }()
		go func() { done <- node.Run(ctx) }()
		go func() { done <- byN5.Run(ctx, d.bearers) }()
		time.Sleep(5 * time.Second) // they have met

		leg := d.leg(call)
		for _, offer := range []string{offered, offered + "a=inactive\r\n"} {
			if err := d.need(leg, needs(t, offer, answered)); err != nil {
				t.Fatal(err)
			}
		}

		if status, err := d.pcf.Terminate(t.Context(), d.only()); err != nil || status != http.StatusNoContent {
			t.Errorf("%d %v", status, err)
		}
		if lost := d.losses(); len(lost) != 1 || !lost[0].All {
			t.Errorf("%+v", lost)
		}
		time.Sleep(3 * time.Second)
		d.said("POST 201", "PATCH 200", "DELETE 404")

		var heard []string
		for _, e := range server.Events() {
			heard = append(heard, e.Kind)
		}
		if !slices.Equal(heard, []string{"AAR"}) {
			t.Errorf("the PCRF heard %q", heard)
		}

		if err := d.bearers.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		d.closePCF()
	})
}
