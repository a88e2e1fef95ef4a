package nameserver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// What was asked is remembered once, in order, in words, and with an end.
func TestLookups(t *testing.T) {
	s, err := Listen([]netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()

	s.Put(network(t))

	ask := func(name string, kind uint16) {
		q := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
		s.lookups.note(q, answer(*s.zones.Load(), q))
	}

	for range 2 {
		ask("PCSCF."+domain, dns.TypeA)
		ask("pcscf."+domain, dns.TypeNAPTR)
		ask("_sip._udp.pcscf."+domain, dns.TypeSRV)
		ask("1.0.0.0.5.5.5.1.e164.arpa", dns.TypeNAPTR)
		ask("9.9.9.e164.arpa", dns.TypeNAPTR)
		ask("pcscf."+domain, dns.TypeTXT)
		ask("example.org", dns.TypeA)
	}

	s.lookups.note(new(dns.Msg), new(dns.Msg))

	home := strings.TrimSuffix(domain, ".")
	want := []Lookup{
		{"pcscf." + home, "A", "192.0.2.10"},
		{"pcscf." + home, "NAPTR", "_sip._udp.pcscf." + home + ", _sip._tcp.pcscf." + home},
		{"_sip._udp.pcscf." + home, "SRV", "pcscf." + home + ":5060"},
		{"1.0.0.0.5.5.5.1.e164.arpa", "NAPTR", "sip:+15550001@" + home},
		{"9.9.9.e164.arpa", "NAPTR", "no such name"},
		{"pcscf." + home, "TXT", "nothing"},
	}
	if got := s.Lookups(); !slices.Equal(got, want) {
		t.Errorf("it has\n%q\nwant\n%q", got, want)
	}

	for i := range 2 * mostLookups {
		ask(fmt.Sprintf("%d.e164.arpa", i), dns.TypeNAPTR)
	}

	if got := len(s.Lookups()); got != mostLookups {
		t.Errorf("it remembers %d", got)
	}
}
