//go:build esp

// Package ipsec tests IPsec between handset and P-CSCF (TS 33.203) on a kernel that has ESP: the five functions as they are
// built and run, handsets in a network namespace of their own, and what passes between the two.
package ipsec

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
	"github.com/dialtone-ims/dialtone/ue/namespace"
)

const (
	handsets = namespace.Network("handsets") // where they are
	gm4      = "192.0.2.1"                   // the P-CSCF's, and the handsets' behind them (RFC 5737, RFC 3849)
	gm6      = "2001:db8::1"
)

func TestMain(m *testing.M) {
	for _, line := range []string{
		"ip netns add handsets",
		"ip link add gm type veth peer name gm netns handsets",
		"ip address add 192.0.2.1/24 dev gm",
		"ip -6 address add 2001:db8::1/64 dev gm nodad",
		"ip link set gm up",
		"ip -n handsets link set lo up",
		"ip -n handsets link set gm up",
	} {
		if err := run(line); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}

	network.Main(m)
}

func run(line string) error {
	words := strings.Fields(line)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", line, err, out)
	}

	return nil
}

// core starts the five functions with Gm on the link to the handsets.
func core(t *testing.T, environment ...string) *network.Network {
	return network.Start(t, append([]string{
		`DIALTONE_PCSCF_SIP_ENDPOINTS=[{name: Mw, address: "127.0.0.10:5070", transports: [udp, tcp]}, ` +
			`{name: Gm, address: "` + gm4 + `:5060", transports: [udp, tcp]}, {name: Gm6, address: "[` + gm6 + `]:5060", transports: [udp, tcp]}]`,
		"DIALTONE_PCSCF_IPSEC_LINGER=1s",
	}, environment...)...)
}

// secured gives a handset an address on the link and IPsec.
func secured(t *testing.T, six bool, change func(*handset.Config)) func(*handset.Config) {
	return func(c *handset.Config) {
		last := netip.MustParseAddrPort(c.Address.String()).Addr().As4()[3]
		address, proxy := netip.AddrFrom4([4]byte{192, 0, 2, 100 + last}), netip.MustParseAddrPort(gm4+":5060")
		bits := 24

		if six {
			address, proxy, bits = netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", 100+int(last))), netip.MustParseAddrPort("["+gm6+"]:5060"), 64
		}

		line := fmt.Sprintf("ip -n handsets address replace %s/%d dev gm", address, bits)
		if six {
			line += " nodad"
		}

		if err := run(line); err != nil {
			t.Fatal(err)
		}

		kernel, err := ipsec.Open(ipsec.Options{Role: ipsec.UE, Namespace: string(handsets)})
		if err != nil {
			t.Fatal(err)
		}

		t.Cleanup(func() { kernel.Close() })

		c.Address, c.Proxy, c.Network = netip.AddrPortFrom(address, 5060), proxy, handsets
		c.Security = &handset.Security{
			Kernel: kernel, Suites: []ipsec.Suite{{Integrity: ipsec.HMACSHA1, Encryption: ipsec.AESCBC}}, ClientPort: 31000, ServerPort: 31500, Linger: time.Second,
		}

		if change != nil {
			change(c)
		}
	}
}

// xfrm is what the kernels on both sides have, as ip(8) lists it.
func xfrm(t *testing.T, what string) (core, handsets string) {
	t.Helper()

	a, err := exec.Command("ip", "-s", "xfrm", what).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, a)
	}

	b, err := exec.Command("ip", "-n", "handsets", "-s", "xfrm", what).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, b)
	}

	return string(a), string(b)
}

func TestCall(t *testing.T) {
	n := core(t)
	alice, bob := n.Subscribe(1000, ""), n.Subscribe(0, "")
	a, b := n.Registered(alice, secured(t, false, nil)), n.Registered(bob, secured(t, false, nil))
	answered := n.Answering(b)

	call, err := a.Dial(t.Context(), bob.Tel())
	if err != nil {
		t.Fatal(err)
	}

	<-answered

	if err := call.HangUp(t.Context()); err != nil {
		t.Fatal(err)
	}

	x, y := xfrm(t, "state")
	_, _ = x, y
}
