package nameserver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/dialtone-ims/dialtone/lab/internal/zone"
)

const domain = "ims.mnc001.mcc001.3gppnetwork.org."

// network returns a small one, in which pcscf has both families, and many has very many addresses.
func network(t testing.TB) []*zone.Zone {
	t.Helper()

	at := func(texts ...string) (all []netip.Addr) {
		for _, text := range texts {
			all = append(all, netip.MustParseAddr(text))
		}

		return all
	}

	var many []netip.Addr
	for i := range 200 {
		many = append(many, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
	}

	plan := zone.Plan{
		Domain: domain, Server: at("192.0.2.53", "2001:db8::53"),
		Services: []zone.Service{
			{Name: "pcscf", Addresses: at("192.0.2.10", "2001:db8::10"), Port: 5060},
			{Name: "icscf", Addresses: at("192.0.2.11"), Port: 5060, Apex: true},
		},
		Hosts:   []zone.Host{{Name: "many." + domain, Addresses: many}},
		Numbers: []zone.Number{{Digits: "15550001", URI: "sip:+15550001@ims.mnc001.mcc001.3gppnetwork.org"}},
	}

	zones, err := plan.Zones(7)
	if err != nil {
		t.Fatal(err)
	}

	return zones
}

// Questions and answers: the result, AA, and the kinds of records in the three sections. A dot stands for the domain.
func TestAnswer(t *testing.T) {
	zones := network(t)

	plain := func(*dns.Msg) {}
	edns := func(set func(*dns.OPT)) func(*dns.Msg) {
		return func(m *dns.Msg) { m.SetEdns0(4096, true); set(m.IsEdns0()) }
	}

	for name, test := range map[string]struct {
		asked  string
		change func(*dns.Msg)
		want   string
	}{
		"an address":                        {"pcscf. A", plain, "NOERROR AA; A; ; "},
		"in other letters":                  {"PCSCF.IMS.MNC001.MCC001.3GPPNETWORK.ORG AAAA", plain, "NOERROR AA; AAAA; ; "},
		"RFC 3263 §4.1 NAPTR":               {"pcscf. NAPTR", plain, "NOERROR AA; NAPTR NAPTR; ; SRV A AAAA SRV"},
		"RFC 2782 SRV, with addresses":      {"_sip._tcp.pcscf. SRV", plain, "NOERROR AA; SRV; ; A AAAA"},
		"the apex is the I-CSCF":            {"_sip._udp. SRV", plain, "NOERROR AA; SRV; ; A"},
		"SOA":                               {". SOA", plain, "NOERROR AA; SOA; ; "},
		"NS, with addresses":                {". NS", plain, "NOERROR AA; NS; ; A AAAA"},
		"RFC 6116 a number":                 {"1.0.0.0.5.5.5.1.e164.arpa NAPTR", plain, "NOERROR AA; NAPTR; ; "},
		"RFC 2308 §2.1 no such name":        {"nobody. A", plain, "NXDOMAIN AA; ; SOA; "},
		"RFC 2308 §2.2 none of this kind":   {"icscf. AAAA", plain, "NOERROR AA; ; SOA; "},
		"RFC 4592 §2.2.2 a name in between": {"_udp.pcscf. SRV", plain, "NOERROR AA; ; SOA; "},
		"a number that is not whole":        {"5.5.5.1.e164.arpa NAPTR", plain, "NOERROR AA; ; SOA; "},
		"nobody's number":                   {"2.0.0.0.5.5.5.1.e164.arpa NAPTR", plain, "NXDOMAIN AA; ; SOA; "},
		"RFC 8482 ANY":                      {"many. ANY", plain, "NOERROR AA; HINFO; ; "},
		"RFC 8482 ANY of nobody":            {"nobody. ANY", plain, "NXDOMAIN AA; ; SOA; "},
		"another zone":                      {"example.org A", plain, "REFUSED; ; ; "},
		"above our zones":                   {"mnc001.mcc001.3gppnetwork.org NS", plain, "REFUSED; ; ; "},
		"AXFR":                              {". AXFR", plain, "REFUSED; ; ; "},
		"IXFR":                              {". IXFR", plain, "REFUSED; ; ; "},
		"another class":                     {"version.bind TXT", func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }, "REFUSED; ; ; "},
		"a notify":                          {". SOA", func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }, "NOTIMP; ; ; "},
		"an update":                         {". SOA", func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate }, "NOTIMP; ; ; "},
		"no question":                       {". SOA", func(m *dns.Msg) { m.Question = nil }, "FORMERR; ; ; "},
		"two questions":                     {". A", func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }, "FORMERR; ; ; "},
		"RFC 8945 a signature":              {". A", func(m *dns.Msg) { m.SetTsig("key.", dns.HmacSHA256, 300, 1) }, "NOTAUTH; ; ; "},
		"RFC 6891 EDNS":                     {"pcscf. A", edns(func(*dns.OPT) {}), "NOERROR AA; A; ; OPT"},
		"RFC 6891 EDNS, and none":           {"nobody. A", edns(func(*dns.OPT) {}), "NXDOMAIN AA; ; SOA; OPT"},
		"RFC 6891 §6.1.3 another version":   {"pcscf. A", edns(func(o *dns.OPT) { o.SetVersion(1) }), "BADVERS; ; ; OPT"},
		"RFC 6891 §6.1.1 two OPT records": {
			"pcscf. A", func(m *dns.Msg) { m.SetEdns0(512, false).SetEdns0(512, false) }, "FORMERR; ; ; OPT",
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked, kind, _ := strings.Cut(test.asked, " ")
			if before, found := strings.CutSuffix(asked, "."); found {
				asked = strings.TrimPrefix(before+"."+domain, ".")
			}

			q := new(dns.Msg).SetQuestion(dns.Fqdn(asked), dns.StringToType[kind])
			test.change(q)

			m := answer(zones, q)
			if m.Id != q.Id || !m.Response || m.RecursionAvailable || !slices.Equal(m.Question, q.Question[:min(1, len(q.Question))]) {
				t.Errorf("it is no reply to the question:\n%v", m)
			}

			result := strings.Replace(dns.RcodeToString[m.Rcode], "BADSIG", "BADVERS", 1) // one number, two names
			if m.Authoritative {
				result += " AA"
			}

			if got := strings.Join([]string{result, kinds(m.Answer), kinds(m.Ns), kinds(m.Extra)}, "; "); got != test.want {
				t.Errorf("got %s\n%v\nwant %s", got, m, test.want)
			}

			if o := m.IsEdns0(); o != nil && (o.Version() != 0 || o.UDPSize() != datagram || o.Do() != q.IsEdns0().Do()) {
				t.Errorf("OPT is %v", o)
			}

			for _, r := range m.Ns {
				if r.Header().Ttl != 60 {
					t.Errorf("that there is none lives for %d s", r.Header().Ttl)
				}
			}

			if _, err := m.Pack(); err != nil {
				t.Error(err)
			}
		})
	}
}

