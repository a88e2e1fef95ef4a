package overn5_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overn5"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
	"github.com/dialtone-ims/dialtone/pkg/policy"
	"github.com/dialtone-ims/dialtone/test/memory"
	"github.com/dialtone-ims/dialtone/test/sba"
)

const (
	nrfRoot = "http://192.0.2.30:7777"
	bsfRoot = "http://192.0.2.31:7777"
	scpRoot = "http://192.0.2.32:7777"
	pcfRoot = "http://" + pcfAddress
	other   = "http://192.0.2.21:7777" // another PCF
	absent  = "http://192.0.2.22:7777" // nobody
)

// core is a 5G core in one bubble: two PCFs, and nodes that answer as a test says.
type core struct {
	t       *testing.T
	network *memory.Network
	log     *memory.Log
	pcf     *policy.PCF
	other   *policy.PCF
	nrf     *sba.Node
	bsf     *sba.Node
	scp     *sba.Node

	last atomic.Pointer[net.Conn] // that was opened
	stop []func() error
	work sync.WaitGroup
}

func withCore(t *testing.T, test func(t *testing.T, c *core)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &core{t: t, network: memory.New(), log: &memory.Log{}, nrf: sba.New(nil), bsf: sba.New(nil), scp: sba.New(nil)}
		c.pcf, c.other = policy.NewPCF(c.dial), policy.NewPCF(c.dial)

		for root, pcf := range map[string]*policy.PCF{pcfRoot: c.pcf, other: c.other} {
			l := c.listen(root)
			c.work.Go(func() { pcf.Serve(l) })
			c.stop = append(c.stop, pcf.Close)
		}
		for root, node := range map[string]*sba.Node{nrfRoot: c.nrf, bsfRoot: c.bsf, scpRoot: c.scp} {
			c.serve(root, node)
		}
		c.scp.Answer(sba.Forward(c.dial, nil))

		test(t, c)

		for i := range c.stop { // the P-CSCF first
			if err := c.stop[len(c.stop)-1-i](); err != nil {
				t.Error(err)
			}
		}
		c.work.Wait()
	})
}

func (c *core) serve(root string, node *sba.Node) {
	node.Serve(c.listen(root))
	c.stop = append(c.stop, node.Close)
}

func (c *core) listen(root string) net.Listener {
	c.t.Helper()

	_, address, _ := strings.Cut(root, "://")

	l, err := c.network.Listen(context.Background(), address, false)
	if err != nil {
		c.t.Fatal(err)
	}

	return l
}

func (c *core) dial(ctx context.Context, _, address string) (net.Conn, error) {
	conn, err := c.network.Dial(ctx, netip.MustParseAddrPort("192.0.2.10:0"), netip.MustParseAddrPort(address))
	c.last.Store(&conn)

	return conn, err
}

// pcscf returns a P-CSCF with this configuration, which takes notifications.
func (c *core) pcscf(config overn5.Config) (*overn5.PCF, *bearer.Bearers) {
	c.t.Helper()

	config.Notify, config.DNN = notify, "ims"
	p := overn5.New(config, overn5.Options{
		Dial: c.dial,
		Log:  c.log.Logger(),
		Listen: func(_, address string) (net.Listener, error) {
			return c.network.Listen(context.Background(), address, false)
		},
	})
	b := bearer.New(p, slog.New(slog.DiscardHandler), prometheus.NewRegistry())

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx, b) }()
	c.stop = append(c.stop, func() error {
		err := b.Close()
		cancel()

		return errors.Join(err, <-done)
	})
	synctest.Wait()

	return p, b
}

// ask requests a session for a UE, and returns the URI of the session.
func (c *core) ask(p *overn5.PCF, ue string) (uri string, _ error) {
	c.t.Helper()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	leg := call
	leg.UE = netip.MustParseAddr(ue)

	grant, err := p.Ask(ctx, &bearer.Request{Handle: bearer.Handle{ID: p.NewID()}, Leg: leg, Components: needs(c.t, offered, answered)})
	if err != nil {
		return "", err
	}

	return grant.Server, nil
}

const ue = "10.45.0.2"

// outcome is what a request for a session leads to.
type outcome struct {
	at        string // root of the PCF that has the session; "": none
	why       string // part of the refusal, or of the error
	code      uint32
	undone    bool // no PCF has the request
	elsewhere bool
	silent    bool // no answer
}

func (c *core) expect(p *overn5.PCF, want outcome) {
	c.t.Helper()

	uri, err := c.ask(p, ue)
	refusal, refused := errors.AsType[*bearer.Refusal](err)

	switch {
	case want.at != "" && (err != nil || !strings.HasPrefix(uri, want.at+npcf.Collection)):
		c.t.Errorf("%q %v, want a session at %s", uri, err, want.at)
	case want.at != "":
	case err == nil:
		c.t.Errorf("granted: %s, want %q", uri, want.why)
	case !strings.Contains(err.Error(), want.why):
		c.t.Errorf("%v, want %q", err, want.why)
	case refused == want.silent:
		c.t.Errorf("%v: refused %t", err, refused)
	case refused && (refusal.Code != want.code || refusal.Undone != want.undone || refusal.Elsewhere != want.elsewhere):
		c.t.Errorf("%+v, want %+v", refusal, want)
	}
}

// status answers by a status alone.
func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// slow answers when the client has given up.
func slow(w http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	w.WriteHeader(http.StatusOK)
}

// huge answers with more than anybody reads.
func huge(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"x":"` + strings.Repeat("x", 1<<20) + `"}`))
}

// A connection whose other side is gone without a word is given up, before a call needs it.
func TestDeadConnection(t *testing.T) {
	withCore(t, func(t *testing.T, c *core) {
		p, _ := c.pcscf(overn5.Config{PCF: pcfRoot})
		c.expect(p, outcome{at: pcfRoot})

		dead := *c.last.Load()
		memory.Stall(dead) // nothing of the PCF arrives any more
		time.Sleep(25 * time.Second)
		c.expect(p, outcome{at: pcfRoot})

		if *c.last.Load() == dead {
			t.Error("no other connection was opened")
		}
	})
}
