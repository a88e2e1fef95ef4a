package diameter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"
)

var (
	// ErrUnroutable is the error of a request for which no peer is up.
	ErrUnroutable = fmt.Errorf("no Diameter peer is up for this request: %w", UnableToDeliver)
	// ErrLost is the error of a request whose peer was lost before it answered, and for which no other one is up: it may have been served.
	ErrLost = fmt.Errorf("the Diameter peer was lost before it answered: %w", ErrUnroutable)
	// ErrTimeout is the error of a request whose answer did not come in time.
	ErrTimeout = errors.New("the Diameter peer did not answer in time")

	// ErrTooLarge is the error of a request longer than max_message, which no peer need take.
	ErrTooLarge = fmt.Errorf("the Diameter request would be longer than max_message: %w", InvalidMessageLength)

	errUnreadable = errors.New("the answer cannot be read")
	errNotSent    = errors.New("the connection takes no more requests")
)

// Typed is a pointer to a typed message.
type Typed[T any] interface {
	*T
	Commander
}

// Call sends a request and waits for its answer, whatever its result. An error means that there is no answer: ErrUnroutable, ErrLost,
// ErrTimeout, ErrTooLarge or the context's. When the peer is lost, the request goes to the next one with the T flag and the same end-to-end
// identifier (RFC 6733 §5.5.4); when the peer answers that it has done nothing (§7.1.3), it goes there unchanged.
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
		return nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}

	return answer, nil
}

// fill completes the header of a request.
func (n *Node) fill(q any) {
	headed, ok := q.(requestHeaded)
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

// exchange is Call for an encoded message.
func (n *Node) exchange(ctx context.Context, m *Message) (*Message, error) {
	t := n.transactions.Get().(*transaction)
	defer func() {
		t.reset()
		n.transactions.Put(t)
	}()

	t.timer.Reset(n.config.RequestTimeout)
	m.Header.EndToEndID = n.endToEnd.Add(1)

	var (
		began = time.Now()
		to    = destinationOf(m)
		tried []*connection
		idle  *Message // an answer of a peer that has done nothing, returned only if no other peer answers
		lost  bool     // a peer had it, and may have served it
	)

	for {
		c := n.route(to, tried)
		if c == nil {
			if idle != nil {
				n.count("sent", m, resultOf(idle))
				return idle, nil
			}

			n.count("sent", m, UnableToDeliver)

			if lost {
				return nil, ErrLost
			}

			return nil, ErrUnroutable
		}

		tried = append(tried, c)
		n.sign(m, c.self())

		reply, err := n.attempt(ctx, c, m, t, func() bool { return n.route(to, tried) != nil })

		switch {
		case err == nil && undone(resultOf(reply)):
			idle = reply
			n.log.Info(
				"Diameter peer does not serve a request; others are tried",
				"peer", c.peer.OriginHost,
				"command", n.commandName(m),
				"result", resultOf(reply).Code,
			)

			continue
		case err == nil:
			n.metrics.observe(n.metrics.latency, n, m, time.Since(began))
			n.count("sent", m, resultOf(reply))

			return reply, nil
		case errors.Is(err, ErrTooLarge):
			n.count("sent", m, InvalidMessageLength)
			return nil, err
		case errors.Is(err, ErrTimeout):
			n.metrics.timeouts.WithLabelValues(c.owner.label()).Inc()
			return nil, fmt.Errorf("%s: %w", c.peer.OriginHost, err)
		case errors.Is(err, errUnreadable): // the peer has done its part; no other one need do it again
			n.count("sent", m, InvalidAVPValue)
			return nil, fmt.Errorf("%s: %w", c.peer.OriginHost, err)
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%s: %w", c.peer.OriginHost, context.Cause(ctx))
		}

		n.log.Warn("a Diameter peer does not answer a request, which goes to another",
			"command", n.commandName(m), "peer", c.peer.OriginHost, "cause", err)
		n.metrics.failovers.WithLabelValues("request").Inc()

		if !errors.Is(err, errNotSent) {
			lost = true
			m.Header.CommandFlags |= diam.RetransmittedFlag
		}
	}
}

// sign makes a request come from the node by the name that it has towards a peer.
func (n *Node) sign(m *Message, self Identity) {
	if !n.severalNames {
		return
	}

	for _, a := range m.AVP {
		switch {
		case a.VendorID != 0:
		case a.Code == avp.OriginHost:
			a.Data = datatype.DiameterIdentity(self.Host)
		case a.Code == avp.OriginRealm:
			a.Data = datatype.DiameterIdentity(self.Realm)
		}
	}
}

// undone reports whether a result says that the node could not serve a request or pass it on, and has changed nothing (RFC 6733 §7.1.3).
// Another one may do better.
func undone(r Result) bool {
	switch r {
	case CommandUnsupported, UnableToDeliver, RealmNotServed, TooBusy, ApplicationUnsupported:
		return true
	default:
		return false
	}
}

// attempt sends a request over one connection and waits. If the peer becomes suspect, the wait ends if there is an alternative.
func (n *Node) attempt(ctx context.Context, c *connection, m *Message, t *transaction, alternative func() bool) (*Message, error) {
	hopByHop, open := c.expect(t)
	if !open {
		return nil, errNotSent
	}
	defer c.forget(hopByHop)

	m.Header.HopByHopID = hopByHop
	if err := c.send(m); err != nil {
		return nil, lostAttempt(c, t, hopByHop, err)
	}

	for {
		select {
		case how := <-t.end:
			switch {
			case how.fault != nil:
				return nil, fmt.Errorf("%w: %w", errUnreadable, how.fault.Err)
			case how.answer == nil:
				return nil, c.reason()
			}

			return how.answer, nil
		case <-t.moved:
			if alternative() {
				return nil, errDead
			}
		case <-t.timer.C:
			return nil, ErrTimeout
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// lostAttempt makes the transaction ready for the next peer: the failed connection may have reported its end to it already.
func lostAttempt(c *connection, t *transaction, hopByHop uint32, err error) error {
	c.forget(hopByHop)

	select {
	case <-t.end:
	default:
	}

	return err
}

// resultOf returns the result of an answer.
func resultOf(m *Message) Result {
	for _, a := range m.AVP {
		if a.VendorID == 0 && (a.Code == avp.ResultCode || a.Code == avp.ExperimentalResult) {
			return decodeResult(a)
		}
	}

	return Result{}
}
