package stack_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// network is a network without sockets, for tests in synctest's time.
type network struct{ *memory.Network }

func newNetwork() *network { return &network{memory.New()} }

// node is a stack in memory.
type node struct {
	*stack.Stack
	registry *prometheus.Registry
	log      *memory.Log
}

// stack starts a stack at this address, with the timers of the specification.
func (n *network) stack(t testing.TB, address string, u *user, edits ...func(*stack.Config)) *node {
	t.Helper()

	c := stack.DefaultConfig(stack.EndpointConfig{Name: "Mw", Address: address, Transports: []string{"udp", "tcp"}})
	for _, edit := range edits {
		edit(&c)
	}

	registry, log := prometheus.NewRegistry(), &memory.Log{}
	s, err := stack.New(c, u, stack.Options{Network: n.Network, Metrics: registry, Log: log.Logger(), Urgent: u.urgent})
	if err != nil {
		t.Fatal(err)
	}
	u.stack = s

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})

	return &node{s, registry, log}
}

// value returns the sum of a metric's time series.
func (n *node) value(t testing.TB, name string) (sum float64) {
	t.Helper()

	families, err := n.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}

	for _, f := range families {
		if f.GetName() != "dialtone_sip_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}

	return sum
}

// empty fails the test if anything of a transaction is left.
func (n *node) empty(t testing.TB) {
	t.Helper()
	synctest.Wait()

	if left := n.value(t, "transactions"); left != 0 {
		t.Errorf("%v transactions are left", left)
	}
}

// peer is the other side of the wire: a test that reads and writes octets.
type peer struct {
	*memory.Peer
	t       testing.TB
	address netip.AddrPort
}

func (n *network) peer(t testing.TB, address string) *peer {
	t.Helper()
	return &peer{n.Peer(t, address), t, netip.MustParseAddrPort(address)}
}

func (p *peer) send(to *node, text string) {
	p.t.Helper()
	p.Raw(to.Endpoint("Mw").Address().String(), text)
}

var errNothing = errors.New("nothing came")

// receive returns the next message that comes within d.
func (p *peer) receive(d time.Duration) (sip.Message, error) {
	raw := p.Octets(d)
	if raw == nil {
		return nil, errNothing
	}

	return sip.ParseMessage(raw)
}

// request returns the next message, which must be a request of this method.
func (p *peer) request(method string) *sip.Request {
	p.t.Helper()

	m, err := p.receive(time.Hour)
	r, ok := m.(*sip.Request)
	if err != nil || !ok || string(r.Method) != method {
		p.t.Fatalf("%s came, want %s (%v)", firstLine(m), method, err)
	}

	return r
}

// response returns the next message, which must be a response with this status.
func (p *peer) response(status int) *sip.Response {
	p.t.Helper()

	m, err := p.receive(time.Hour)
	r, ok := m.(*sip.Response)
	if err != nil || !ok || r.StatusCode != status {
		p.t.Fatalf("%s came, want %d (%v)", firstLine(m), status, err)
	}

	return r
}

// nothing fails the test if a message comes within d.
func (p *peer) nothing(d time.Duration) {
	p.t.Helper()

	if m, err := p.receive(d); !errors.Is(err, errNothing) {
		p.t.Fatalf("%s came, want nothing (%v)", firstLine(m), err)
	}
}

// already returns a message that has come and was not taken; nil if there is none.
func (p *peer) already() []byte {
	synctest.Wait()
	return p.Octets(0)
}

// drained returns all messages that are there already.
func (p *peer) drained() (lines []string) {
	for raw := p.already(); raw != nil; raw = p.already() {
		line, _, _ := strings.Cut(string(raw), "\r\n")
		lines = append(lines, line)
	}

	return lines
}

// answer responds to a request that came.
func (p *peer) answer(to *node, r *sip.Request, status int, headers ...sip.Header) *sip.Response {
	p.t.Helper()

	response := sip.NewResponse(r, status, "")
	for _, h := range headers {
		response.AppendHeader(h)
	}
	p.send(to, response.String())

	return response
}

func firstLine(m sip.Message) string {
	switch m := m.(type) {
	case *sip.Request:
		return m.StartLine()
	case *sip.Response:
		return m.StartLine()
	default:
		return "nothing"
	}
}

// text returns a request as this peer sends it.
func (p *peer) text(method, target, branch string, more ...string) string {
	return method + " " + target + " SIP/2.0\r\nVia: SIP/2.0/UDP " + p.address.String() + ";branch=z9hG4bK" + branch +
		"\r\nMax-Forwards: 70\r\nFrom: <sip:a@example>;tag=1\r\nTo: <sip:b@example>\r\nCall-ID: " + branch + "\r\nCSeq: 1 " + method +
		"\r\nContact: <sip:a@" + p.address.String() + ">\r\n" + strings.Join(more, "") + "Content-Length: 0\r\n\r\n"
}

// within runs a test in a bubble of time with a network in memory.
func within(t *testing.T, f func(t *testing.T, n *network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newNetwork()) })
}
