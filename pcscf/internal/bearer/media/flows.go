package media

import "net/netip"

const (
	tcp = 6
	udp = 17
)

// flows returns the flows of one m-line; own is the UE's line, far the one that the UE was sent (TS 29.213 §6.2). The source is an address
// (of IPv6 the /64) without a port, since nobody promises to send from where it receives; the destination is as the description states.
func (n *Negotiation) flows(own, far *line, silent bool) []Flow {
	ue := own.address
	if !ue.IsValid() || ue.IsUnspecified() {
		ue = n.UE.Unmap()
	}

	there := far.address
	if there.IsUnspecified() || there.Is4() != ue.Is4() {
		there = netip.Addr{} // on hold as RFC 2543 had it, or of another family by mistake
	}

	rtp := Flow{Number: 1, Uplink: own.rule(far, ue, there), Downlink: far.rule(own, there, ue)}
	if !own.rtp() || silent || own.muxed() && far.muxed() || own.ports > 1 {
		return []Flow{rtp}
	}

	here, port := own.rtcp(ue)
	back, farPort := far.rtcp(there)

	if here.Is4() != ue.Is4() {
		here = ue
	}

	if back.Is4() != ue.Is4() {
		back = there
	}

	return []Flow{rtp, {
		Number:   2,
		RTCP:     true,
		Uplink:   Rule{Protocol: udp, From: source(ue), To: target(back, farPort, 0)},
		Downlink: Rule{Protocol: udp, From: source(there), To: target(here, port, 0)},
	}}
}

// rule returns the rule for packets from one end to the other. With TCP, the port of the end that opens the connection is not known yet
// (RFC 4145).
func (l *line) rule(to *line, from, at netip.Addr) Rule {
	r := Rule{Protocol: l.protocol(), From: source(from), To: target(at, to.port, to.last())}
	if r.Protocol != tcp {
		return r
	}

	if to.opens() {
		r.To = target(at, 0, 0)
	}

	if !l.opens() && to.opens() {
		r.From.First = l.port
	}

	return r
}

func source(a netip.Addr) End {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}

	prefix, err := a.Prefix(bits)
	if err != nil {
		return End{}
	}

	return End{Address: prefix}
}

func target(a netip.Addr, first, last uint16) End {
	e := End{First: first, Last: last}
	if a.IsValid() {
		e.Address = netip.PrefixFrom(a, a.BitLen())
	}

	return e
}
