package gm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overn5"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overrx"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
	"github.com/dialtone-ims/dialtone/pkg/policy"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// server is a PCRF or a PCF, and how the P-CSCF asks it.
type server interface {
	Events() []policy.Event
	Clear()
	Watch(arrived, settled func(ctx context.Context, kind string))

	run(ctx context.Context) error // again, too
	open() []string
	ask() (bearer.Authority, func(context.Context, *bearer.Bearers) error)
	abort(session string) error // the session ends
	lose(session string) error  // its bearers are lost
	kinds() kinds
}

// kinds are the names of the requests that make, change and end a session.
type kinds struct{ ask, change, end string }

// pcrfServer is asked over Rx.
type pcrfServer struct {
	*policy.PCRF
	t       *testing.T
	options diameter.Options
}

func newPCRFServer(t *testing.T) server {
	network := memory.New()
	options := diameter.Options{
		Listen: func(_, address string) (net.Listener, error) {
			return network.Listen(context.Background(), address, false)
		},
		Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
			return network.Dial(ctx, netip.MustParseAddrPort("192.0.2.99:0"), netip.MustParseAddrPort(address))
		},
	}

	p, err := policy.NewPCRF(node("pcrf.epc", "192.0.2.20:3868"), options)
	if err != nil {
		t.Fatal(err)
	}

	return &pcrfServer{p, t, options}
}

func (s *pcrfServer) kinds() kinds                  { return kinds{"AAR", "AAR", "STR"} }
func (s *pcrfServer) run(ctx context.Context) error { return s.Run(ctx) }

func (s *pcrfServer) open() (ids []string) {
	for id := range s.Sessions() {
		ids = append(ids, id)
	}

	return ids
}

func (s *pcrfServer) ask() (bearer.Authority, func(context.Context, *bearer.Bearers) error) {
	own, err := diameter.New(
		node("pcscf.epc", "192.0.2.10:3868", diameter.Peer{Host: "pcrf.epc", Realm: "epc", Address: "192.0.2.20:3868"}),
		[]diameter.Application{rx.Application}, s.options)
	if err != nil {
		s.t.Fatal(err)
	}

	authority := overrx.New(overrx.Config{Realm: "epc"}, own)

	return authority, func(ctx context.Context, b *bearer.Bearers) error {
		authority.Serve(b)
		return own.Run(ctx)
	}
}

func (s *pcrfServer) abort(session string) error {
	result, err := s.Abort(context.Background(), session, rx.BearerReleased)
	return taken(result, err)
}

func (s *pcrfServer) lose(session string) error {
	result, err := s.Tell(context.Background(), session, rx.LossOfBearer)
	return taken(result, err)
}

func taken(result diameter.Result, err error) error {
	if err == nil && result != rx.Success {
		return result
	}

	return err
}

// pcfServer is asked over N5.
type pcfServer struct {
	*policy.PCF
	t       *testing.T
	network *memory.Network
}

const pcfAddress = "192.0.2.20:7777"

func newPCFServer(t *testing.T) server {
	s := &pcfServer{t: t, network: memory.New()}
	s.PCF = policy.NewPCF(s.dial("192.0.2.20:0"))

	return s
}

func (s *pcfServer) dial(from string) func(ctx context.Context, _, address string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		return s.network.Dial(ctx, netip.MustParseAddrPort(from), netip.MustParseAddrPort(address))
	}
}

func (s *pcfServer) kinds() kinds { return kinds{"POST", "PATCH", "DELETE"} }

func (s *pcfServer) run(ctx context.Context) error {
	listener, err := s.network.Listen(ctx, pcfAddress, false)
	if err != nil {
		return err
	}

	served := make(chan struct{})

	go func() {
		defer close(served)

		s.Serve(listener)
	}()

	<-ctx.Done()
	err = s.Close()
	<-served

	return err
}

func (s *pcfServer) open() (paths []string) {
	for path := range s.Sessions() {
		paths = append(paths, path)
	}

	return paths
}

func (s *pcfServer) ask() (bearer.Authority, func(context.Context, *bearer.Bearers) error) {
	authority := overn5.New(overn5.Config{PCF: "http://" + pcfAddress, Notify: "192.0.2.10:7777"}, overn5.Options{
		Dial: s.dial("192.0.2.10:0"),
		Listen: func(_, address string) (net.Listener, error) {
			return s.network.Listen(context.Background(), address, false)
		},
	})

	return authority, authority.Run
}

func (s *pcfServer) abort(session string) error {
	status, err := s.Terminate(context.Background(), session)
	return noContent(status, err)
}

func (s *pcfServer) lose(session string) error {
	status, err := s.Notify(context.Background(), session, npcf.EventsNotification{
		Events: []npcf.EventNotification{{Event: npcf.FailedResourcesAllocation}},
	})

	return noContent(status, err)
}

func noContent(status int, err error) error {
	if err == nil && status != http.StatusNoContent {
		return fmt.Errorf("it is answered %d", status)
	}

	return err
}

// network is a P-CSCF beside a PCRF or PCF; each may be started anew.
type network struct {
	t      *testing.T
	server server
	disk   string

	stopServer func()
	stopPCSCF  func()
	sessions   *bearer.Bearers
	metrics    *prometheus.Registry
}

func (n *network) startServer() { n.stopServer = n.running(n.server.run) }

// running runs something until stop is called.
func (n *network) running(run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)

	go func() { done <- run(ctx) }()

	return func() {
		cancel()

		if err := <-done; err != nil {
			n.t.Error(err)
		}
	}
}

// startPCSCF starts the part of the P-CSCF that asks.
func (n *network) startPCSCF() *Bearers {
	authority, serve := n.server.ask()
	n.metrics = prometheus.NewRegistry()
	sessions := bearer.New(authority, slog.New(slog.DiscardHandler), n.metrics)
	n.sessions = sessions

	if err := sessions.Restore(n.disk); err != nil {
		n.t.Fatal(err)
	}

	stop := n.running(func(ctx context.Context) error { return serve(ctx, sessions) })
	n.stopPCSCF = func() {
		err := sessions.Close()
		stop()

		if err := errors.Join(err); err != nil {
			n.t.Error(err)
		}
	}

	return NewBearers(sessions, BearerConfig{
		Policy: Required, Patience: 3 * time.Second, Kinds: []media.Kind{media.Audio, media.Video},
	})
}

// unexpected counts events without a row in the table of sessions.
func (n *network) unexpected() (count float64) {
	families, err := n.metrics.Gather()
	if err != nil {
		n.t.Fatal(err)
	}

	for _, family := range families {
		if family.GetName() == "dialtone_pcscf_bearer_unexpected_events_total" {
			count = family.GetMetric()[0].GetCounter().GetValue()
		}
	}

	return count
}

// withServer runs a test whose calls require bearers of a server.
func withServer(t *testing.T, make func(*testing.T) server, test func(t *testing.T, d *desk, n *network)) {
	t.Helper()

	n := &network{disk: t.TempDir()}

	withDesk(t, func(_ *Config, o *Options) {
		n.server = make(t)
		o.Bearers = n.startPCSCF()
		n.startServer()
	}, func(t *testing.T, d *desk) {
		n.t = t
		time.Sleep(10 * time.Second) // they have met
		d.register()
		test(t, d, n)
		n.stopPCSCF()
		n.stopServer()
		synctest.Wait()
	})
}
