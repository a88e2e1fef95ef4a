package diameter

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// declinedTime is how long a peer that asked not to be called is left alone.
const declinedTime = 30 * time.Second

// keepConnected dials the peer for as long as ctx lasts, with a growing pause between attempts.
func (p *peer) keepConnected(ctx context.Context) error {
	n, pause := p.node, p.node.config.ReconnectMin

	for ctx.Err() == nil {
		if p.start() {
			opened, err := p.connect(ctx)
			if ctx.Err() != nil {
				break
			}

			if opened {
				pause = n.config.ReconnectMin
			}

			if p.declined() { // §5.4.3: such a peer should not be called again; it has to bear a call much later at most
				pause = max(n.config.ReconnectMax, declinedTime)
			}

			n.log.Warn("no connection to Diameter peer", "peer", p.host, "address", p.settings.Address, "cause", err, "duration", pause)
		} else { // the peer connected to us
			select {
			case <-ctx.Done():
			case <-p.untilClosed():
			}

			pause = n.config.ReconnectMin
		}

		if !wait(ctx, pause+rand.N(pause/4+1)) {
			break
		}

		pause = min(2*pause, n.config.ReconnectMax)
	}

	return nil
}

// connect dials once and serves the connection until it ends; opened reports whether the capabilities exchange succeeded.
func (p *peer) connect(ctx context.Context) (opened bool, err error) {
	conn, err := p.dial(ctx)
	if err != nil {
		p.happen(eventConnNack, nil)
		return false, err
	}

	c := p.node.newConnection(conn, true)
	c.owner = p

	if !p.happen(eventConnAck, c) {
		c.close(errStopped)
		c.await()

		return false, errStopped
	}

	err = c.serve(ctx)

	return c.begun.Load(), err
}

func (p *peer) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()

	conn, err := p.node.dial(ctx, "tcp", p.settings.Address)
	if err != nil || !p.settings.TLS.enabled() {
		return conn, err
	}

	config, err := p.settings.TLS.load(p.settings.Host)
	if err != nil {
		conn.Close()
		return nil, err
	}

	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}

	return secure, nil
}

func (p *peer) untilClosed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.closed
}

func (p *peer) declined() bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	declined := p.unwelcome
	p.unwelcome = false

	return declined
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()

	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
