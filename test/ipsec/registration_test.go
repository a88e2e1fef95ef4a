//go:build esp

package ipsec

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// Registrations and calls with algorithms of each family, over UDP and TCP, IPv4 and IPv6. Between handset and P-CSCF there
// is nothing but ESP after the 401; the keys in the kernel are those that the SIM derives.
func TestCalls(t *testing.T) {
	n := core(t)

	for _, suite := range []ipsec.Suite{
		{Integrity: ipsec.HMACSHA1, Encryption: ipsec.AESCBC},
		{Integrity: ipsec.HMACMD5, Encryption: ipsec.NoEncryption},
		{Integrity: ipsec.NoIntegrity, Encryption: ipsec.AESGCM},
	} {
		for _, transport := range []string{"UDP", "TCP"} {
			for _, six := range []bool{false, true} {
				name := fmt.Sprintf("%s %s IPv4", suite, transport)
				if six {
					name = fmt.Sprintf("%s %s IPv6", suite, transport)
				}

				t.Run(name, func(t *testing.T) { called(t, n, suite, transport, six) })
			}
		}
	}
}

func called(t *testing.T, n *network.Network, suite ipsec.Suite, transport string, six bool) {
	wire := capture(t)
	alice, bob := n.Subscribe(1000, ""), n.Subscribe(1000, "")

	var configs [2]*handset.Config

	on := func(i int, s network.Subscriber) *handset.Handset {
		return n.Registered(s, secured(t, six, func(c *handset.Config) {
			c.Transport, c.Security.Suites = transport, []ipsec.Suite{suite}
			c.Timers = stack.DefaultConfig().Timers
			c.Timers.T1 = c.Timers.T2 // what comes twice would be counted twice
			configs[i] = c
		}))
	}
	a, b := on(0, alice), on(1, bob)
	answered := n.Answering(b)

	call, err := a.Dial(t.Context(), bob.Tel())
	if err != nil {
		t.Fatal(err)
	}

	<-answered

	if response, err := b.Message(t.Context(), alice.Tel(), "hello"); err != nil || !response.IsSuccess() {
		t.Errorf("a message during the call: %v, %v", response, err)
	}

	if err := call.HangUp(t.Context()); err != nil {
		t.Fatal(err)
	}

	for i, c := range configs {
		set := last(c)
		counters, err := c.Security.Kernel.(*recording).Use(set)
		if err != nil {
			t.Fatal(err)
		}

		for _, counter := range counters {
			// Over UDP nothing goes from a server port: requests and responses leave from the client ports (TS 33.203 §7.1). The callee's
			// does answer: its INVITE is too large for UDP, and goes by a connection from pc to us.
			invited := i == 1 && counter.Name == "us-pc"
			if want := transport == "TCP" || invited || counter.Name == "uc-ps" || counter.Name == "pc-us"; want != (counter.Packets > 0) {
				t.Errorf("handset %d, %s: %d packets", i, counter.Name, counter.Packets)
			}
		}

		transforms, err := ipsec.Expand(set.Suite, set.IK, set.CK)
		if err != nil {
			t.Fatal(err)
		}

		state, err := exec.Command("ip", "xfrm", "state", "get", "src", set.UE.String(), "dst", set.PCSCF.String(), "proto", "esp",
			"spi", fmt.Sprint(set.SPIs.PCSCFServer)).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, state)
		}

		for _, algorithm := range []*ipsec.Algorithm{transforms.AEAD, transforms.Integrity, transforms.Encryption} {
			if algorithm == nil || len(algorithm.Key) == 0 {
				continue
			}

			if want := fmt.Sprintf("%s 0x%x", algorithm.Name, algorithm.Key); !bytes.Contains(state, []byte(want)) {
				t.Errorf("%s is not in\n%s", want, state)
			}
		}
	}

	// What was seen in between.
	for i, c := range configs {
		inClear, inESP := wire.split(c.Address.Addr())
		text := strings.Join(inClear, "\n")

		if inESP < 8 || strings.Count(text, "SIP: REGISTER sip:") > 1 || strings.Contains(text, "INVITE") || strings.Contains(text, "MESSAGE") {
			t.Errorf("handset %d: %d packets of ESP, and in clear\n%s", i, inESP, text)
		}

		if transport == "UDP" && len(inClear) != 2 {
			t.Errorf("handset %d: want REGISTER and 401 in clear, got\n%s", i, text)
		}
	}

	for i, h := range []*handset.Handset{a, b} {
		if err := h.Deregister(t.Context()); err != nil {
			t.Errorf("handset %d: %v", i, err)
		}

		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}

	n.Await("no set to be left", func() bool { return sets(n) == "" })
	nothingLeft(t)
}

