package overn5_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overn5"
	"github.com/dialtone-ims/dialtone/pkg/policy"
	"github.com/dialtone-ims/dialtone/pkg/trace"
	"github.com/dialtone-ims/dialtone/test/memory"
)

const (
	notify     = "192.0.2.10:7777"
	pcfAddress = "192.0.2.20:7777"
	session    = "v=0\r\no=- 1 1 IN IP4 ADDRESS\r\ns=-\r\nc=IN IP4 ADDRESS\r\nt=0 0\r\n"
	offered    = "m=audio 50000 RTP/AVP 0\r\nb=AS:80\r\n"
	answered   = "m=audio 40000 RTP/AVP 0\r\nb=AS:80\r\n"
	video      = "m=video 50002 RTP/AVP 34\r\nb=AS:500\r\n"
)

// desk is a P-CSCF beside a PCF, in one bubble.
type desk struct {
	t       *testing.T
	network *memory.Network
	pcf     *policy.PCF
	bearers *bearer.Bearers
	stop    func()
	served  sync.WaitGroup
	disk    string

	mu     sync.Mutex
	lost   []bearer.Loss
	traced []trace.Message
}

func withDesk(t *testing.T, test func(t *testing.T, d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t, network: memory.New(), disk: t.TempDir()}
		d.pcf = policy.NewPCF(d.dial("192.0.2.20:0"))
		d.serve()
		d.start(nil)
		test(t, d)
		d.stop()
		d.closePCF()
	})
}

func (d *desk) dial(from string) func(ctx context.Context, _, address string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		return d.network.Dial(ctx, netip.MustParseAddrPort(from), netip.MustParseAddrPort(address))
	}
}

func (d *desk) serve() {
	listener, err := d.network.Listen(d.t.Context(), pcfAddress, false)
	if err != nil {
		d.t.Fatal(err)
	}

	d.served.Go(func() { d.pcf.Serve(listener) })
}

func (d *desk) closePCF() {
	if err := d.pcf.Close(); err != nil {
		d.t.Error(err)
	}
	d.served.Wait()
	synctest.Wait() // the other side knows that the connection is gone
}

// start runs the P-CSCF; restored is called before.
func (d *desk) start(restored func()) {
	authority := overn5.New(overn5.Config{PCF: "http://" + pcfAddress, Notify: notify, DNN: "ims"}, overn5.Options{
		Dial: d.dial("192.0.2.10:0"),
		Listen: func(_, address string) (net.Listener, error) {
			return d.network.Listen(context.Background(), address, false)
		},
		Tap: d.tap,
	})
	d.bearers = bearer.New(authority, slog.New(slog.DiscardHandler), prometheus.NewRegistry())

	if err := d.bearers.Restore(d.disk); err != nil {
		d.t.Fatal(err)
	}
	if restored != nil {
		restored()
	}

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	bearers := d.bearers

	go func() { done <- authority.Run(ctx, bearers) }()

	d.stop = func() {
		if err := bearers.Close(); err != nil {
			d.t.Error(err)
		}
		cancel()
		if err := <-done; err != nil {
			d.t.Error(err)
		}
	}

	synctest.Wait()
	d.bearers.Resume()
}

func (d *desk) tap(m trace.Message) {
	m.Data = bytes.Clone(m.Data)

	d.mu.Lock()
	defer d.mu.Unlock()

	d.traced = append(d.traced, m)
}

var call = bearer.Leg{
	UE: netip.MustParseAddr("10.45.0.2"), Identity: "tel:+15550001", Call: "call", ICID: "icid",
	Service: "urn:urn-7:3gpp-service.ims.icsi.mmtel",
}

func (d *desk) leg(which bearer.Leg) *bearer.CallLeg { return d.bearers.Leg(which, d.lose) }

func (d *desk) lose(l bearer.Loss) {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.lost = append(d.lost, l)
}

func (d *desk) losses() []bearer.Loss {
	synctest.Wait()
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

func (d *desk) need(leg *bearer.CallLeg, components []media.Component) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()

	return leg.Need(ctx, components)
}

// only returns the path of the one session at the PCF.
func (d *desk) only() string {
	d.t.Helper()

	for path, all := "", d.pcf.Sessions(); len(all) == 1; {
		for path = range all {
			return path
		}
	}

	d.t.Fatalf("%d sessions at the PCF, want one", len(d.pcf.Sessions()))

	return ""
}

// heard returns the requests that a PCF has had, with its answers.
func heard(p *policy.PCF) (kinds []string) {
	for _, e := range p.Events() {
		kinds = append(kinds, e.String())
	}

	return kinds
}

// said expects these requests at the PCF, and nothing left open on either side.
func (d *desk) said(want ...string) {
	d.t.Helper()
	synctest.Wait()

	if got := heard(d.pcf); !slices.Equal(got, want) {
		d.t.Errorf("the PCF heard %q, want %q", got, want)
	}
	if left := d.pcf.Sessions(); len(left) != 0 {
		d.t.Errorf("left at the PCF: %v", left)
	}
	for _, s := range d.bearers.Sessions() {
		d.t.Errorf("session %s is left: %s", s.Session, s.State)
	}
}
