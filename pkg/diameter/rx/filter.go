package rx

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// FilterRule is a Flow-Description: an IPFilterRule (RFC 6733 §4.3.1) within the limits of TS 29.214 §5.3.8, which N5 has too (TS 29.514
// §5.3.8). It only permits, has one port or one range at each end, and no options.
type FilterRule struct {
	Uplink   bool  // direction "in": the UE sends; else "out"
	Protocol uint8 // 0 is any, "ip"
	From, To FilterEnd
}

// FilterEnd is the source or destination of packets. Without an address it is any, without ports every port.
type FilterEnd struct {
	Address     netip.Prefix
	First, Last uint16 // ports; Last is 0 for one alone
}

// String returns the rule as sent: "permit out 17 from 192.0.2.1 to 10.45.0.2 50000".
func (r FilterRule) String() string {
	direction, protocol := "out", "ip"
	if r.Uplink {
		direction = "in"
	}

	if r.Protocol != 0 {
		protocol = strconv.Itoa(int(r.Protocol))
	}

	return "permit " + direction + " " + protocol + " from " + r.From.String() + " to " + r.To.String()
}

// String returns the end as it stands in a rule.
func (e FilterEnd) String() string {
	text := "any"

	switch {
	case !e.Address.IsValid():
	case e.Address.IsSingleIP():
		text = e.Address.Addr().String()
	default:
		text = e.Address.String()
	}

	if e.First != 0 {
		text += " " + strconv.Itoa(int(e.First))
	}

	if e.Last != 0 {
		text += "-" + strconv.Itoa(int(e.Last))
	}

	return text
}

// ParseFilterRule reads what String writes. A PCRF refuses anything else with FILTER_RESTRICTIONS.
func ParseFilterRule(text string) (r FilterRule, err error) {
	words := strings.Split(text, " ")
	if len(words) < 7 || words[0] != "permit" || words[3] != "from" {
		return r, fmt.Errorf("%q is no filter rule of TS 29.214 §5.3.8", text)
	}

	switch words[1] {
	case "in":
		r.Uplink = true
	case "out":
	default:
		return r, fmt.Errorf("%q: a direction is in or out", words[1])
	}

	if words[2] != "ip" {
		protocol, err := strconv.ParseUint(words[2], 10, 8)
		if err != nil || protocol == 0 || strconv.FormatUint(protocol, 10) != words[2] {
			return r, fmt.Errorf("%q is no protocol", words[2])
		}

		r.Protocol = uint8(protocol)
	}

	from, to, found := split(words[4:], "to")
	if !found {
		return r, fmt.Errorf("%q does not say where to", text)
	}

	if r.From, err = parseEnd(from); err != nil {
		return r, err
	}

	if r.To, err = parseEnd(to); err != nil {
		return r, err
	}

	if a, b := r.From.Address, r.To.Address; a.IsValid() && b.IsValid() && a.Addr().Is4() != b.Addr().Is4() {
		return r, fmt.Errorf("%q has IPv4 at one end and IPv6 at the other", text)
	}

	return r, nil
}

func split(words []string, at string) (before, after []string, found bool) {
	for i, word := range words {
		if word == at {
			return words[:i], words[i+1:], true
		}
	}

	return words, nil, false
}

func parseEnd(words []string) (e FilterEnd, err error) {
	if len(words) == 0 || len(words) > 2 {
		return e, fmt.Errorf("%q is no end of a filter rule", strings.Join(words, " "))
	}

	if words[0] != "any" {
		if e.Address, err = parsePrefix(words[0]); err != nil {
			return e, err
		}
	}

	if len(words) == 1 {
		return e, nil
	}

	first, last, ranged := strings.Cut(words[1], "-")
	if e.First, err = parsePort(first); err != nil || !ranged {
		return e, err
	}

	if e.Last, err = parsePort(last); err == nil && e.Last < e.First {
		err = fmt.Errorf("%q is no range of ports", words[1])
	}

	return e, err
}

func parsePrefix(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" && !address.Is4In6() {
		return netip.PrefixFrom(address, address.BitLen()), nil
	}

	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4In6() {
		return prefix, fmt.Errorf("%q is no address of a filter rule", text)
	}

	return prefix, nil
}

func parsePort(text string) (uint16, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("%q is no port", text)
	}

	return uint16(port), nil
}
