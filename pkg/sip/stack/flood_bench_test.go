package stack_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// floods are floods of requests by their outcome, with the memory that each of their transactions may take, including the goroutines that
// live as long.
var floods = []flood{
	{name: "refused", method: "REGISTER", sent: 1, most: 1000, handler: refuse},
	{name: "refused INVITE", method: "INVITE", sent: 1, most: 1000, handler: refuse},
	{name: "forwarded, not answered", method: "MESSAGE", sent: 1, most: 4000, handler: relay(to("UDP", calleeAt)).request},
	{name: "forwarded INVITE, not answered", method: "INVITE", sent: 2, most: 4000, handler: relay(to("UDP", calleeAt)).request},
}

func refuse(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(403, "") }

type flood struct {
	name, method string
	sent         int // messages for each request, which show that it is in work
	most         int // octets of a transaction
	handler      func(context.Context, *stack.Stack, *stack.ServerTransaction)
}

// BenchmarkFlood prints what a transaction costs in memory while a flood lasts.
func BenchmarkFlood(b *testing.B) {
	for _, f := range floods {
		b.Run(f.name, func(b *testing.B) {
			for range b.N {
				b.ReportMetric(f.octets(b, 20_000), "B/transaction")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func TestMemoryOfAFlood(t *testing.T) {
	for _, f := range floods {
		t.Run(f.name, func(t *testing.T) {
			if got := f.octets(t, 2_000); got > float64(wide*f.most) {
				t.Errorf("%.0f octets for each transaction, want %d at most", got, wide*f.most)
			}
		})
	}
}

// octets returns the memory of one transaction while this many requests are in work.
func (f flood) octets(t testing.TB, requests int) float64 {
	t.Helper()

	c := stack.DefaultConfig(stack.EndpointConfig{Name: "Mw", Address: proxyAt, Transports: []string{"udp"}})
	c.Timers.T1, c.Timers.T2 = time.Hour, time.Hour // nothing ends, and nothing is sent again
	c.Limits.MaxTransactions = 1 << 20

	network := &flooded{
		method:   f.method,
		requests: requests,
		trying:   f.sent > 1,
		begin:    make(chan struct{}),
		closed:   make(chan struct{}),
		done:     make(chan struct{}),
	}
	network.left.Store(int64(requests * f.sent))

	u, registry := &user{request: f.handler}, prometheus.NewRegistry()
	s, err := stack.New(c, u, stack.Options{Network: network, Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	u.stack = s

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()

	descriptors(requests)
	goroutines, before := runtime.NumGoroutine(), used()
	close(network.begin)

	select {
	case <-network.done:
	case <-time.After(time.Minute):
		t.Fatalf("%d messages have not been sent", network.left.Load())
	}

	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(end); {
		runtime.Gosched() // those that have sent their message are about to end
	}

	grown := used() - before + float64(max(0, runtime.NumGoroutine()-goroutines)*goroutineOctets)
	transactions := (&node{Stack: s, registry: registry}).value(t, "transactions")
	if transactions < float64(requests) {
		t.Fatalf("%v transactions of %d requests", transactions, requests)
	}

	return grown / transactions
}

// goroutineOctets is the cost of a live goroutine: its stack has at least 2 kB, and twice that once it has called anything. StackInuse
// would not do: the runtime keeps stacks of goroutines that have ended, and their number depends on the load of the machine.
const goroutineOctets = 4 << 10

// descriptors makes the runtime allocate the descriptors of this many goroutines. It never frees them, but reuses them: those of the
// flood then exist before it, however many of its goroutines run at a time.
func descriptors(goroutines int) {
	var running sync.WaitGroup

	all := make(chan struct{})
	for range goroutines {
		running.Go(func() { <-all })
	}

	close(all)
	running.Wait()
}

func used() float64 {
	runtime.GC()
	runtime.GC()

	var m runtime.MemStats
	runtime.ReadMemStats(&m)

	return float64(m.HeapAlloc)
}

// flooded is a network over which requests come as fast as they are read, and everything sent is lost.
type flooded struct {
	stack.Network
	method   string
	requests int
	trying   bool // 100 counts as sent
	begin    chan struct{}
	closed   chan struct{}
	left     atomic.Int64
	done     chan struct{}
	n        int
}

func (f *flooded) ListenPacket(context.Context, string) (stack.PacketConn, error) { return f, nil }

func (f *flooded) LocalAddr() net.Addr {
	return net.UDPAddrFromAddrPort(netip.MustParseAddrPort(proxyAt))
}

func (f *flooded) Close() error {
	close(f.closed)
	return nil
}

func (f *flooded) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	<-f.begin

	if f.n == f.requests {
		<-f.closed
		return 0, netip.AddrPort{}, net.ErrClosed
	}

	f.n++
	// A request of a handset's size.
	text := (&peer{address: netip.MustParseAddrPort(callerAt)}).text(f.method, "sip:b@example", strconv.Itoa(f.n),
		"Supported: 100rel, timer, precondition, path\r\nAllow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, MESSAGE, REFER, NOTIFY, INFO\r\n",
		"P-Preferred-Identity: <sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org>\r\nSession-Expires: 1800;refresher=uac\r\n",
		"P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000001\r\nUser-Agent: Benchmark\r\n",
		"Accept-Contact: *;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\"\r\n",
		"X-Padding: ", strings.Repeat("x", 600), "\r\n")

	return copy(b, text), netip.MustParseAddrPort(callerAt), nil
}

func (f *flooded) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) {
	if !f.trying && bytes.HasPrefix(b, []byte("SIP/2.0 100 ")) { // a slow machine sends some of them before the answer
		return len(b), nil
	}

	switch left := f.left.Add(-1); {
	case left == 0:
		close(f.done)
	case left < 0:
		return 0, errors.New("more is sent than should be")
	}

	return len(b), nil
}
