package sip

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

var errDialog = errors.New("sip: the messages make no dialog")

// Dialog is one side's state of a dialog (RFC 3261 §12). It holds text and numbers, no messages.
type Dialog struct {
	CallID string

	mu     sync.Mutex
	local  string // From of the requests that this side sends, with its tag
	remote string // their To
	target string // remote target: where the other side is reached
	routes []string
	cseq   uint32 // of the last request this side sent
}

// NewDialogUAC returns the caller's dialog, from the request that it sent and a response that creates one (§12.1.2). own is this side's
// Contact.
func NewDialogUAC(request *Request, response *Response) (*Dialog, error) {
	records, err := RecordRoutes(response)
	if err != nil {
		return nil, err
	}

	slices.Reverse(records)

	return newDialog(request.CallID().Value(), request.From().Value(), response.To().Value(), response, records, request.CSeq().SeqNo)
}

// NewDialogUAS returns the dialog of the side that answered with this response (§12.1.1).
func NewDialogUAS(request *Request, response *Response) (*Dialog, error) {
	records, err := RecordRoutes(request)
	if err != nil {
		return nil, err
	}

	return newDialog(request.CallID().Value(), response.To().Value(), request.From().Value(), request, records, 0)
}

func newDialog(callID, local, remote string, other Message, routes []NameAddr, cseq uint32) (*Dialog, error) {
	target, err := contactOf(other)
	if err != nil {
		return nil, err
	}

	d := &Dialog{CallID: callID, local: local, remote: remote, target: target, cseq: cseq}
	for _, r := range routes {
		d.routes = append(d.routes, r.String())
	}

	return d, nil
}

func contactOf(m Message) (string, error) {
	contacts, _, err := Contacts(m)
	if err != nil {
		return "", err
	}

	if len(contacts) == 0 {
		return "", fmt.Errorf("%w: no Contact", errDialog)
	}

	return contacts[0].URI, nil
}

// NewRequest returns the next request of this side within the dialog (§12.2.1.1). An ACK has the number of the request that it
// acknowledges.
func (d *Dialog) NewRequest(method string) (*Request, error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	if method != "ACK" {
		d.cseq++
	}

	return inDialogRequest(method, d.target, d.routes, d.local, d.remote, d.CallID, d.cseq)
}

// NewAck returns the ACK of the 2xx to the INVITE with this CSeq (§13.2.2.4).
func (d *Dialog) NewAck(cseq uint32) (*Request, error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	return inDialogRequest("ACK", d.target, d.routes, d.local, d.remote, d.CallID, cseq)
}

// Refresh takes the remote target from a request or response that may change it (§12.2).
func (d *Dialog) Refresh(m Message) {
	if target, err := contactOf(m); err == nil {
		d.mu.Lock()
		d.target = target
		d.mu.Unlock()
	}
}

func inDialogRequest(method, target string, routes []string, from, to, callID string, cseq uint32) (*Request, error) {
	r, err := NewRequest(method, target)
	if err != nil {
		return nil, err
	}

	for i := len(routes) - 1; i >= 0; i-- {
		Prepend(r, "Route", routes[i])
	}

	return Complete(r, from, to, callID, cseq)
}

// Complete adds From, To, Call-ID and CSeq to a new request.
func Complete(r *Request, from, to, callID string, cseq uint32) (*Request, error) {
	head := fmt.Sprintf("%s sip:x SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKx\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n\r\n",
		r.Method, from, to, callID, cseq, r.Method)

	m, err := ParseMessage([]byte(head))
	if err != nil {
		return nil, err
	}

	parsed := m.(*Request)
	for _, h := range []Header{parsed.From(), parsed.To(), parsed.CallID(), parsed.CSeq()} {
		r.AppendHeader(h)
	}

	return r, nil
}

// Side is one party of a dialog that goes through a proxy.
type Side int

// The two sides of a dialog.
const (
	Caller Side = iota
	Callee
)

// Other returns the party at the other end.
func (s Side) Other() Side { return 1 - s }

// ProxyDialog is a dialog as a proxy in its route sees it: enough to tell the parties apart and to send either of them a request in the
// name of the other (TS 24.229 §5.4.5.1.2).
type ProxyDialog struct {
	CallID string

	mu      sync.Mutex
	parties [2]party
}

type party struct {
	address string // From or To value with the tag
	tag     string
	target  string
	routes  []string // from this proxy to the party
	cseq    uint32   // of the party's last request
}

// WatchDialog returns the dialog of an INVITE that the proxy passed on, from the request as received and its 2xx as sent upstream. own
// reports whether a Record-Route entry is the proxy's own. A callee without a Contact is reached where the request went.
func WatchDialog(received *Request, response *Response, own func(NameAddr) bool) (*ProxyDialog, error) {
	towardsCaller, err := RecordRoutes(received)
	if err != nil {
		return nil, err
	}

	callee, err := calleeOf(response, own, received.Recipient.String())
	if err != nil {
		return nil, err
	}

	callerTarget, err := contactOf(received)
	if err != nil {
		return nil, err
	}

	callerTag, _ := received.From().Params.Get("tag")
	caller := party{address: received.From().Value(), tag: callerTag, target: callerTarget, cseq: received.CSeq().SeqNo}

	for _, r := range towardsCaller {
		caller.routes = append(caller.routes, r.String())
	}

	return &ProxyDialog{CallID: received.CallID().Value(), parties: [2]party{caller, callee}}, nil
}

