package interrogation

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/icscf/internal/selection"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/memory"
)

const (
	alice  = "sip:alice@ims.example"
	number = "tel:+15550001"

	icscfAddress = "192.0.2.2:5060"
	serverA      = "sip:a.ims.example:5060"
	serverB      = "sip:b.ims.example:5060"
	serverC      = "sip:c.ims.example:5060"
)

// desk is an I-CSCF between a P-CSCF, three S-CSCFs and an HSS that a test plays.
type desk struct {
	t       *testing.T
	pcscf   *memory.Peer
	servers map[string]*memory.Peer
	handler *Interrogator
	cseq    int

	mu    sync.Mutex
	asked []string
	uaa   []any // answers or errors, one for each query; the last one is given again
	lia   []any
}

func next[A any](answers *[]any) (*A, error) {
	answer := (*answers)[0]
	if len(*answers) > 1 {
		*answers = (*answers)[1:]
	}

	switch answer := answer.(type) {
	case error:
		return nil, answer
	case *A:
		return answer, nil
	default:
		panic("a test's HSS has no such answer")
	}
}

func (d *desk) UserAuthorization(_ context.Context, q *cx.UAR) (*cx.UAA, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	asked := fmt.Sprintf("UAR %s %s %s %d", q.UserName, q.PublicIdentity, q.VisitedNetwork, q.Type)
	if q.Flags&cx.EmergencyRegistration != 0 {
		asked += " emergency"
	}

	d.asked = append(d.asked, asked)

	return next[cx.UAA](&d.uaa)
}

func (d *desk) LocationInfo(_ context.Context, q *cx.LIR) (*cx.LIA, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, fmt.Sprintf("LIR %s orig=%v", q.PublicIdentity, q.OriginatingRequest != nil))

	return next[cx.LIA](&d.lia)
}

func (d *desk) wantAsked(queries ...string) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()

	if got, want := strings.Join(d.asked, "\n"), strings.Join(queries, "\n"); got != want {
		d.t.Errorf("the HSS was asked\n%s\nwant\n%s", got, want)
	}
}

func uaa(result diameter.Result, server string, c *cx.Capabilities) *cx.UAA {
	a := &cx.UAA{ServerName: server, Capabilities: c}
	a.Result = result

	return a
}

func lia(result diameter.Result, server string, c *cx.Capabilities) *cx.LIA {
	a := &cx.LIA{ServerName: server, Capabilities: c}
	a.Result = result

	return a
}

// entry passes the stack's calls to the I-CSCF, which is made after the stack.
type entry struct{ *Interrogator }

func withDesk(t *testing.T, test func(t *testing.T, d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := memory.New()
		d := &desk{t: t, servers: map[string]*memory.Peer{}}
		c := stack.DefaultConfig(
			stack.EndpointConfig{
				Name:       "Mw",
				Address:    icscfAddress,
				Transports: []string{"udp", "tcp"},
				Names:      []string{"icscf.ims.example", "ims.example"},
			},
		)
		c.Resolver.Hosts = map[string][]string{
			"a.ims.example": {"192.0.2.31"}, "b.ims.example": {"192.0.2.32"}, "c.ims.example": {"192.0.2.33"}, "icscf.ims.example": {"192.0.2.2"},
		}
		entry := &entry{}
		stack, err := stack.New(c, entry, stack.Options{Network: network})
		if err != nil {
			t.Fatal(err)
		}
		d.handler = New(Config{
			HomeDomain: "ims.example", ServerTimeout: 5 * time.Second, Avoid: 30 * time.Second,
			Servers: selection.Servers{
				{Name: serverA, Capabilities: []uint32{1}},
				{Name: serverB, Capabilities: []uint32{1, 2}},
				{Name: serverC, Capabilities: []uint32{1, 2, 3}},
			},
		}, Options{Stack: stack, HSS: d, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
		entry.Interrogator = d.handler

		d.pcscf = network.Peer(t, "192.0.2.1:5070")
		for i, name := range []string{serverA, serverB, serverC} {
			d.servers[name] = network.Peer(t, fmt.Sprintf("192.0.2.3%d:5060", i+1))
		}

		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := stack.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		test(t, d)
		cancel()
		running.Wait()
	})
}

func (d *desk) send(method, uri string, lines ...string) {
	d.t.Helper()
	d.cseq++
	fields := []string{
		method + " " + uri + " SIP/2.0",
		"Via: SIP/2.0/UDP 192.0.2.1:5070;branch=" + sip.NewBranch(),
		"Max-Forwards: 70",
		"From: <" + alice + ">;tag=a",
		fmt.Sprintf("Call-ID: call-%d", d.cseq), fmt.Sprintf("CSeq: %d %s", d.cseq, method),
	}
	if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "To:") }) {
		lines = append(lines, "To: <"+uri+">")
	}
	d.pcscf.Send(icscfAddress, append(fields, lines...)...)
}

// nobody fails the test if an S-CSCF got anything.
func (d *desk) nobody() {
	d.t.Helper()
	for _, s := range d.servers {
		s.Silent()
	}
}

func want(t *testing.T, m sip.Message, name, value string) {
	t.Helper()
	if got := strings.Join(sip.Values(m, name), ", "); got != value {
		t.Errorf("%s: %s\nwant %s", name, got, value)
	}
}
