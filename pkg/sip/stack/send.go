package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Destination says where a request goes: over a known flow, to given targets in order, or, when neither is set, to where its topmost
// Route or its Request-URI resolves (RFC 3263). Endpoint is the one that it leaves from; if nil, the first that speaks the transport.
type Destination struct {
	Endpoint *Endpoint
	Flow     *Flow
	Targets  []Target
}

var errNowhere = errors.New("sip: no endpoint reaches the target")

// way is a flow to try. A request that is too large for its datagrams goes over a stream first.
type way struct {
	flow   Flow
	stream *Endpoint // its TCP connection to the same address; nil if there is none to try
}

// ways returns the flows to try, in order.
func (s *Stack) ways(ctx context.Context, r *sip.Request, d Destination) ([]way, error) {
	if f := d.Flow; f != nil {
		w := way{flow: *f}
		if f.TakesTCP && f.Transport == "UDP" {
			w.stream = f.Endpoint
		}

		return []way{w}, nil
	}

	targets := d.Targets
	if len(targets) == 0 {
		next, err := sip.NextHop(r)
		if err != nil {
			return nil, err
		}

		if targets, err = s.resolver.Resolve(ctx, next); err != nil {
			return nil, err
		}
	}

	ways := make([]way, 0, len(targets))

	for _, t := range targets {
		e := s.egress(d.Endpoint, t.Transport, t.Addr)
		if e == nil {
			continue
		}

		w := way{flow: Flow{Endpoint: e, Transport: t.Transport, Local: e.address, Remote: t.Addr}}

		if t.Transport == "UDP" {
			w.stream = s.egress(d.Endpoint, "TCP", t.Addr)
		}

		ways = append(ways, w)
	}

	if len(ways) == 0 {
		return nil, errNowhere
	}

	return ways, nil
}

// besides returns the ways to servers other than this one. A server that has answered is not tried again over another transport: it would
// serve the request twice.
func besides(ways []way, server netip.AddrPort) []way {
	return slices.DeleteFunc(ways, func(w way) bool { return w.flow.Remote == server })
}

// overTCP returns the flow for a request that is too large for a datagram.
func (w way) overTCP() Flow {
	f := w.flow
	f.Transport, f.tentative = "TCP", true

	if w.stream != f.Endpoint {
		f.Endpoint, f.Local = w.stream, w.stream.address
	}

	return f
}

// address returns a request as the message for the first of these ways, with a Via of its own, together with that way's flow and the ways
// left. r is not changed, so that every attempt begins from the same request. A request that is too large for a datagram goes over TCP,
// with UDP after it in case the next hop takes no TCP (RFC 3261 §18.1.1). A next hop that refused TCP lately is not tried over it again.
func (s *Stack) address(r *sip.Request, ways []way, branch string) (sent *sip.Request, raw []byte, flow Flow, left []way) {
	first, left := ways[0], ways[1:]
	sent = withVia(r, first.flow, branch)
	raw = serialise(sent)

	if first.stream == nil || s.config.UDPSizeLimit <= 0 || len(raw) <= s.config.UDPSizeLimit ||
		s.resolver.avoids(Target{Transport: "TCP", Addr: first.flow.Remote}) {
		return sent, raw, first.flow, left
	}

	flow = first.overTCP()
	sent = withVia(r, flow, branch)

	return sent, serialise(sent), flow, append([]way{{flow: first.flow}}, left...)
}

func (s *Stack) egress(wanted *Endpoint, transport string, remote netip.AddrPort) *Endpoint {
	if wanted != nil {
		if wanted.speaks(transport) {
			return wanted
		}

		return nil
	}

	s.mu.RLock()
	defer s.mu.RUnlock()

	for _, e := range s.endpoints {
		if e.speaks(transport) && e.address.Addr().Is4() == remote.Addr().Is4() {
			return e
		}
	}

	return nil
}

// withVia returns the request as sent over this flow: with a Via of this branch in front of the others. r is not changed; the header
// fields that both share are never changed in place.
func withVia(r *sip.Request, flow Flow, branch string) *sip.Request {
	via := &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: flow.Transport,
		Host: hostOf(flow.Named().address.Addr()), Port: int(flow.Named().address.Port()),
	}
	via.Params.Add("branch", branch)

	sent := *r
	sent.PrependHeader(via) // into a list of its own

	return &sent
}

func hostOf(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}

	return a.String()
}

// Send sends a copy of a request, with a Via of its own, over the first flow that takes it.
func (s *Stack) Send(ctx context.Context, r *sip.Request, d Destination) (*ClientTransaction, error) {
	ways, err := s.ways(ctx, r, d)
	if err != nil {
		return nil, err
	}

	tx, _, err := s.attempt(ctx, r, ways, sip.NewBranch, waiter{})

	return tx, err
}

// attempt begins a client transaction over the first way that takes the request, and returns the ways left to try.
func (s *Stack) attempt(
	ctx context.Context,
	r *sip.Request,
	ways []way,
	branch func() string,
	user clientUser,
) (*ClientTransaction, []way, error) {
	var failed error

	for len(ways) > 0 {
		sent, raw, flow, left := s.address(r, ways, branch())

		tx, err := s.startClient(ctx, sent, raw, flow, user)
		if err == nil {
			return tx, left, nil
		}

		ways, failed = left, errors.Join(failed, fmt.Errorf("%s: %w", flow.Remote, err))
		if ctx.Err() != nil {
			break
		}

		if errors.Is(err, errOversized) { // not the target's fault
			continue
		}

		s.resolver.MarkFailed(Target{Transport: flow.Transport, Addr: flow.Remote})
	}

	return nil, nil, failed
}

