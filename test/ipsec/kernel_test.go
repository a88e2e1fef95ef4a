//go:build esp

package ipsec

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// TS 33.203 §7.1: each suite, over both families, UDP and TCP, through all four associations.
func TestSuites(t *testing.T) {
	for i, suite := range ipsec.Suites {
		for _, six := range []bool{false, true} {
			name := suite.String() + " IPv4"
			if six {
				name = suite.String() + " IPv6"
			}

			t.Run(name, func(t *testing.T) {
				e := between(t, suite, six, i+1)
				p := e.set.Ports
				uc, us := e.at(e.set.UE, p.UEClient), e.at(e.set.UE, p.UEServer)
				pc, ps := e.at(e.set.PCSCF, p.PCSCFClient), e.at(e.set.PCSCF, p.PCSCFServer)

				e.says(e.udp(handsets, uc), e.udp(stack.Machine{}, ps), uc, ps, "request of the handset")
				e.says(e.udp(stack.Machine{}, pc), e.udp(handsets, us), pc, us, "answer to it")
				e.listen(stack.Machine{}, ps)
				e.listen(handsets, us)
				e.echo(handsets, uc, ps)
				e.echo(stack.Machine{}, pc, us)

				for _, k := range []*ipsec.Kernel{e.core, e.far} {
					counters, err := k.Use(e.set)
					if err != nil {
						t.Fatal(err)
					}

					for _, c := range counters {
						if c.Packets == 0 || c.Octets == 0 || c.FirstUse.IsZero() || c.Failed != 0 || c.Replayed != 0 {
							t.Errorf("%s: %+v", c.Name, c)
						}
					}
				}

				if !e.core.Whole(e.set) || !e.far.Whole(e.set) {
					t.Error("the set is not whole")
				}
			})
		}
	}
}

// What comes to a protected port in clear gets no answer: no datagram, no reset, no ICMP.
func TestClearText(t *testing.T) {
	e := between(t, ipsec.Suites[2], false, 100)
	p := e.set.Ports
	uc, ps := e.at(e.set.UE, p.UEClient), e.at(e.set.PCSCF, p.PCSCFServer)
	server := e.udp(stack.Machine{}, ps)
	e.listen(stack.Machine{}, ps)

	if err := e.core.Guard(e.set.PCSCF, p.PCSCFServer, p.PCSCFClient); err != nil {
		t.Fatal(err)
	}
	defer e.core.Unguard(e.set.PCSCF, p.PCSCFServer, p.PCSCFClient)

	other := e.at(e.set.UE, 29000)
	stranger := e.udp(handsets, other)
	client := e.udp(handsets, uc)

	if _, err := stranger.WriteToUDPAddrPort([]byte("in clear"), ps); err != nil {
		t.Fatal(err)
	}

	e.says(client, server, uc, ps, "through the association") // and nothing before it

	if c, err := net.DialTimeout("tcp", "192.0.2.1:1", time.Second); err == nil {
		c.Close()
		t.Fatal("somebody listens on port 1")
	}

	for _, local := range []netip.AddrPort{e.at(e.set.UE, 0), e.at(e.set.UE, 29001)} {
		if err := dial(local, ps); !errors.Is(err, os.ErrDeadlineExceeded) && !isTimeout(err) {
			t.Errorf("a connection in clear from %s: %v, want no answer", local, err)
		}
	}

	// The right ports and no association: the handset lost it, or it is somebody else.
	if err := e.far.Remove(e.set); err != nil {
		t.Fatal(err)
	}

	if _, err := client.WriteToUDPAddrPort([]byte("in clear, right ports"), ps); err != nil {
		t.Fatal(err)
	}

	if err := e.far.Install(e.set, time.Minute); err != nil {
		t.Fatal(err)
	}

	counters, err := e.core.Use(e.set)
	if err != nil || counters[0].Packets != 1 {
		t.Errorf("%+v, %v", counters[0], err)
	}

	// And nothing leaves from a protected port outside.
	pc := e.at(e.set.PCSCF, p.PCSCFClient)
	if _, err := e.udp(stack.Machine{}, pc).WriteToUDPAddrPort([]byte("x"), other); err == nil {
		t.Error("something left a protected port in clear")
	}
}

