// Package sip is the SIP of all functions, on sipgo's parser and message model: endpoints, transactions, a proxy core, and
// the reading and writing of headers as proxies must. It knows nothing of IMS.
package sip

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// The message model is sipgo's; functions import this package alone.
type (
	Request           = sip.Request
	Response          = sip.Response
	Message           = sip.Message
	Header            = sip.Header
	Uri               = sip.Uri
	ViaHeader         = sip.ViaHeader
	CSeqHeader        = sip.CSeqHeader
	MaxForwardsHeader = sip.MaxForwardsHeader
	RequestMethod     = sip.RequestMethod
)

// NewHeader is a header field as text.
func NewHeader(name, value string) Header { return sip.NewHeader(name, value) }

// parser leaves as text what sipgo would not write again as it came: handsets put quoted parameters into Contact, and
// Route and Record-Route may have parameters of their own.
var parser = func() *sip.Parser {
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler)) // it logs whole packets

	headers := maps.Clone(sip.DefaultHeadersParser())
	for _, name := range []string{"contact", "m", "refer-to", "r", "referred-by", "b", "route", "record-route"} {
		delete(headers, name)
	}

	p := sip.NewParser(sip.WithHeadersParsers(headers))
	p.MaxMessageLength = 1 << 20

	return p
}()

// ParseError is a message that cannot be read. When enough of a request is left to answer it, Partial is that and Status and
// Reason are the answer; else Status is 0.
type ParseError struct {
	Status  int
	Reason  string
	Partial Message
}

func (e *ParseError) Error() string { return e.Reason }

// ParseMessage reads one message and refuses what a proxy must not pass on: what another parser could read as something
// else.
func ParseMessage(raw []byte) (Message, error) {
	if err := smuggled(raw); err != nil {
		return nil, &ParseError{Reason: err.Error()}
	}

	m, err := parser.ParseSIP(raw)
	if err != nil && !errors.Is(err, io.EOF) || m == nil {
		return nil, &ParseError{Reason: fmt.Sprintf("the message cannot be read: %v", err)}
	}

	if status, reason := strict(m); reason != "" {
		if _, isRequest := m.(*Request); !isRequest || !answerable(m) {
			status = 0
		}

		return nil, &ParseError{Status: status, Reason: reason, Partial: m}
	}

	return m, nil
}

// smuggled finds in the headers what ends a line for one parser and not for another.
func smuggled(raw []byte) error {
	headers, _, complete := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !complete {
		return errors.New("the headers do not end")
	}

	for i, b := range headers {
		switch {
		case b == 0:
			return errors.New("a NUL in the headers")
		case b == '\n' && (i == 0 || headers[i-1] != '\r'):
			return errors.New("a bare LF in the headers")
		case b == '\r' && (i+1 == len(headers) || headers[i+1] != '\n'):
			return errors.New("a bare CR in the headers")
		}
	}

	return nil
}

func answerable(m Message) bool {
	return m.Via() != nil && m.Via().Host != "" && m.From() != nil && m.To() != nil && m.CallID() != nil && m.CSeq() != nil
}

// strict checks what RFC 3261 §8.1.1 wants of every message, and that nothing of it stands twice.
func strict(m Message) (status int, reason string) {
	once := [...]struct {
		name, compact string
		count         int
	}{
		{"from", "f", 0}, {"to", "t", 0}, {"call-id", "i", 0}, {"cseq", "", 0}, {"max-forwards", "", 0}, {"content-length", "l", 0},
	}

	for _, h := range headersOf(m) {
		name := h.Name()
		for i := range once {
			if equalFold(name, once[i].name) || once[i].compact != "" && equalFold(name, once[i].compact) {
				if once[i].count++; once[i].count > 1 {
					return 400, "more than one " + once[i].name
				}
			}
		}
	}

	switch {
	case m.Via() == nil:
		return 400, "no Via"
	case m.Via().Host == "" || strings.ContainsAny(m.Via().Host, ", \t"):
		return 400, "a Via that cannot be read"
	case m.From() == nil:
		return 400, "no From"
	case m.To() == nil:
		return 400, "no To"
	case m.CallID() == nil || m.CallID().Value() == "":
		return 400, "no Call-ID"
	case m.CSeq() == nil:
		return 400, "no CSeq"
	}

	if branch, ok := m.Via().Params.Get("branch"); !ok || branch == "" {
		if _, response := m.(*Response); response {
			return 400, "a response without a branch"
		}
	}

	switch m := m.(type) {
	case *Request:
		return strictRequest(m)
	case *Response:
		if m.StatusCode < 100 || m.StatusCode > 699 {
			return 400, "a status that is none"
		}
	}

	return 0, ""
}

