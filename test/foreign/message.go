// Package foreign is a Diameter node of another make that a test plays: an OCS, an HSS, a network function. Its codec is its own
// and knows nothing but octets, so that it can say what Dialtone's would not, and sees what Dialtone's would pass over.
package foreign

import (
	"encoding/binary"
	"fmt"
)

// Command flags and AVP flags (RFC 6733 §3, §4.1).
const (
	Request       = 0x80
	Proxiable     = 0x40
	ErrorBit      = 0x20
	Retransmitted = 0x10

	vendorBit = 0x80
	mandatory = 0x40
)

// Codes of AVPs that most tests need.
const (
	OriginHost       = 264
	OriginRealm      = 296
	DestinationHost  = 293
	DestinationRealm = 283
	SessionID        = 263
	ResultCode       = 268
	FailedAVP        = 279
	AuthApplication  = 258
	AcctApplication  = 259
	HostIPAddress    = 257
	VendorID         = 266
	ProductName      = 269
	OriginStateID    = 278

	RequestNumber = 415
	RequestType   = 416
)

// Relay is the application of a relay agent (RFC 6733 §2.4).
const Relay = 0xFFFFFFFF

// AVP is one attribute as it stands in a message.
type AVP struct {
	Code, Vendor uint32
	Flags        uint8
	Data         []byte
}

// Text makes a mandatory AVP of the base protocol, or with vendor not 0 of a vendor, as Number and Group do.
func Text(code, vendor uint32, value string) AVP {
	return AVP{Code: code, Vendor: vendor, Flags: mandatory, Data: []byte(value)}
}

// Number returns an Unsigned32 or Enumerated.
func Number(code, vendor, value uint32) AVP {
	return AVP{Code: code, Vendor: vendor, Flags: mandatory, Data: binary.BigEndian.AppendUint32(nil, value)}
}

// Group returns a grouped AVP.
func Group(code, vendor uint32, parts ...AVP) AVP {
	return AVP{Code: code, Vendor: vendor, Flags: mandatory, Data: appendAVPs(nil, parts)}
}

// Message is a Diameter message.
type Message struct {
	Flags                uint8
	Command, Application uint32
	HopByHop, EndToEnd   uint32
	AVPs                 []AVP
}

// IsRequest reports whether a message is a request.
func (m *Message) IsRequest() bool { return m.Flags&Request != 0 }

// Bytes returns the message as it is sent.
func (m *Message) Bytes() []byte {
	b := append([]byte{1, 0, 0, 0}, binary.BigEndian.AppendUint32(nil, uint32(m.Flags)<<24|m.Command)...)
	b = binary.BigEndian.AppendUint32(b, m.Application)
	b = binary.BigEndian.AppendUint32(b, m.HopByHop)
	b = appendAVPs(binary.BigEndian.AppendUint32(b, m.EndToEnd), m.AVPs)
	b[1], b[2], b[3] = byte(len(b)>>16), byte(len(b)>>8), byte(len(b))

	return b
}

func appendAVPs(b []byte, avps []AVP) []byte {
	for _, a := range avps {
		header := 8
		if a.Vendor != 0 {
			header, a.Flags = 12, a.Flags|vendorBit
		}

		b = binary.BigEndian.AppendUint32(b, a.Code)
		b = binary.BigEndian.AppendUint32(b, uint32(a.Flags)<<24|uint32(header+len(a.Data)))
		if a.Vendor != 0 {
			b = binary.BigEndian.AppendUint32(b, a.Vendor)
		}

		b = append(b, a.Data...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}

	return b
}

// Parse reads a whole message.
func Parse(b []byte) (Message, error) {
	if len(b) < 20 {
		return Message{}, fmt.Errorf("a message of %d octets", len(b))
	}

	m := Message{
		Flags: b[4], Command: binary.BigEndian.Uint32(b[4:]) & 0xFFFFFF, Application: binary.BigEndian.Uint32(b[8:]),
		HopByHop: binary.BigEndian.Uint32(b[12:]), EndToEnd: binary.BigEndian.Uint32(b[16:]),
	}

	var err error
	m.AVPs, err = parseAVPs(b[20:])

	return m, err
}

func parseAVPs(b []byte) (avps []AVP, err error) {
	for len(b) > 0 {
		if len(b) < 8 {
			return avps, fmt.Errorf("%d octets where an AVP should be", len(b))
		}

		a, header, length := AVP{Code: binary.BigEndian.Uint32(b), Flags: b[4]}, 8, int(binary.BigEndian.Uint32(b[4:])&0xFFFFFF)
		if a.Flags&vendorBit != 0 && len(b) >= 12 {
			a.Vendor, header = binary.BigEndian.Uint32(b[8:]), 12
		}

		if length < header || (length+3)&^3 > len(b) {
			return avps, fmt.Errorf("AVP %d of %d octets in %d", a.Code, length, len(b))
		}

		a.Data = b[header:length]
		avps, b = append(avps, a), b[(length+3)&^3:]
	}

	return avps, nil
}

// Find returns the value of the first AVP at a path of codes; nil: there is none.
func (m *Message) Find(path ...uint32) []byte {
	avps := m.AVPs

	for i, code := range path {
		var value []byte
		for _, a := range avps {
			if a.Code == code {
				value = a.Data
				break
			}
		}

		if value == nil || i == len(path)-1 {
			return value
		}

		avps, _ = parseAVPs(value)
	}

	return nil
}

// Text is the same as a string.
func (m *Message) Text(path ...uint32) string { return string(m.Find(path...)) }

// Number returns the same as a number; 0 if there is none.
func (m *Message) Number(path ...uint32) uint32 {
	if value := m.Find(path...); len(value) == 4 {
		return binary.BigEndian.Uint32(value)
	}

	return 0
}

// Count returns how many AVPs of this code stand in the message itself.
func (m *Message) Count(code uint32) (n int) {
	for _, a := range m.AVPs {
		if a.Code == code {
			n++
		}
	}

	return n
}
