package diameter

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fiorix/go-diameter/v4/diam"

	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/trace"
)

// Levels of the watchdog's trust in a connection.
const (
	untrusted = iota // not open, suspect or closing
	doubted          // RFC 3539's REOPEN: for requests that have nowhere else to go
	trusted
)

// connection is one transport connection to a peer: its reader, its output, and the requests that wait for answers on it.
type connection struct {
	node      *Node
	owner     *peer // its peer, known from CER or CEA
	conn      net.Conn
	reader    *bufio.Reader
	output    output
	outbound  bool
	transport string
	local     netip.AddrPort
	remote    netip.AddrPort

	// Known once the capabilities are exchanged.
	peer         capabilities
	applications []uint32
	named        []uint32 // those of them that it has by name, not only as a relay
	begun        atomic.Bool
	repeats      bool // it sends its identity twice; owned by the reader

	cer     *Message // to be answered
	dpr     *Message
	parting disconnectCause
	trust   atomic.Int32
	lastAt  atomic.Int64 // when the last message came, as time since the node began

	context context.Context // of the handlers
	cancel  context.CancelFunc
	work    sync.WaitGroup // every goroutine that the connection started

	mu       sync.Mutex
	pending  map[uint32]*transaction // by hop-by-hop identifier
	hopByHop uint32
	serving  int           // requests in work
	idle     chan struct{} // closed when no request is in work; nil: nobody waits for that
	closed   bool
	cause    error
}

func (n *Node) newConnection(conn net.Conn, outbound bool) *connection {
	c := &connection{
		node:      n,
		conn:      conn,
		reader:    bufio.NewReaderSize(conn, 16<<10),
		outbound:  outbound,
		transport: "TCP",
		local:     addressOf(conn.LocalAddr()),
		remote:    addressOf(conn.RemoteAddr()),
		pending:   map[uint32]*transaction{},
		hopByHop:  rand.Uint32(),
	}
	c.context, c.cancel = context.WithCancel(context.Background())

	if _, secure := conn.(*tls.Conn); secure {
		c.transport = "TLS"
	}

	_ = conn.SetReadDeadline(time.Now().Add(handshakeTime)) // fails on a dead connection only, as the read will

	return c
}

func addressOf(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		address := tcp.AddrPort()
		return netip.AddrPortFrom(address.Addr().Unmap(), address.Port())
	}

	return netip.AddrPort{}
}

// opened is called when the connection is open.
func (c *connection) opened() {
	_ = c.conn.SetReadDeadline(time.Time{})
	c.begun.Store(true)
	c.hear()
}

func (c *connection) hear() { c.lastAt.Store(int64(time.Since(c.node.began))) }

func (c *connection) heardAt() time.Time { return c.node.began.Add(time.Duration(c.lastAt.Load())) }

// self returns what this node is called towards the peer.
func (c *connection) self() Identity {
	p := c.owner
	if p == nil { // until the CER has been judged
		p = c.node.lookup(c.peer.OriginHost)
	}

	if p != nil && p.settings != nil && p.settings.As.Host != "" {
		return p.settings.As
	}

	return c.node.Identity()
}

func (c *connection) name() string {
	if c.peer.OriginHost != "" {
		return c.peer.OriginHost
	}

	return c.conn.RemoteAddr().String()
}

// read returns the next message of the connection, after passing it to the tap and the counters.
func (c *connection) read() (*Message, error) {
	m, raw, err := c.node.dictionary.Read(c.reader, c.node.config.MaxMessage)
	if len(raw) >= headerLength {
		c.trace(raw, false)
	}

	var fault *WireError
	if err != nil && errors.As(err, &fault) {
		c.node.metrics.malformed.WithLabelValues(label.Result(fault.Result.Code)).Inc()
		c.node.log.Warn("Diameter message refused", "peer", c.name(), "result", fault.Result.Code, "cause", fault.Err,
			"command", fault.Header.CommandCode, "application", fault.Header.ApplicationID)
	}

	if err == nil && m.Header.CommandFlags&diam.RequestFlag != 0 && unrepeat(m) {
		c.node.metrics.repeated.Inc()

		if !c.repeats {
			c.repeats = true
			c.node.log.Info(
				"Diameter peer says its identity twice in a request; taken all the same",
				"peer", c.name(),
				"command", m.Header.CommandCode,
			)
		}
	}

	return m, err
}