func strictRequest(r *Request) (status int, reason string) {
	switch {
	case r.SipVersion != "SIP/2.0":
		return 505, "Version Not Supported"
	case r.CSeq().MethodName != r.Method:
		return 400, "CSeq and request line name different methods"
	case r.CSeq().SeqNo >= 1<<31:
		return 400, "a CSeq of 2^31 or more"
	case strings.ContainsAny(string(r.Method), " \t\"(),/:;<=>?@[\\]{}"):
		return 400, "a method that is no token"
	case r.Recipient.Scheme == "":
		return 416, "Unsupported URI Scheme"
	case r.Recipient.Port < 0 || r.Recipient.Port > 65535:
		return 400, "a port that is none"
	case (r.Recipient.Scheme == "sip" || r.Recipient.Scheme == "sips") && r.Recipient.Host == "":
		return 400, "a Request-URI without a host"
	}

	return 0, ""
}

// headersOf lists the header fields in their order.
func headersOf(m Message) []Header {
	switch m := m.(type) {
	case *Request:
		return m.Headers()
	case *Response:
		return m.Headers()
	default:
		return nil
	}
}

// Copy is a request that can be changed without changing r. Bodies are shared, for nobody changes them in place.
func Copy(r *Request) *Request {
	out := newBareRequest(string(r.Method), *r.Recipient.Clone())

	for _, h := range r.Headers() {
		switch h := h.(type) {
		case *ViaHeader:
			out.AppendHeader(h.Clone())
		case *MaxForwardsHeader: // sipgo's clone shares it
			own := *h
			out.AppendHeader(&own)
		case *sip.ContentLengthHeader:
			// SetBody adds it
		default:
			out.AppendHeader(h) // never changed in place: Set and Remove replace
		}
	}

	out.SetBody(r.Body())

	return out
}

func newBareRequest(method string, recipient Uri) *Request {
	r := sip.NewRequest(sip.RequestMethod(method), recipient)
	r.SipVersion = "SIP/2.0"

	return r
}

// NewRequest is a request with nothing but its Request-URI and Max-Forwards.
func NewRequest(method, uri string) (*Request, error) {
	recipient, err := ParseURI(uri)
	if err != nil {
		return nil, err
	}

	r := newBareRequest(method, recipient)
	forwards := MaxForwardsHeader(maxForwards)
	r.AppendHeader(&forwards)
	r.SetBody(nil)

	return r, nil
}

// NewResponse answers a request: Via, From, To, Call-ID and CSeq are taken over, To gets a tag (RFC 3261 §8.2.6), and so does
// Record-Route for what may make a dialog (§12.1.1). Without a reason the standard one is used.
func NewResponse(r *Request, status int, reason string) *Response {
	if reason == "" {
		reason = Reason(status)
	}

	response := sip.NewResponse(status, reason)
	response.SipVersion = "SIP/2.0"

	for _, h := range r.Headers() {
		switch name := h.Name(); {
		case equalFold(name, "via"):
			response.AppendHeader(h.(*ViaHeader).Clone())
		case equalFold(name, "record-route") && status > 100 && status < 300:
			response.AppendHeader(h)
		case equalFold(name, "timestamp") && status == 100:
			response.AppendHeader(h)
		}
	}

	response.AppendHeader(r.From())

	if to := r.To(); to != nil {
		if _, tagged := to.Params.Get("tag"); !tagged && status > 100 {
			own := *to
			own.Params = to.Params.Clone()
			own.Params.Add("tag", NewTag())
			to = &own
		}

		response.AppendHeader(to)
	}

	response.AppendHeader(r.CallID())
	response.AppendHeader(r.CSeq())
	response.SetBody(nil)

	return response
}

// NewBranch is a branch parameter of this network's own (RFC 3261 §8.1.1.7).
func NewBranch() string { return magicCookie + rand.Text()[:20] }

// NewTag is a tag parameter (§19.3).
func NewTag() string { return rand.Text()[:16] }

// NewCallID is a Call-ID (§8.1.1.4).
func NewCallID() string { return rand.Text() }

func equalFold(a, lower string) bool { return len(a) == len(lower) && strings.EqualFold(a, lower) }