// nothingLeft wants no state and no policy besides the guards on either side.
func nothingLeft(t *testing.T) {
	t.Helper()

	for _, side := range [][]string{nil, {"-n", "handsets"}} {
		for _, what := range []string{"state", "policy"} {
			out, err := exec.Command("ip", append(side, "xfrm", what)...).CombinedOutput()
			if err != nil || bytes.Contains(out, []byte("reqid")) {
				t.Errorf("%v: ip %v xfrm %s:\n%s", err, side, what, out)
			}
		}
	}
}

// TS 33.203 §7.4: the handset authenticates anew while it is in a call. Nothing is lost, and the old associations go. T1 is so long
// that what is sent again was lost, and not slow; the old associations stay for what is slow.
func TestReauthentication(t *testing.T) {
	const patience, outlive = 4 * time.Second, 3 * time.Second // T1 is at most T2

	n := core(
		t,
		"DIALTONE_SCSCF_REGISTRAR_AUTHENTICATION_TRUST_REFRESH=[]",
		fmt.Sprint("DIALTONE_PCSCF_IPSEC_LINGER=", outlive),
		strings.ReplaceAll(
			gm,
			"transports:",
			fmt.Sprintf("timers: {t1: %v}, transports:", patience),
		),
		fmt.Sprint("DIALTONE_PCSCF_SIP_TIMERS_T1=", patience),
		fmt.Sprint("DIALTONE_ICSCF_SIP_TIMERS_T1=", patience),
		fmt.Sprint("DIALTONE_SCSCF_SIP_TIMERS_T1=", patience),
	)
	alice, bob := n.Subscribe(100_000, ""), n.Subscribe(100_000, "")

	var config *handset.Config

	patient := func(c *handset.Config) {
		c.Timers, c.Security.Linger = stack.DefaultConfig().Timers, outlive
		c.Timers.T1 = patience
	}
	a := n.Registered(alice, secured(t, false, func(c *handset.Config) { patient(c); config = c }))
	b := n.Registered(bob, secured(t, false, patient))
	answered := n.Answering(b)

	call, err := a.Dial(t.Context(), bob.Tel())
	if err != nil {
		t.Fatal(err)
	}

	<-answered

	first := last(config)
	before := gauge(n, retransmits)

	// Messages both ways all the while.
	stop := make(chan struct{})
	done := make(chan int, 2)

	talk := func(from *handset.Handset, to network.Subscriber) {
		sent := 0

		for {
			select {
			case <-stop:
				done <- sent
				return
			default:
			}

			if response, err := from.Message(t.Context(), to.Tel(), "still there?"); err != nil || !response.IsSuccess() {
				t.Errorf("a message while authenticating: %v, %v", response, err)
				done <- sent

				return
			}

			sent++
		}
	}

	read := func(h *handset.Handset) {
		for {
			select {
			case <-h.Messages():
			case <-t.Context().Done():
				return
			}
		}
	}

	go read(a)
	go read(b)
	go talk(a, bob)
	go talk(b, alice)

	for range 3 {
		if err := a.Register(t.Context()); err != nil {
			t.Error(err)
		}

		n.Await("the old set to go", func() bool { return sets(n) == "established 2" })
	}

	close(stop)
	t.Logf("%d and %d messages meanwhile", <-done, <-done)

	second := last(config)
	if first.Ports.UEServer != second.Ports.UEServer || first.Ports.PCSCFServer != second.Ports.PCSCFServer ||
		first.Ports.UEClient == second.Ports.UEClient ||
		first.SPIs == second.SPIs ||
		first.IK == second.IK {
		t.Errorf("%s became %s", first, second)
	}

	if err := call.HangUp(t.Context()); err != nil {
		t.Errorf("BYE through the new associations: %v", err)
	}

	if after := gauge(n, retransmits); after != before {
		t.Errorf("%v retransmissions", after-before)
	}

	n.Await("the old sets to go", func() bool { return sets(n) == "established 2" })
	n.Await("them to be gone from the kernel", func() bool {
		states, _ := counts(t)
		return states == 8
	})
}

