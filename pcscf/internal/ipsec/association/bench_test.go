package association

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/agreement"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// kernel stands for the real one.
type kernel struct {
	sync.Mutex
	sets map[uint32]time.Time // their ends
	spi  uint32
	held map[uint32]bool
	full bool
	used [4]ipsec.Counters // of every set
}

func (k *kernel) Install(s ipsec.Set, life time.Duration) error {
	k.Lock()
	defer k.Unlock()

	if k.full {
		return errors.New("no buffer space")
	}

	if s.IK == [16]byte{} || s.CK == [16]byte{} {
		return errors.New("no keys")
	}

	if _, twice := k.sets[s.ReqID]; twice {
		return fmt.Errorf("reqid %d twice", s.ReqID)
	}

	k.sets[s.ReqID] = time.Now().Add(life)

	return nil
}

func (k *kernel) Prolong(s ipsec.Set, life time.Duration) error {
	k.Lock()
	defer k.Unlock()

	k.sets[s.ReqID] = time.Now().Add(life)
	return nil
}

func (k *kernel) Remove(s ipsec.Set) error {
	k.Lock()
	defer k.Unlock()

	delete(k.sets, s.ReqID)
	return nil
}

func (k *kernel) AllocateSPI(netip.Addr, netip.Addr) (uint32, error) {
	k.Lock()
	defer k.Unlock()

	k.spi++
	k.held[k.spi] = true

	return k.spi, nil
}

func (k *kernel) ReleaseSPI(spi uint32) {
	k.Lock()
	defer k.Unlock()

	delete(k.held, spi)
}

func (k *kernel) Use(s ipsec.Set) (all [4]ipsec.Counters, err error) {
	k.Lock()
	defer k.Unlock()

	if _, there := k.sets[s.ReqID]; !there {
		return all, errors.New("no such set")
	}

	all = k.used
	for i, a := range s.Associations() {
		all[i].Association = a
	}

	return all, nil
}

type bench struct {
	*Table
	t        *testing.T
	kernel   *kernel
	sipStack *stack.Stack
	kept     map[uint32]Kept
	network  *memory.Network
	handler  func(*stack.ServerTransaction) // of requests, when it runs
}

// HandleRequest passes a request to the handler.
func (b *bench) HandleRequest(_ context.Context, tx *stack.ServerTransaction) { b.handler(tx) }

// HandleAck does nothing.
func (b *bench) HandleAck(context.Context, *stack.Ack) {}

// run runs the stack until it is told to stop.
func (b *bench) run() (stop func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = b.sipStack.Run(ctx) }()
	synctest.Wait()

	return func() { cancel(); <-done }
}

// listen returns what is logged from now on.
func (b *bench) listen() *memory.Log {
	l := &memory.Log{}
	b.log = l.Logger()

	return l
}

func (b *bench) Keep(k Kept) {
	b.kernel.Lock()
	defer b.kernel.Unlock()

	b.kept[k.Set.ReqID] = k
}

func (b *bench) Forget(reqID uint32) {
	b.kernel.Lock()
	defer b.kernel.Unlock()

	delete(b.kept, reqID)
}

const local = "192.0.2.1"

func newBench(t *testing.T, mode Mode, change ...func(*Settings)) *bench {
	endpoints := []stack.EndpointConfig{{Name: "Gm", Address: local + ":5060", Transports: []string{"udp", "tcp"}}}
	for _, e := range []string{"c:6100", "c:6101", "c:6102", "s:6110", "s:6111"} {
		kind, port, _ := strings.Cut(e, ":")
		endpoints = append(
			endpoints,
			stack.EndpointConfig{Name: kind + port, Address: local + ":" + port, Transports: []string{"udp", "tcp"}, FixedPort: true},
		)
	}

	network, c := memory.New(), stack.DefaultConfig(endpoints...)
	c.Limits.TCPMessageTime = time.Hour

	b := &bench{
		t: t, kernel: &kernel{sets: map[uint32]time.Time{}, spi: 4095, held: map[uint32]bool{}}, network: network,
		kept: map[uint32]Kept{},
	}

	sipStack, err := stack.New(c, b, stack.Options{Network: network})
	if err != nil {
		t.Fatal(err)
	}

	address := netip.MustParseAddr(local)
	ports := &Ports{
		Clients: map[netip.Addr][]*stack.Endpoint{address: {sipStack.Endpoint("c6100"), sipStack.Endpoint("c6101"), sipStack.Endpoint("c6102")}},
		Servers: map[netip.Addr][]*stack.Endpoint{address: {sipStack.Endpoint("s6110"), sipStack.Endpoint("s6111")}},
	}
	settings := Settings{
		Modes: map[string]Mode{
			"Gm": mode,
		}, Suites: ipsec.Suites, AwaitAuth: 4 * time.Minute, Grace: 30 * time.Second, Linger: 32 * time.Second, MaxSets: 100,
	}

	for _, f := range change {
		f(&settings)
	}

	b.sipStack = sipStack
	b.Table = New(
		settings,
		Options{
			Kernel:     b.kernel,
			Ports:      ports,
			Keep:       b,
			Log:        slog.New(slog.DiscardHandler),
			Metrics:    prometheus.NewRegistry(),
			FirstReqID: 1000,
			LastReqID:  1009,
		},
	)
	t.Cleanup(func() { b.Close(); sipStack.RemoveEndpoint(sipStack.Endpoint("Gm")) })

	return b
}

