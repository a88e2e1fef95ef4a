package stack_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/nameserver"
)

func resolver(t *testing.T, servers ...string) *stack.Resolver {
	t.Helper()

	c := stack.DefaultResolverConfig()
	c.Servers, c.Timeout = servers, 200*time.Millisecond
	c.Hosts["static.example"] = []string{"192.0.2.80", "2001:db8::80"}

	r, err := stack.NewResolver(c)
	if err != nil {
		t.Fatal(err)
	}

	return r
}

func resolve(t *testing.T, r *stack.Resolver, uri string) (string, error) {
	t.Helper()

	u, err := sip.ParseURI(uri)
	if err != nil {
		t.Fatal(err)
	}

	targets, err := r.Resolve(t.Context(), u)
	all := make([]string, len(targets))
	for i, target := range targets {
		all[i] = target.Transport + " " + target.Addr.String()
	}

	return strings.Join(all, ", "), err
}

// TestResolve: RFC 3263 §4.1 and §4.2, against a DNS server.
func TestResolve(t *testing.T) {
	server := nameserver.Start(t,
		"full.example. 60 IN NAPTR 20 10 \"s\" \"SIP+D2U\" \"\" _sip._udp.full.example.",
		"full.example. 60 IN NAPTR 10 20 \"s\" \"SIP+D2T\" \"\" _sip._tcp.full.example.",
		"full.example. 60 IN NAPTR 10 10 \"s\" \"SIPS+D2T\" \"\" _sips._tcp.full.example.",
		"full.example. 60 IN NAPTR 10 5 \"u\" \"E2U+sip\" \"!^.*$!sip:x@full.example!\" .",
		"_sip._tcp.full.example. 60 IN SRV 2 0 5070 b.full.example.",
		"_sip._tcp.full.example. 60 IN SRV 1 0 5071 a.full.example.",
		"_sip._udp.full.example. 60 IN SRV 1 0 5072 dual.example.",
		"_sips._tcp.full.example. 60 IN SRV 1 0 5061 a.full.example.",
		"full.example. 60 IN A 192.0.2.9",
		"a.full.example. 60 IN A 192.0.2.1",
		"b.full.example. 60 IN A 192.0.2.2",
		"dual.example. 60 IN AAAA 2001:db8::3",
		"dual.example. 60 IN A 192.0.2.3",
		"six.example. 60 IN AAAA 2001:db8::4",
		"_sip._udp.srv.example. 60 IN SRV 1 0 5073 a.full.example.",
		"_sip._tcp.srv.example. 60 IN SRV 1 0 5074 alias.example.",
		"alias.example. 60 IN CNAME b.full.example.",
		"_sip._udp.no.example. 60 IN SRV 0 0 0 .",
		"_sip._tcp.no.example. 60 IN SRV 0 0 0 .",
		"no.example. 60 IN A 192.0.2.9",
		"_sip._udp.empty.example. 60 IN SRV 0 0 5060 nobody.example.",
		"empty.example. 60 IN A 192.0.2.9",
		"_sip._udp.part.example. 60 IN SRV 1 0 5060 nobody.example.",
		"_sip._udp.part.example. 60 IN SRV 2 0 5060 a.full.example.",
		"_sip._udp.own.example. 60 IN SRV 1 0 5060 static.example.",
		"half.example. 60 IN A 192.0.2.5",
		"plain.example. 60 IN A 192.0.2.6",
	)
	server.Deny("servfail.example", dns.RcodeServerFailure)
	server.Deny("_sip._tcp.plain.example", dns.RcodeServerFailure)
	server.Drop("silent.example")

	r := resolver(t, server.Address)

	tests := []struct {
		name, uri, want string
		none            bool // the host does not exist; else nobody can say
	}{
		{
			name: "§4.1 NAPTR: by order, then preference, what is spoken here", uri: "sip:full.example",
			want: "TCP 192.0.2.1:5071, TCP 192.0.2.2:5070, UDP 192.0.2.3:5072, UDP [2001:db8::3]:5072",
		},
		{name: "§4.1 transport: SRV of it alone", uri: "sip:full.example;transport=udp", want: "UDP 192.0.2.3:5072, UDP [2001:db8::3]:5072"},
		{name: "§4.1 a port: UDP, addresses", uri: "sip:full.example:5099", want: "UDP 192.0.2.9:5099"},
		{name: "§4.1 port and transport", uri: "sip:full.example:5099;transport=TCP", want: "TCP 192.0.2.9:5099"},
		{name: "§4.1 an address: UDP, the default port", uri: "sip:192.0.2.7", want: "UDP 192.0.2.7:5060"},
		{name: "§4.1 an address and a transport", uri: "sip:192.0.2.7;transport=tcp", want: "TCP 192.0.2.7:5060"},
		{name: "§4.2 an address and a port", uri: "sip:192.0.2.7:5099", want: "UDP 192.0.2.7:5099"},
		{name: "§4.2 of IPv6", uri: "sip:a@[2001:db8::7]:5099", want: "UDP [2001:db8::7]:5099"},
		{name: "§4 maddr", uri: "sip:full.example;maddr=192.0.2.8", want: "UDP 192.0.2.8:5060"},
		{name: "§4.1 no NAPTR: SRV of each transport", uri: "sip:srv.example", want: "UDP 192.0.2.1:5073, TCP 192.0.2.2:5074"},
		{name: "§4.2 no SRV: addresses, of IPv4 first", uri: "sip:dual.example", want: "UDP 192.0.2.3:5060, UDP [2001:db8::3]:5060"},
		{name: "§4.2 no SRV of this transport", uri: "sip:dual.example;transport=tcp", want: "TCP 192.0.2.3:5060, TCP [2001:db8::3]:5060"},
		{name: "IPv6 alone", uri: "sip:SIX.example.:5060", want: "UDP [2001:db8::4]:5060"},
		{name: "RFC 2782 the service is not there", uri: "sip:no.example", none: true},
		{name: "SRV whose target has no address", uri: "sip:empty.example", none: true},
		{name: "SRV one of whose targets has no address", uri: "sip:part.example", want: "UDP 192.0.2.1:5060"},
		{name: "SRV to a host of the configuration", uri: "sip:own.example;transport=udp", want: "UDP 192.0.2.80:5060, UDP [2001:db8::80]:5060"},
		{name: "a host of the configuration", uri: "sip:STATIC.example;transport=tcp", want: "TCP 192.0.2.80:5060, TCP [2001:db8::80]:5060"},
		{name: "no such host", uri: "sip:nobody.example", none: true},
		{name: "no such host, with a port", uri: "sip:nobody.example:5060", none: true},
		{name: "no host name", uri: "sip:a_b...example", none: true},
		{name: "the server fails", uri: "sip:servfail.example"},
		{name: "the server fails, with a port", uri: "sip:servfail.example:5060"},
		{name: "the server is silent", uri: "sip:silent.example:5060"},
		{name: "nobody can say whether there is SRV", uri: "sip:plain.example"},
		{name: "a transport that is not spoken", uri: "sip:full.example;transport=sctp", none: true},
		{name: "RFC 3261 §26.2.2 sips is not sent in clear", uri: "sips:full.example", none: true},
		{name: "tel", uri: "tel:+15550001", none: true},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := resolve(t, r, test.uri)
			if got != test.want || (err == nil) != (test.want != "") || errors.Is(err, stack.ErrNoTarget) != test.none {
				t.Errorf("%s is %q, %v; want %q", test.uri, got, err, test.want)
			}
		})
	}

	if n := server.Asked("full.example", "NAPTR"); n != 1 {
		t.Errorf("NAPTR was asked for %d times", n)
	}
}

