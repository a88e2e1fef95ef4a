package ipsec

import "net/netip"

// Role is an end of the associations.
type Role int

// The two ends.
const (
	PCSCF Role = iota
	UE
)

func (r Role) String() string { return [...]string{"P-CSCF", "UE"}[r] }

// Association is one of the four of a set: everything between two ports in one direction, over UDP and TCP.
type Association struct {
	From        Role // the sender
	Name        string
	Source      netip.AddrPort
	Destination netip.AddrPort
	SPI         uint32 // the receiver's
}

// Associations returns the four of the set (TS 33.203 §7.1). The first two carry requests and, over UDP, responses; the others what the
// receivers of TCP connections answer.
func (s Set) Associations() [4]Association {
	uc, us := netip.AddrPortFrom(s.UE, s.Ports.UEClient), netip.AddrPortFrom(s.UE, s.Ports.UEServer)
	pc, ps := netip.AddrPortFrom(s.PCSCF, s.Ports.PCSCFClient), netip.AddrPortFrom(s.PCSCF, s.Ports.PCSCFServer)

	return [4]Association{
		{From: UE, Name: "uc-ps", Source: uc, Destination: ps, SPI: s.SPIs.PCSCFServer},
		{From: PCSCF, Name: "pc-us", Source: pc, Destination: us, SPI: s.SPIs.UEServer},
		{From: PCSCF, Name: "ps-uc", Source: ps, Destination: uc, SPI: s.SPIs.UEClient},
		{From: UE, Name: "us-pc", Source: us, Destination: pc, SPI: s.SPIs.PCSCFClient},
	}
}
