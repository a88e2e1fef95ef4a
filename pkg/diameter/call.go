package diameter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
)

var (
	// ErrUnroutable is the error of a request for which no peer is up.
	ErrUnroutable = fmt.Errorf("no Diameter peer is up for this request: %w", UnableToDeliver)
	// ErrTimeout is the error of a request whose answer did not come in time.
	ErrTimeout = errors.New("the Diameter peer did not answer in time")
)

// Typed is a pointer to a typed message.
type Typed[T any] interface {
	*T
	Commander
}

// Call sends a request and waits for its answer, whatever result that has. An error means that there is none: ErrUnroutable,
// ErrTimeout or the context's. When the peer is lost, the request goes to the next one with the T flag and the same
// end-to-end identifier (RFC 6733 §5.5.4).
func Call[A, Q any, PA Typed[A], PQ Typed[Q]](ctx context.Context, n *Node, q *Q) (*A, error) {
	n.fill(q)

	m, err := n.dictionary.Encode(PQ(q))
	if err != nil {
		return nil, err
	}

	reply, err := n.exchange(ctx, m)
	if err != nil {
		return nil, err
	}

	answer := new(A)
	if err := n.dictionary.Decode(reply, PA(answer)); err != nil {
		return nil, fmt.Errorf("the answer cannot be read: %w", err)
	}

	return answer, nil
}

// fill completes the header of a request.
func (n *Node) fill(q any) {
	headed, ok := q.(interface{ requestHeader() *RequestHeader })
	if !ok {
		return
	}

	h := headed.requestHeader()
	h.OriginHost, h.OriginRealm = n.config.OriginHost, n.config.OriginRealm

	if h.SessionID == "" {
		h.SessionID = n.NewSessionID()
	}

	if h.DestinationRealm == "" {
		h.DestinationRealm = n.config.OriginRealm
	}
}

func (n *Node) exchange(ctx context.Context, m *Message) (*Message, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, n.config.RequestTimeout, ErrTimeout)
	defer cancel()

	m.Header.EndToEndID = n.endToEnd.Add(1)
	began := time.Now()

	var tried []*connection

	for {
		c := n.route(m, tried)
		if c == nil {
			n.count("sent", m, UnableToDeliver)
			return nil, ErrUnroutable
		}

		tried = append(tried, c)

		reply, err := c.ask(ctx, m)
		if err == nil {
			n.metrics.latency.WithLabelValues(n.commandName(m)).Observe(time.Since(began).Seconds())
			n.count("sent", m, resultOf(reply))

			return reply, nil
		}

		if ctx.Err() != nil {
			n.metrics.timeouts.WithLabelValues(c.peer.OriginHost).Inc()
			return nil, fmt.Errorf("%s: %w", c.peer.OriginHost, context.Cause(ctx))
		}

		n.log.Warn("Diameter request goes to another peer", "lost", c.peer.OriginHost, "reason", err)
		m.Header.CommandFlags |= diam.RetransmittedFlag
	}
}

