package diameter

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dialtone-ims/dialtone/pkg/trace"
)

// Options are what a node is given besides its configuration. All may be left out.
type Options struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Tap     trace.Tap
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// Node is one Diameter node: it listens, keeps connections to its peers, routes requests and serves them.
type Node struct {
	config       Config
	applications []Application
	dictionary   *Dictionary
	log          *slog.Logger
	tap          trace.Tap
	dial         func(ctx context.Context, network, address string) (net.Conn, error)
	metrics      metrics
	stateID      uint32
	listeners    []net.Listener
	handlers     map[commandKey]handler // fixed before Run
	endToEnd     atomic.Uint32
	sessions     atomic.Uint32

	mu          sync.RWMutex
	connections map[string]*connection // open ones by the peer's host
	accepted    int
}

type commandKey struct{ application, code uint32 }

type handler func(ctx context.Context, m *Message) *Message

// New binds the listeners, so that an address in use is known at once.
func New(c Config, applications []Application, o Options) (*Node, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}

	dictionary, err := NewDictionary(applications...)
	if err != nil {
		return nil, err
	}

	n := &Node{
		config:       c,
		applications: applications,
		dictionary:   dictionary,
		log:          o.Log,
		tap:          o.Tap,
		dial:         o.Dial,
		metrics:      newMetrics(o.Metrics),
		stateID:      uint32(time.Now().Unix()),
		handlers:     map[commandKey]handler{},
		connections:  map[string]*connection{},
	}

	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}

	if n.dial == nil {
		n.dial = (&net.Dialer{Timeout: handshakeTime}).DialContext
	}

	n.endToEnd.Store(uint32(time.Now().Unix())<<20 | rand.Uint32N(1<<20)) // RFC 6733 §3

	for _, l := range c.Listen {
		if err := n.listen(l); err != nil {
			n.closeListeners()
			return nil, fmt.Errorf("diameter: %w", err)
		}
	}

	return n, nil
}

func (n *Node) listen(l Listener) error {
	listener, err := net.Listen("tcp", l.Address)
	if err != nil {
		return err
	}

	if l.TLS.enabled() {
		config, err := l.TLS.load("")
		if err != nil {
			listener.Close()
			return err
		}

		listener = tls.NewListener(listener, config)
	}

	n.listeners = append(n.listeners, listener)

	return nil
}

func (n *Node) closeListeners() {
	for _, l := range n.listeners {
		l.Close()
	}
}

// Addresses are those that the node listens on.
func (n *Node) Addresses() []net.Addr {
	var all []net.Addr
	for _, l := range n.listeners {
		all = append(all, l.Addr())
	}

	return all
}

// Identity is the node's own.
func (n *Node) Identity() Identity { return Identity{n.config.OriginHost, n.config.OriginRealm} }

// Run serves until ctx ends, then takes leave of each peer (DPR) and returns when all connections are closed.
func (n *Node) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)

	context.AfterFunc(ctx, n.closeListeners)

	for _, l := range n.listeners {
		group.Go(func() error { return n.accept(ctx, l, group) })
	}

	for _, p := range n.config.Peers {
		if p.Address != "" {
			group.Go(func() error { return n.keepConnected(ctx, p) })
		}
	}

	group.Go(func() error { // without listeners and peers, too, Run lasts until ctx ends
		<-ctx.Done()
		return nil
	})

	return group.Wait()
}

func (n *Node) accept(ctx context.Context, l net.Listener, group *errgroup.Group) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}

			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("diameter: %w", err)
			}

			n.log.Warn("cannot accept a Diameter connection", "error", err)

			if !wait(ctx, time.Second) { // out of file descriptors, most likely: that passes
				return nil
			}

			continue
		}

		if !n.admit() {
			n.metrics.refused.Inc()
			n.log.Warn("Diameter connection refused: max_connections is reached", "remote", conn.RemoteAddr())
			conn.Close()

			continue
		}

		group.Go(func() error {
			defer n.leave()

			if err := n.serveInbound(ctx, conn); err != nil && ctx.Err() == nil {
				n.log.Warn("Diameter connection ended", "remote", conn.RemoteAddr(), "reason", err)
			}

			return nil
		})
	}
}

func (n *Node) admit() bool {
	n.mu.Lock()
	defer n.mu.Unlock()

	if n.accepted >= n.config.MaxConnections {
		return false
	}

	n.accepted++

	return true
}

func (n *Node) leave() {
	n.mu.Lock()
	defer n.mu.Unlock()

	n.accepted--
}

