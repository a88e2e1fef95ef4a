package gm

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/memory"
)

const (
	gmAddress = "192.0.2.1:5060"
	mwAddress = "192.0.2.1:5070"
	aliceAt   = "10.0.0.1:5060"
	alice     = "sip:alice@ims.example"
	number    = "tel:+15550001"
	bob       = "sip:bob@ims.example"
	route     = "sip:orig@192.0.2.3:5060;lr" // the Service-Route that the S-CSCF gives
)

// desk is a P-CSCF between a handset and a core, both played by a test.
type desk struct {
	t       *testing.T
	network *memory.Network
	proxy   *Proxy
	alice   *memory.Peer // the handset
	icscf   *memory.Peer
	scscf   *memory.Peer
	log     *memory.Log
	cseq    int
}

// entry is the proxy as given to its stack, which is built first.
type entry struct{ *Proxy }

func withDesk(t *testing.T, change func(*Config, *Options), test func(t *testing.T, d *desk)) {
	t.Helper()
	withDeskBegun(t, change, nil, test)
}

// withDeskBegun calls begin with the proxy before it runs.
func withDeskBegun(t *testing.T, change func(*Config, *Options), begin func(*Proxy), test func(t *testing.T, d *desk)) {
	t.Helper()
	withDeskLimited(t, 0, change, begin, test)
}

// withDeskLimited allows this many transactions at a time; 0: the default.
func withDeskLimited(
	t *testing.T, transactions int, change func(*Config, *Options), begin func(*Proxy), test func(t *testing.T, d *desk),
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t, network: memory.New(), log: &memory.Log{}}
		log := d.log.Logger()

		c := stack.DefaultConfig(
			stack.EndpointConfig{Name: "Gm", Address: gmAddress, Transports: []string{"udp", "tcp"}, Names: []string{"pcscf.ims.example"}},
			stack.EndpointConfig{Name: "Mw", Address: mwAddress, Transports: []string{"udp", "tcp"}},
		)
		c.Resolver.Hosts = map[string][]string{"icscf.ims.example": {"192.0.2.2"}}
		if transactions > 0 {
			c.Limits.MaxTransactions = transactions
		}
		entry := &entry{}
		sipStack, err := stack.New(c, entry, stack.Options{
			Log: log, Network: d.network,
			Screen: func(flow stack.Flow, m sip.Message) error { return entry.Screen(flow, m) },
			Stray:  func(flow stack.Flow, r *sip.Response) stack.Passer { return entry.Stray(flow, r) },
			Urgent: func(flow stack.Flow, r *sip.Request) bool { return entry.Urgent(flow, r) },
		})
		if err != nil {
			t.Fatal(err)
		}

		config := Config{
			HomeDomain: "ims.example", VisitedNetwork: "visited.example", Interrogator: "sip:icscf.ims.example", ByAddress: Stream,
			MaxBindings: 100, MaxDialogs: 100,
		}
		options := Options{
			Stack: sipStack, Gm: []*stack.Endpoint{sipStack.Endpoint("Gm")}, Mw: sipStack.Endpoint("Mw"), Security: Open{}, Log: log,
			Metrics: prometheus.NewRegistry(),
		}
		if change != nil {
			change(&config, &options)
		}
		d.proxy = New(config, options)
		entry.Proxy = d.proxy

		if begin != nil {
			begin(d.proxy)
		}

		d.alice, d.icscf, d.scscf = d.network.Peer(t, aliceAt), d.network.Peer(t, "192.0.2.2:5060"), d.network.Peer(t, "192.0.2.3:5060")

		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := sipStack.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		running.Go(func() { d.proxy.Run(ctx) })
		test(t, d)
		cancel()
		running.Wait()
		d.proxy.Close()
	})
}

// request returns a request of a handset; lines replace header fields of the same name, and add new ones. A line with only a name and a
// colon removes the field.
func (d *desk) request(method, uri string, lines ...string) []string {
	d.cseq++
	at := aliceAt

	fields := []string{
		"Via: SIP/2.0/UDP " + at + ";rport;branch=" + sip.NewBranch(), "Max-Forwards: 70", "From: <" + alice + ">;tag=a",
		"To: <" + uri + ">",
		fmt.Sprintf("Call-ID: call-%d", d.cseq),
		fmt.Sprintf("CSeq: %d %s", d.cseq, method),
		"Contact: <sip:alice@" + at + ">",
	}
	body := ""

	for _, line := range lines {
		if strings.HasPrefix(line, "\n") {
			body = line
			continue
		}

		name, value, _ := strings.Cut(line, ":")
		kept := fields[:0:0]
		for _, field := range fields {
			if existing, _, _ := strings.Cut(field, ":"); !strings.EqualFold(existing, name) || value != "" && !replaced(name) {
				kept = append(kept, field)
			}
		}
		if fields = kept; value != "" {
			fields = append(fields, line)
		}
	}

	fields = append([]string{method + " " + uri + " SIP/2.0"}, fields...)
	if body != "" {
		fields = append(fields, body)
	}

	return fields
}

// replaced reports whether a field occurs only once in a message.
func replaced(name string) bool {
	switch strings.ToLower(name) {
	case "via", "max-forwards", "from", "to", "call-id", "cseq", "contact":
		return true
	default:
		return false
	}
}

func (d *desk) send(method, uri string, lines ...string) {
	d.t.Helper()
	d.alice.Send(gmAddress, d.request(method, uri, lines...)...)
}

// register registers alice with her identities, and returns the REGISTER as the I-CSCF got it.
func (d *desk) register() *sip.Request {
	d.t.Helper()
	d.send(
		"REGISTER",
		"sip:ims.example",
		"To: <"+alice+">",
		`Authorization: Digest username="alice@ims.example",realm="ims.example",nonce="",uri="sip:ims.example",response=""`,
	)
	r := d.icscf.Request("REGISTER")
	d.icscf.Answer(r, 200, "Contact: <sip:alice@"+aliceAt+">;expires=600", "Service-Route: <"+route+">",
		"P-Associated-URI: <"+alice+">", "P-Associated-URI: <"+number+">")
	d.alice.Response(200)

	return r
}

// counted returns the counter of requests with these labels.
func (d *desk) counted(direction, method, outcome string) int {
	return int(testutil.ToFloat64(d.proxy.outcomes.WithLabelValues(direction, method, outcome)))
}

func (d *desk) only() *binding.Binding {
	d.t.Helper()
	all := d.proxy.bindings.All()
	if len(all) != 1 {
		d.t.Fatalf("%d bindings, want one", len(all))
	}

	return all[0]
}

func want(t *testing.T, m sip.Message, name, value string) {
	t.Helper()
	if got := strings.Join(sip.Values(m, name), ", "); got != value {
		t.Errorf("%s: %s\nwant %s", name, got, value)
	}
}

const second = time.Second

// carol registers another user's handset; via returns the Via of its requests.
func (d *desk) carol() (carol *memory.Peer, via func() string) {
	const at = "10.0.0.2:5060"

	carol = d.network.Peer(d.t, at)
	via = func() string { return "Via: SIP/2.0/UDP " + at + ";branch=" + sip.NewBranch() }

	carol.Send(gmAddress, d.request("REGISTER", "sip:ims.example", via(), "To: <sip:carol@ims.example>", "Contact: <sip:carol@10.0.0.2>")...)
	d.icscf.Answer(
		d.icscf.Request("REGISTER"),
		200,
		"Contact: <sip:carol@10.0.0.2>;expires=600",
		"Service-Route: <"+route+">",
		"P-Associated-URI: <sip:carol@ims.example>",
	)
	carol.Response(200)

	return carol, via
}
