package sbi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// connecting is the time for a connection to be opened, so that somebody else can be asked in time.
const connecting = 2 * time.Second

// dialer opens connections.
type dialer struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	tls  *tls.Config
}

// unopened is the error of a connection that cannot be opened.
type unopened struct{ error }

func (u unopened) Unwrap() error { return u.error }

func (d *dialer) clear(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connecting)
	defer cancel()

	conn, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, unopened{err}
	}

	return conn, nil
}

func (d *dialer) secure(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, unopened{err}
	}

	conn, err := d.clear(ctx, network, address)
	if err != nil {
		return nil, err
	}

	config := d.tls.Clone()
	config.ServerName = host

	ctx, cancel := context.WithTimeout(ctx, connecting)
	defer cancel()

	below := &counted{Conn: conn}
	secured := tls.Client(below, config)

	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, unopened{fmt.Errorf("TLS: %w", err)}
	}

	below.octets.Store(0)

	if secured.ConnectionState().NegotiatedProtocol != "h2" {
		_ = secured.Close()
		return nil, unopened{errors.New("TLS: it does not take HTTP/2")}
	}

	return secured, nil
}

// counted counts what comes on a connection after the handshake.
type counted struct {
	net.Conn
	octets atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.octets.Add(int64(n))

	return n, err
}

// way is the connection that a request takes.
type way struct {
	found atomic.Bool
	conn  atomic.Pointer[counted] // nil: it is in clear
}

func (w *way) traced(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		w.found.Store(true)

		if secured, ok := info.Conn.(*tls.Conn); ok {
			below, _ := secured.NetConn().(*counted)
			w.conn.Store(below)
		}
	}})
}

// alert is the length of an alert of TLS 1.3: a server that has accepted a client says more.
const alert = 24

// refused reports whether the other side has not accepted the connection. With TLS 1.3, the certificate of a client is refused only after
// the client's handshake is over, and perhaps its first request sent.
func (w *way) refused() bool {
	conn := w.conn.Load()
	return conn != nil && conn.octets.Load() <= alert
}

// lost returns the error of a request without an answer: an *Unreachable if nobody has the request.
func (w *way) lost(node string, secure bool, err error) error {
	if failed, ok := errors.AsType[unopened](err); ok {
		return &Unreachable{Node: node, Err: failed.error}
	}

	late := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)

	switch {
	case secure && !late && (!w.found.Load() || w.refused()):
		return &Unreachable{Node: node, Err: fmt.Errorf("it ends the connection at once, perhaps for want of a certificate: %w", err)}
	case !w.found.Load():
		return &Unreachable{Node: node, Err: err}
	default:
		return fmt.Errorf("the %s does not answer: %w", node, err)
	}
}
