package overrx_test

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
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

const (
	pcscfAddress = "192.0.2.10:3868"
	pcrfAddress  = "192.0.2.20:3868"
	session      = "v=0\r\no=- 1 1 IN IP4 ADDRESS\r\ns=-\r\nc=IN IP4 ADDRESS\r\nt=0 0\r\n"
)

// desk is a P-CSCF beside a PCRF, in one bubble.
type desk struct {
	t        *testing.T
	network  *memory.Network
	pcrf     *policy.PCRF
	stopPCRF func()
	bearers  *bearer.Bearers
	stop     func()
	location bool // ask where the UE is
	disk     string
	restored func(*bearer.Bearers) // what the next P-CSCF does before it runs; may be nil

	mu   sync.Mutex
	lost []bearer.Loss
}

func start(t *testing.T) *desk {
	d := &desk{t: t, network: memory.New(), disk: t.TempDir()}
	d.startPCRF()
	d.startPCSCF()

	return d
}

func (d *desk) options() diameter.Options {
	return diameter.Options{
		Listen: func(_, address string) (net.Listener, error) {
			return d.network.Listen(context.Background(), address, false)
		},
		Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
			return d.network.Dial(ctx, netip.MustParseAddrPort("192.0.2.99:0"), netip.MustParseAddrPort(address))
		},
	}
}

// config returns the configuration of one of two nodes that connect to each other, as Open5GS's PCRF does, in realms of their own.
func config(host, realm, address, other, otherRealm, otherAddress string) diameter.Config {
	c := diameter.DefaultConfig(host, realm)
	c.Listen = []diameter.Listener{{Address: address}}
	c.Peers = []diameter.Peer{{Host: other, Realm: otherRealm, Address: otherAddress}}

	return c
}

func (d *desk) run(run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)

	go func() { done <- run(ctx) }()

	return func() {
		cancel()
		if err := <-done; err != nil {
			d.t.Error(err)
		}
	}
}

func (d *desk) startPCRF() {
	server, err := policy.NewPCRF(config("pcrf.epc", "epc", pcrfAddress, "pcscf.ims", "ims", pcscfAddress), d.options())
	if err != nil {
		d.t.Fatal(err)
	}

	d.pcrf, d.stopPCRF = server, d.run(server.Run)
}

func (d *desk) startPCSCF() {
	node, err := diameter.New(config("pcscf.ims", "ims", pcscfAddress, "pcrf.epc", "epc", pcrfAddress),
		[]diameter.Application{rx.Application}, d.options())
	if err != nil {
		d.t.Fatal(err)
	}

	authority := overrx.New(overrx.Config{Realm: "epc", APN: "ims", Location: d.location}, node)
	d.bearers = bearer.New(authority, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	authority.Serve(d.bearers)

	if err := d.bearers.Restore(d.disk); err != nil {
		d.t.Fatal(err)
	}

	if d.restored != nil {
		d.restored(d.bearers)
	}

	bearers, stopNode := d.bearers, d.run(node.Run)
	d.stop = func() {
		if err := bearers.Close(); err != nil {
			d.t.Error(err)
		}
		stopNode()
	}

	time.Sleep(15 * time.Second) // they have met
	d.bearers.Resume()
}

func (d *desk) end() {
	d.stop()
	d.stopPCRF()
}

func (d *desk) leg() *bearer.CallLeg {
	leg := bearer.Leg{
		UE: netip.MustParseAddr("10.45.0.2"), Identity: "sip:user@ims", Call: "call", ICID: "icid",
		Service: "urn:urn-7:3gpp-service.ims.icsi.mmtel",
	}

	return d.bearers.Leg(leg, func(l bearer.Loss) {
		d.mu.Lock()
		defer d.mu.Unlock()

		d.lost = append(d.lost, l)
	})
}

func (d *desk) losses() []bearer.Loss {
	d.mu.Lock()
	defer d.mu.Unlock()

	return slices.Clone(d.lost)
}

func needs(t *testing.T, offer, answer string) []media.Component {
	t.Helper()

	components, err := media.Needs(media.Negotiation{
		Offer:     []byte(strings.ReplaceAll(session, "ADDRESS", "10.45.0.2") + offer),
		Answer:    []byte(strings.ReplaceAll(session, "ADDRESS", "198.51.100.7") + answer),
		UEOffered: true,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}

	return components
}

const (
	offered  = "m=audio 50000 RTP/AVP 0\r\nb=AS:80\r\n"
	answered = "m=audio 40000 RTP/AVP 0\r\nb=AS:80\r\n"
)

func (d *desk) need(leg *bearer.CallLeg, components []media.Component) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()

	return leg.Need(ctx, components)
}

// kinds returns the messages that the PCRF has seen, with its answers.
func (d *desk) kinds() (kinds []string) {
	for _, e := range d.pcrf.Events() {
		kinds = append(kinds, e.String())
	}

	return kinds
}

func (d *desk) none() {
	d.t.Helper()

	for id := range d.pcrf.Sessions() {
		d.t.Errorf("session %s is left open at the PCRF", id)
	}
	for _, s := range d.bearers.Sessions() {
		d.t.Errorf("session %s is left: %s", s.Session, s.State)
	}
}
