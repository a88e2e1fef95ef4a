package sip

import (
	"fmt"
	"log/slog"

	"github.com/dialtone-ims/dialtone/pkg/label"
)

// Refusal ends a request that is not served, or replaces a response that is not passed on as received: it is the response, with its
// reasons (RFC 3326), and the cause for the log. It is an error, because the function that detects a fault seldom answers the request.
type Refusal struct {
	Status  int
	Phrase  string   // "": the standard one
	Reasons []Reason // for whoever sees the response
	Headers []Header // further header fields of the response: Retry-After, Min-SE
	Cause   error    // the underlying error, for the log alone; nil: the Reasons say all

	written []Header // Reasons and Headers of a standing refusal
}

// Refuse returns a refusal with a status, and a text that says why or what to do about it.
func Refuse(status int, text string, headers ...Header) *Refusal {
	return &Refusal{Status: status, Reasons: []Reason{StatusReason(status, text)}, Headers: headers}
}

// Refusef is Refuse with a text formatted as by fmt.Sprintf, and without further header fields.
func Refusef(status int, format string, values ...any) *Refusal {
	return Refuse(status, fmt.Sprintf(format, values...))
}

// Standing returns a refusal for many requests, with its header fields already written.
func Standing(status int, text string, headers ...Header) *Refusal {
	r := Refuse(status, text, headers...)
	r.written = r.fields()

	return r
}

// Because sets the cause of a refusal, for the log, and returns the refusal.
func (r *Refusal) Because(cause error) *Refusal {
	r.Cause = cause
	return r
}

// Text returns the text of the first reason.
func (r *Refusal) Text() string {
	if len(r.Reasons) == 0 {
		return Phrase(r.Status)
	}

	return r.Reasons[0].Text
}

// Error returns the text and the cause.
func (r *Refusal) Error() string {
	if r.Cause != nil {
		return r.Text() + ": " + r.Cause.Error()
	}

	return r.Text()
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Cause }

// Response answers a request with the refusal.
func (r *Refusal) Response(request *Request) *Response {
	response := NewResponse(request, r.Status, r.Phrase)
	r.add(response)

	return response
}

// Replace turns a response, received or local, into the refusal.
func (r *Refusal) Replace(response *Response) {
	response.StatusCode, response.Reason = r.Status, r.Phrase
	if r.Phrase == "" {
		response.Reason = Phrase(r.Status)
	}

	Remove(response, "Reason")

	for _, h := range r.Headers {
		Remove(response, h.Name())
	}

	r.add(response)
}

func (r *Refusal) add(response *Response) {
	written := r.written
	if written == nil {
		written = r.fields()
	}

	for _, h := range written {
		response.AppendHeader(h)
	}
}

func (r *Refusal) fields() []Header {
	fields := make([]Header, 0, len(r.Reasons)+len(r.Headers))
	for _, reason := range r.Reasons {
		fields = append(fields, reason.Header())
	}

	return append(fields, r.Headers...)
}

// Refuser answers the requests that a function refuses, each with one response, one log line and one count, in the same way in all
// functions.
type Refuser struct {
	Log *slog.Logger
	// Count counts a refusal. procedure is the function's name for the procedure, such as a side or a session case; method is a label.
	Count func(procedure, method string, status int)
}

// Answering is the part of a server transaction that a refusal needs.
type Answering interface {
	Request() *Request
	Respond(*Response) error
}

// Refuse answers a request with a refusal. attributes are further log attributes.
func (f Refuser) Refuse(tx Answering, procedure string, refusal *Refusal, attributes ...any) {
	f.note(tx.Request(), procedure, refusal, attributes...)

	if err := tx.Respond(refusal.Response(tx.Request())); err != nil {
		f.Log.Warn("a refusal could not be sent", "status", refusal.Status, "call_id", tx.Request().CallID().Value(), "cause", err)
	}
}

// Replace turns the response to a request into a refusal.
func (f Refuser) Replace(request *Request, response *Response, procedure string, refusal *Refusal, attributes ...any) {
	f.note(request, procedure, refusal, attributes...)
	refusal.Replace(response)
}

// note logs and counts a refusal that is answered elsewhere.
func (f Refuser) note(request *Request, procedure string, refusal *Refusal, attributes ...any) {
	method := label.Method(string(request.Method)) // methods from the wire are without number

	if f.Count != nil {
		f.Count(procedure, method, refusal.Status)
	}

	attributes = append(append(make([]any, 0, 18+len(attributes)), "case", procedure, "method", method, "status", refusal.Status,
		"reason", refusal.Text(), "source", request.Source(), "from", Value(request, "From"), "request_uri", request.Recipient.String(),
		"call_id", Value(request, "Call-ID")), attributes...)
	if refusal.Cause != nil {
		attributes = append(attributes, "cause", refusal.Cause)
	}

	f.Log.Warn("request refused", attributes...)
}
