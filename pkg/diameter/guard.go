package diameter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/fiorix/go-diameter/v4/diam"
)

const headerLength = 20

// WireError is a message that cannot be decoded. Result is the answer to a request; when Fatal, the stream cannot be followed any
// further.
type WireError struct {
	Header diam.Header
	Result Result
	Failed []byte // the AVP at fault as received, header included
	Raw    []byte
	Fatal  bool
	Err    error
}

func (e *WireError) Error() string { return fmt.Sprintf("%v: %v", e.Result, e.Err) }

// Unwrap returns the cause.
func (e *WireError) Unwrap() error { return e.Err }

// Request reports whether the message at fault is a request, and so needs an answer.
func (e *WireError) Request() bool { return e.Header.CommandFlags&diam.RequestFlag != 0 }

// Read reads one message of at most max octets from a stream, and skips a longer one. It decodes the message itself, because
// go-diameter's decoder does not withstand false lengths, endless nesting of groups and values that do not fit their type, and mistakes
// the AVPs of one vendor for those of another. The octets of the message are returned too, for the trace.
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
	case length < headerLength:
		fault.Result, fault.Err = InvalidMessageLength, fmt.Errorf("message length %d", length)
		return nil, header[:], fault
	case length > max:
		return nil, header[:], skip(r, fault, length)
	}

	raw := make([]byte, length)
	copy(raw, header[:])

	if _, err := io.ReadFull(r, raw[headerLength:]); err != nil {
		return nil, raw, fmt.Errorf("within a message: %w", errors.Join(err, io.ErrUnexpectedEOF))
	}

	m, err := d.parse(h, raw)

	return m, raw, err
}

// skip skips a message that is too long. Its end is known, so that the messages behind it can be read; its beginning is kept for the
// answer, which needs what identifies the request.
func skip(r io.Reader, fault *WireError, length int) error {
	const beginning = 4 << 10

	raw := make([]byte, min(length, beginning))
	copy(raw, fault.Raw)

	_, err := io.ReadFull(r, raw[headerLength:])
	if err == nil {
		_, err = io.CopyN(io.Discard, r, int64(length-len(raw)))
	}

	if err != nil {
		return fmt.Errorf("within a message: %w", errors.Join(err, io.ErrUnexpectedEOF))
	}

	fault.Raw, fault.Fatal = raw, false
	fault.Result, fault.Err = InvalidMessageLength, fmt.Errorf("message length %d", length)

	return fault
}

func (d *Dictionary) parse(h diam.Header, raw []byte) (*Message, error) {
	fault := &WireError{Header: h, Raw: raw}

	if h.MessageLength%4 != 0 {
		fault.Result, fault.Err, fault.Fatal = InvalidMessageLength, errors.New("length is no multiple of four"), true
		return nil, fault
	}

	request := h.CommandFlags&diam.RequestFlag != 0

	if request && h.CommandFlags&diam.ErrorFlag != 0 { // the receiver ignores the reserved bits (RFC 6733 §3)
		fault.Result, fault.Err = InvalidHeaderBits, fmt.Errorf("command flags %02x", h.CommandFlags)
		return nil, fault
	}

	known, served := d.codes[h.ApplicationID]
	if !served {
		fault.Result, fault.Err = ApplicationUnsupported, fmt.Errorf("application %d", h.ApplicationID)
		return nil, fault
	}

	if !d.commands[commandKey{h.ApplicationID, h.CommandCode}] {
		fault.Result, fault.Err = CommandUnsupported, fmt.Errorf("command %d in application %d", h.CommandCode, h.ApplicationID)
		return nil, fault
	}

	avps, at := known.decode(raw[headerLength:], request, 0)
	if at != nil {
		fault.Result, fault.Failed, fault.Err = at.result, at.avp, at.err
		return nil, fault
	}

	m := diam.NewMessage(h.CommandCode, h.CommandFlags, h.ApplicationID, h.HopByHopID, h.EndToEndID, d.parser)
	*m.Header, m.AVP = h, avps

	return m, nil
}
