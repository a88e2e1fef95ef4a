package stack_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/pkg/trace"
)

// TestEndpointsAreChecked: an endpoint at all addresses of the machine must say at which one it is reached.
func TestEndpointsAreChecked(t *testing.T) {
	tests := []struct{ name, address, advertise, refusal string }{
		{"one address", "192.0.2.1:5060", "", ""},
		{"one of IPv6", "[2001:db8::1]:5060", "", ""},
		{"all of IPv4", "0.0.0.0:5060", "", "set advertise"},
		{"all of IPv6", "[::]:5060", "", "set advertise"},
		{"all", ":5060", "", "set advertise"},
		{"all, and one is told", "0.0.0.0:5060", "192.0.2.1", ""},
		{"with a port", "0.0.0.0:5060", "192.0.2.1:6060", ""},
		{"of IPv6", "[::]:5060", "2001:db8::1", ""},
		{"of IPv6 with a port", "[::]:5060", "[2001:db8::1]:6060", ""},
		{"behind an address translation", "10.0.0.1:5060", "192.0.2.1", ""},
		{"of another IP version", "0.0.0.0:5060", "2001:db8::1", "not of the IP version"},
		{"of another IP version, the other way", "[::]:5060", "192.0.2.1", "not of the IP version"},
		{"all are told", "0.0.0.0:5060", "0.0.0.0", "nobody's address"},
		{"a name is told", "0.0.0.0:5060", "pcscf.example", "advertise"},
		{"no port", "192.0.2.1", "", "address"},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := stack.DefaultConfig(stack.EndpointConfig{Name: "Mw", Address: test.address, Advertise: test.advertise, Transports: []string{"udp"}})

			switch err := c.Validate(); {
			case test.refusal == "" && err != nil:
				t.Error(err)
			case test.refusal != "" && (err == nil || !strings.Contains(err.Error(), test.refusal) ||
				!strings.Contains(err.Error(), "sip.endpoints: Mw: a")):
				t.Errorf("%v, want %q", err, test.refusal)
			}
		})
	}
}

// TestAdvertisedAddress: the advertised address stands in Via, Record-Route and Contact, and is recognised in Route.
func TestAdvertisedAddress(t *testing.T) {
	for _, test := range []struct{ all, told string }{{"0.0.0.0:0", "127.0.0.1"}, {"[::]:0", "::1"}} {
		for _, transport := range []string{"udp", "tcp"} {
			t.Run(test.told+" "+transport, func(t *testing.T) {
				told := netip.MustParseAddr(test.told)
				at := func(c *stack.Config) {
					c.Endpoints[0].Address, c.Endpoints[0].Advertise = test.all, test.told
				}

				came := make(chan [2]string, 1)

				callee := start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
					came <- [2]string{tx.Request().Via().Value(), sip.Value(tx.Request(), "Record-Route")}
					_ = tx.Reply(200, "")
				}}, at)
				proxy, caller := start(t, relay(nil), at), start(t, &user{}, at)

				address := proxy.Endpoint("Mw").Address()
				if address.Addr() != told || address.Port() == 0 {
					t.Fatalf("the address is %s", address)
				}

				r, err := caller.Do(t.Context(), request(t, "INVITE", uri(callee, "bob", transport), proxy), stack.Destination{})
				if err != nil || r.StatusCode != 200 {
					t.Fatalf("%v %v", r, err)
				}

				got := <-came
				via, record := got[0], got[1]

				if want := "SIP/2.0/" + strings.ToUpper(transport) + " " + address.String() + ";"; !strings.HasPrefix(via, want) {
					t.Errorf("Via is %q, want %q", via, want)
				}
				if want := "<sip:" + address.String() + ";lr>"; record != want {
					t.Errorf("Record-Route is %q, want %q", record, want)
				}
			})
		}
	}
}

// TestEndpointsThatAreAdded: an endpoint added before the stack runs is served once, and one added after its end not at all.
func TestEndpointsThatAreAdded(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		u := &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(200, "") }}
		c := stack.DefaultConfig()
		s, err := stack.New(c, u, stack.Options{Network: n})
		if err != nil {
			t.Fatal(err)
		}

		add := func(port int) error {
			_, err := s.AddEndpoint(
				stack.EndpointConfig{Name: fmt.Sprint(port), Address: fmt.Sprint("192.0.2.2:", port), Transports: []string{"udp", "tcp"}},
			)
			return err
		}
		asks := func(from string, port int) {
			t.Helper()
			p := n.peer(t, from)
			p.Raw(fmt.Sprint("192.0.2.2:", port), p.text("OPTIONS", "sip:b@example", from))
			p.response(200)
		}

		if err := add(5060); err != nil {
			t.Fatal(err)
		}
		if n.Readers() != 0 {
			t.Error("it is read from before the stack runs")
		}

		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		asks("192.0.2.8:5060", 5060)

		if err := add(5070); err != nil {
			t.Fatal(err)
		}
		asks("192.0.2.9:5060", 5070)

		if got := n.Readers(); got != 2 {
			t.Errorf("%d goroutines read from 2 sockets", got)
		}

		if _, err := s.AddEndpoint(stack.EndpointConfig{Name: "all", Address: "0.0.0.0:5080", Transports: []string{"udp"}}); err == nil {
			t.Error("an endpoint at all addresses is taken")
		}

		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}

		if err := add(5090); err == nil || s.Endpoint("5090") != nil {
			t.Error("the stack has ended, and takes endpoints")
		}
		if _, err := n.ListenPacket(t.Context(), "192.0.2.2:5090"); err != nil {
			t.Error("its socket is left open")
		}
	})
}

// TestTraceOfConnections: a trace shows the port of the connection, not the one that its endpoint listens on.
func TestTraceOfConnections(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		n.stack(t, calleeAt, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(200, "") }})

		var ways []string

		s, err := stack.New(
			stack.DefaultConfig(stack.EndpointConfig{Name: "Mw", Address: callerAt, Transports: []string{"udp", "tcp"}}),
			&user{},
			stack.Options{
				Network: n, Tap: func(m trace.Message) { ways = append(ways, m.Local.String()+" "+m.Remote.String()) },
			},
		)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = s.Run(ctx) }()

		for range 2 {
			if r, err := s.Do(t.Context(), request(t, "OPTIONS", "sip:b@"+calleeAt+";transport=tcp", nil), stack.Destination{}); err != nil ||
				r.StatusCode != 200 {
				t.Fatalf("%v %v", r, err)
			}
		}
		cancel()
		<-done

		want := "192.0.2.9:40000 " + calleeAt
		if got := strings.Join(ways, ", "); got != strings.Join([]string{want, want, want, want}, ", ") {
			t.Errorf("traced: %s", got)
		}
	})
}
