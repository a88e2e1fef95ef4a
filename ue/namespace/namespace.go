// Package namespace gives a handset its own network on this machine: a network namespace, as `ip netns` makes it (network_namespaces(7)).
// IPsec needs one, because it does not apply to the loopback interface.
package namespace

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"

	"github.com/vishvananda/netns"

	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Network opens the sockets of a SIP stack in the namespace of this name.
type Network string

// ListenPacket opens a UDP socket there.
func (n Network) ListenPacket(ctx context.Context, address string) (c stack.PacketConn, err error) {
	err = n.Do(func() error {
		c, err = stack.Machine{}.ListenPacket(ctx, address)
		return err
	})

	return c, err
}

// Listen opens a TCP socket there.
func (n Network) Listen(ctx context.Context, address string, shared bool) (l net.Listener, err error) {
	err = n.Do(func() error {
		l, err = stack.Machine{}.Listen(ctx, address, shared)
		return err
	})

	return l, err
}

// Dial opens a connection from there.
func (n Network) Dial(ctx context.Context, local, remote netip.AddrPort) (c net.Conn, err error) {
	err = n.Do(func() error {
		c, err = stack.Machine{}.Dial(ctx, local, remote)
		return err
	})

	return c, err
}

// Do calls f with its thread in the namespace. What f opens stays there; goroutines that it starts do not.
func (n Network) Do(f func() error) error {
	runtime.LockOSThread()

	origin, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("namespace: %w", err)
	}
	defer origin.Close()

	target, err := netns.GetFromName(string(n))
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("namespace %s: %w", string(n), err)
	}
	defer target.Close()

	if err := netns.Set(target); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("namespace %s: %w", string(n), err)
	}

	failed := f()

	// A thread that cannot go back stays locked, and ends with its goroutine.
	if err := netns.Set(origin); err == nil {
		runtime.UnlockOSThread()
	}

	return failed
}