// Fork returns the dialog of a further 2xx to the INVITE that created this one (RFC 3261 §13.2.2.4): the same caller, another callee.
func (d *ProxyDialog) Fork(response *Response, own func(NameAddr) bool) (*ProxyDialog, error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	callee, err := calleeOf(response, own, d.parties[Callee].target)
	if err != nil {
		return nil, err
	}

	return &ProxyDialog{CallID: d.CallID, parties: [2]party{d.parties[Caller], callee}}, nil
}

func calleeOf(response *Response, own func(NameAddr) bool, otherwise string) (party, error) {
	records, err := RecordRoutes(response)
	if err != nil {
		return party{}, err
	}

	at := slices.IndexFunc(records, own)
	if at < 0 {
		return party{}, fmt.Errorf("%w: the proxy is not in Record-Route", errDialog)
	}

	target, err := contactOf(response)
	if err != nil {
		target = otherwise
	}

	tag, _ := response.To().Params.Get("tag")
	callee := party{address: response.To().Value(), tag: tag, target: target}

	for i := at - 1; i >= 0; i-- {
		callee.routes = append(callee.routes, records[i].String())
	}

	return callee, nil
}

// Sender returns the party that sent a request; false if the Call-ID or a tag is not of this dialog.
func (d *ProxyDialog) Sender(r *Request) (Side, bool) {
	if r.CallID().Value() != d.CallID {
		return 0, false
	}

	from, _ := r.From().Params.Get("tag")
	to, _ := r.To().Params.Get("tag")

	switch {
	case from == d.parties[Caller].tag && to == d.parties[Callee].tag:
		return Caller, true
	case from == d.parties[Callee].tag && to == d.parties[Caller].tag:
		return Callee, true
	default:
		return 0, false
	}
}

// Observe records the CSeq number of a party's request that passes (RFC 3261 §12.2).
func (d *ProxyDialog) Observe(from Side, r *Request) {
	d.mu.Lock()
	defer d.mu.Unlock()

	p := &d.parties[from]
	p.cseq = max(p.cseq, r.CSeq().SeqNo)
}

// Target returns the remote target that a party gave.
func (d *ProxyDialog) Target(of Side) string {
	d.mu.Lock()
	defer d.mu.Unlock()

	return d.parties[of].target
}

// Answered records the targets given by a party's re-INVITE or UPDATE and its 2xx (§12.2.1.2, §12.2.2); a failed request changes none.
func (d *ProxyDialog) Answered(from Side, r *Request, response *Response) {
	d.mu.Lock()
	defer d.mu.Unlock()

	for side, m := range map[Side]Message{from: r, from.Other(): response} {
		if target, err := contactOf(m); err == nil {
			d.parties[side].target = target
		}
	}
}

// Leads reports whether a party's request goes to the other party, by its Request-URI and the rest of its Route. own reports whether an
// entry is one of those already removed from it.
func (d *ProxyDialog) Leads(from Side, r *Request, own func(Uri) bool) bool {
	left, err := Routes(r)
	if err != nil {
		return false
	}

	d.mu.Lock()
	defer d.mu.Unlock()

	to := &d.parties[from.Other()]
	if target, err := ParseURI(to.target); err != nil || !samePlace(target, r.Recipient) {
		return false
	}

	routes := to.routes
	for len(routes) > len(left) {
		if a, err := ParseNameAddr(routes[0]); err != nil || !ownAddress(a, own) {
			return false
		}

		routes = routes[1:]
	}

	return slices.EqualFunc(left, routes, func(l NameAddr, route string) bool {
		u, errLeft := ParseURI(l.URI)
		a, errKept := ParseNameAddr(route)

		if errLeft != nil || errKept != nil {
			return false
		}

		v, err := ParseURI(a.URI)

		return err == nil && samePlace(u, v)
	})
}

func ownAddress(a NameAddr, own func(Uri) bool) bool {
	u, err := ParseURI(a.URI)
	return err == nil && own(u)
}

func samePlace(a, b Uri) bool {
	return a.User == b.User && strings.EqualFold(a.Host, b.Host) && max(a.Port, 0) == max(b.Port, 0)
}

// maxCSeq is the highest CSeq number of a request (RFC 3261 §8.1.1.5).
const maxCSeq = 1<<31 - 1

// Request returns a request towards one party, as if the other had sent it. A party that has used up its numbers repeats the last one: a
// higher one is refused by everybody (RFC 3261 §12.2.2 refuses lower ones alone).
func (d *ProxyDialog) Request(to Side, method string) (*Request, error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	there, here := &d.parties[to], &d.parties[to.Other()]
	here.cseq = min(here.cseq+1, maxCSeq)

	return inDialogRequest(method, there.target, there.routes, here.address, there.address, d.CallID, here.cseq)
}
