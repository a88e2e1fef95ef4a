package sip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Destination says where a request goes: over a known flow, to given targets in their order, or, when neither is set, to
// where its topmost Route or its Request-URI resolves (RFC 3263). Endpoint is the one it leaves from; without it the first
// that speaks the transport.
type Destination struct {
	Endpoint *Endpoint
	Flow     *Flow
	Targets  []Target
}

var errNowhere = errors.New("sip: no endpoint reaches the target")

// flows are the ways to try, in their order.
func (s *Stack) flows(ctx context.Context, r *Request, d Destination) ([]Flow, error) {
	if f := d.Flow; f != nil {
		if f.TakesTCP && f.Transport == "UDP" && s.large(r) {
			stream := *f
			stream.Transport = "TCP"

			return []Flow{stream, *f}, nil
		}

		return []Flow{*f}, nil
	}

	targets := d.Targets
	if len(targets) == 0 {
		next, err := NextHop(r)
		if err != nil {
			return nil, err
		}

		if targets, err = s.resolver.Resolve(ctx, next); err != nil {
			return nil, err
		}
	}

	large := s.large(r)

	var flows []Flow

	for _, t := range targets {
		if t.Transport == "UDP" && large { // RFC 3261 §18.1.1; UDP stays behind it in case the next hop takes no TCP
			if e := s.egress(d.Endpoint, "TCP", t.Addr); e != nil {
				flows = append(flows, Flow{Endpoint: e, Transport: "TCP", Local: e.address, Remote: t.Addr})
			}
		}

		if e := s.egress(d.Endpoint, t.Transport, t.Addr); e != nil {
			flows = append(flows, Flow{Endpoint: e, Transport: t.Transport, Local: e.address, Remote: t.Addr})
		}
	}

	if len(flows) == 0 {
		return nil, errNowhere
	}

	return flows, nil
}

// large tells whether a request is more than may go in a datagram (RFC 3261 §18.1.1).
func (s *Stack) large(r *Request) bool {
	return s.config.UDPSizeLimit > 0 && len(r.Body()) > 0 && sizeOf(r) > s.config.UDPSizeLimit
}

func (s *Stack) egress(wanted *Endpoint, transport string, remote netip.AddrPort) *Endpoint {
	if wanted != nil {
		if wanted.Speaks(transport) {
			return wanted
		}

		return nil
	}

	s.mu.RLock()
	defer s.mu.RUnlock()

	for _, e := range s.endpoints {
		if e.Speaks(transport) && e.address.Addr().Is4() == remote.Addr().Is4() {
			return e
		}
	}

	return nil
}

// NextHop is the URI that a request is to be sent to: its topmost Route, else its Request-URI (RFC 3261 §8.1.2, §16.6 7).
func NextHop(r *Request) (Uri, error) {
	routes, err := Routes(r)
	if err != nil {
		return Uri{}, err
	}

	if len(routes) > 0 {
		return ParseURI(routes[0].URI)
	}

	return r.Recipient, nil
}

// pushVia adds the Via of this flow, with this branch, in front of the others.
func pushVia(r *Request, flow Flow, branch string) {
	via := &ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: flow.Transport,
		Host: hostOf(flow.Named().address.Addr()), Port: int(flow.Named().address.Port()),
	}
	via.Params.Add("branch", branch)
	r.PrependHeader(via)
}

func hostOf(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}

	return a.String()
}

// Send sends a request over the first flow that takes it. The request gets its Via here.
func (s *Stack) Send(ctx context.Context, r *Request, d Destination) (*ClientTransaction, error) {
	flows, err := s.flows(ctx, r, d)
	if err != nil {
		return nil, err
	}

	tx, _, err := s.attempt(r, flows, NewBranch, nil)

	return tx, err
}

// attempt begins a client transaction over the first flow that takes the request, and gives the flows left to try.
func (s *Stack) attempt(r *Request, flows []Flow, branch func() string, delivered func(*ClientTransaction, *Response, error)) (*ClientTransaction, []Flow, error) {
	var failed error

	for i, flow := range flows {
		pushVia(r, flow, branch())

		tx, err := s.begin(r, flow, delivered)
		if err == nil {
			return tx, flows[i+1:], nil
		}

		r.RemoveHeader("Via")
		s.resolver.MarkFailed(Target{Transport: flow.Transport, Addr: flow.Remote})
		failed = errors.Join(failed, fmt.Errorf("%s: %w", flow.Remote, err))
	}

	return nil, nil, failed
}

