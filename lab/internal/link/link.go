// Package link connects two network namespaces of the lab's own by a wire: the core at one end, the handsets at the other. IPsec needs one,
// because it does not apply to the loopback interface.
package link

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/dialtone-ims/dialtone/ue/namespace"
)

// Device is the wire's name at either end.
const Device = "gm"

// Link is one wire. Its namespaces have names, as in `ip netns`.
type Link struct {
	Core, Handsets namespace.Network
}

// Numbered returns the link of this number, whether it exists or not.
func Numbered(n int) *Link {
	return &Link{Core: namespace.Network(fmt.Sprintf("dialtone-core-%d", n)), Handsets: namespace.Network(fmt.Sprintf("dialtone-ue-%d", n))}
}

// Make creates the namespaces and the wire. It needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
func (l *Link) Make(core, handsets []netip.Prefix) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("a network of the lab's own: %w", err), l.Close())
		}
	}()

	for _, name := range []namespace.Network{l.Core, l.Handsets} {
		if err := create(string(name)); err != nil {
			return err
		}
	}

	far, err := netns.GetFromName(string(l.Handsets))
	if err != nil {
		return err
	}
	defer far.Close()

	wire := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: Device}, PeerName: Device, PeerNamespace: netlink.NsFd(far)}
	if err := l.Core.Do(func() error { return netlink.LinkAdd(wire) }); err != nil {
		return err
	}

	return errors.Join(
		l.Core.Do(func() error { return up(core) }),
		l.Handsets.Do(func() error { return up(handsets) }),
	)
}

// create creates a namespace; its thread returns to its former namespace, or ends.
func create(name string) error {
	runtime.LockOSThread()

	origin, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer origin.Close()

	made, err := netns.NewNamed(name)
	if err == nil {
		made.Close()
	}

	if netns.Set(origin) == nil {
		runtime.UnlockOSThread()
	}

	return err
}

// up brings this end of the wire up, with its addresses, and the loopback interface.
func up(addresses []netip.Prefix) error {
	for _, name := range []string{"lo", Device} {
		device, err := netlink.LinkByName(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}

		for _, address := range addresses {
			if name != Device {
				break
			}

			a, err := netlink.ParseAddr(address.String())
			if err != nil {
				return err
			}

			if err := netlink.AddrAdd(device, a); err != nil {
				return fmt.Errorf("%s: %w", address, err)
			}
		}

		if err := netlink.LinkSetUp(device); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}

	return nil
}

// Start starts a command at the core's end.
func (l *Link) Start(command *exec.Cmd) error { return l.Core.Do(command.Start) }

// Close removes the namespaces, and with them the wire and all associations.
func (l *Link) Close() error {
	var failed error

	for _, name := range []namespace.Network{l.Core, l.Handsets} {
		if err := netns.DeleteNamed(string(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", name, err))
		}
	}

	return failed
}