// TestWeights: within a priority, each record is first as often as its weight says (RFC 2782).
func TestWeights(t *testing.T) {
	server := nameserver.Start(
		t,
		"_sip._udp.w.example. 60 IN SRV 1 3 5060 three.example.",
		"_sip._udp.w.example. 60 IN SRV 1 1 5060 one.example.",
		"_sip._udp.w.example. 60 IN SRV 1 0 5060 zero.example.",
		"_sip._udp.w.example. 60 IN SRV 0 0 5060 before.example.",
		"three.example. 60 IN A 192.0.2.3",
		"one.example. 60 IN A 192.0.2.1",
		"zero.example. 60 IN A 192.0.2.10",
		"before.example. 60 IN A 192.0.2.99",
	)
	r := resolver(t, server.Address)

	const draws = 4000

	second := map[string]int{}
	for range draws {
		targets, err := resolve(t, r, "sip:w.example;transport=udp")
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Split(targets, ", ")
		if len(all) != 4 || all[0] != "UDP 192.0.2.99:5060" {
			t.Fatalf("%s", targets)
		}
		second[all[1]]++
	}

	const share, deviations = 3 / 4.01, 6
	expected, deviation := draws*share, math.Sqrt(draws*share*(1-share))
	if got := float64(second["UDP 192.0.2.3:5060"]); math.Abs(got-expected) > deviations*deviation {
		t.Errorf("weight 3 of 4 came first %v times of %d", got, draws)
	}
	if got := second["UDP 192.0.2.10:5060"]; got > draws/40 {
		t.Errorf("weight 0 came first %d times of %d", got, draws)
	}
}

