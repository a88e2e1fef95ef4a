//go:build esp

package ipsec

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
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
	network.Apart()

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

// gm puts the P-CSCF on the link to the handsets.
const gm = `DIALTONE_PCSCF_SIP_ENDPOINTS=[{name: Mw, address: "127.0.0.10:5070", transports: [udp, tcp]}, ` +
	`{name: Gm, address: "` + gm4 + `:5060", transports: [udp, tcp]}, {name: Gm6, address: "[` + gm6 + `]:5060", transports: [udp, tcp]}]`

const linger = "DIALTONE_PCSCF_IPSEC_LINGER=1s"

// core starts the five functions with Gm on the link to the handsets.
func core(t *testing.T, environment ...string) *network.Network {
	t.Cleanup(func() { // after the handsets are closed
		for _, line := range []string{"ip -n handsets xfrm state", "ip -n handsets xfrm policy"} {
			words := strings.Fields(line)
			if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%s: %v; the handsets leave\n%s", line, err, out)
			}
		}
	})

	return network.Start(t, append([]string{gm, linger}, environment...)...)
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
			Kernel: &recording{
				Kernel: kernel,
			},
			Suites:     []ipsec.Suite{{Integrity: ipsec.HMACSHA1, Encryption: ipsec.AESCBC}},
			ClientPort: 31000,
			ServerPort: 31500,
			Linger:     time.Second,
		}

		if change != nil {
			change(c)
		}
	}
}

// recording remembers the sets that a handset had installed, keys and all.
type recording struct {
	*ipsec.Kernel
	mu   sync.Mutex
	sets []ipsec.Set
}

func (r *recording) Install(s ipsec.Set, life time.Duration) error {
	r.mu.Lock()
	r.sets = append(r.sets, s)
	r.mu.Unlock()

	return r.Kernel.Install(s, life)
}

// last is the newest set of a handset.
func last(c *handset.Config) ipsec.Set {
	r := c.Security.Kernel.(*recording)
	r.mu.Lock()
	defer r.mu.Unlock()

	return r.sets[len(r.sets)-1]
}

// gauge is a metric of the P-CSCF.
func gauge(n *network.Network, name string) (sum float64) {
	n.Helper()

	for line := range strings.Lines(n.Metrics("pcscf")) {
		if strings.HasPrefix(line, name) {
			value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:]), 64)
			if err != nil {
				n.Fatal(err)
			}

			sum += value
		}
	}

	return sum
}

const (
	setsOf      = `dialtone_pcscf_security_association_sets{state="%s"}`
	retransmits = "dialtone_sip_retransmissions_total"

	establishedSets = `dialtone_pcscf_sec_agree_total{outcome="established"}`
)

// sets are those of the P-CSCF in each state of their life.
func sets(n *network.Network) string {
	n.Helper()

	var all []string

	for _, state := range []string{"temporary", "established", "replaced", "ending"} {
		if count := gauge(n, fmt.Sprintf(setsOf, state)); count > 0 {
			all = append(all, fmt.Sprintf("%s %v", state, count))
		}
	}

	return strings.Join(all, ", ")
}

// dropped are the kernel's counters of what it dropped, for IPsec and at the sockets, on both sides.
func dropped(t *testing.T) string {
	t.Helper()

	var all strings.Builder

	for _, side := range []string{"", "ip netns exec handsets "} {
		words := strings.Fields(side + "grep -hE [1-9][0-9]*$ /proc/net/xfrm_stat")
		out, _ := exec.Command(words[0], words[1:]...).Output() // nothing is found where nothing was dropped
		all.Write(out)

		words = strings.Fields(side + "grep -h Udp: /proc/net/snmp")
		if out, err := exec.Command(words[0], words[1:]...).Output(); err != nil {
			t.Error(err)
		} else {
			all.Write(out)
		}
	}

	return all.String()
}
