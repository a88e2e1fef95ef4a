package sip

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"log/slog"
	"maps"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// headerParsers leaves as text the header fields that sipgo would not write again as received: handsets put quoted parameters into
// Contact, and Route and Record-Route may have parameters of their own.
var headerParsers = func() sip.HeadersParser {
	parsers := maps.Clone(sip.DefaultHeadersParser())
	for _, name := range []string{"contact", "m", "refer-to", "r", "referred-by", "b", "route", "record-route"} {
		delete(parsers, name)
	}

	return parsers
}()

var parser = func() *sip.Parser {
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler)) // it logs whole packets

	p := sip.NewParser(sip.WithHeadersParsers(headerParsers))
	p.MaxMessageLength = 1 << 20

	return p
}()

// ParseError is a message that cannot be read. If it is a request, Status and Reason are the answer; Reason names what is
// wrong (RFC 3261 §21.4.1).
type ParseError struct {
	Status int
	Reason string
}

func (e *ParseError) Error() string { return e.Reason }

// ParseMessage reads one message and refuses any that a proxy must not pass on because another parser could read it differently. Octets
// behind the body are dropped; a body shorter than Content-Length is refused (§18.3).
func ParseMessage(raw []byte) (Message, error) {
	if reason := smuggled(raw); reason != "" {
		return nil, &ParseError{Status: 400, Reason: reason}
	}

	raw = tidied(raw)

	m, err := parser.ParseSIP(raw)
	if err != nil && !errors.Is(err, io.EOF) || m == nil {
		status, reason := fault(raw, err)
		return nil, &ParseError{Status: status, Reason: reason}
	}

	if status, reason := strict(m); reason != "" {
		if strings.HasPrefix(reason, "Missing ") {
			reason = cmp.Or(misnamed(raw), reason) // the reason why it is missing
		}

		return nil, &ParseError{Status: status, Reason: reason}
	}

	return m, nil
}

// smuggled finds text in the header fields that ends a line for one parser and not for another.
func smuggled(raw []byte) string {
	headers, _, complete := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !complete {
		return "Header Fields Without an End"
	}

	for i, b := range headers {
		switch {
		case b == 0:
			return "NUL in the Header Fields"
		case b == '\n' && (i == 0 || headers[i-1] != '\r'):
			return "Bare LF in the Header Fields"
		case b == '\r' && (i+1 == len(headers) || headers[i+1] != '\n'):
			return "Bare CR in the Header Fields"
		}
	}

	return ""
}

// onlyOnce has the header fields that may stand once, and on which a proxy or a transport acts (§7.3.1, §20).
var onlyOnce = map[string]bool{"from": true, "to": true, "call-id": true, "cseq": true, "max-forwards": true, "content-length": true}

// strict checks the header fields that RFC 3261 §8.1.1 requires in every message, and that none of them is repeated.
func strict(m Message) (status int, reason string) {
	once := [...]struct {
		name, compact, long string
		count               int
	}{
		{"from", "f", "From", 0},
		{"to", "t", "To", 0},
		{"call-id", "i", "Call-ID", 0},
		{"cseq", "", "CSeq", 0},
		{"max-forwards", "", "Max-Forwards", 0},
		{"content-length", "l", "Content-Length", 0},
	}

	for _, h := range headersOf(m) {
		name := h.Name()
		for i := range once {
			if equalFold(name, once[i].name) || once[i].compact != "" && equalFold(name, once[i].compact) {
				if once[i].count++; once[i].count > 1 {
					return 400, "More Than One " + once[i].long
				}
			}
		}
	}

	switch {
	case m.Via() == nil:
		return 400, "Missing Via"
	case !addressable(m.Via().Host) || m.Via().Port < 0 || m.Via().Port > 65535:
		return 400, "Malformed Via"
	case m.From() == nil:
		return 400, "Missing From"
	case m.To() == nil:
		return 400, "Missing To"
	case m.CallID() == nil || m.CallID().Value() == "":
		return 400, "Missing Call-ID"
	case m.CSeq() == nil:
		return 400, "Missing CSeq"
	case !tagged(m.From().Params):
		return 400, "Malformed From Tag"
	case !tagged(m.To().Params):
		return 400, "Malformed To Tag"
	}

	if branch, ok := m.Via().Params.Get("branch"); !ok || branch == "" {
		if _, response := m.(*Response); response {
			return 400, "Missing branch"
		}
	}

	switch m := m.(type) {
	case *Request:
		return strictRequest(m)
	case *Response:
		if m.StatusCode < 100 || m.StatusCode > 699 {
			return 400, "Malformed Status-Line"
		}
	}

	return 0, ""
}

func strictRequest(r *Request) (status int, reason string) {
	switch {
	case r.SipVersion != "SIP/2.0":
		return 505, "Version Not Supported"
	case r.CSeq().MethodName != r.Method:
		return 400, "CSeq Names Another Method"
	case r.CSeq().SeqNo >= 1<<31:
		return 400, "Malformed CSeq"
	case r.MaxForwards() != nil && r.MaxForwards().Val() > 255: // §20.22
		return 400, "Malformed Max-Forwards"
	case !token(string(r.Method)):
		return 400, "Malformed Method"
	case r.Recipient.Scheme == "":
		return 416, "Unsupported URI Scheme"
	case r.Recipient.Port < 0 || r.Recipient.Port > 65535:
		return 400, "Malformed Request-URI"
	case (r.Recipient.Scheme == "sip" || r.Recipient.Scheme == "sips") && r.Recipient.Host == "":
		return 400, "Malformed Request-URI"
	}

	return 0, ""
}

// tagged reports whether a tag can be passed on unchanged: a token (§19.3), or near enough.
func tagged(params sip.HeaderParams) bool {
	tag, _ := params.Get("tag")

	return !strings.ContainsAny(tag, "\" \t\\,;<>")
}
