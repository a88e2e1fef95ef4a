package diameter

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/fiorix/go-diameter/v4/diam"
)

const noInbandSecurity = 0 // RFC 6733 §6.10

var errFull = errors.New("max_connections is reached")

var noCommonSecurity = Result{Code: 5017} // RFC 6733 §7.1.5

// serveInbound waits for the CER that identifies the peer (RFC 6733 §5.6.1), and serves the connection from then on. It returns the peer,
// if there was one, and why the connection ended.
func (n *Node) serveInbound(ctx context.Context, conn net.Conn, taken *slot) (peer string, ended error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	if secure, ok := conn.(*tls.Conn); ok {
		handshake, cancel := context.WithTimeout(ctx, handshakeTime)
		err := secure.HandshakeContext(handshake)
		cancel()

		if err != nil {
			conn.Close()
			return "", fmt.Errorf("TLS: %w", err)
		}
	}

	c := n.newConnection(conn, false)

	if err := c.awaitCER(); err != nil {
		c.finish(err)
		c.await()

		return "", c.reason()
	}

	if !n.slots.name(taken, n.configured(c.peer.OriginHost)) {
		n.metrics.refused.Inc()
		c.answerCER(TooBusy, "max_connections is reached")
		c.finish(errFull)
		c.await()

		return "", errFull
	}

	stop() // from here on the machine sees to the end

	for {
		c.owner = n.peer(c.peer.OriginHost)
		if c.owner.connected(c) {
			break
		}
	}

	ended = c.serve(ctx)

	return c.peer.OriginHost, ended
}

// awaitCER reads the first message. A message other than CER is answered by closing the connection; a bad CER is refused.
func (c *connection) awaitCER() error {
	n := c.node
	m, err := c.read()

	var fault *WireError
	if errors.As(err, &fault) && fault.Request() {
		_ = c.post(n.dictionary.refuseWire(fault, c.self()))
	}

	switch {
	case err != nil:
		return fmt.Errorf("no CER: %w", err)
	case m.Header.ApplicationID != 0 || m.Header.CommandCode != capabilitiesExchange || m.Header.CommandFlags&diam.RequestFlag == 0:
		return fmt.Errorf("no CER: command %d came first", m.Header.CommandCode)
	}

	var request capabilitiesRequest
	if err := n.dictionary.Decode(m, &request); err != nil {
		_ = c.post(n.dictionary.errorAnswer(m, ResultOf(err), c.self()))
		return fmt.Errorf("CER: %w", err)
	}

	c.cer, c.peer = m, request.capabilities
	c.applications, c.named = n.common(&request.capabilities)

	if refusal := c.judge(); refusal != nil {
		c.answerCER(refusal.Result, refusal.Message)
		return fmt.Errorf("CER of %q refused: %w", c.peer.OriginHost, refusal)
	}

	return nil
}

// judge returns why a peer is not wanted, whatever state it is in (RFC 6733 §5.3); nil if it is.
func (c *connection) judge() *Error {
	host := c.peer.OriginHost

	switch {
	case host == "" || c.node.config.named(host):
		return &Error{Result: UnknownPeer, Message: "that is this node's own name, or none"}
	case !c.node.config.AllowUnknownPeers && !c.node.configured(host):
		return &Error{Result: UnknownPeer, Message: host + " is not a peer of this node"}
	case !c.node.expected(host, c.remote.Addr()):
		return &Error{Result: UnknownPeer, Message: host + " does not connect from " + c.remote.Addr().String()}
	case !c.certified(host):
		return &Error{Result: UnknownPeer, Message: "the certificate is not for " + host}
	case len(c.peer.Inband) > 0 && !slices.Contains(c.peer.Inband, noInbandSecurity):
		return &Error{Result: noCommonSecurity, Message: "TLS begins with the connection or not at all"}
	case len(c.applications) == 0:
		return &Error{Result: NoCommonApplication, Message: "no application in common"}
	default:
		return nil
	}
}

// certified reports whether a certificate that was asked for has the name that its owner uses. A dialled peer's was verified by the TLS
// handshake.
func (c *connection) certified(host string) bool {
	secure, ok := c.conn.(*tls.Conn)
	if !ok {
		return true
	}

	certificates := secure.ConnectionState().PeerCertificates

	return len(certificates) == 0 || certificates[0].VerifyHostname(host) == nil
}

func (c *connection) sendCER() {
	c.ask(&capabilitiesRequest{c.node.capabilities(c.local.Addr(), c.self())})
}

// answerCER answers the CER once.
func (c *connection) answerCER(result Result, message string) {
	if c.cer == nil {
		return
	}

	m, err := c.node.dictionary.Encode(
		&capabilitiesAnswer{Result: result, capabilities: c.node.capabilities(c.local.Addr(), c.self()), ErrorMessage: message},
	)
	if err != nil {
		c.close(err)
		return
	}

	m.Header.HopByHopID, m.Header.EndToEndID = c.cer.Header.HopByHopID, c.cer.Header.EndToEndID
	if result.Code/1000 == 3 {
		m.Header.CommandFlags |= diam.ErrorFlag
	}

	c.cer = nil
	_ = c.post(m) // a failure closes the connection
}

// readCEA reads the peer's capabilities, or returns why the connection is of no use.
func (c *connection) readCEA(m *Message) error {
	if m.Header.ApplicationID != 0 || m.Header.CommandCode != capabilitiesExchange || m.Header.CommandFlags&diam.RequestFlag != 0 {
		return fmt.Errorf("no CEA: command %d came first", m.Header.CommandCode)
	}

	var answer capabilitiesAnswer
	if err := c.node.dictionary.Decode(m, &answer); err != nil {
		return fmt.Errorf("CEA: %w", err)
	}

	common, named := c.node.common(&answer.capabilities)

	switch {
	case !answer.Result.Successful():
		return fmt.Errorf("CEA: %w: %s", answer.Result, answer.ErrorMessage)
	case !strings.EqualFold(answer.OriginHost, c.owner.host):
		return fmt.Errorf("CEA: %q answers where %s is configured", answer.OriginHost, c.owner.host)
	case len(common) == 0:
		return errors.New("CEA: no application in common")
	}

	c.peer, c.applications, c.named = answer.capabilities, common, named

	return nil
}
