package stack

import (
	"context"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Network opens the sockets of endpoints: in the machine's network, in another network namespace, or in a test's network.
type Network interface {
	// ListenPacket opens a UDP socket at ip:port.
	ListenPacket(ctx context.Context, address string) (PacketConn, error)
	// Listen opens a TCP socket at ip:port. When the port is shared, Dial may leave from it as well.
	Listen(ctx context.Context, address string, shared bool) (net.Listener, error)
	// Dial opens a TCP connection. It leaves from local's port unless that is 0.
	Dial(ctx context.Context, local, remote netip.AddrPort) (net.Conn, error)
}

// PacketConn is the part of a UDP socket that an endpoint uses.
type PacketConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	LocalAddr() net.Addr
	Close() error
}

// Machine is the network of this machine.
type Machine struct{}

// ListenPacket opens a UDP socket, with a buffer for bursts.
func (Machine) ListenPacket(ctx context.Context, address string) (PacketConn, error) {
	socket, err := (&net.ListenConfig{}).ListenPacket(ctx, family("udp", address), address)
	if err != nil {
		return nil, err
	}

	udp := socket.(*net.UDPConn)
	_ = udp.SetReadBuffer(socketBuffer) // the kernel may give less; then bursts are lost sooner
	_ = udp.SetWriteBuffer(socketBuffer)

	return udp, nil
}

// Listen opens a TCP listener.
func (Machine) Listen(ctx context.Context, address string, shared bool) (net.Listener, error) {
	var config net.ListenConfig
	if shared {
		config.Control = share
	}

	return config.Listen(ctx, family("tcp", address), address)
}

// family returns the network name that makes 0.0.0.0 mean all addresses of IPv4 and :: all of IPv6; to package net, either means both.
func family(network, address string) string {
	host, _, _ := net.SplitHostPort(address)

	switch ip, err := netip.ParseAddr(host); {
	case err != nil || !ip.IsUnspecified():
		return network
	case ip.Is4():
		return network + "4"
	default:
		return network + "6"
	}
}

// Dial opens a TCP connection.
func (Machine) Dial(ctx context.Context, local, remote netip.AddrPort) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(local)}
	if local.Port() != 0 {
		dialer.Control = share
	}

	return dialer.DialContext(ctx, "tcp", remote.String())
}

// share lets a listener and the connections that leave from its port exist side by side. Linux binds a port twice while one socket
// listens only with SO_REUSEPORT on both (socket(7)); without that need a port stays its listener's alone, so that a second process at
// the same address gets an error.
func share(_, _ string, c syscall.RawConn) error {
	var failed error
	if err := c.Control(func(fd uintptr) {
		if failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); failed == nil {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}
	}); err != nil {
		return err
	}

	return failed
}
