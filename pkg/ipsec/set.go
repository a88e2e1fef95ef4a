// Package ipsec manages the security associations between a handset and its P-CSCF (TS 33.203 §7) in the kernel: states and
// policies of XFRM, the keys they are made of, their SPIs, their ports and their counters.
package ipsec

import (
	"fmt"
	"net/netip"
)

// Integrity is an integrity algorithm by its name in Security-Client (TS 33.203 annex H).
type Integrity string

// The integrity algorithms.
const (
	HMACMD5     Integrity = "hmac-md5-96"
	HMACSHA1    Integrity = "hmac-sha-1-96"
	HMACSHA256  Integrity = "hmac-sha-256-128"
	AESGMAC     Integrity = "aes-gmac"
	NoIntegrity Integrity = "null" // with AESGCM, which protects both
)

// Encryption is an encryption algorithm by its name in Security-Client (TS 33.203 annex H).
type Encryption string

// The encryption algorithms.
const (
	NoEncryption Encryption = "null"
	AESCBC       Encryption = "aes-cbc"
	DESEDE3CBC   Encryption = "des-ede3-cbc"
	AESGCM       Encryption = "aes-gcm"
)

// Suite is the pair of algorithms that protects one set of security associations.
type Suite struct {
	Integrity  Integrity
	Encryption Encryption
}

// String returns the form of logs and configuration: "hmac-sha-1-96/aes-cbc".
func (s Suite) String() string { return string(s.Integrity) + "/" + string(s.Encryption) }

// Ports are the protected ports of both sides (TS 33.203 §7.1): port_uc, port_us, port_pc, port_ps.
type Ports struct{ UEClient, UEServer, PCSCFClient, PCSCFServer uint16 }

// SPIs identify the four associations, each chosen by its receiver: spi_uc, spi_us, spi_pc, spi_ps.
type SPIs struct{ UEClient, UEServer, PCSCFClient, PCSCFServer uint32 }

// Set is the two pairs of security associations of one registration (TS 33.203 §7.1), and their policies.
type Set struct {
	UE, PCSCF netip.Addr
	Ports     Ports
	SPIs      SPIs
	Suite     Suite
	IK, CK    [16]byte `json:"-"` // unknown for a set found in the kernel
	ReqID     uint32   // binds states and policies of the set to each other; unique on this machine
}

// String returns everything except the keys.
func (s Set) String() string {
	return fmt.Sprintf("UE %s uc=%d/%#x us=%d/%#x, P-CSCF %s pc=%d/%#x ps=%d/%#x, %s", s.UE, s.Ports.UEClient, s.SPIs.UEClient,
		s.Ports.UEServer, s.SPIs.UEServer, s.PCSCF, s.Ports.PCSCFClient, s.SPIs.PCSCFClient, s.Ports.PCSCFServer, s.SPIs.PCSCFServer, s.Suite)
}
