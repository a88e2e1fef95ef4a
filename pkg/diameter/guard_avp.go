package diameter

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"
)

const (
	maxNesting = 10
	// reservedAVPFlags are the bits that no application defines; an unknown bit is an error (RFC 6733 §4.1).
	reservedAVPFlags = 0x1F
)

// attributes are the AVPs that an application knows, its own and those of the base protocol, by code and vendor.
type attributes map[uint64]*attribute

// avpFault is an AVP that cannot be decoded, and the result for the request with it.
type avpFault struct {
	result Result
	avp    []byte // for Failed-AVP
	err    error
}

// rawAVP is one AVP within the octets of a message.
type rawAVP struct {
	code, vendor uint32
	flags        uint8
	header       int // octets of the AVP's header
	length       int // of header and value, without padding
	next         int // where the next AVP begins
}

// parseAVP reads the header of the AVP at the start of b. The AVP's length stays within b.
func parseAVP(b []byte) (rawAVP, error) {
	if len(b) < 8 {
		return rawAVP{header: 8, length: len(b)}, fmt.Errorf("the header of an AVP is cut off after %d octets", len(b))
	}

	a := rawAVP{code: binary.BigEndian.Uint32(b), flags: b[4], header: 8, length: int(binary.BigEndian.Uint32(b[4:]) & 0xFFFFFF)}

	if a.flags&avp.Vbit != 0 {
		if a.header = 12; len(b) < a.header {
			return a, fmt.Errorf("AVP %d: the header is cut off", a.code)
		}

		a.vendor = binary.BigEndian.Uint32(b[8:])
	}

	a.next = (a.length + 3) &^ 3

	switch {
	case a.length < a.header || a.length > len(b):
		return a, fmt.Errorf("AVP %d: length %d of %d octets", a.code, a.length, len(b))
	case a.next > len(b):
		return a, fmt.Errorf("AVP %d: the padding is cut off", a.code)
	default:
		return a, nil
	}
}

// count returns the number of AVPs before the first faulty one.
func count(b []byte) (n int) {
	for len(b) > 0 {
		a, err := parseAVP(b)
		if err != nil {
			break
		}

		n++
		b = b[a.next:]
	}

	return n
}

// decode decodes the AVPs of a message or a group (RFC 6733 §4.1). If strict, it refuses what a request must not have: AVPs that are
// unknown and mandatory, and undefined flags. In an answer both are ignored.
func (known attributes) decode(b []byte, strict bool, depth int) ([]*diam.AVP, *avpFault) {
	if depth > maxNesting {
		return nil, &avpFault{result: UnableToComply, err: fmt.Errorf("AVPs nested more than %d deep", maxNesting)}
	}

	n := count(b)
	room, avps := make([]diam.AVP, n), make([]*diam.AVP, 0, n)

	for len(b) > 0 {
		raw, err := parseAVP(b)
		attribute := known[codeKey(raw.code, raw.vendor)]

		if err != nil {
			return nil, &avpFault{result: InvalidAVPLength, avp: repaired(b, raw, attribute), err: err}
		}

		whole := b[:raw.length]

		switch {
		case strict && raw.flags&reservedAVPFlags != 0:
			return nil, &avpFault{InvalidAVPBits, whole, fmt.Errorf("AVP %d: flags %02x", raw.code, raw.flags)}
		case strict && attribute == nil && raw.flags&avp.Mbit != 0:
			return nil, &avpFault{AVPUnsupported, whole, fmt.Errorf("AVP %d of vendor %d is mandatory and unknown", raw.code, raw.vendor)}
		}

		a := &room[len(avps)]
		*a = diam.AVP{Code: raw.code, Flags: raw.flags, Length: raw.length, VendorID: raw.vendor}

		var fault *avpFault
		if a.Data, fault = known.value(raw, b[raw.header:raw.length], attribute, strict, depth); fault != nil {
			if fault.avp == nil && fault.result != UnableToComply {
				fault.avp = repaired(b, raw, attribute)
			}

			return nil, fault
		}

		avps = append(avps, a)
		b = b[raw.next:]
	}

	return avps, nil
}

// value decodes the value of one AVP. An unknown AVP keeps its octets.
func (known attributes) value(raw rawAVP, b []byte, attribute *attribute, strict bool, depth int) (datatype.Type, *avpFault) {
	switch {
	case attribute == nil:
		return datatype.Unknown(append([]byte(nil), b...)), nil
	case attribute.kind != datatype.GroupedType:
		return attribute.value(b, strict)
	}

	group, fault := known.decode(b, strict, depth+1)

	switch {
	case fault == nil:
		return &diam.GroupedAVP{AVP: group}, nil
	case attribute.code == avp.FailedAVP && attribute.vendor == 0: // the peer shows what was at fault; its answer is not
		return datatype.Unknown(append([]byte(nil), b...)), nil
	default:
		if fault.avp != nil {
			fault.avp = enclose(raw, fault.avp)
		}

		fault.err = fmt.Errorf("in %s: %w", attribute.name, fault.err)

		return nil, fault
	}
}

// value decodes a value that is not a group. It refuses text that is not UTF-8: a database, say, would refuse it later, where nobody
// could tell the peer what was wrong.
func (a *attribute) value(b []byte, strict bool) (datatype.Type, *avpFault) {
	switch a.kind {
	case datatype.UTF8StringType:
		if strict && !utf8.Valid(b) {
			return nil, &avpFault{result: InvalidAVPValue, err: fmt.Errorf("%s is not UTF-8", a.name)}
		}

		return datatype.UTF8String(b), nil
	case datatype.OctetStringType:
		return datatype.OctetString(b), nil
	case datatype.DiameterIdentityType:
		return datatype.DiameterIdentity(b), nil
	case datatype.DiameterURIType:
		return datatype.DiameterURI(b), nil
	}

	value, err := datatype.Decode(a.kind, b)
	if err != nil || value.Len() != len(b) {
		return nil, &avpFault{result: InvalidAVPLength, err: fmt.Errorf("%s: a value of %d octets", a.name, len(b))}
	}

	return value, nil
}

// repaired returns an AVP of an impossible length as Failed-AVP shows it: its header, with the smallest value of its type (RFC 6733
// §7.1.5 on DIAMETER_INVALID_AVP_LENGTH), so that the answer can be read. Values that are only wrong are kept.
func repaired(b []byte, raw rawAVP, attribute *attribute) []byte {
	whole := make([]byte, raw.header)
	copy(whole, b)

	switch {
	case attribute != nil && attribute.kind == datatype.UTF8StringType && raw.length > raw.header && raw.length <= len(b):
		whole = append(whole, b[raw.header:raw.length]...)
	case attribute != nil:
		whole = append(whole, attribute.smallest()...)
	}

	putLength(whole, 5, len(whole))

	return whole
}

// enclose puts the AVP at fault, alone, into the group that it came in (RFC 6733 §7.5).
func enclose(raw rawAVP, inner []byte) []byte {
	whole := binary.BigEndian.AppendUint32(nil, raw.code)
	whole = append(whole, raw.flags, 0, 0, 0)

	if raw.header == 12 {
		whole = binary.BigEndian.AppendUint32(whole, raw.vendor)
	}

	whole = append(whole, aligned(inner)...)
	putLength(whole, 5, len(whole))

	return whole
}

// aligned returns an AVP with its padding, which its length does not count.
func aligned(a []byte) []byte {
	whole := make([]byte, (len(a)+3)&^3)
	copy(whole, a)

	return whole
}
