package stack

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

const (
	dialTime = 5 * time.Second
	// tentativeTime is how long a request that is too large for UDP waits for a connection before it goes over UDP all the same: a
	// handset in idle mode takes some seconds to be paged, and one that drops unexpected packets never answers.
	tentativeTime = 3 * time.Second
	// tentativeAnswer is the time within which an INVITE sent over such a connection is answered, if only by a 100; otherwise it goes
	// over UDP as well.
	tentativeAnswer = 8 * time.Second
)

// dial is a connection being opened. Everybody who wants it waits for the same one.
type dial struct {
	done chan struct{} // closed when one of the others is set
	c    *stream
	err  error
}

// stream returns the connection of a flow: the open one, or a new one.
func (e *Endpoint) stream(ctx context.Context, flow Flow) (*stream, error) {
	if e.tcp == nil {
		return nil, fmt.Errorf("sip: endpoint %s has no TCP", e.name)
	}

	remote := flow.Remote

	e.mu.Lock()
	c, d := e.connections[remote], e.dials[remote]

	switch {
	case c != nil:
	case e.closed:
		e.mu.Unlock()
		return nil, errClosed
	case d == nil:
		d = &dial{done: make(chan struct{})}
		e.dials[remote] = d
		e.stack.running.Go(func() { e.dial(d, remote) })
	}
	e.mu.Unlock()

	if c != nil {
		return c, nil
	}

	if flow.tentative {
		var cancel context.CancelFunc

		ctx, cancel = context.WithTimeout(ctx, tentativeTime)
		defer cancel()
	}

	select {
	case <-d.done:
		return d.c, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (e *Endpoint) dial(d *dial, remote netip.AddrPort) {
	ctx, cancel := context.WithTimeout(e.stack.ctx, dialTime)
	defer cancel()

	local := netip.AddrPortFrom(e.bound.Addr(), 0)
	if e.fixedPort {
		local = e.bound
	}

	conn, err := e.stack.network.Dial(ctx, local, remote)
	if err == nil {
		d.c, err = e.adopt(conn, remote, false)
	}

	d.err = err

	e.mu.Lock()
	delete(e.dials, remote)
	e.mu.Unlock()
	close(d.done)
}
