package trace

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"unicode/utf8"
)

// describe returns a record with its description: the method of SIP or HTTP or the command of Diameter, the status of a response or an
// answer, and the text of the message, or of the AVPs of Diameter.
func describe(r Record) Record {
	switch r.Protocol {
	case Diameter:
		r.Method, r.Status = diameter(r.Data)
	case HTTP:
		r.Method, r.Status = start(r.Data)
	default:
		r.Method, r.Status = sip(r.Data)
	}

	switch {
	case r.Describe != nil:
		r.Text = r.Describe(r.Data)
	case r.Protocol != Diameter && utf8.Valid(r.Data):
		r.Text = string(r.Data)
	}

	return r
}

// start parses the start line of HTTP: the method of a request, or the status of an answer.
func start(message []byte) (method string, status int) {
	line, _, _ := bytes.Cut(message, []byte("\r\n"))
	first, more, _ := bytes.Cut(line, []byte(" "))

	if !bytes.HasPrefix(first, []byte("HTTP/")) {
		return string(first), 0
	}

	code, _, _ := bytes.Cut(more, []byte(" "))
	status, _ = strconv.Atoi(string(code))

	return "", status
}

// sip parses the start line (RFC 3261 §7.1, §7.2), and the method in CSeq of a response.
func sip(message []byte) (method string, status int) {
	start, rest, _ := bytes.Cut(message, []byte("\r\n"))
	first, more, _ := bytes.Cut(start, []byte(" "))

	if !bytes.HasPrefix(first, []byte("SIP/")) {
		return string(first), 0
	}

	code, _, _ := bytes.Cut(more, []byte(" "))
	status, _ = strconv.Atoi(string(code))

	for line := range bytes.SplitSeq(rest, []byte("\r\n")) {
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found { // the header ends
			break
		}

		if bytes.EqualFold(bytes.TrimSpace(name), []byte("CSeq")) {
			if fields := bytes.Fields(value); len(fields) == 2 {
				method = string(fields[1])
			}
		}
	}

	return method, status
}

// commands maps codes to the names of RFC 6733 §3.1, RFC 8506 §3, TS 29.229 §6.1 and TS 29.214 §5.6, without the last letter.
var commands = map[uint32]string{
	257: "CE", 258: "RA", 265: "AA", 272: "CC", 274: "AS", 275: "ST", 280: "DW", 282: "DP",
	300: "UA", 301: "SA", 302: "LI", 303: "MA", 304: "RT", 305: "PP",
}

// diameter parses the header (RFC 6733 §3), and the Result-Code of an answer or the one in Experimental-Result.
func diameter(message []byte) (command string, result int) {
	const header = 20
	if len(message) < header {
		return "", 0
	}

	code := binary.BigEndian.Uint32(message[4:]) & 0xFFFFFF

	name, known := commands[code]
	if !known {
		name = strconv.FormatUint(uint64(code), 10) + "-"
	}

	if message[4]&0x80 != 0 {
		return name + "R", 0
	}

	return name + "A", resultIn(message[header:])
}

// resultIn returns the result in AVPs (RFC 6733 §4.1): Result-Code, or Experimental-Result-Code in Experimental-Result, which is a group.
func resultIn(avps []byte) int {
	const resultCode, experimental, experimentalCode = 268, 297, 298

	for len(avps) >= 8 {
		code, length, header := binary.BigEndian.Uint32(avps), int(binary.BigEndian.Uint32(avps[4:])&0xFFFFFF), 8
		if avps[4]&0x80 != 0 {
			header = 12
		}

		if length < header || length > len(avps) {
			break
		}

		switch value := avps[header:length]; {
		case code == experimental:
			return resultIn(value)
		case (code == resultCode || code == experimentalCode) && len(value) == 4:
			return int(binary.BigEndian.Uint32(value))
		}

		avps = avps[min(len(avps), (length+3)&^3):]
	}

	return 0
}
