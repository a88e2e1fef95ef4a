package stack

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TestResponseByAnotherFlow: a request to the protected server port is answered from the client port, to the handset's server port,
// whatever rport or the Via say (TS 33.203 §7.1).
func TestResponseByAnotherFlow(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()

	socket := func() *net.UDPConn {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })

		return c
	}
	client, server := socket(), socket()

	stack, err := New(DefaultConfig(
		EndpointConfig{Name: "client", Address: "127.0.0.1:0", Transports: []string{"udp"}},
		EndpointConfig{Name: "server", Address: "127.0.0.1:0", Transports: []string{"udp"}},
	), answering{}, Options{})
	if err != nil {
		t.Fatal(err)
	}

	from, to := stack.Endpoint("client"), server.LocalAddr().(*net.UDPAddr).AddrPort()
	stack.Endpoint("server").ReplyBy(func(f Flow) Flow {
		f.Endpoint, f.Local, f.Remote = from, from.Address(), to
		return f
	})

	go func() { _ = stack.Run(ctx) }()

	request := strings.ReplaceAll(`OPTIONS sip:a@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP `+client.LocalAddr().String()+`;branch=z9hG4bKx;rport
From: <sip:b@127.0.0.1>;tag=1
To: <sip:a@127.0.0.1>
Call-ID: x
CSeq: 1 OPTIONS
Max-Forwards: 70
Content-Length: 0

`, "\n", "\r\n")
	if _, err := client.WriteToUDPAddrPort([]byte(request), stack.Endpoint("server").Address()); err != nil {
		t.Fatal(err)
	}

	_ = server.SetReadDeadline(time.Now().Add(5 * time.Second))
	buffer := make([]byte, 2000)

	n, source, err := server.ReadFromUDPAddrPort(buffer)
	if err != nil {
		t.Fatal(err)
	}

	if !strings.HasPrefix(string(buffer[:n]), "SIP/2.0 200 ") || source != from.Address() {
		t.Errorf("from %s came %q", source, buffer[:n])
	}
}

type answering struct{}

func (answering) HandleRequest(_ context.Context, tx *ServerTransaction) { _ = tx.Reply(200, "") }
func (answering) HandleAck(context.Context, *Ack)                        {}

// TestFlowBetweenProtectedPorts: a flow of protected ports names the server port to the other side, and a large request may go over TCP.
func TestFlowBetweenProtectedPorts(t *testing.T) {
	client, server := &Endpoint{
		address: netip.MustParseAddrPort("192.0.2.1:6100"),
	}, &Endpoint{
		address: netip.MustParseAddrPort("192.0.2.1:6101"),
	}
	flow := Flow{Endpoint: client, Server: server, Transport: "UDP", Remote: netip.MustParseAddrPort("192.0.2.2:6101"), TakesTCP: true}

	r, err := sip.NewRequest("MESSAGE", "sip:a@192.0.2.2:6101")
	if err != nil {
		t.Fatal(err)
	}

	stack := &Stack{config: DefaultConfig(), resolver: &Resolver{}}

	first := func() string {
		ways, err := stack.ways(t.Context(), r, Destination{Flow: &flow})
		if err != nil {
			t.Fatal(err)
		}

		_, _, f, left := stack.address(r, ways, sip.NewBranch())

		return f.Transport + " " + strconv.Itoa(len(left))
	}

	if got := first(); got != "UDP 0" {
		t.Errorf("a small request goes by %s", got)
	}

	r.SetBody([]byte(strings.Repeat("x", 1300)))

	if got := first(); got != "TCP 1" {
		t.Errorf("a large request goes by %s", got)
	}

	if via := withVia(r, flow, sip.NewBranch()).Via(); via.Port != 6101 {
		t.Errorf("Via names port %d", via.Port)
	}
}
