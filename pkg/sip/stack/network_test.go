package stack

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// TestConnectionFromTheListenersPort: a connection that the P-CSCF opens leaves from its protected port, on which it listens as well (TS
// 33.203 §7.1).
func TestConnectionFromTheListenersPort(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()

	peer, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()

	stack, err := New(
		DefaultConfig(EndpointConfig{Name: "Gm", Address: "127.0.0.1:0", Transports: []string{"udp", "tcp"}, FixedPort: true}),
		nil,
		Options{},
	)
	if err != nil {
		t.Fatal(err)
	}
	defer stack.close()

	e := stack.Endpoint("Gm")

	remote := peer.Addr().(*net.TCPAddr).AddrPort()
	if _, err := e.stream(ctx, Flow{Remote: remote}); err != nil {
		t.Fatal(err)
	}

	conn, err := peer.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	if got := conn.RemoteAddr().(*net.TCPAddr).AddrPort(); got != e.Address() {
		t.Errorf("the connection comes from %s, not from the endpoint's %s", got, e.Address())
	}

	// And still others may connect to it.
	in, err := (Machine{}).Dial(ctx, netip.AddrPortFrom(e.Address().Addr(), 0), e.Address())
	if err != nil {
		t.Fatal(err)
	}
	in.Close()

	e.Disconnect(remote)

	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}

	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) || e.connected(remote) != nil {
		t.Errorf("a connection that is ended: %v", err)
	}

	stack.RemoveEndpoint(e)

	if stack.Endpoint("Gm") != nil {
		t.Error("a removed endpoint is still found")
	}

	if _, err := (Machine{}).Dial(ctx, netip.AddrPortFrom(e.Address().Addr(), 0), e.Address()); err == nil {
		t.Error("a removed endpoint still takes connections")
	}
}
