package rx

import (
	"errors"
	"net/netip"
)

// FramedIPv4 returns the value of Framed-IP-Address: four octets (RFC 7155 §4.4.10.5.1).
func FramedIPv4(address netip.Addr) []byte { return address.AsSlice() }

// FramedIPv6 returns the value of Framed-IPv6-Prefix for one address: a reserved octet, the prefix length, sixteen octets (RFC 3162
// §2.3). TS 29.214 §4.4.1 requires the whole address with the length 128. RFC 3162 also has shorter forms, which not every PCRF takes.
func FramedIPv6(address netip.Addr) []byte { return append([]byte{0, 128}, address.AsSlice()...) }

var (
	errFramedIPv4 = errors.New("a Framed-IP-Address is not of four octets")
	errFramedIPv6 = errors.New("a Framed-IPv6-Prefix is not as RFC 3162 has it")
)

// UE returns the address by which the PCRF knows the UE. If there are two, IPv6 counts.
func (q *AAR) UE() (netip.Prefix, error) {
	if b := q.FramedIPv6Prefix; len(b) > 0 {
		if len(b) < 2 || len(b) > 18 || b[1] > 128 || int(b[1]+7)/8 > len(b)-2 {
			return netip.Prefix{}, errFramedIPv6
		}

		var whole [16]byte
		copy(whole[:], b[2:])

		return netip.PrefixFrom(netip.AddrFrom16(whole), int(b[1])), nil
	}

	address, ok := netip.AddrFromSlice(q.FramedIPAddress)
	if !ok || !address.Is4() {
		return netip.Prefix{}, errFramedIPv4
	}

	return netip.PrefixFrom(address, 32), nil
}