// TS 24.229 §5.1.1.5.3: after a resynchronisation there is a new set (open5gs#486).
func TestResynchronisation(t *testing.T) {
	n := core(t)

	var config *handset.Config

	h := n.Registered(n.Subscribe(0, ""), secured(t, false, func(c *handset.Config) { c.SQN, config = aka.SQN(1<<30), c }))

	if got := config.Security.Kernel.(*recording).sets; len(got) != 1 || h.SIM().SQN() <= 1<<30 {
		t.Errorf("%d sets", len(got))
	}

	if got := sets(n); got != "established 1" {
		t.Errorf("the P-CSCF has %s", got)
	}
}

// RFC 3329 §2.3: a handset that misbehaves gets 494, and no associations.
func TestMisbehaviour(t *testing.T) {
	n := core(t)

	for name, c := range map[string]struct {
		change func(*handset.Config)
		status int
	}{
		"another Security-Verify": {func(c *handset.Config) {
			c.Security.Misbehave.Verify = func(s string) string { return strings.Replace(s, "aes-cbc", "null", 1) }
		}, 494},
		"no Security-Verify": {func(c *handset.Config) {
			c.Security.Misbehave.Verify = func(string) string { return "" }
		}, 494},
		"outside the associations": {func(c *handset.Config) { c.Security.Misbehave.Outside = true }, 494},
		"algorithms that are not here": {func(c *handset.Config) {
			c.Security.Suites = []ipsec.Suite{{Integrity: ipsec.HMACMD5, Encryption: "blowfish"}}
		}, 494},
	} {
		t.Run(name, func(t *testing.T) {
			h := n.Handset(n.Subscribe(0, ""), secured(n.T, false, c.change))
			if err := h.Register(t.Context()); network.Status(err) != c.status {
				t.Errorf("got %v, want %d", err, c.status)
			}

			if got := gauge(n, fmt.Sprintf(setsOf, "established")); got != 0 {
				t.Errorf("%v sets are established", got)
			}
		})
	}

	t.Run("silent after the 401, then it comes back", func(t *testing.T) {
		s := n.Subscribe(0, "")

		silent := n.Handset(s, secured(n.T, false, func(c *handset.Config) { c.Security.Misbehave.Silent = true }))
		if err := silent.Register(t.Context()); !errors.Is(err, handset.ErrSilent) {
			t.Fatal(err)
		}

		if err := silent.Close(); err != nil {
			t.Fatal(err)
		}

		n.Registered(s, secured(n.T, false, func(c *handset.Config) { c.SQN = aka.SQN(64) }))

		if got := gauge(n, fmt.Sprintf(setsOf, "established")); got != 1 {
			t.Errorf("%v sets are established", got)
		}
	})

	t.Run("in clear to a protected port", func(t *testing.T) {
		if err := run("ip -n handsets address replace 192.0.2.200/24 dev gm"); err != nil {
			t.Fatal(err)
		}

		before := n.Metrics("pcscf")

		if err := dial(netip.MustParseAddrPort("192.0.2.200:0"), netip.MustParseAddrPort(gm4+":6110")); !isTimeout(err) {
			t.Errorf("a connection in clear: %v, want no answer", err)
		}

		c, err := handsets.ListenPacket(t.Context(), "192.0.2.200:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()

		for range 3 {
			if _, err := c.WriteToUDPAddrPort([]byte("OPTIONS sip:x SIP/2.0\r\n\r\n"), netip.MustParseAddrPort(gm4+":6110")); err != nil {
				t.Fatal(err)
			}
		}

		malformed := regexp.MustCompile(`malformed_total\{[^}]*6110[^}]*\} (\d+)`)
		if got := malformed.FindStringSubmatch(n.Metrics("pcscf")); got != nil {
			t.Errorf("it reached the P-CSCF: %s\nbefore:\n%s", got, before)
		}
	})
}

// A request that is too large for UDP goes over TCP between the same protected ports, also to a handset that has used UDP alone; every
// other stays on UDP (Kamailio_IMS_Config#3, docker_open5gs#542).
func TestLargeRequests(t *testing.T) {
	n := core(t)
	alice, bob := n.Subscribe(1000, ""), n.Subscribe(1000, "")

	var ca, cb *handset.Config

	a := n.Registered(alice, secured(t, false, func(c *handset.Config) { c.SizeLimit, ca = 1300, c }))
	b := n.Registered(bob, secured(t, false, func(c *handset.Config) { cb = c }))
	large := strings.Repeat("0123456789", 200)

	send := func(from, to *handset.Handset, user network.Subscriber) {
		t.Helper()

		if response, err := from.Message(t.Context(), user.Tel(), large); err != nil || !response.IsSuccess() {
			t.Fatalf("%v, %v", response, err)
		}

		if m := <-to.Messages(); string(m.Body) != large {
			t.Errorf("%d octets came", len(m.Body))
		}
	}

	answers := func(c *handset.Config, leg int) bool {
		counters, err := c.Security.Kernel.(*recording).Use(last(c))
		if err != nil {
			t.Fatal(err)
		}

		return counters[leg].Packets > 0
	}

	send(a, b, bob)

	if !answers(ca, 2) {
		t.Error("alice's large request did not go over TCP")
	}

	if !answers(cb, 3) {
		t.Error("the large request to bob, who registered over UDP, did not go over TCP")
	}

	send(b, a, alice)

	if !answers(ca, 3) {
		t.Error("a large request to alice did not go over TCP")
	}
}

// A connection that idled away is opened again from the protected port (kamailio#4138).
func TestConnectionIdledAway(t *testing.T) {
	n := core(t, "DIALTONE_PCSCF_SIP_LIMITS_TCP_IDLE=500ms")
	alice, bob := n.Subscribe(1000, ""), n.Subscribe(1000, "")
	tcp := func(c *handset.Config) { c.Transport = "TCP" }
	a, b := n.Registered(alice, secured(t, false, tcp)), n.Registered(bob, secured(t, false, tcp))

	for i := range 3 {
		if response, err := a.Message(t.Context(), bob.Tel(), fmt.Sprint(i)); err != nil || !response.IsSuccess() {
			t.Fatalf("%d: %v, %v", i, response, err)
		}

		<-b.Messages()
		n.Await("the connections to be closed", func() bool { return gauge(n, "dialtone_sip_connections") == 0 })
	}
}

// A handset that does not answer once is still registered (it takes seconds to page an idle one).
func TestUnanswered(t *testing.T) {
	n := core(
		t,
		strings.ReplaceAll(gm, "transports:", "timers: {t1: 20ms}, transports:"),
		"DIALTONE_SCSCF_SIP_TIMERS_T1=20ms",
		"DIALTONE_ICSCF_SIP_TIMERS_T1=20ms",
	)
	alice, bob := n.Subscribe(1000, ""), n.Subscribe(1000, "")
	a, b := n.Registered(alice, secured(t, false, nil)), n.Registered(bob, secured(t, false, nil))

	if err := run("ip -n handsets link set gm down"); err != nil {
		t.Fatal(err)
	}

	if err := run("ip -n handsets link set gm up"); err != nil {
		t.Fatal(err)
	}

	// Bob is out of coverage: what comes for him is dropped on the link.
	for _, line := range []string{"ip -n handsets address del 192.0.2.102/24 dev gm"} {
		if err := run(line); err != nil {
			t.Fatal(err)
		}
	}

	response, err := a.Message(t.Context(), bob.Tel(), "are you there?")
	if err != nil || response.IsSuccess() {
		t.Fatalf("%v, %v", response, err)
	}

	if err := run("ip -n handsets address add 192.0.2.102/24 dev gm"); err != nil {
		t.Fatal(err)
	}

	if got := sets(n); got != "established 2" {
		t.Errorf("the P-CSCF has %s", got)
	}

	if response, err := a.Message(t.Context(), bob.Tel(), "and now?"); err != nil || !response.IsSuccess() {
		t.Errorf("%v, %v", response, err)
	}

	<-b.Messages()
}