func kinds(records []dns.RR) string {
	var all []string
	for _, r := range records {
		all = append(all, dns.TypeToString[r.Header().Rrtype])
	}

	return strings.Join(all, " ")
}

// A datagram is no longer than the client accepts, and than any path carries; a reply without EDNS is no longer than 512 octets.
func TestFit(t *testing.T) {
	zones := network(t)

	for _, test := range []struct {
		asked string
		size  uint16 // of EDNS; 0: without
		most  int
		want  string // TC, and the kinds of the additional records
	}{
		{"many. A", 0, 512, "true "},
		{"many. A", 100, 512, "true OPT"},
		{"many. A", 600, 600, "true OPT"},
		{"many. A", 65535, 1232, "true OPT"},
		{"pcscf. NAPTR", 0, 512, "false SRV A AAAA SRV"},
		{"_sip._udp.pcscf. SRV", 1232, 1232, "false A AAAA OPT"},
	} {
		name, kind, _ := strings.Cut(test.asked, " ")

		q := new(dns.Msg).SetQuestion(name+domain, dns.StringToType[kind])
		if test.size > 0 {
			q.SetEdns0(test.size, false)
		}

		m := answer(zones, q)
		fit(m, q)

		packed, err := m.Pack()
		if got := fmt.Sprintf("%v %s", m.Truncated, kinds(m.Extra)); err != nil || len(packed) > test.most || got != test.want {
			t.Errorf("%s, %d: %d octets, %s, %v; want %s", test.asked, test.size, len(packed), got, err, test.want)
		}
	}
}

// Additional records are removed before the reply counts as truncated.
func TestFitLeavesOutFirst(t *testing.T) {
	var many []netip.Addr
	for i := range 40 {
		many = append(many, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
	}

	plan := zone.Plan{Domain: domain, Server: many[:1], Services: []zone.Service{{Name: "pcscf", Addresses: many, Port: 5060}}}

	zones, err := plan.Zones(1)
	if err != nil {
		t.Fatal(err)
	}

	q := new(dns.Msg).SetQuestion("_sip._udp.pcscf."+domain, dns.TypeSRV)

	m := answer(zones, q)
	if fit(m, q); m.Truncated || len(m.Extra) != 0 || len(m.Answer) != 1 {
		t.Errorf("got\n%v", m)
	}
}

// Any octets: no panic, and a reply that fits and can be parsed.
func FuzzAnswer(f *testing.F) {
	zones := network(f)

	for _, kind := range []uint16{dns.TypeA, dns.TypeNAPTR, dns.TypeANY, dns.TypeAXFR} {
		for _, name := range []string{"many." + domain, "1.0.0.0.5.5.5.1.e164.arpa.", "x.example."} {
			q := new(dns.Msg).SetQuestion(name, kind)
			q.SetEdns0(700, true)

			packed, err := q.Pack()
			if err != nil {
				f.Fatal(err)
			}

			f.Add(packed)
		}
	}

	f.Fuzz(func(t *testing.T, octets []byte) {
		q := new(dns.Msg)
		if q.Unpack(octets) != nil {
			return
		}

		for _, udp := range []bool{true, false} {
			m := answer(zones, q)

			most := dns.MaxMsgSize
			if udp {
				fit(m, q)
				most = datagram
			}

			packed, err := m.Pack()
			if err != nil || len(packed) > most {
				t.Fatalf("%d octets, %v, of\n%v\nto\n%v", len(packed), err, m, q)
			}

			if err := new(dns.Msg).Unpack(packed); err != nil {
				t.Fatalf("%v: %s", err, fmt.Sprintf("%x", packed))
			}
		}
	})
}
