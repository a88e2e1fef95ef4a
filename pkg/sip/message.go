// Package sip is the language of SIP, on sipgo's parser and message model: messages, header fields, URIs, dialogs, faults and refusals,
// read and written as proxies must. It opens no socket, which is the work of package stack, and knows nothing of IMS.
package sip

import (
	"crypto/rand"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// The message model is sipgo's; functions import this package alone.
type (
	// Request is a SIP request.
	Request = sip.Request
	// Response is a SIP response.
	Response = sip.Response
	// Message is a request or a response.
	Message = sip.Message
	// Header is one header field.
	Header = sip.Header
	// Uri is a SIP, SIPS or tel URI.
	Uri = sip.Uri
	// ViaHeader is one hop of Via.
	ViaHeader = sip.ViaHeader
	// CSeqHeader is CSeq.
	CSeqHeader = sip.CSeqHeader
	// MaxForwardsHeader is Max-Forwards.
	MaxForwardsHeader = sip.MaxForwardsHeader
)

const (
	// MagicCookie begins the branches of elements that follow RFC 3261 (§8.1.1.7).
	MagicCookie = "z9hG4bK"
	// MaxForwards is the default value of Max-Forwards (§8.1.1.6).
	MaxForwards = 70
)

// NewHeader returns a header field with this text.
func NewHeader(name, value string) Header { return sip.NewHeader(name, value) }

// headersOf returns the header fields in order.
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

// Copy returns a copy of r that can be changed without changing r. The body is shared, for nobody changes it in place.
func Copy(r *Request) *Request {
	out := EmptyRequest(string(r.Method), *r.Recipient.Clone())

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

// EmptyRequest returns a request without header fields.
func EmptyRequest(method string, recipient Uri) *Request {
	r := sip.NewRequest(sip.RequestMethod(method), recipient)
	r.SipVersion = "SIP/2.0"

	return r
}

// EmptyResponse returns a response without header fields.
func EmptyResponse(status int) *Response {
	r := sip.NewResponse(status, Phrase(status))
	r.SipVersion = "SIP/2.0"

	return r
}

// NewRequest returns a request with a Request-URI and Max-Forwards only.
func NewRequest(method, uri string) (*Request, error) {
	recipient, err := ParseURI(uri)
	if err != nil {
		return nil, err
	}

	r := EmptyRequest(method, recipient)
	forwards := MaxForwardsHeader(MaxForwards)
	r.AppendHeader(&forwards)
	r.SetBody(nil)

	return r, nil
}

// NewResponse returns a response to a request: Via, From, To, Call-ID and CSeq are copied and To gets a tag (RFC 3261 §8.2.6);
// Record-Route is copied if the response may create a dialog (§12.1.1). Without a phrase the standard one is used.
func NewResponse(r *Request, status int, phrase string) *Response {
	if phrase == "" {
		phrase = Phrase(status)
	}

	response := EmptyResponse(status)
	response.Reason = phrase

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

// NewBranch returns a new branch parameter (RFC 3261 §8.1.1.7).
func NewBranch() string { return MagicCookie + rand.Text()[:20] }

// NewTag returns a new tag (RFC 3261 §19.3).
func NewTag() string { return rand.Text()[:16] }

// NewCallID returns a new Call-ID (RFC 3261 §8.1.1.4).
func NewCallID() string { return rand.Text() }

func equalFold(a, lower string) bool { return len(a) == len(lower) && strings.EqualFold(a, lower) }