func (c *connection) trace(raw []byte, sent bool) {
	if c.node.tap == nil {
		return
	}

	name := "Diameter"
	if application := c.node.dictionary.applications[binary.BigEndian.Uint32(raw[8:12])]; application != nil {
		name = application.Name
	}

	c.node.tap(trace.Message{
		Time: time.Now(), Interface: name, Protocol: trace.Diameter, Sent: sent, Transport: c.transport,
		Local: c.local, Remote: c.remote, Data: raw, Describe: c.node.describe,
	})
}

// start runs f beside the connection's reader. It reports false when the connection is closed already.
func (c *connection) start(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.closed {
		return false
	}

	c.work.Go(f)

	return true
}

// blame records why the connection ends; the first reason counts.
func (c *connection) blame(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.cause == nil {
		c.cause = cause
	}
}

func (c *connection) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.cause
}

// close ends the connection once; every request that waits for an answer is told, and looks for another peer.
func (c *connection) close(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.closed {
		return
	}

	c.closed = true
	if c.cause == nil {
		c.cause = cause
	}

	c.lose()
	c.cancel()
	c.work.Go(func() { c.conn.Close() }) // TLS may take its time to say so
}

// finish closes the connection when all that was written has been sent.
func (c *connection) finish(cause error) {
	c.blame(cause)

	if c.output.close() {
		c.close(cause)
	}
}

// farewell finishes the connection when the requests in work are answered, or after a while.
func (c *connection) farewell(cause error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = cause
	}

	idle := make(chan struct{})
	if c.serving == 0 {
		close(idle)
	} else {
		c.idle = idle
	}
	c.mu.Unlock()

	c.start(func() {
		patience := time.NewTimer(leaveTime)
		defer patience.Stop()

		select {
		case <-idle:
		case <-patience.C:
		case <-c.context.Done():
		}

		c.finish(cause)
	})
}

// admit takes a request into work and reports whether there was room for it; dismiss releases it.
func (c *connection) admit() bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.serving >= c.node.config.MaxConcurrent {
		return false
	}

	c.serving++

	return true
}

func (c *connection) dismiss() {
	c.mu.Lock()
	defer c.mu.Unlock()

	c.serving--
	if c.serving == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// await returns when every goroutine that the connection started has ended. The connection is closed by then.
func (c *connection) await() { c.work.Wait() }

// send writes a message from a goroutine that may wait for the socket; post does so from one that may not.
func (c *connection) send(m *Message) error { return c.write(m, true) }
func (c *connection) post(m *Message) error { return c.write(m, false) }

func (c *connection) write(m *Message, mayWait bool) error {
	raw, err := serialize(m)
	if err != nil {
		return fmt.Errorf("diameter: %w", err)
	}

	if len(raw) > c.node.config.MaxMessage { // the peer would answer 5015, and may well end the connection for all the others
		c.node.log.Error(
			"Diameter message not sent: longer than max_message",
			"peer", c.name(),
			"command", m.Header.CommandCode,
			"octets", len(raw),
		)
		return ErrTooLarge
	}

	c.trace(raw, true)

	idle, err := c.output.add(raw)

	switch {
	case err != nil:
		c.close(err)
		return err
	case !idle: // another goroutine is writing, and takes this along
	case mayWait:
		runtime.Gosched() // messages about to be sent by others go along in the same write
		c.flush(inlineWrites)
	default:
		c.start(func() { c.flush(-1) })
	}

	return nil
}

// inlineWrites is how many times a sender writes what others have added meanwhile, before it hands that on.
const inlineWrites = 4

// flush writes until nothing is left, at most this many times; a negative number has no limit.
func (c *connection) flush(times int) {
	for {
		raw, finished := c.output.take()
		if raw == nil {
			if finished {
				c.close(errLost)
			}

			return
		}

		if times == 0 {
			c.output.untake(raw)
			c.start(func() { c.flush(-1) })

			return
		}

		times--

		// A socket that takes nothing for as long as an answer may take is of no use.
		err := c.conn.SetWriteDeadline(time.Now().Add(c.node.config.RequestTimeout))
		if err == nil {
			_, err = c.conn.Write(raw)
		}

		if err != nil {
			c.close(fmt.Errorf("%w: %w", errLost, err))
			return
		}

		c.output.done(raw)
	}
}
