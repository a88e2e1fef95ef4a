package diameter

import (
	"encoding/binary"
	"fmt"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"
)

const maxLength = 1<<24 - 1 // of a message and of an AVP (RFC 6733 §3, §4.1)

// serialize returns the octets of a message. Unlike go-diameter's own, it makes no copy of each AVP for each group around it.
func serialize(m *Message) ([]byte, error) {
	b := make([]byte, headerLength, max(int(m.Header.MessageLength), headerLength))
	m.Header.SerializeTo(b)

	for _, a := range m.AVP {
		var err error
		if b, err = appendAVP(b, a); err != nil {
			return nil, err
		}
	}

	if len(b) > maxLength {
		return nil, fmt.Errorf("diameter: a message of %d octets", len(b))
	}

	putLength(b, 1, len(b))

	return b, nil
}

func appendAVP(b []byte, a *diam.AVP) ([]byte, error) {
	start := len(b)

	b = binary.BigEndian.AppendUint32(b, a.Code)
	b = append(b, a.Flags, 0, 0, 0)

	if a.Flags&avp.Vbit != 0 {
		b = binary.BigEndian.AppendUint32(b, a.VendorID)
	}

	switch value := a.Data.(type) {
	case nil:
		return nil, fmt.Errorf("diameter: AVP %d has no value", a.Code)
	case *diam.GroupedAVP:
		for _, part := range value.AVP {
			var err error
			if b, err = appendAVP(b, part); err != nil {
				return nil, err
			}
		}
	case datatype.UTF8String:
		b = append(b, value...)
	case datatype.OctetString:
		b = append(b, value...)
	case datatype.DiameterIdentity:
		b = append(b, value...)
	case datatype.DiameterURI:
		b = append(b, value...)
	case datatype.Unknown:
		b = append(b, value...)
	case datatype.Unsigned32:
		b = binary.BigEndian.AppendUint32(b, uint32(value))
	case datatype.Enumerated:
		b = binary.BigEndian.AppendUint32(b, uint32(value))
	case datatype.Integer32:
		b = binary.BigEndian.AppendUint32(b, uint32(value))
	case datatype.Unsigned64:
		b = binary.BigEndian.AppendUint64(b, uint64(value))
	case datatype.Integer64:
		b = binary.BigEndian.AppendUint64(b, uint64(value))
	default:
		b = append(b, value.Serialize()...)
	}

	length := len(b) - start
	if length > maxLength {
		return nil, fmt.Errorf("diameter: AVP %d of %d octets", a.Code, length)
	}

	putLength(b, start+5, length)

	for len(b)%4 != 0 { // header and AVPs are aligned, so that the end of the buffer is, too
		b = append(b, 0)
	}

	return b, nil
}

// putLength writes a length in three octets.
func putLength(b []byte, at, length int) {
	b[at], b[at+1], b[at+2] = byte(length>>16), byte(length>>8), byte(length)
}