const (
	private = "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
	offer   = "ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc;prot=esp;mod=trans;spi-c=%d;spi-s=%d;port-c=%d;port-s=%d"
)

var ue = netip.MustParseAddr("192.0.2.100")

// request returns a request of the handset; authorization holds its parameters besides username.
func (b *bench) request(method string, headers ...string) *sip.Request {
	b.t.Helper()

	r, err := sip.NewRequest(method, "sip:ims.mnc001.mcc001.3gppnetwork.org")
	if err != nil {
		b.t.Fatal(err)
	}

	if _, err := sip.Complete(r, "<sip:a@b>;tag=1", "<sip:a@b>", "x", 1); err != nil {
		b.t.Fatal(err)
	}

	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		sip.Add(r, name, value)
	}

	return r
}

func authorization(parameters string) string {
	return `Authorization: Digest username="` + private + `",realm="r",uri="sip:r",` + parameters
}

func (b *bench) clear() stack.Flow {
	return b.flow("Gm", "UDP", 5060)
}

func (b *bench) flow(endpoint, transport string, port uint16) stack.Flow {
	e := b.sipStack.Endpoint(endpoint)
	return stack.Flow{Endpoint: e, Transport: transport, Local: e.Address(), Remote: netip.AddrPortFrom(ue, port)}
}

var keys = agreement.Keys{CK: hex.EncodeToString([]byte("0123456789abcdef")), IK: hex.EncodeToString([]byte("fedcba9876543210"))}

// challenge goes through SM1 to SM6 and returns the Security-Server.
func (b *bench) challenge(flow stack.Flow, n, portClient, portServer int, headers ...string) string {
	b.t.Helper()

	r := b.request("REGISTER", append(headers, fmt.Sprintf("Security-Client: "+offer, 1000*n, 1000*n+1, portClient, portServer),
		"Require: sec-agree", authorization(`nonce="",response=""`))...)
	if refusal := b.Screen(r, flow); refusal != nil {
		b.t.Fatalf("%d %v", refusal.Status, refusal)
	}

	response := sip.NewResponse(r, 401, "")
	sip.Set(response, "WWW-Authenticate", fmt.Sprintf(`Digest realm="r",nonce="nonce%d",algorithm=AKAv1-MD5`, n))

	if err := b.Challenge(r, flow, response, keys); err != nil {
		b.t.Fatal(err)
	}

	server := sip.Value(response, "Security-Server")
	if server == "" {
		b.t.Fatal("the 401 has no Security-Server")
	}

	return server
}

// protected returns the flow from the handset's port to the server port named in Security-Server.
func (b *bench) protected(server string, port uint16) stack.Flow {
	_, after, _ := strings.Cut(server, "port-s=")
	return b.flow("s"+after, "UDP", port)
}

func clientPort(server string) string {
	_, after, _ := strings.Cut(server, "port-c=")
	port, _, _ := strings.Cut(after, ";")

	return port
}

func answer(server string, n, portClient, portServer int) []string {
	return []string{
		fmt.Sprintf("Security-Client: "+offer, 1000*n, 1000*n+1, portClient, portServer), "Security-Verify: " + server, "Require: sec-agree",
		authorization(fmt.Sprintf(`nonce="nonce%d",response="00000000000000000000000000000000"`, n)),
	}
}

func (b *bench) screen(want int, flow stack.Flow, method string, headers ...string) *sip.Response {
	b.t.Helper()

	r := b.request(method, headers...)
	refusal := b.Screen(r, flow)
	got := 0

	if refusal != nil {
		got = refusal.Status
	}

	if got != want {
		b.t.Errorf("%s over %s: %d, want %d (%v)", method, flow, got, want, refusal)
	}

	if refusal == nil {
		return nil
	}

	return refusal.Response(r)
}

// states expects these numbers of sets: temporary, established, replaced, ending, and in the kernel.
func (b *bench) states(want ...int) {
	b.t.Helper()
	synctest.Wait()
	b.kernel.Lock()
	defer b.kernel.Unlock()

	got := []int{b.inState(temporary), b.inState(established), b.inState(replaced), b.inState(ending)}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Errorf("temporary, established, replaced, ending: %v, want %v", got, want)
	}

	total := 0
	for _, n := range want {
		total += n
	}

	if len(b.kernel.sets) != total || len(b.kernel.held) != 2*total {
		b.t.Errorf("the kernel has %d sets and %d SPIs are taken", len(b.kernel.sets), len(b.kernel.held))
	}
}

func (b *bench) lifetime(flow stack.Flow) time.Duration {
	id := b.find(flow).set.ReqID

	b.kernel.Lock()
	defer b.kernel.Unlock()

	return time.Until(b.kernel.sets[id])
}

// remembered returns what a restart would find.
func (b *bench) remembered() []Kept {
	b.kernel.Lock()
	defer b.kernel.Unlock()

	return slices.Collect(maps.Values(b.kept))
}
