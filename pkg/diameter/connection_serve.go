package diameter

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/fiorix/go-diameter/v4/diam"
)

// Commands of the base protocol.
const (
	capabilitiesExchange = 257
	deviceWatchdog       = 280
	disconnectPeer       = 282
)

// serve reads until the connection ends, and returns the reason. The connection belongs to its peer by now.
func (c *connection) serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { c.owner.happen(eventStop, nil) })
	defer stop()

	err := c.receive()

	var fault *WireError

	switch {
	case errors.As(err, &fault): // the answer that says so goes out first
		c.finish(err)
	case !c.begun.Load() && isTimeout(err):
		c.blame(errTimeout)
		c.owner.happenOn(c, eventTimeout)
	default:
		c.blame(err)
	}

	c.owner.disconnected(c)

	if fault == nil {
		c.close(err)
	}

	c.await()

	return c.reason()
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (c *connection) receive() error {
	for {
		m, err := c.read()

		var fault *WireError

		switch {
		case err == nil && c.begun.Load():
			if err := c.dispatch(m); err != nil {
				return err
			}
		case err == nil:
			if err := c.exchange(m); err != nil {
				return err
			}
		case !errors.As(err, &fault):
			return err
		default:
			if !fault.Request() {
				c.ended(fault.Header.HopByHopID, ending{fault: fault})
			} else if err := c.post(c.node.dictionary.refuseWire(fault, c.self())); err != nil {
				return err
			}

			if fault.Fatal || !c.begun.Load() {
				return fault
			}

			c.owner.heard(c, false)
		}
	}
}

// exchange handles the CEA; any other message, and any at all from a peer whose CER is not answered yet, is out of order.
func (c *connection) exchange(m *Message) error {
	if !c.outbound {
		return fmt.Errorf("command %d came before the CEA was sent", m.Header.CommandCode)
	}

	refusal := c.readCEA(m)
	c.owner.capable(c, refusal)

	return refusal
}

// dispatch serves the messages of the connection itself and hands on the rest (the rows for messages of RFC 6733 §5.6).
func (c *connection) dispatch(m *Message) error {
	if m.Header.CommandFlags&diam.RequestFlag == 0 {
		base := m.Header.ApplicationID == 0
		c.owner.heard(c, base && m.Header.CommandCode == deviceWatchdog)

		switch {
		case base && m.Header.CommandCode == disconnectPeer:
			c.owner.happenOn(c, eventDPA)
		case base: // DWA: only its arrival counts
		case !c.ended(m.Header.HopByHopID, ending{answer: m}):
			c.node.metrics.unexpected.Inc()
			c.node.log.Debug("Diameter answer that nothing waits for", "peer", c.name(), "command", m.Header.CommandCode)
		}

		return nil
	}

	c.owner.heard(c, false)

	if m.Header.ApplicationID != 0 {
		return c.requested(m)
	}

	switch m.Header.CommandCode {
	case deviceWatchdog:
		return c.sendDWA(m)
	case disconnectPeer:
		c.disconnecting(m)
		return nil
	case capabilitiesExchange:
		return c.post(
			c.node.dictionary.errorAnswer(m, &Error{Result: UnableToComply, Message: "the capabilities are exchanged already"}, c.self()),
		)
	default:
		return c.post(
			c.node.dictionary.errorAnswer(m, &Error{Result: CommandUnsupported, Message: "not a command of this connection"}, c.self()),
		)
	}
}

// requested passes a request to its handler, in a goroutine of its own as long as there is room: a slow procedure holds up neither the
// watchdog nor other requests.
func (c *connection) requested(m *Message) error {
	n := c.node

	handle, refusal := n.handlerOf(m, c.owner)
	if refusal == nil && !c.admit() {
		refusal = &Error{Result: TooBusy, Message: "too many requests are in work"}
	}

	if refusal != nil {
		n.count("received", m, refusal.Result)
		n.log.Warn(
			"Diameter request refused",
			"peer", c.name(),
			"result", refusal.Result.Code,
			"cause", refusal.Message,
			"command", m.Header.CommandCode,
		)

		return c.post(n.dictionary.errorAnswer(m, refusal, c.self()))
	}

	c.start(func() {
		defer c.dismiss()

		answer := c.handle(m, handle)
		answer.Header.HopByHopID, answer.Header.EndToEndID = m.Header.HopByHopID, m.Header.EndToEndID

		if err := c.send(answer); errors.Is(err, ErrTooLarge) { // any other failure closes the connection, whose reader says why
			tooLong := &Error{Result: UnableToComply, Message: "the answer would be longer than max_message"}
			_ = c.send(n.dictionary.errorAnswer(m, tooLong, c.self()))
		}
	})

	return nil
}

func (c *connection) disconnecting(m *Message) {
	var request disconnectRequest
	_ = c.node.dictionary.Decode(m, &request) // without a readable cause it is a leave all the same

	c.node.log.Info("Diameter peer takes its leave", "peer", c.name(), "cause", request.Cause)
	c.dpr, c.parting = m, request.Cause
	c.blame(errLeft)
	c.owner.happenOn(c, eventDPR)
}

func (c *connection) ask(v Commander) {
	m, err := c.node.dictionary.Encode(v)
	if err != nil {
		c.close(err)
		return
	}

	c.mu.Lock()
	c.hopByHop++
	m.Header.HopByHopID = c.hopByHop
	c.mu.Unlock()

	m.Header.EndToEndID = c.node.endToEnd.Add(1)
	_ = c.post(m) // a failure closes the connection
}

func (c *connection) reply(request *Message, v Commander) error {
	m, err := c.node.dictionary.Encode(v)
	if err != nil {
		return err
	}

	m.Header.HopByHopID, m.Header.EndToEndID = request.Header.HopByHopID, request.Header.EndToEndID

	return c.post(m)
}

func (c *connection) sendDWR() {
	self := c.self()
	c.ask(&watchdogRequest{OriginHost: self.Host, OriginRealm: self.Realm, OriginStateID: c.node.stateID})
}

func (c *connection) sendDWA(request *Message) error {
	self := c.self()
	return c.reply(
		request,
		&watchdogAnswer{Result: Success, OriginHost: self.Host, OriginRealm: self.Realm, OriginStateID: c.node.stateID},
	)
}

func (c *connection) sendDPR(cause disconnectCause) {
	self := c.self()
	c.ask(&disconnectRequest{OriginHost: self.Host, OriginRealm: self.Realm, Cause: cause})
}

func (c *connection) sendDPA() {
	self := c.self()
	_ = c.reply(c.dpr, &disconnectAnswer{Result: Success, OriginHost: self.Host, OriginRealm: self.Realm})
}
