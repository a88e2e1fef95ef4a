//go:build esp

package ipsec

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

const tag = 0xd1a1

// ends are the two ends of a set, and the sockets between its ports.
type ends struct {
	*testing.T
	set       ipsec.Set
	core, far *ipsec.Kernel
}

func kernels(t *testing.T) (core, far *ipsec.Kernel) {
	t.Helper()

	core, err := ipsec.Open(ipsec.Options{Role: ipsec.PCSCF, Tag: tag})
	if err != nil {
		t.Fatal(err)
	}

	far, err = ipsec.Open(ipsec.Options{Role: ipsec.UE, Tag: tag, Namespace: string(handsets)})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { core.Close(); far.Close() })

	return core, far
}

// between makes a set on both sides, the nth of the test.
func between(t *testing.T, suite ipsec.Suite, six bool, n int) *ends {
	t.Helper()

	core, far := kernels(t)
	e := &ends{T: t, core: core, far: far, set: ipsec.Set{
		UE: netip.MustParseAddr("192.0.2.200"), PCSCF: netip.MustParseAddr(gm4), Suite: suite, ReqID: tag<<16 + uint32(n),
		IK: [16]byte([]byte("0123456789abcdef")), CK: [16]byte([]byte("fedcba9876543210")),
		Ports: ipsec.Ports{
			UEClient:    uint16(20000 + n),
			UEServer:    uint16(21000 + n),
			PCSCFClient: uint16(22000 + n),
			PCSCFServer: uint16(23000 + n),
		},
	}}
	line := "ip -n handsets address replace 192.0.2.200/24 dev gm"

	if six {
		e.set.UE, e.set.PCSCF = netip.MustParseAddr("2001:db8::200"), netip.MustParseAddr(gm6)
		line = "ip -n handsets -6 address replace 2001:db8::200/64 dev gm nodad"
	}

	if err := run(line); err != nil {
		t.Fatal(err)
	}

	for _, spi := range []*uint32{&e.set.SPIs.UEClient, &e.set.SPIs.UEServer, &e.set.SPIs.PCSCFClient, &e.set.SPIs.PCSCFServer} {
		var err error
		if *spi, err = core.AllocateSPI(e.set.UE, e.set.PCSCF); err != nil {
			t.Fatal(err)
		}
	}

	for _, k := range []*ipsec.Kernel{core, far} {
		if err := k.Install(e.set, time.Minute); err != nil {
			t.Fatal(err)
		}
	}

	t.Cleanup(func() {
		if err := errors.Join(core.Remove(e.set), far.Remove(e.set)); err != nil {
			t.Error(err)
		}
	})

	return e
}

func (e *ends) at(a netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(a, port) }

// udp opens a socket of one side.
func (e *ends) udp(network stack.Network, address netip.AddrPort) stack.PacketConn {
	e.Helper()

	c, err := network.ListenPacket(e.Context(), address.String())
	if err != nil {
		e.Fatal(err)
	}

	e.Cleanup(func() { c.Close() })

	return c
}

func (e *ends) listen(network stack.Network, address netip.AddrPort) net.Listener {
	e.Helper()

	l, err := network.Listen(e.Context(), address.String(), true)
	if err != nil {
		e.Fatal(err)
	}

	e.Cleanup(func() { l.Close() })

	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}

			go func() { _, _ = io.Copy(c, c); c.Close() }()
		}
	}()

	return l
}

// says sends from one socket and wants it at another.
func (e *ends) says(from, to stack.PacketConn, source, destination netip.AddrPort, text string) {
	e.Helper()

	if _, err := from.WriteToUDPAddrPort([]byte(text), destination); err != nil {
		e.Fatal(err)
	}

	e.hears(to, source, text)
}

func (e *ends) hears(at stack.PacketConn, source netip.AddrPort, text string) {
	e.Helper()

	_ = at.(*net.UDPConn).SetReadDeadline(time.Now().Add(5 * time.Second))
	buffer := make([]byte, 2000)

	n, from, err := at.ReadFromUDPAddrPort(buffer)
	if err != nil {
		e.Fatalf("%q does not come: %v", text, err)
	}

	if from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port()); string(buffer[:n]) != text || from != source {
		e.Fatalf("%q comes from %s, want %q from %s", buffer[:n], from, text, source)
	}
}

// echo goes over a connection and back.
func (e *ends) echo(network stack.Network, local, remote netip.AddrPort) {
	e.Helper()

	c, err := network.Dial(e.Context(), local, remote)
	if err != nil {
		e.Fatal(err)
	}
	defer c.Close()

	text := strings.Repeat("0123456789", 300) // more than a packet holds
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))

	if _, err := io.WriteString(c, text); err != nil {
		e.Fatal(err)
	}

	back := make([]byte, len(text))
	if _, err := io.ReadFull(c, back); err != nil || string(back) != text {
		e.Fatalf("%v", err)
	}
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()

	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()

	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}
