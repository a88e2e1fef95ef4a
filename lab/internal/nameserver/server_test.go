package nameserver

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// start runs a server of the small network on loopback, of both families, until the test ends.
func start(t *testing.T) []netip.AddrPort {
	t.Helper()

	s, err := Listen([]netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0"), netip.MustParseAddrPort("[::1]:0")})
	if err != nil {
		t.Fatal(err)
	}

	s.Put(network(t))

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)

	go func() { ended <- s.Run(ctx) }()

	t.Cleanup(func() {
		cancel()

		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	return s.Addresses()
}

// Over UDP and TCP, of both families; a reply too large for a datagram comes over TCP.
func TestServer(t *testing.T) {
	for _, address := range start(t) {
		for _, transport := range []string{"udp", "tcp"} {
			c := &dns.Client{Net: transport, Timeout: 10 * time.Second}

			m, _, err := c.Exchange(new(dns.Msg).SetQuestion("many."+domain, dns.TypeA), address.String())
			if err != nil || m.Rcode != dns.RcodeSuccess || m.Truncated != (transport == "udp") || (len(m.Answer) == 200) != (transport == "tcp") {
				t.Errorf("%s %s: %v, %v", transport, address, err, m)
			}
		}

		// A transfer is refused over TCP, where it would go.
		m, _, err := (&dns.Client{Net: "tcp", Timeout: 10 * time.Second}).Exchange(new(dns.Msg).SetAxfr(domain), address.String())
		if err != nil || m.Rcode != dns.RcodeRefused || len(m.Answer) != 0 {
			t.Errorf("AXFR %s: %v, %v", address, err, m)
		}
	}
}

// Debian's dig finds all of it, and has nothing to complain of.
func TestDig(t *testing.T) {
	address := start(t)[0]

	for _, test := range []struct {
		question string
		wants    []string
	}{
		{domain + " NAPTR", []string{"status: NOERROR", "flags: qr aa", `10 50 "s" "SIP+D2U" "" _sip._udp.` + domain}},
		{"pcscf." + domain + " NAPTR", []string{`20 50 "s" "SIP+D2T" "" _sip._tcp.pcscf.` + domain, "0 0 5060 pcscf." + domain, "2001:db8::10"}},
		{"many." + domain + " A", []string{"Truncated, retrying in TCP mode", "ANSWER: 200"}},
		{"many." + domain + " A +ignore +noedns", []string{"flags: qr aa tc"}},
		{"pcscf." + domain + " A +edns=1 +noednsnegotiation", []string{"status: BADVERS"}},
		{"pcscf." + domain + " A +cookie=0123456789abcdef", []string{"status: NOERROR", "192.0.2.10"}},
		{"-x 192.0.2.1", []string{"status: REFUSED"}},
		{domain + " AXFR", []string{"Transfer failed"}},
		{domain + " ANY", []string{`HINFO	"RFC8482" ""`}},
		{"9.e164.arpa NAPTR", []string{"status: NXDOMAIN", "SOA	ns.e164.arpa. hostmaster.e164.arpa. 7 "}},
	} {
		arguments := []string{"@" + address.Addr().String(), "-p", portOf(address), "+time=5", "+norecurse"}
		arguments = append(arguments, strings.Fields(test.question)...)

		out, err := exec.Command("dig", arguments...).CombinedOutput()
		if err != nil {
			t.Errorf("dig %s (Debian's bind9-dnsutils): %v\n%s", test.question, err, out)
			continue
		}

		for _, want := range test.wants {
			if !strings.Contains(string(out), want) {
				t.Errorf("dig %s does not say %q:\n%s", test.question, want, out)
			}
		}

		for _, complaint := range []string{"WARNING", "malformed", "mismatch", "extra input"} {
			if strings.Contains(string(out), complaint) {
				t.Errorf("dig %s complains:\n%s", test.question, out)
			}
		}
	}
}

func portOf(address netip.AddrPort) string {
	_, port, _ := net.SplitHostPort(address.String())
	return port
}

// A source may have a limited number of connections, which are answered; a further one is not.
func TestConnectionsAreBounded(t *testing.T) {
	address := start(t)[0]

	var open []*dns.Conn

	ask := func() error {
		c, err := dns.DialTimeout("tcp", address.String(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}

		open = append(open, c)
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}

		_ = c.WriteMsg(new(dns.Msg).SetQuestion(domain, dns.TypeSOA)) // that it is closed shows in the answer
		_, err = c.ReadMsg()

		return err
	}

	for range ofOneSource {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}

	if ask() == nil {
		t.Error("a further one is answered")
	}

	for _, c := range open {
		c.Close()
	}

	// When the others are gone there is room again.
	deadline := time.Now().Add(time.Minute)
	for ask() != nil {
		if time.Now().After(deadline) {
			t.Fatal("there is no room when all are gone")
		}
	}
}

// A silent connection is closed.
func TestSilentConnection(t *testing.T) {
	c, err := net.Dial("tcp", start(t)[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	ended(t, c)
}

// ended waits until the other side has closed a connection.
func ended(t *testing.T, c net.Conn) {
	t.Helper()

	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}

	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		t.Errorf("it is not closed: %v", err)
	} else if !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// An address in use is reported, and nothing stays open.
func TestListenRefused(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()

	free := netip.MustParseAddrPort("127.0.0.2:0")

	if s, err := Listen([]netip.AddrPort{free, taken.Addr().(*net.TCPAddr).AddrPort()}); err == nil || s != nil {
		t.Errorf("it listens at %v", taken.Addr())
	}
}
