package nameserver

import (
	"slices"

	"github.com/miekg/dns"

	"github.com/dialtone-ims/dialtone/lab/internal/zone"
)

// datagram is how many octets a datagram may have on any path without fragmentation, and so the limit for UDP in both directions.
const datagram = 1232

// answer returns the reply to a query. It answers from the zones, and refuses all else (RFC 1034 §4.3.2).
func answer(zones []*zone.Zone, q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.Compress = true

	if len(q.Question) != 1 {
		m.Rcode = dns.RcodeFormatError
		return m
	}

	if !extend(m, q) {
		return m
	}

	asked := q.Question[0]

	switch {
	case q.Opcode != dns.OpcodeQuery: // neither updates (RFC 2136) nor notifies (RFC 1996): the zones are made here
		m.Rcode = dns.RcodeNotImplemented
	case q.IsTsig() != nil: // RFC 8945 §5.2: there is no key
		m.Rcode = dns.RcodeNotAuth
	case asked.Qclass != dns.ClassINET, asked.Qtype == dns.TypeAXFR, asked.Qtype == dns.TypeIXFR:
		m.Rcode = dns.RcodeRefused
	default:
		look(m, zones, dns.CanonicalName(asked.Name), asked.Qtype)
	}

	return m
}

// extend answers in the question's version of EDNS (RFC 6891 §6.1). It reports whether the question is to be answered.
func extend(m, q *dns.Msg) bool {
	options := 0

	for _, r := range q.Extra {
		if r.Header().Rrtype == dns.TypeOPT {
			options++
		}
	}

	if options == 0 {
		return true
	}

	asked := q.IsEdns0()
	m.SetEdns0(datagram, asked.Do()) // RFC 3225 §3: DO is sent back, though nothing is signed

	switch {
	case options > 1: // §6.1.1
		m.Rcode = dns.RcodeFormatError
	case asked.Version() != 0: // §6.1.3
		m.Rcode = dns.RcodeBadVers
	default:
		return true
	}

	return false
}

// look answers from the zone of the name. It does not recurse.
func look(m *dns.Msg, zones []*zone.Zone, name string, kind uint16) {
	z := zone.Of(zones, name)
	if z == nil {
		m.Rcode = dns.RcodeRefused
		return
	}

	m.Authoritative = true

	records, exists := z.Find(name, kind)

	switch {
	case !exists:
		m.Rcode = dns.RcodeNameError
	case kind == dns.TypeANY: // RFC 8482 §4.2
		records = []dns.RR{&dns.HINFO{
			Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeHINFO, Class: dns.ClassINET, Ttl: z.SOA().Minttl}, Cpu: "RFC8482",
		}}
	}

	if len(records) == 0 { // RFC 2308 §2.1, §2.2
		none := *z.SOA()
		none.Hdr.Ttl = min(none.Hdr.Ttl, none.Minttl)
		m.Ns = []dns.RR{&none}

		return
	}

	m.Answer = slices.Clone(records)

	extra := further(zones, records)
	m.Extra = append(extra, m.Extra...)
}

// further returns the records that the client will ask for next (RFC 2782, RFC 3403 §4.2).
func further(zones []*zone.Zone, records []dns.RR) (extra []dns.RR) {
	find := func(name string, kinds ...uint16) (found []dns.RR) {
		if z := zone.Of(zones, name); z != nil {
			for _, kind := range kinds {
				records, _ := z.Find(name, kind)
				found = append(found, records...)
			}
		}

		return found
	}

	add := func(all []dns.RR) {
		for _, r := range all {
			if !slices.Contains(extra, r) {
				extra = append(extra, r)
			}
		}
	}

	for _, r := range records {
		switch r := r.(type) {
		case *dns.NS:
			add(find(r.Ns, dns.TypeA, dns.TypeAAAA))
		case *dns.SRV:
			add(find(r.Target, dns.TypeA, dns.TypeAAAA))
		case *dns.NAPTR:
			services := find(r.Replacement, dns.TypeSRV)
			add(services)
			add(further(zones, services))
		}
	}

	return extra
}

// fit shortens a reply to a datagram. Additional records are removed first, which does not make it truncated (RFC 2181 §9).
func fit(m, q *dns.Msg) {
	most := dns.MinMsgSize
	if o := q.IsEdns0(); o != nil {
		most = min(max(most, int(o.UDPSize())), datagram)
	}

	if m.Len() > most {
		m.Extra = slices.DeleteFunc(m.Extra, func(r dns.RR) bool { return r.Header().Rrtype != dns.TypeOPT })
	}

	m.Truncate(most)
}