// keepConnected dials a peer for as long as ctx lasts, with a growing wait between attempts.
func (n *Node) keepConnected(ctx context.Context, p Peer) error {
	pause := n.config.ReconnectMin

	for ctx.Err() == nil {
		opened, err := n.connect(ctx, p)
		if ctx.Err() != nil {
			break
		}

		if opened {
			pause = n.config.ReconnectMin
		}

		n.log.Warn("no connection to Diameter peer", "peer", p.Host, "address", p.Address, "reason", err, "again_in", pause)

		jitter := time.Duration(rand.Int64N(int64(pause)/4 + 1))
		if !wait(ctx, pause+jitter) {
			break
		}

		pause = min(2*pause, n.config.ReconnectMax)
	}

	return nil
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

// connect dials once and serves the connection until it ends; opened says whether the handshake succeeded.
func (n *Node) connect(ctx context.Context, p Peer) (opened bool, err error) {
	if existing := n.connection(p.Host); existing != nil { // the peer came to us
		select {
		case <-existing.done:
		case <-ctx.Done():
		}

		return true, errors.New("the peer's own connection ended")
	}

	conn, err := n.dial(ctx, "tcp", p.Address)
	if err != nil {
		return false, err
	}

	if p.TLS.enabled() {
		config, err := p.TLS.load(p.Host)
		if err != nil {
			conn.Close()
			return false, err
		}

		conn = tls.Client(conn, config)
	}

	return n.serveOutbound(ctx, conn, p)
}

// register makes a connection the one to its peer. It is false when the peer has another one that stays: the election of
// RFC 6733 §5.6.4, and for a peer that comes again while an old connection of its own still stands, the new one.
func (n *Node) register(c *connection) bool {
	n.mu.Lock()
	old := n.connections[c.peer.OriginHost]

	if old != nil {
		keepOld := old.outbound && !c.outbound && n.config.OriginHost < c.peer.OriginHost ||
			!old.outbound && c.outbound && n.config.OriginHost > c.peer.OriginHost
		if keepOld {
			n.mu.Unlock()
			return false
		}
	}

	n.connections[c.peer.OriginHost] = c
	n.mu.Unlock()

	if old != nil {
		old.close(errors.New("the peer has a newer connection"))
	}

	return true
}

func (n *Node) unregister(c *connection) {
	n.mu.Lock()
	defer n.mu.Unlock()

	if n.connections[c.peer.OriginHost] == c {
		delete(n.connections, c.peer.OriginHost)
	}
}

func (n *Node) connection(host string) *connection {
	n.mu.RLock()
	defer n.mu.RUnlock()

	return n.connections[host]
}

// PeerStatus is what the node knows of one peer.
type PeerStatus struct {
	Host         string   `json:"host"`
	Realm        string   `json:"realm"`
	Address      string   `json:"address"`
	State        string   `json:"state"` // "open", "suspect", "closed"
	Outbound     bool     `json:"outbound"`
	Applications []uint32 `json:"applications"`
}

// Peers lists the configured peers and whoever else is connected.
func (n *Node) Peers() []PeerStatus {
	n.mu.RLock()
	defer n.mu.RUnlock()

	var all []PeerStatus

	for _, c := range n.connections {
		all = append(all, PeerStatus{
			Host: c.peer.OriginHost, Realm: c.peer.OriginRealm, Address: c.conn.RemoteAddr().String(),
			State: c.state(), Outbound: c.outbound, Applications: c.applications,
		})
	}

	for _, p := range n.config.Peers {
		if n.connections[p.Host] == nil {
			all = append(all, PeerStatus{Host: p.Host, Realm: p.Realm, Address: p.Address, State: "closed", Outbound: p.Address != ""})
		}
	}

	slices.SortFunc(all, func(a, b PeerStatus) int { return compare(a.Host, b.Host) })

	return all
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// Ready says which application has configured peers to dial and none that is open.
func (n *Node) Ready() error {
	dialled := slices.ContainsFunc(n.config.Peers, func(p Peer) bool { return p.Address != "" })
	if !dialled {
		return nil
	}

	for _, application := range n.applications {
		if len(n.candidates(application.ID, "", "")) == 0 {
			return fmt.Errorf("no Diameter peer for %s is connected", application.Name)
		}
	}

	return nil
}

// NewSessionID is a Session-Id of this node (RFC 6733 §8.8).
func (n *Node) NewSessionID() string {
	return n.config.OriginHost + ";" + strconv.FormatUint(uint64(n.stateID), 10) + ";" +
		strconv.FormatUint(uint64(n.sessions.Add(1)), 10) + ";" + strconv.FormatUint(uint64(rand.Uint32()), 36)
}