// TestFailoverOrder: the next target is tried when one fails, and the failed one is the last for some time (RFC 3263 §4.3).
func TestFailoverOrder(t *testing.T) {
	dead, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}) // takes everything, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()

	came := make(chan string, 10)
	alive := func(name string) *stack.Stack {
		return start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
			came <- name
			if name == "busy" {
				_ = tx.Reply(503, "", sip.NewHeader("Retry-After", "60"))
				return
			}
			_ = tx.Reply(200, "")
		}})
	}
	port := func(s *stack.Stack) uint16 { return s.Endpoint("Mw").Address().Port() }

	server := nameserver.Start(t,
		fmt.Sprintf("_sip._udp.f.example. 60 IN SRV 1 0 %d local.example.", dead.LocalAddr().(*net.UDPAddr).Port),
		fmt.Sprintf("_sip._udp.f.example. 60 IN SRV 2 0 %d local.example.", port(alive("busy"))),
		fmt.Sprintf("_sip._udp.f.example. 60 IN SRV 3 0 %d local.example.", port(alive("good"))),
		"local.example. 60 IN A 127.0.0.1",
	)
	caller := start(t, &user{}, func(c *stack.Config) {
		c.Resolver.Servers = []string{server.Address}
		c.Timers.T1, c.Timers.T2 = 5*time.Millisecond, 20*time.Millisecond
	})

	for _, want := range []string{"busy good", "good"} {
		r, err := caller.Do(t.Context(), request(t, "OPTIONS", "sip:b@f.example;transport=udp", nil), stack.Destination{})
		if err != nil || r.StatusCode != 200 {
			t.Fatalf("%v %v", r, err)
		}

		var all []string
		for len(came) > 0 {
			all = append(all, <-came)
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("the request came to %q, want %q", got, want)
		}
	}
}

// TestAvoidance: a target that failed is avoided for a time, not for ever, and never if there is no other.
func TestAvoidance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resolver(t, "192.0.2.53:53")
		u, err := sip.ParseURI("sip:static.example")
		if err != nil {
			t.Fatal(err)
		}

		order := func(want string) {
			t.Helper()
			if got, err := resolve(t, r, "sip:static.example"); err != nil || got != want {
				t.Errorf("%s, %v; want %s", got, err, want)
			}
		}
		const v4, v6 = "UDP 192.0.2.80:5060", "UDP [2001:db8::80]:5060"

		order(v4 + ", " + v6)
		targets, _ := r.Resolve(t.Context(), u)
		r.MarkFailed(targets[0])
		order(v6 + ", " + v4)
		time.Sleep(2*time.Minute - time.Millisecond)
		order(v6 + ", " + v4)
		time.Sleep(time.Millisecond)
		order(v4 + ", " + v6)
		r.MarkFailed(targets[0])
		r.MarkFailed(targets[1])
		order(v4 + ", " + v6)
	})
}

// TestFamiliesOfTargets: a request goes to the addresses that an endpoint reaches.
func TestFamiliesOfTargets(t *testing.T) {
	callee := start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(200, "") }}, six)
	both := func(c *stack.Config) {
		six(c)
		c.Resolver.Hosts["both.example"] = []string{"127.0.0.1", "::1"}
		c.Resolver.Hosts["four.example"] = []string{"127.0.0.1"}
	}
	caller := start(t, &user{}, both)
	port := callee.Endpoint("Mw").Address().Port()

	begin := time.Now()
	r, err := caller.Do(t.Context(), request(t, "OPTIONS", fmt.Sprintf("sip:b@both.example:%d", port), nil), stack.Destination{})
	if err != nil || r.StatusCode != 200 || stack.Local(r) || time.Since(begin) > 3*time.Second {
		t.Errorf("%v %v", r, err)
	}

	if r, err := caller.Do(
		t.Context(),
		request(t, "OPTIONS", fmt.Sprintf("sip:b@four.example:%d", port), nil),
		stack.Destination{},
	); err == nil {
		t.Errorf("an endpoint of IPv6 reaches IPv4: %v", r)
	}
}

func TestResolverIsChecked(t *testing.T) {
	for setting, spoil := range map[string]func(*stack.ResolverConfig){
		"sip.resolver: timeout":              func(c *stack.ResolverConfig) { c.Timeout = 0 },
		"sip.resolver.servers":               func(c *stack.ResolverConfig) { c.Servers = []string{"192.0.2.53"} },
		"sip.resolver.hosts: pcscf.example:": func(c *stack.ResolverConfig) { c.Hosts["pcscf.example"] = []string{"localhost"} },
	} {
		c := stack.DefaultConfig()
		spoil(&c.Resolver)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), setting) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