// Do sends a request and waits for its final response, trying the next flow when one fails, does not answer or says 503
// (RFC 3263 §4.3). When nobody answers, the response is one of the stack's own, which Local tells: 408, or 503 when the
// request could not even be sent.
func (s *Stack) Do(ctx context.Context, r *Request, d Destination) (*Response, error) {
	flows, err := s.flows(ctx, r, d)
	if err != nil {
		return nil, err
	}

	var last *Response

	for len(flows) > 0 {
		var tx *ClientTransaction

		if tx, flows, err = s.attempt(r, flows, NewBranch, nil); err != nil {
			return local(r, 503, err.Error()), nil
		}

		if last, err = tx.final(ctx); err != nil && !errors.Is(err, ErrTimeout) {
			return nil, err
		}

		if last != nil && last.StatusCode != 503 {
			return last, nil
		}

		s.resolver.MarkFailed(Target{Transport: tx.flow.Transport, Addr: tx.flow.Remote})

		if len(flows) > 0 {
			r.RemoveHeader("Via")
		}
	}

	if last == nil {
		last = local(r, 408, "nobody answered")
	}

	return last, nil
}

// final waits for the final response; when ctx ends first, an INVITE is cancelled.
func (tx *ClientTransaction) final(ctx context.Context) (*Response, error) {
	for {
		select {
		case r, more := <-tx.responses:
			if !more {
				return nil, errors.Join(ErrTimeout, tx.Err())
			}

			if !r.IsProvisional() {
				return r, nil
			}
		case <-ctx.Done():
			tx.Cancel()
			return nil, ctx.Err()
		}
	}
}

// SendStateless sends a request that has no transaction: the ACK of a 2xx.
func (s *Stack) SendStateless(ctx context.Context, r *Request, d Destination) error {
	flows, err := s.flows(ctx, r, d)
	if err != nil {
		return err
	}

	for _, flow := range flows {
		pushVia(r, flow, NewBranch())

		if err = flow.Endpoint.transmit(ctx, flow, serialise(r)); err == nil {
			s.metrics.requests.WithLabelValues("sent", flow.Endpoint.name, known(string(r.Method))).Inc()
			return nil
		}

		r.RemoveHeader("Via")
	}

	return err
}

const localSource = "local"

// local is a response that the stack makes itself in place of one that never came. The cause is for the log and for the
// Reason header of whoever passes it on.
func local(r *Request, status int, cause string) *Response {
	response := NewResponse(r, status, "")
	response.SetSource(localSource)
	Set(response, "Warning", `399 dialtone "`+strings.NewReplacer(`"`, "'", "\r", " ", "\n", " ").Replace(cause)+`"`)

	return response
}

// Local tells a response of the stack's own from one that came.
func Local(r *Response) bool { return r.Source() == localSource }

// transmitResponse sends a response outside any transaction.
func (s *Stack) transmitResponse(flow Flow, reply netip.AddrPort, r *Response) error {
	s.metrics.responses.WithLabelValues("sent", flow.Endpoint.name, known(methodOf(r)), fmt.Sprint(r.StatusCode)).Inc()

	return s.transmitReply(flow, reply, serialise(r))
}

// transmitReply sends a response back the way its request came (RFC 3261 §18.2.2): over its connection, or by datagram to
// the address that Via gave.
func (s *Stack) transmitReply(flow Flow, reply netip.AddrPort, raw []byte) error {
	switch choose := flow.Endpoint.reply.Load(); {
	case flow.Transport == "TCP" && flow.Endpoint.connected(flow.Remote) != nil:
	case choose != nil:
		flow = (*choose)(flow)
	default: // by datagram, or by a new connection in place of the one that is gone
		flow.Remote = reply
	}

	if flow.Transport == "UDP" {
		return flow.Endpoint.transmit(s.ctx, flow, raw)
	}

	ctx, cancel := context.WithTimeout(s.ctx, 2*time.Second)
	defer cancel()

	return flow.Endpoint.transmit(ctx, flow, raw)
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func serialise(m Message) []byte {
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)

	b.Reset()
	m.StringWrite(b)

	return bytes.Clone(b.Bytes())
}

func sizeOf(m Message) int {
	const via = 90 // the one that is yet to come

	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)

	b.Reset()
	m.StringWrite(b)

	return b.Len() + via
}