func dial(local, remote netip.AddrPort) error {
	done := make(chan error, 1)

	go func() {
		done <- handsets.Do(func() error {
			d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(local), Timeout: 1500 * time.Millisecond}

			c, err := d.Dial("tcp", remote.String())
			if err == nil {
				c.Close()
			}

			return err
		})
	}()

	return <-done
}

func isTimeout(err error) bool {
	var timeout net.Error

	return errors.As(err, &timeout) && timeout.Timeout()
}

// RFC 4303 §3.4.3: a packet that comes twice is delivered once.
func TestReplay(t *testing.T) {
	e := between(t, ipsec.Suites[2], false, 110)
	p := e.set.Ports
	uc, ps := e.at(e.set.UE, p.UEClient), e.at(e.set.PCSCF, p.PCSCFServer)
	client, server := e.udp(handsets, uc), e.udp(stack.Machine{}, ps)

	wire := packets(t)
	e.says(client, server, uc, ps, "once")
	frame := wire.esp(e.set.SPIs.PCSCFServer)

	for range 5 {
		wire.inject(frame)
	}

	e.says(client, server, uc, ps, "twice") // and nothing between

	await(t, "the kernel to count what was replayed", func() bool {
		counters, err := e.core.Use(e.set)
		return err == nil && counters[0].Replayed == 5 && counters[0].Packets == 2
	})

	// One that was changed on its way is not delivered either.
	forged := append([]byte(nil), frame...)
	forged[len(forged)-20] ^= 1
	forged[14+20+7] += 100 // a sequence number that was not there yet
	wire.inject(forged)
	e.says(client, server, uc, ps, "thrice")

	await(t, "the kernel to count what was forged", func() bool {
		counters, err := e.core.Use(e.set)
		return err == nil && counters[0].Failed == 1
	})
}

// The kernel ends a set by itself, and later when it is prolonged, which does not need the keys.
func TestLifetime(t *testing.T) {
	short, long := between(t, ipsec.Suites[2], false, 120), between(t, ipsec.Suites[2], false, 121)

	for _, e := range []*ends{short, long} {
		if err := e.core.Prolong(e.set, 2*time.Second); err != nil {
			t.Fatal(err)
		}
	}

	without := long.set
	without.IK, without.CK = [16]byte{}, [16]byte{}

	if err := long.core.Prolong(without, time.Minute); err != nil {
		t.Fatal(err)
	}

	await(t, "the first set to end", func() bool { return !short.core.Whole(short.set) })

	if !long.core.Whole(long.set) {
		t.Error("the set that was prolonged ended with the other")
	}

	p := long.set.Ports
	uc, ps := long.at(long.set.UE, p.UEClient), long.at(long.set.PCSCF, p.PCSCFServer)
	long.says(long.udp(handsets, uc), long.udp(stack.Machine{}, ps), uc, ps, "still there")

	// Again, now that the state is older than what is asked for.
	if err := long.core.Prolong(without, time.Minute); err != nil {
		t.Fatal(err)
	}

	out, err := exec.Command("ip", "-s", "xfrm", "state", "list", "reqid", fmt.Sprint(long.set.ReqID)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "hard 6") {
		t.Errorf("%v: %s", err, out)
	}
}

// counts are the states and policies of this side.
func counts(t *testing.T) (states, policies int) {
	t.Helper()

	state, err := exec.Command("ip", "xfrm", "state").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}

	policy, err := exec.Command("ip", "xfrm", "policy").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}

	for line := range strings.Lines(string(policy)) {
		if strings.HasPrefix(line, "src ") {
			policies++
		}
	}

	return strings.Count(string(state), "proto esp"), policies
}

