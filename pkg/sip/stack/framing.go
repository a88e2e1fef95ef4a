package stack

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// readMessage reads one message of at most most octets from a stream: Content-Length says where it ends (RFC 3261 §18.3). With a
// *ParseError it returns what was read of the message, for a refusal; the start of the next message is then unknown.
func readMessage(reader *bufio.Reader, most int) ([]byte, error) {
	raw, err := readHeaders(reader, most)
	if err != nil {
		return raw, err
	}

	length, err := contentLength(raw)
	if err != nil {
		return raw, err
	}

	if length > most-len(raw) { // not a sum: that may overflow
		return raw, errTooLarge
	}

	headers := len(raw)
	raw = append(raw, make([]byte, length)...)
	_, err = io.ReadFull(reader, raw[headers:])

	return raw, err
}

// maxSkipped is the longest body that a stream skips to reach the next message.
const maxSkipped = 4 << 20

// skip skips the body of a message that was refused as too large, and reports whether the next message begins behind it. It cannot know
// that where the header fields do not end within the limit, or the body is larger than maxSkipped.
func skip(reader *bufio.Reader, headers []byte) (bool, error) {
	if !bytes.HasSuffix(headers, []byte("\r\n\r\n")) {
		return false, nil
	}

	length, err := contentLength(headers)
	if err != nil || length > maxSkipped {
		return false, nil
	}

	_, err = reader.Discard(length)

	return err == nil, err
}

var errTooLarge = &sip.ParseError{Status: 513, Reason: "Message Too Large"}

func readHeaders(reader *bufio.Reader, most int) (raw []byte, err error) {
	for {
		line, err := reader.ReadSlice('\n')
		raw = append(raw, line...)

		switch {
		case len(raw) > most:
			return raw[:bytes.LastIndexByte(raw[:most], '\n')+1], errTooLarge // the header fields that are complete
		case errors.Is(err, bufio.ErrBufferFull):
			continue // a long line
		case err != nil:
			return nil, err
		}

		if bytes.HasSuffix(raw, []byte("\r\n\r\n")) {
			return raw, nil
		}
	}
}

// contentLength returns the Content-Length of complete header fields; a stream has no other way to end a body. It must read them as
// ParseMessage does, with continued lines (§7.3.1), or a body could pass for the next message.
func contentLength(headers []byte) (int, error) {
	const name, compact = "Content-Length", "l"

	found := -1
	_, rest, _ := bytes.Cut(headers, []byte("\r\n"))

	for len(rest) > 0 {
		var line []byte

		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		field, value, _ := bytes.Cut(line, []byte{':'})
		field = bytes.TrimRight(field, " \t")
		wanted := bytes.EqualFold(field, []byte(name)) || bytes.EqualFold(field, []byte(compact))

		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
			if line, rest, _ = bytes.Cut(rest, []byte("\r\n")); wanted {
				value = append(append(bytes.Clone(value), ' '), line...)
			}
		}

		if !wanted {
			continue
		}

		length, ok := decimal(bytes.Trim(value, " \t"))
		if !ok {
			return 0, &sip.ParseError{Status: 400, Reason: "Malformed Content-Length"}
		}

		if found >= 0 && found != length {
			return 0, &sip.ParseError{Status: 400, Reason: "Two Different Content-Length"}
		}

		found = length
	}

	if found < 0 {
		return 0, &sip.ParseError{Status: 400, Reason: "Missing Content-Length"}
	}

	return found, nil
}

// decimal reads digits and nothing else; ok is false for a number beyond all limits.
func decimal(text []byte) (n int, ok bool) {
	if len(text) == 0 {
		return 0, false
	}

	for _, c := range text {
		if c < '0' || c > '9' || n >= 1e8 {
			return 0, false
		}

		n = 10*n + int(c-'0')
	}

	return n, true
}
