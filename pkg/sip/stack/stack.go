// Package stack speaks SIP (RFC 3261 §5): transport, transactions and the core of a proxy, over the language of package sip. It knows
// nothing of IMS.
package stack

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/trace"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Handler is the transaction user above the stack.
type Handler interface {
	// HandleRequest is called in a goroutine of its own for each new request other than ACK and CANCEL. ctx ends with the stack.
	HandleRequest(ctx context.Context, tx *ServerTransaction)
	// HandleAck is called for each ACK that no transaction takes: that of a 2xx response.
	HandleAck(ctx context.Context, ack *Ack)
}

// Ack is an ACK of a 2xx response: a request without a transaction and without an answer.
type Ack struct {
	Request *sip.Request
	Flow    Flow
}

// Stack is the SIP stack of one function: its endpoints, transactions and resolver.
type Stack struct {
	config       Config
	handler      Handler
	log          *slog.Logger
	tap          trace.Tap
	screen       func(Flow, sip.Message) error
	strays       func(Flow, *sip.Response) Passer // nil: they are dropped
	urgent       func(Flow, *sip.Request) bool    // nil: none is
	refusals     *rate.Limiter                    // of screen
	refuser      sip.Refuser
	metrics      metrics
	resolver     *Resolver
	network      Network
	transactions store
	precedence   precedence
	streams      atomic.Int64    // stream connections open
	accepted     atomic.Int64    // those that others opened
	ctx          context.Context // from New to the end of Run: the life of connections and handlers
	cancel       context.CancelFunc
	running      sync.WaitGroup

	mu        sync.RWMutex
	endpoints []*Endpoint
	served    bool // Run has begun
	closed    bool
}

// New binds the endpoints at once. Nothing is served before Run.
func New(c Config, h Handler, o Options) (*Stack, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}

	s := &Stack{config: c, handler: h, log: o.Log, tap: o.Tap, screen: o.Screen, strays: o.Stray, urgent: o.Urgent, refusals: newRefusals()}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.metrics = newMetrics(o.Metrics, s)

	if s.network = o.Network; s.network == nil {
		s.network = Machine{}
	}

	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}

	s.refuser = s.newRefuser(s.log)

	var err error
	if s.resolver, err = NewResolver(c.Resolver); err != nil {
		return nil, err
	}

	for _, e := range c.Endpoints {
		endpoint, err := s.bind(e)
		if err != nil {
			s.close()
			return nil, err
		}

		s.endpoints = append(s.endpoints, endpoint)
	}

	return s, nil
}

// Run serves until ctx ends, then closes the endpoints and waits for the requests in work.
func (s *Stack) Run(ctx context.Context) error {
	s.mu.Lock()
	s.served = true

	for _, e := range s.endpoints {
		s.serve(e)
	}
	s.mu.Unlock()

	<-ctx.Done()
	s.close()

	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()

	select {
	case <-done:
		return nil
	case <-time.After(5 * time.Second):
		return errors.New("sip: requests were still in work when the stack ended")
	}
}

func (s *Stack) close() {
	s.cancel()

	s.mu.Lock()
	s.closed = true
	endpoints := slices.Clone(s.endpoints)
	s.mu.Unlock()

	for _, e := range endpoints {
		e.close()
	}

	s.transactions.terminateAll()
}

// AddEndpoint binds another address, and serves it as soon as the stack runs.
func (s *Stack) AddEndpoint(c EndpointConfig) (*Endpoint, error) {
	e, err := s.bind(c)
	if err != nil {
		return nil, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	if s.closed {
		e.close()
		return nil, errStopped
	}

	s.endpoints = append(s.endpoints, e)
	if s.served {
		s.serve(e)
	}

	return e, nil
}

// RemoveEndpoint closes an endpoint and its connections. Transactions that still want to send from it fail.
func (s *Stack) RemoveEndpoint(e *Endpoint) {
	s.mu.Lock()
	s.endpoints = slices.DeleteFunc(s.endpoints, func(other *Endpoint) bool { return other == e })
	s.mu.Unlock()
	e.close()
}

// Endpoint returns the endpoint of this name; nil if there is none.
func (s *Stack) Endpoint(name string) *Endpoint {
	s.mu.RLock()
	defer s.mu.RUnlock()

	for _, e := range s.endpoints {
		if e.name == name {
			return e
		}
	}

	return nil
}

// Own reports whether a URI names one of the endpoints.
func (s *Stack) Own(u sip.Uri) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()

	for _, e := range s.endpoints {
		if e.Own(u) {
			return true
		}
	}

	return false
}