// A thousand sets come and go, and nothing stays: no state, no policy, no SPI.
func TestNothingStays(t *testing.T) {
	e := between(t, ipsec.Suites[2], false, 130)
	states, policies := counts(t)

	for i := range 1000 {
		s := e.set
		s.ReqID += 1 + uint32(i)
		s.UE = netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
		s.Ports.UEClient += uint16(i)

		for _, spi := range []*uint32{&s.SPIs.UEClient, &s.SPIs.UEServer, &s.SPIs.PCSCFClient, &s.SPIs.PCSCFServer} {
			var err error
			if *spi, err = e.core.AllocateSPI(s.UE, s.PCSCF); err != nil {
				t.Fatal(err)
			}
		}

		if err := e.core.Install(s, time.Minute); err != nil {
			t.Fatal(i, err)
		}

		if i == 500 { // one that cannot be whole leaves nothing
			twice := s
			twice.ReqID++
			twice.SPIs.PCSCFServer++

			if err := e.core.Install(twice, time.Minute); err == nil {
				t.Error("two sets have the same SPIs")
			}

			if err := e.core.Remove(s); err != nil {
				t.Fatal(err)
			}
		}

		for range 2 { // twice is no error
			if err := e.core.Remove(s); err != nil {
				t.Fatal(i, err)
			}
		}
	}

	if s, p := counts(t); s != states || p != policies {
		t.Errorf("%d states became %d, %d policies %d", states, s, policies, p)
	}
}

// What an earlier process left is removed, what is to be kept and what is not ours stays.
func TestReclaim(t *testing.T) {
	gone, kept := between(t, ipsec.Suites[2], false, 140), between(t, ipsec.Suites[0], false, 141)

	for _, line := range []string{
		"ip xfrm state add src 192.0.2.1 dst 192.0.2.77 proto esp spi 0x4711 reqid 7 mode transport enc cbc(aes) " +
			"0x00112233445566778899aabbccddeeff auth hmac(sha1) 0x0011223344556677889900112233445566778899",
		"ip xfrm policy add src 192.0.2.1 dst 192.0.2.77 dir out priority 100 tmpl src 192.0.2.1 dst 192.0.2.77 proto esp reqid 7 mode transport",
		"ip xfrm policy add src 192.0.2.1 dst 192.0.2.78 dir out priority 100 action block",
	} {
		if err := run(line); err != nil {
			t.Fatal(err)
		}
	}

	if err := gone.core.Guard(gone.set.PCSCF, 6100, 6101); err != nil {
		t.Fatal(err)
	}

	elsewhere := between(t, ipsec.Suites[2], true, 142)
	n, err := gone.core.Reclaim(gone.set.PCSCF, func(reqID uint32) bool { return reqID == kept.set.ReqID })

	if err != nil || n != 4 || gone.core.Whole(gone.set) || !kept.core.Whole(kept.set) || !elsewhere.core.Whole(elsewhere.set) {
		t.Errorf("%d states removed, %v", n, err)
	}

	for _, line := range []string{
		"ip xfrm state delete src 192.0.2.1 dst 192.0.2.77 proto esp spi 0x4711", "ip xfrm policy delete src 192.0.2.1 dst 192.0.2.77 dir out",
		"ip xfrm policy delete src 192.0.2.1 dst 192.0.2.78 dir out",
	} {
		if err := run(line); err != nil {
			t.Error(err)
		}
	}

	out, err := exec.Command("ip", "xfrm", "policy").CombinedOutput()
	if err != nil || strings.Contains(string(out), "block") {
		t.Errorf("guards are left: %s", out)
	}
}

// SPIs are unique, and never of the reserved ones.
func TestSPIs(t *testing.T) {
	core, _ := kernels(t)
	from, to := netip.MustParseAddr("192.0.2.200"), netip.MustParseAddr(gm4)

	var (
		mu   sync.Mutex
		seen = map[uint32]bool{}
		all  sync.WaitGroup
	)

	for range 8 {
		all.Go(func() {
			for range 250 {
				spi, err := core.AllocateSPI(from, to)
				if err != nil {
					t.Error(err)
					return
				}

				mu.Lock()
				if spi < 256 || seen[spi] {
					t.Errorf("SPI %#x", spi)
				}
				seen[spi] = true
				mu.Unlock()
			}
		})
	}

	all.Wait()
}
