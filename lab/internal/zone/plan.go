// Package zone makes the DNS records of a network (TS 23.003 §13, RFC 3263, RFC 6116) from its plan, without asking anybody.
package zone

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Plan is a network: its functions and their addresses.
type Plan struct {
	Domain   string       // home network domain (TS 23.003 §13.2)
	Server   []netip.Addr // the name server
	Services []Service
	Hosts    []Host
	Numbers  []Number // nil: not known, and no zone for them
}

// Service is a SIP server found by NAPTR and SRV records (RFC 3263 §4).
type Service struct {
	Name      string // below the home network domain
	Addresses []netip.Addr
	Port      uint16
	Apex      bool // the domain itself leads to it
}

// Host is a name with its addresses.
type Host struct {
	Name      string // in full
	Addresses []netip.Addr
}

// Number is a telephone number and its URI (RFC 6116).
type Number struct {
	Digits string // of E.164, without +
	URI    string
}

// TTLs of records, in seconds. Subscribers come and go, and a negative answer is asked again soon.
const (
	hostLife   = 300
	numberLife = 60
	noneLife   = 60
)

// NumbersOrigin is the zone of telephone numbers (RFC 6116 §3.1).
const NumbersOrigin = "e164.arpa."

const publicTree = ".3gppnetwork.org."

// Origins returns the zones of a home network domain: its own, those of EPC and of public names if it is that of a PLMN (TS 23.003 §19.2,
// §19.4.2.1), and that of telephone numbers.
func Origins(domain string) []string {
	domain = dns.CanonicalName(domain)
	origins := []string{domain}

	if plmn, found := strings.CutPrefix(domain, "ims."); found && strings.HasSuffix(plmn, publicTree) {
		origins = append(origins, "epc."+plmn, strings.TrimSuffix(plmn, publicTree)+".pub"+publicTree)
	}

	return append(origins, NumbersOrigin)
}

// Zones makes the zones of a network, with this serial number.
func (p *Plan) Zones(serial uint32) ([]*Zone, error) {
	if len(p.Server) == 0 {
		return nil, errors.New("a zone has to say where its name server is")
	}

	var zones []*Zone

	origins := Origins(p.Domain)
	if p.Numbers == nil {
		origins = slices.DeleteFunc(origins, func(origin string) bool { return origin == NumbersOrigin })
	}

	for _, origin := range origins {
		if _, ok := dns.IsDomainName(origin); !ok || origin == "." {
			return nil, fmt.Errorf("%q is no domain", p.Domain)
		}

		z := newZone(origin, serial)
		z.addresses("ns."+origin, p.Server)
		zones = append(zones, z)
	}

	for _, s := range p.Services {
		zones[0].service(s)
	}

	for _, h := range p.Hosts {
		name := dns.CanonicalName(h.Name)

		z := Of(zones, name)
		if _, ok := dns.IsDomainName(name); !ok || z == nil {
			return nil, fmt.Errorf("%q is in none of the zones %s", h.Name, strings.Join(origins, " "))
		}

		z.addresses(name, h.Addresses)
	}

	numbers := zones[len(zones)-1]
	for _, n := range sorted(p.Numbers) {
		numbers.number(n)
	}

	return zones, nil
}

// sorted returns the numbers in order, each once.
func sorted(numbers []Number) []Number {
	all := slices.Clone(numbers)
	slices.SortStableFunc(all, func(a, b Number) int { return strings.Compare(a.Digits, b.Digits) })

	return slices.CompactFunc(all, func(a, b Number) bool { return a.Digits == b.Digits })
}

// service adds the records by which a SIP server is found: NAPTR, SRV, and its addresses (RFC 3263 §4.1, §4.2).
func (z *Zone) service(s Service) {
	host := s.Name + "." + z.Origin
	z.addresses(host, s.Addresses)

	names := []string{host}
	if s.Apex {
		z.addresses(z.Origin, s.Addresses)
		names = append(names, z.Origin)
	}

	for _, name := range names {
		for i, transport := range []struct{ service, name string }{{"SIP+D2U", "_sip._udp."}, {"SIP+D2T", "_sip._tcp."}} {
			z.add(&dns.NAPTR{
				Hdr: header(name, dns.TypeNAPTR, hostLife), Order: uint16(10 * (i + 1)), Preference: 50, Flags: "s",
				Service: transport.service, Replacement: transport.name + name,
			})
			z.add(&dns.SRV{Hdr: header(transport.name+name, dns.TypeSRV, hostLife), Port: s.Port, Target: host})
		}
	}
}

// number adds the ENUM record of a number (RFC 6116 §3.4, RFC 3764). A number that does not fit into one is left out.
func (z *Zone) number(n Number) {
	const longest, most = 15, 255 // digits of E.164; octets of a character-string (RFC 1035 §3.3)

	if n.Digits == "" || len(n.Digits) > longest || strings.Trim(n.Digits, "0123456789") != "" {
		return
	}

	// A "!" may stand in a URI, a "|" may not.
	delimiter := "!"
	if strings.Contains(n.URI, delimiter) {
		delimiter = "|"
	}

	replacement := delimiter + "^.*$" + delimiter + n.URI + delimiter
	odd := func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`"\|`, c) }
	if len(replacement) > most || strings.ContainsFunc(n.URI, odd) {
		return
	}

	name := []byte(strings.Join(strings.Split(n.Digits, ""), "."))
	slices.Reverse(name)

	z.add(&dns.NAPTR{
		Hdr: header(string(name)+"."+z.Origin, dns.TypeNAPTR, numberLife), Order: 10, Preference: 100, Flags: "u", Service: "E2U+sip",
		Regexp: replacement, Replacement: ".",
	})
}

func (z *Zone) addresses(name string, all []netip.Addr) {
	for _, a := range all {
		if a = a.Unmap(); a.Is4() {
			z.add(&dns.A{Hdr: header(name, dns.TypeA, hostLife), A: a.AsSlice()})
		} else {
			z.add(&dns.AAAA{Hdr: header(name, dns.TypeAAAA, hostLife), AAAA: a.WithZone("").AsSlice()})
		}
	}
}

func header(name string, kind uint16, life uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: life}
}