// ask sends one request over this connection and waits.
func (c *connection) ask(ctx context.Context, m *Message) (*Message, error) {
	m.Header.HopByHopID = c.hopByHop.Add(1)

	answer, open := c.expect(m.Header.HopByHopID)
	if !open {
		return nil, errLost
	}
	defer c.forget(m.Header.HopByHopID)

	if err := c.write(m); err != nil {
		return nil, err
	}

	select {
	case reply, came := <-answer:
		if !came {
			return nil, errLost
		}

		return reply, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func resultOf(m *Message) Result {
	for _, a := range m.AVP {
		if a.VendorID == 0 && (a.Code == avp.ResultCode || a.Code == avp.ExperimentalResult) {
			return decodeResult(a)
		}
	}

	return Result{}
}

// route chooses the connection for a request (RFC 6733 §6.1.4 to §6.1.6) among those not tried yet.
func (n *Node) route(m *Message, tried []*connection) *connection {
	host, realm := textOf(m.AVP, avp.DestinationHost), textOf(m.AVP, avp.DestinationRealm)

	for _, c := range n.candidates(m.Header.ApplicationID, host, realm) {
		if !slices.Contains(tried, c) {
			return c
		}
	}

	return nil
}

// candidates are the usable connections, the best first. A Destination-Host that is a peer bypasses realm routing. Without
// a configured route every peer of the realm serves it, and where no peer is of the realm, any peer does.
func (n *Node) candidates(application uint32, host, realm string) []*connection {
	type candidate struct {
		*connection
		metric int
	}

	n.mu.RLock()
	defer n.mu.RUnlock()

	usable := func(c *connection) bool {
		return c != nil && c.ready.Load() && !c.suspect.Load() && slices.Contains(c.applications, application)
	}

	if direct := n.connections[host]; usable(direct) {
		return []*connection{direct}
	}

	if host != "" && n.configured(host) { // a peer of ours, and down
		return nil
	}

	var found []candidate

	for _, r := range n.config.Routes {
		c := n.connections[r.Peer]
		if usable(c) && (r.Application == 0 || r.Application == application) && (r.Realm == "" || r.Realm == "*" || realm == "" || r.Realm == realm) {
			found = append(found, candidate{c, r.Metric})
		}
	}

	if len(found) == 0 {
		const realmOfPeer, anyRealm = 1, 2

		for _, c := range n.connections {
			switch {
			case !usable(c):
			case realm == "" || c.peer.OriginRealm == realm:
				found = append(found, candidate{c, realmOfPeer})
			case len(n.config.Routes) == 0:
				found = append(found, candidate{c, anyRealm})
			}
		}
	}

	slices.SortFunc(found, func(a, b candidate) int {
		if a.metric != b.metric {
			return a.metric - b.metric
		}

		return compare(a.peer.OriginHost, b.peer.OriginHost)
	})

	connections := make([]*connection, len(found))
	for i, c := range found {
		connections[i] = c.connection
	}

	return connections
}

// Handle serves a command. It is called before Run, once for each command. The error that h returns becomes the answer by
// ResultOf; an answer that h leaves empty is filled with the result, the Session-Id and this node's identity.
func Handle[Q, A any, PQ Typed[Q], PA Typed[A]](n *Node, h func(ctx context.Context, q *Q) (*A, error)) {
	command := PQ(nil).Command()

	n.handlers[commandKey{command.Application.ID, command.Code}] = func(ctx context.Context, m *Message) *Message {
		began := time.Now()
		answer, err := serveTyped[Q, A, PQ, PA](ctx, n, m, h)
		result := Success

		if err != nil {
			refusal := ResultOf(err)
			result = refusal.Result
			n.logRefusal(m, refusal)
			answer = n.dictionary.refuse(m, refusal, n.Identity())
		} else {
			result = resultOf(answer)
		}

		n.metrics.served.WithLabelValues(n.commandName(m)).Observe(time.Since(began).Seconds())
		n.count("received", m, result)

		return answer
	}
}

func serveTyped[Q, A any, PQ Typed[Q], PA Typed[A]](ctx context.Context, n *Node, m *Message, h func(context.Context, *Q) (*A, error)) (*Message, error) {
	q := new(Q)
	if err := n.dictionary.Decode(m, PQ(q)); err != nil {
		return nil, err
	}

	a, err := h(ctx, q)
	if err != nil {
		return nil, err
	}

	if headed, ok := any(a).(interface{ answerHeader() *AnswerHeader }); ok {
		header := headed.answerHeader()
		header.SessionID = textOf(m.AVP, avp.SessionID)
		header.OriginHost, header.OriginRealm = n.config.OriginHost, n.config.OriginRealm

		if header.Result == (Result{}) {
			header.Result = Success
		}
	}

	return n.dictionary.Encode(PA(a))
}

// logRefusal says at Info what the peer is told anyway, and at Error what is this node's own trouble.
func (n *Node) logRefusal(m *Message, refusal *Error) {
	level := n.log.Info
	if refusal.Result == UnableToComply {
		level = n.log.Error
	}

	level("Diameter request answered with an error", "command", n.commandName(m), "from", textOf(m.AVP, avp.OriginHost),
		"user", textOf(m.AVP, avp.UserName), "result", refusal.Result.Code, "vendor", refusal.Result.Vendor, "reason", refusal.Error())
}

// handlerOf finds who serves a request, or why nobody does (RFC 6733 §6.1.4, §6.1.6).
func (n *Node) handlerOf(m *Message) (handler, *Error) {
	realm, host := textOf(m.AVP, avp.DestinationRealm), textOf(m.AVP, avp.DestinationHost)

	switch {
	case host != "" && host != n.config.OriginHost:
		return nil, &Error{Result: UnableToDeliver, Message: "this node is " + n.config.OriginHost + " and relays nothing"}
	case realm != "" && realm != n.config.OriginRealm:
		return nil, &Error{Result: RealmNotServed, Message: "this node serves " + n.config.OriginRealm}
	}

	h, found := n.handlers[commandKey{m.Header.ApplicationID, m.Header.CommandCode}]
	if !found {
		return nil, &Error{Result: CommandUnsupported, Message: "this node does not serve the command"}
	}

	return h, nil
}

func (n *Node) commandName(m *Message) string {
	if command, err := n.dictionary.parser.FindCommand(m.Header.ApplicationID, m.Header.CommandCode); err == nil {
		return command.Short
	}

	return strconv.FormatUint(uint64(m.Header.CommandCode), 10)
}

func (n *Node) count(direction string, m *Message, r Result) {
	n.metrics.requests.WithLabelValues(direction, n.commandName(m), strconv.FormatUint(uint64(r.Vendor), 10), strconv.FormatUint(uint64(r.Code), 10)).Inc()
}
