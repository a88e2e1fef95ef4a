package sip

import (
	"bytes"
	"errors"
	"iter"
	"regexp"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Answer makes a response to a request that cannot be read, from what can be. It needs a request line of some kind, not that of an ACK,
// and a Via to send the response by, which the sender may still stamp. The other header fields that a response copies from its request
// are copied unchanged, as far as they are there.
func (e *ParseError) Answer(raw []byte) (response *Response, topmostVia *ViaHeader) {
	line, _, _ := bytes.Cut(raw, []byte("\r\n"))

	words := strings.Fields(string(line))
	if len(words) < 2 || strings.Contains(words[0], "/") || words[0] == "ACK" || !hasPrefixFold(words[len(words)-1], "SIP/") {
		return nil, nil
	}

	response = sip.NewResponse(e.Status, e.Reason)
	response.SipVersion = "SIP/2.0"

	seen := map[string]bool{}

	for name, value := range fieldsOf(raw) {
		switch name = LongName(name); {
		case equalFold(name, "via") && !seen["via"]:
			via, headers := topmost(value)
			if via == nil || !printable(value) {
				return nil, nil
			}

			topmostVia, seen["via"] = via, true

			for _, h := range headers {
				response.AppendHeader(h)
			}
		case !printable(value):
		case equalFold(name, "via"):
			response.AppendHeader(NewHeader("Via", value))
		case !seen[strings.ToLower(name)] && equalFold(name, "to"):
			seen["to"] = true

			if !strings.Contains(strings.ToLower(value), ";tag=") {
				value += ";tag=" + NewTag()
			}

			response.AppendHeader(NewHeader("To", value))
		case !seen[strings.ToLower(name)] && (equalFold(name, "from") || equalFold(name, "call-id") || equalFold(name, "cseq")):
			seen[strings.ToLower(name)] = true
			response.AppendHeader(NewHeader(name, value))
		}
	}

	if !seen["via"] {
		return nil, nil
	}

	(&Refusal{Reasons: []Reason{StatusReason(e.Status, e.Reason)}}).add(response)
	response.SetBody(nil)

	return response, topmostVia
}

var sentBy = regexp.MustCompile(`^(?i)SIP\s*/\s*2\.0\s*/\s*[a-z]+\s+(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?:\s*:\s*([0-9]{1,5}))?`)

// topmost reads the Via that the answer goes by, and returns the Via header fields of the answer: values that cannot be read are copied.
func topmost(value string) (*ViaHeader, []Header) {
	headers, err := headerParsers.ParseHeader(nil, []byte("Via: "+value))
	if err == nil && len(headers) > 0 {
		if via, ok := headers[0].(*ViaHeader); ok && addressable(via.Host) {
			return via, headers
		}
	}

	found := sentBy.FindStringSubmatch(value)
	if found == nil {
		return nil, nil
	}

	via := &ViaHeader{Host: found[1]}
	via.Port, _ = strconv.Atoi(found[2]) // without one it is the default

	if strings.Contains(strings.ToLower(value), ";rport") {
		via.Params.Add("rport", "")
	}

	return via, []Header{NewHeader("Via", value)}
}

// fault returns the header field, or the first line, for which the parser refused a message.
func fault(raw []byte, err error) (status int, reason string) {
	if reason := misnamed(raw); reason != "" {
		return 400, reason
	}

	once := map[string]bool{}

	for name, value := range fieldsOf(raw) {
		name = LongName(name)
		if _, err := headerParsers.ParseHeader(nil, []byte(name+": "+value)); err != nil {
			return 400, "Malformed " + name
		}

		if key := strings.ToLower(name); onlyOnce[key] {
			if once[key] {
				return 400, "More Than One " + name
			}

			once[key] = true
		}
	}

	line, _, _ := bytes.Cut(raw, []byte("\r\n"))
	words := strings.Split(string(line), " ")

	switch {
	case errors.Is(err, sip.ErrParseReadBodyIncomplete), errors.Is(err, sip.ErrMessageTooLarge):
		return 400, "Content-Length Larger Than the Body"
	case len(words) != 3:
		return 400, "Malformed Request-Line"
	case !schemeKnown(words[1]):
		return 416, Phrase(416)
	default:
		return 400, "Malformed Request-URI"
	}
}

// misnamed finds a line that is not a header field, because it has no colon or no valid name before it.
func misnamed(raw []byte) (reason string) {
	headers, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	_, headers, _ = bytes.Cut(headers, []byte("\r\n"))

	for line := range bytes.SplitSeq(headers, []byte("\r\n")) {
		if len(line) == 0 || blank(line[0]) { // it continues another
			continue
		}

		name, _, found := bytes.Cut(line, []byte{':'})

		switch {
		case !found:
			return "Header Field Without a Colon"
		case !token(string(bytes.TrimRight(name, " \t"))):
			return "Malformed Header Field Name"
		}
	}

	return ""
}

// schemeKnown reports false for a URI whose scheme no function can handle (§16.3 2). A URI without a scheme is another fault.
func schemeKnown(uri string) bool {
	scheme, _, found := strings.Cut(uri, ":")
	if !found || !schemeForm.MatchString(scheme) {
		return true
	}

	switch strings.ToLower(scheme) {
	case "sip", "sips", "tel", "urn", "im", "pres":
		return true
	default:
		return false
	}
}

var schemeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*$`)

// fieldsOf yields the header fields that can be told apart, unfolded, with their names as received.
func fieldsOf(raw []byte) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		headers, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
		_, headers, _ = bytes.Cut(headers, []byte("\r\n"))

		for len(headers) > 0 {
			var line []byte

			line, headers, _ = bytes.Cut(headers, []byte("\r\n"))
			text := string(line)

			for len(headers) > 0 && (headers[0] == ' ' || headers[0] == '\t') {
				line, headers, _ = bytes.Cut(headers, []byte("\r\n"))
				text += " " + strings.TrimSpace(string(line))
			}

			name, value, found := strings.Cut(text, ":")
			if name = strings.TrimRight(name, " \t"); !found || !token(name) {
				continue
			}

			if !yield(name, strings.TrimSpace(value)) {
				return
			}
		}
	}
}

// printable reports whether a value may be repeated: it has nothing that ends a line.
func printable(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

func addressable(host string) bool { return host != "" && !strings.ContainsAny(host, ", \t") }

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// token reports whether s is a token (RFC 3261 §25.1).
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	})
}