// Do sends a request and waits for its final response, trying the next flow when one fails or does not answer, and the next server when
// one answers 503 (RFC 3263 §4.3). When nobody answers, the response is the stack's own (see Local): 408, or 503 when the request could
// not be sent or its connection ended.
func (s *Stack) Do(ctx context.Context, r *sip.Request, d Destination) (*sip.Response, error) {
	ways, err := s.ways(ctx, r, d)
	if err != nil {
		return nil, err
	}

	var last *sip.Response

	for len(ways) > 0 {
		var tx *ClientTransaction

		if tx, ways, err = s.attempt(ctx, r, ways, sip.NewBranch, waiter{}); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}

			if errors.Is(err, errOversized) {
				s.dropped(serialise(r), err)
			}

			return unsent(r, err), nil
		}

		answer, err := tx.final(ctx)

		switch {
		case err == nil && answer.StatusCode != 503:
			return answer, nil
		case err == nil:
			s.resolver.markBusy(tx.flow.Remote, answer)

			last, ways = answer, besides(ways, tx.flow.Remote)

			continue
		case errors.Is(err, errTransport):
			last = local(r, 503, err.Error())
		case errors.Is(err, errTimeout):
			last = local(r, 408, "nobody answered")
		default:
			return nil, err
		}

		if tx.taken() {
			ways = besides(ways, tx.flow.Remote)
		}

		s.resolver.MarkFailed(Target{Transport: tx.flow.Transport, Addr: tx.flow.Remote})
	}

	return last, nil
}

// final waits for the final response; when ctx ends first, an INVITE is cancelled.
func (tx *ClientTransaction) final(ctx context.Context) (*sip.Response, error) {
	for {
		select {
		case r, more := <-tx.responses:
			if !more {
				if err := tx.Err(); err != nil {
					return nil, err
				}

				return nil, errTimeout
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
func (s *Stack) SendStateless(ctx context.Context, r *sip.Request, d Destination) error {
	ways, err := s.ways(ctx, r, d)
	if err != nil {
		return err
	}

	for len(ways) > 0 {
		_, raw, flow, left := s.address(r, ways, sip.NewBranch())

		if err = flow.Endpoint.transmit(ctx, flow, raw); err == nil {
			s.metrics.requests.WithLabelValues("sent", flow.Endpoint.name, label.Method(string(r.Method))).Inc()
			return nil
		}

		if ways = left; errors.Is(err, errOversized) {
			continue
		}

		s.resolver.MarkFailed(Target{Transport: flow.Transport, Addr: flow.Remote})
	}

	return err
}

const (
	localSource  = "local"
	silentSource = "silence" // local, too
)

// local returns a response that the stack makes itself in place of one that never came. The cause is for the log and for the Reason
// header field of whoever passes it on, and is carried in a Warning.
func local(r *sip.Request, status int, cause string) *sip.Response {
	response := sip.NewResponse(r, status, "")
	response.SetSource(localSource)
	sip.Set(response, "Warning", warning+grammar.Quote(cause))

	return response
}

const warning = "399 dialtone " // RFC 3261 §20.43: miscellaneous, and who says it

// LocalCause returns the cause of a response of the stack's own; "" for one that was received.
func LocalCause(r *sip.Response) string {
	text, local := strings.CutPrefix(sip.Value(r, "Warning"), warning)
	if !local || !Local(r) {
		return ""
	}

	cause, _, _ := grammar.Unquote(text)

	return cause
}

// Local reports whether a response is the stack's own, and was not received.
func Local(r *sip.Response) bool { return r.Source() == localSource || Silent(r) }

// Silent reports whether a response is a 408 of the stack's own after complete silence: not even a 100 came from the next hop.
func Silent(r *sip.Response) bool { return r.Source() == silentSource }

// transmitResponse sends a response outside any transaction.
func (s *Stack) transmitResponse(flow Flow, reply netip.AddrPort, r *sip.Response) error {
	raw := serialise(r)
	if err := s.fits(flow, raw); err != nil {
		s.dropped(raw, err)
		return err
	}

	s.metrics.responses.WithLabelValues("sent", flow.Endpoint.name, label.Method(methodOf(r)), label.Status(r.StatusCode)).Inc()

	return s.transmitReply(flow, reply, raw)
}

// transmitReply sends a response back the way its request came (RFC 3261 §18.2.2): over its connection, or by datagram to the address of
// its Via, or over a new connection to that address if the old one is gone.
func (s *Stack) transmitReply(flow Flow, reply netip.AddrPort, raw []byte) error {
	if flow.Transport == "TCP" {
		if c := flow.Endpoint.connected(flow.Remote); c != nil {
			s.trace(c.flow, raw, true)

			if c.write(raw) == nil {
				return nil
			}
		}
	}

	if choose := flow.Endpoint.reply.Load(); choose != nil {
		flow = (*choose)(flow)
	} else {
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

// serialise returns a message as it is sent. It sets Content-Length, whoever made the message: over UDP it may be missing, on a stream it
// may not (RFC 3261 §18.3, §20.14).
func serialise(m sip.Message) []byte {
	if length := m.ContentLength(); length == nil || int(*length) != len(m.Body()) {
		m.SetBody(m.Body())
	}

	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)

	b.Reset()
	m.StringWrite(b)

	return bytes.Clone(b.Bytes())
}