// AsksItself reports whether an OPTIONS asks this function for its capabilities (RFC 3261 §11): its Request-URI is one of the endpoints
// and has no user, and no Route is left. One with a user, even at a name of this function, is for that user.
func (s *Stack) AsksItself(r *sip.Request) bool {
	if r.Method != "OPTIONS" || r.Recipient.User != "" || !s.Own(r.Recipient) {
		return false
	}

	routes, err := sip.Routes(r)

	return err == nil && !slices.ContainsFunc(routes, func(route sip.NameAddr) bool {
		u, err := sip.ParseURI(route.URI)
		return err != nil || !s.Own(u)
	})
}

// Resolver returns the resolver that requests are sent with.
func (s *Stack) Resolver() *Resolver { return s.resolver }

// receive handles one message from an endpoint. It is called in order for each socket and connection, and does not block.
func (s *Stack) receive(flow Flow, raw []byte) {
	s.trace(flow, raw, false)

	m, err := sip.ParseMessage(raw)
	if err != nil {
		s.malformed(flow, raw, err)
		return
	}

	if s.screen != nil {
		if err := s.screen(flow, m); err != nil {
			s.turnAway(flow, m, err)
			return
		}
	}

	switch m := m.(type) {
	case *sip.Request:
		s.metrics.requests.WithLabelValues("received", flow.Endpoint.name, label.Method(string(m.Method))).Inc()
		s.request(flow, m)
	case *sip.Response:
		s.metrics.responses.WithLabelValues("received", flow.Endpoint.name, label.Method(methodOf(m)), label.Status(m.StatusCode)).Inc()
		s.response(flow, m)
	}
}

func methodOf(r *sip.Response) string {
	if cseq := r.CSeq(); cseq != nil {
		return string(cseq.MethodName)
	}

	return ""
}

// about returns the log for faults of others over a flow.
func (s *Stack) about(flow Flow) *slog.Logger {
	return s.log.With("endpoint", flow.Endpoint.name, "source", flow.Remote.String(), "transport", flow.Transport)
}

// response passes a response to its client transaction.
func (s *Stack) response(flow Flow, r *sip.Response) {
	tx, found := s.transactions.client(clientKey(r))
	if !found {
		s.stray(flow, r)
		return
	}

	tx.receive(r)
}

// request passes a request to its server transaction, or begins one (RFC 3261 §17.2.3).
func (s *Stack) request(flow Flow, r *sip.Request) {
	reply := stampVia(r.Via(), flow)
	key := serverKey(r)

	if tx, found := s.transactions.server(key); found {
		if r.IsAck() && !tx.acknowledge() {
			s.acknowledged(flow, r) // of a 2xx, with the INVITE's branch
			return
		}

		if !r.IsAck() {
			tx.retransmitted(flow, reply)
		}

		return
	}

	switch {
	case r.IsAck():
		s.acknowledged(flow, r)
	case s.transactions.working() >= s.config.Limits.MaxTransactions && !r.IsCancel() && !s.takesUrgent(flow, r):
		s.refuser.Refuse(unkept{s, flow, reply, r}, caseOverload, overloaded, "endpoint", flow.Endpoint.name)
	case r.IsCancel():
		s.cancelled(key, r, flow, reply)
	default:
		tx, fresh := s.newServerTransaction(key, r, flow, reply)
		if !fresh {
			tx.retransmitted(flow, reply)
			return
		}

		if begin := flow.Endpoint.work.Load(); begin != nil {
			tx.end = (*begin)(flow)
		}

		before := s.precedence.ahead(r.CallID().Value())
		s.running.Go(func() {
			before.wait(s.ctx)
			s.handleRequest(tx)
		})
	}
}

