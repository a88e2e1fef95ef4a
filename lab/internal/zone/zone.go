package zone

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Zone is the records below one name. It is immutable once it is served.
type Zone struct {
	Origin string

	soa   *dns.SOA
	order []string                       // the names with records, in the order of add
	names map[string]map[uint16][]dns.RR // by kind; empty for the names in between (RFC 4592 §2.2.2)
}

func newZone(origin string, serial uint32) *Zone {
	z := &Zone{Origin: origin, names: map[string]map[uint16][]dns.RR{}}
	z.soa = &dns.SOA{
		Hdr: header(origin, dns.TypeSOA, hostLife), Ns: "ns." + origin, Mbox: "hostmaster." + origin, Serial: serial,
		Refresh: 3600, Retry: 900, Expire: 604_800, Minttl: noneLife,
	}
	z.add(z.soa)
	z.add(&dns.NS{Hdr: header(origin, dns.TypeNS, hostLife), Ns: "ns." + origin})

	return z
}

// add adds a record, unless it is there already.
func (z *Zone) add(r dns.RR) {
	name, kind := r.Header().Name, r.Header().Rrtype

	if len(z.names[name]) == 0 {
		z.order = append(z.order, name)
		z.names[name] = map[uint16][]dns.RR{}
	}

	if slices.ContainsFunc(z.names[name][kind], func(other dns.RR) bool { return dns.IsDuplicate(r, other) }) {
		return
	}

	z.names[name][kind] = append(z.names[name][kind], r)

	for above := name; above != z.Origin; { // a name with something below it exists, without records
		_, above, _ = strings.Cut(above, ".")

		if _, there := z.names[above]; there {
			break
		}

		z.names[above] = nil
	}
}

// Of returns the zone of a name; nil if there is none.
func Of(zones []*Zone, name string) *Zone {
	var found *Zone

	for _, z := range zones {
		if dns.IsSubDomain(z.Origin, name) && (found == nil || len(z.Origin) > len(found.Origin)) {
			found = z
		}
	}

	return found
}

// Find returns the records of a name and kind, and whether the name exists at all. The name is canonical.
func (z *Zone) Find(name string, kind uint16) (records []dns.RR, exists bool) {
	kinds, exists := z.names[name]

	return kinds[kind], exists
}

// SOA returns the record that says how long a negative answer is valid (RFC 2308 §3).
func (z *Zone) SOA() *dns.SOA { return z.soa }

// Text returns the zone as a file (RFC 1035 §5).
func (z *Zone) Text() string {
	var b strings.Builder

	b.WriteString("$ORIGIN " + z.Origin + "\n")

	for _, name := range z.order {
		kinds := z.names[name]
		for _, kind := range []uint16{dns.TypeSOA, dns.TypeNS, dns.TypeNAPTR, dns.TypeSRV, dns.TypeA, dns.TypeAAAA} {
			for _, r := range kinds[kind] {
				b.WriteString(r.String() + "\n")
			}
		}
	}

	return b.String()
}
