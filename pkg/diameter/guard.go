package diameter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"
)

const (
	headerLength = 20
	maxNesting   = 10
	// maskedCode replaces the code of an AVP that go-diameter would decode with another vendor's type; the dictionaries do
	// not have it, so that the AVP stays opaque.
	maskedCode = 0xFFFFFFFE
)

func init() { diam.MessageBufferLength = 8192 } // bodies above 1 KiB, as every SAA has, otherwise bypass the pool

// WireError is a message that cannot be decoded. Result says how a request is to be answered; when Fatal, the stream cannot
// be followed any further.
type WireError struct {
	Header diam.Header
	Result Result
	Failed []byte // the AVP at fault as it came, header included
	Raw    []byte
	Fatal  bool
	Err    error
}

func (e *WireError) Error() string { return fmt.Sprintf("%v: %v", e.Result, e.Err) }

// Unwrap gives the cause.
func (e *WireError) Unwrap() error { return e.Err }

// Request tells whether the message at fault was a request, and so wants an answer.
func (e *WireError) Request() bool { return e.Header.CommandFlags&diam.RequestFlag != 0 }

// Read takes one message of at most max octets from a stream. It keeps from go-diameter's decoder whatever that decoder
// cannot bear: lengths that lie, groups nested without end, values that do not fit their type. The octets of the message are
// returned too, for the trace.
func (d *Dictionary) Read(r io.Reader, max int) (*Message, []byte, error) {
	var header [headerLength]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, nil, err
	}

	h := diam.Header{
		Version:       header[0],
		MessageLength: binary.BigEndian.Uint32(header[0:]) & 0xFFFFFF,
		CommandFlags:  header[4],
		CommandCode:   binary.BigEndian.Uint32(header[4:]) & 0xFFFFFF,
		ApplicationID: binary.BigEndian.Uint32(header[8:]),
		HopByHopID:    binary.BigEndian.Uint32(header[12:]),
		EndToEndID:    binary.BigEndian.Uint32(header[16:]),
	}
	length := int(h.MessageLength)
	fault := &WireError{Header: h, Raw: header[:], Fatal: true}

	switch {
	case h.Version != 1:
		fault.Result, fault.Err = UnsupportedVersion, fmt.Errorf("version %d", h.Version)
		return nil, header[:], fault
	case length < headerLength || length > max:
		fault.Result, fault.Err = InvalidMessageLength, fmt.Errorf("message length %d", length)
		return nil, header[:], fault
	}

	raw := make([]byte, length)
	copy(raw, header[:])

	if _, err := io.ReadFull(r, raw[headerLength:]); err != nil {
		return nil, raw, fmt.Errorf("within a message: %w", errors.Join(err, io.ErrUnexpectedEOF))
	}

	m, err := d.parse(h, raw)

	return m, raw, err
}

func (d *Dictionary) parse(h diam.Header, raw []byte) (*Message, error) {
	fault := &WireError{Header: h, Raw: raw}

	if h.MessageLength%4 != 0 {
		fault.Result, fault.Err, fault.Fatal = InvalidMessageLength, errors.New("length is no multiple of four"), true
		return nil, fault
	}

	if h.CommandFlags&0x0F != 0 || h.CommandFlags&diam.RequestFlag != 0 && h.CommandFlags&diam.ErrorFlag != 0 {
		fault.Result, fault.Err = InvalidHeaderBits, fmt.Errorf("command flags %02x", h.CommandFlags)
		return nil, fault
	}

	if _, err := d.parser.FindCommand(h.ApplicationID, h.CommandCode); err != nil {
		fault.Result, fault.Err = CommandUnsupported, err
		if _, served := d.applications[h.ApplicationID]; !served && h.ApplicationID != 0 {
			fault.Result = ApplicationUnsupported
		}

		return nil, fault
	}

	body := bytes.Clone(raw) // masking must not show in the trace
	if at := d.check(body[headerLength:], h.ApplicationID, h.CommandFlags&diam.RequestFlag != 0, 0); at != nil {
		fault.Result, fault.Failed, fault.Err = at.result, at.avp, at.err
		return nil, fault
	}

	m, err := diam.ReadMessage(bytes.NewReader(body), d.parser)
	if err != nil {
		fault.Result, fault.Err = UnableToComply, err
		return nil, fault
	}

	return m, nil
}

type avpFault struct {
	result Result
	avp    []byte
	err    error
}

// check walks the AVPs of a message or group exactly as the decoder will (RFC 6733 §4.1). Strict refuses what is unknown
// and mandatory, as a request must be; in an answer it is passed over.
func (d *Dictionary) check(b []byte, application uint32, strict bool, depth int) *avpFault {
	if depth > maxNesting {
		return &avpFault{result: UnableToComply, err: fmt.Errorf("AVPs nested more than %d deep", maxNesting)}
	}

	for len(b) > 0 {
		if len(b) < 8 {
			return &avpFault{result: InvalidAVPLength, avp: padded(b), err: errors.New("an AVP header is cut off")}
		}

		code, flag, length, header := binary.BigEndian.Uint32(b), b[4], int(binary.BigEndian.Uint32(b[4:])&0xFFFFFF), 8

		var vendor uint32

		if flag&avp.Vbit != 0 {
			if len(b) < 12 {
				return &avpFault{result: InvalidAVPLength, avp: padded(b), err: fmt.Errorf("AVP %d: the header is cut off", code)}
			}

			vendor, header = binary.BigEndian.Uint32(b[8:]), 12
		}

		if length < header || length > len(b) {
			return &avpFault{result: InvalidAVPLength, avp: padded(b[:header]), err: fmt.Errorf("AVP %d: length %d", code, length)}
		}

		known, ours := d.known(application, code, vendor)
		switch {
		case !ours && strict && flag&avp.Mbit != 0:
			return &avpFault{result: AVPUnsupported, avp: padded(b[:length]), err: fmt.Errorf("AVP %d of vendor %d is mandatory and unknown", code, vendor)}
		case !ours:
			if known != nil && known.Data.Type != datatype.UnknownType {
				binary.BigEndian.PutUint32(b, maskedCode)
			}
		case known.Data.Type == datatype.GroupedType:
			if fault := d.check(b[header:length], application, strict, depth+1); fault != nil {
				return fault
			}
		default:
			value, err := datatype.Decode(known.Data.Type, b[header:length])
			if err != nil || value.Len() != length-header {
				return &avpFault{result: InvalidAVPLength, avp: padded(b[:length]), err: fmt.Errorf("%s: a value of %d octets", known.Name, length-header)}
			}
		}

		next := (length + 3) &^ 3
		if next > len(b) {
			return &avpFault{result: InvalidAVPLength, avp: padded(b[:length]), err: fmt.Errorf("AVP %d: padding is cut off", code)}
		}

		b = b[next:]
	}

	return nil
}

// padded is a copy of an AVP fit for Failed-AVP: with a whole header whose length is true (RFC 6733 §7.5).
func padded(b []byte) []byte {
	size := 8
	if len(b) > 4 && b[4]&avp.Vbit != 0 {
		size = 12
	}

	whole := make([]byte, max(size, len(b)))
	copy(whole, b)
	whole[5], whole[6], whole[7] = byte(len(whole)>>16), byte(len(whole)>>8), byte(len(whole))

	return whole
}