// takesUrgent reports whether a request that cannot wait is served although max_transactions are in work. There may be twice as many
// while everything accepted at once goes on; a third time as many is for urgent requests.
func (s *Stack) takesUrgent(flow Flow, r *sip.Request) bool {
	return s.urgent != nil && s.transactions.working() < 3*s.config.Limits.MaxTransactions && s.urgent(flow, r)
}

func (s *Stack) acknowledged(flow Flow, r *sip.Request) {
	done := s.precedence.hold(r.CallID().Value())
	s.running.Go(func() {
		defer done()
		s.handleAck(&Ack{Request: r, Flow: flow})
	})
}

// cancelled answers a CANCEL and tells the transaction that it means (RFC 3261 §9.2, §16.10). A CANCEL for no transaction is answered
// without one, which no limit would bound.
func (s *Stack) cancelled(key string, r *sip.Request, flow Flow, reply netip.AddrPort) {
	invite, found := s.transactions.server(inviteKey(r))
	if !found {
		s.metrics.unexpected.WithLabelValues(flow.Endpoint.name, "CANCEL").Inc()
		s.refuser.Refuse(unkept{s, flow, reply, r}, caseCancel, nothingCancelled, "endpoint", flow.Endpoint.name)

		return
	}

	tx, fresh := s.newServerTransaction(key, r, flow, reply)
	if !fresh {
		tx.retransmitted(flow, reply)
		return
	}

	_ = tx.Reply(200, "")
	invite.cancel(cancelReason(r)...)
}

func (s *Stack) handleRequest(tx *ServerTransaction) {
	defer tx.handled()
	defer func() {
		if p := recover(); p != nil {
			s.fault(tx.name(), p)

			if tx.open() {
				s.ofFaults().Refuse(tx, casePanic, panicked)
			}
		}
	}()

	s.handler.HandleRequest(s.ctx, tx)
}

func (s *Stack) handleAck(ack *Ack) {
	defer func() {
		if p := recover(); p != nil {
			s.fault("ACK", p)
		}
	}()

	s.handler.HandleAck(s.ctx, ack)
}

func (s *Stack) trace(flow Flow, raw []byte, sent bool) {
	if s.tap != nil {
		s.tap(trace.Message{
			Time: time.Now(), Interface: flow.Endpoint.name, Protocol: trace.SIP, Sent: sent, Transport: flow.Transport,
			Local: flow.Local, Remote: flow.Remote, Data: raw,
		})
	}
}

// stampVia writes the true source of a request into its topmost Via (RFC 3261 §18.2.1, RFC 3581 §4) and returns the address that
// responses go to (§18.2.2): over UDP, or over a new connection when the request's is gone. The source port of a connection takes no
// connections, so rport counts over UDP alone.
func stampVia(via *sip.ViaHeader, flow Flow) netip.AddrPort {
	source := flow.Remote
	_, rport := via.Params.Get("rport")

	if rport || !names(via.Host, source.Addr()) {
		via.Params.Remove("received")
		via.Params.Add("received", source.Addr().String())
	}

	if rport {
		via.Params.Remove("rport")
		via.Params.Add("rport", strconv.Itoa(int(source.Port())))

		if flow.Transport == "UDP" {
			return source
		}
	}

	port := via.Port
	if port <= 0 || port > 65535 {
		port = 5060
	}

	return netip.AddrPortFrom(source.Addr(), uint16(port))
}

// names reports whether a host is this address; IPv6 addresses have several spellings.
func names(host string, address netip.Addr) bool {
	host = strings.Trim(host, "[]")
	if host == address.String() {
		return true
	}

	other, err := netip.ParseAddr(host)

	return err == nil && other.Unmap() == address
}

var (
	errClosed  = errors.New("sip: the endpoint is closed")
	errStopped = errors.New("sip: the stack has ended")
)
