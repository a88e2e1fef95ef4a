package diameter

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/trace"
)

// Options are the optional dependencies of a node.
type Options struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Tap     trace.Tap
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Listen  func(network, address string) (net.Listener, error)
}

// Node is one Diameter node: it listens, keeps connections to its peers, routes requests and serves them.
type Node struct {
	config       Config
	applications []Application
	dictionary   *Dictionary
	log          *slog.Logger
	tap          trace.Tap
	describe     func(message []byte) string // for the trace
	dial         func(ctx context.Context, network, address string) (net.Conn, error)
	metrics      metrics
	stateID      uint32
	listeners    []net.Listener
	handlers     map[commandKey]handler // fixed before Run
	severalNames bool                   // some peers know the node by another name
	endToEnd     atomic.Uint32
	sessions     atomic.Uint32

	began        time.Time
	routes       routeCache
	transactions sync.Pool

	mu      sync.RWMutex
	reached map[uint32]*atomic.Bool // by application of this node: Reached

	peers map[string]*peer // by host in lower case: the configured ones, and all others that are connected

	slots *slots

	peerMachine     *fsm.Machine[peerState, peerEvent, peerAction]
	watchdogMachine *fsm.Machine[watchdogState, watchdogEvent, watchdogAction]
}

type commandKey struct{ application, code uint32 }

type handler func(ctx context.Context, m *Message, self Identity) *Message

// New returns a node with its listeners bound, so that an address in use is known at once.
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
		describe:     dictionary.text,
		dial:         o.Dial,
		metrics:      newMetrics(o.Metrics),
		stateID:      uint32(time.Now().Unix()),
		handlers:     map[commandKey]handler{},
		peers:        map[string]*peer{},
		reached:      map[uint32]*atomic.Bool{},
		slots:        newSlots(c.MaxConnections, len(c.Peers)),
		began:        time.Now(),

		peerMachine:     peerMachine,
		watchdogMachine: watchdogMachine,

		transactions: sync.Pool{New: func() any { return newTransaction() }},
	}
	n.routes.forget()

	for _, a := range applications {
		n.reached[a.ID] = new(atomic.Bool)
	}

	for i := range c.Peers {
		if c.Peers[i].TLS.enabled() { // unreadable files are known at once, though every dialling reads them anew
			if _, err := c.Peers[i].TLS.load(""); err != nil {
				return nil, fmt.Errorf("diameter: TLS of peer %s: %w", c.Peers[i].Host, err)
			}
		}

		n.severalNames = n.severalNames || c.Peers[i].As.Host != ""
		key := strings.ToLower(c.Peers[i].Host)
		n.peers[key] = n.newPeer(key, &n.config.Peers[i])
	}

	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}

	if n.dial == nil {
		n.dial = dialer(c.LocalAddress).DialContext
	}

	n.endToEnd.Store(uint32(time.Now().Unix())<<20 | rand.Uint32N(1<<20)) // RFC 6733 §3

	for _, l := range c.Listen {
		if err := n.listen(l, o.Listen); err != nil {
			n.closeListeners()
			return nil, fmt.Errorf("diameter: %w", err)
		}
	}

	return n, nil
}

// dialer returns a dialer whose connections leave from this address of the machine.
func dialer(local string) *net.Dialer {
	d := &net.Dialer{Timeout: handshakeTime}
	if address, err := netip.ParseAddr(local); err == nil { // Validate has refused any other text
		d.LocalAddr = &net.TCPAddr{IP: address.AsSlice()}
	}

	return d
}

func (n *Node) listen(l Listener, bind func(network, address string) (net.Listener, error)) error {
	if bind == nil {
		bind = net.Listen
	}

	listener, err := bind("tcp", l.Address)
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

// Addresses returns the addresses that the node listens on.
func (n *Node) Addresses() []net.Addr {
	var all []net.Addr
	for _, l := range n.listeners {
		all = append(all, l.Addr())
	}

	return all
}

// Identity returns the node's own identity.
func (n *Node) Identity() Identity { return Identity{n.config.OriginHost, n.config.OriginRealm} }

// Run serves until ctx ends, then disconnects from each peer (DPR) and returns when all connections are closed.
func (n *Node) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)

	context.AfterFunc(ctx, n.closeListeners)

	for _, l := range n.listeners {
		group.Go(func() error { return n.accept(ctx, l, group) })
	}

	for _, p := range n.all() {
		if p.settings != nil && p.settings.Address != "" {
			group.Go(func() error { return p.keepConnected(ctx) })
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

			n.log.Warn("cannot accept a Diameter connection", "cause", err)

			if !wait(ctx, time.Second) { // out of file descriptors, most likely: that passes
				return nil
			}

			continue
		}

		taken := n.slots.take(conn)
		if taken == nil {
			n.metrics.refused.Inc()
			n.log.Warn("Diameter connection refused: max_connections is reached, or the share of its source", "address", conn.RemoteAddr())
			conn.Close()

			continue
		}

		group.Go(func() error {
			defer n.slots.leave(taken)

			peer, err := n.serveInbound(ctx, conn, taken)

			switch {
			case ctx.Err() != nil || errors.Is(err, errLeft): // it was logged before
			case peer == "":
				n.log.Warn("Diameter connection refused", "address", conn.RemoteAddr(), "cause", err)
			default:
				n.log.Warn("Diameter connection ended", "peer", peer, "address", conn.RemoteAddr(), "cause", err)
			}

			return nil
		})
	}
}

// peer returns the peer of this name, and makes it if there is none.
func (n *Node) peer(host string) *peer {
	if p := n.lookup(host); p != nil {
		return p
	}

	key := strings.ToLower(host)

	n.mu.Lock()
	defer n.mu.Unlock()

	if p := n.peers[key]; p != nil {
		return p
	}

	p := n.newPeer(key, nil)
	n.peers[key] = p

	return p
}

func (n *Node) lookup(host string) *peer {
	n.mu.RLock()
	defer n.mu.RUnlock()

	if p := n.peers[host]; p != nil {
		return p
	}

	return n.peers[strings.ToLower(host)]
}

// forget removes a peer that is not configured: it lasts as long as its connection (RFC 6733 §5.3).
func (n *Node) forget(p *peer) {
	n.mu.Lock()
	defer n.mu.Unlock()

	if n.peers[p.host] == p {
		delete(n.peers, p.host)
	}
}

func (n *Node) all() []*peer {
	n.mu.RLock()
	defer n.mu.RUnlock()

	return slices.Collect(maps.Values(n.peers))
}

// expected reports whether a peer of this name may connect from an address.
func (n *Node) expected(host string, from netip.Addr) bool {
	p := n.lookup(host)

	return p == nil || len(p.sources) == 0 ||
		slices.ContainsFunc(p.sources, func(prefix netip.Prefix) bool { return prefix.Contains(from) })
}

func (n *Node) configured(host string) bool {
	p := n.lookup(host)
	return p != nil && p.settings != nil
}

// PeerStatus is the status of one peer.
type PeerStatus struct {
	Host         string   `json:"host"`
	Realm        string   `json:"realm"`
	Address      string   `json:"address"`
	State        string   `json:"state"`    // "open", "suspect", "closed"
	Machine      string   `json:"machine"`  // the state of RFC 6733 §5.6
	Watchdog     string   `json:"watchdog"` // the state of RFC 3539
	Outbound     bool     `json:"outbound"`
	Applications []uint32 `json:"applications"` // that it may be asked for
	Product      string   `json:"product"`
}

// Peers returns the status of the configured peers and of all others that are connected.
func (n *Node) Peers() []PeerStatus {
	all := []PeerStatus{}
	for _, p := range n.all() {
		if status := p.status(); p.settings != nil || status.State != "closed" {
			all = append(all, status)
		}
	}

	slices.SortFunc(all, func(a, b PeerStatus) int { return cmp.Compare(a.Host, b.Host) })

	return all
}

// Reached reports whether a peer that serves an application has been connected since the start.
func (n *Node) Reached(application uint32) bool {
	reached := n.reached[application]
	return reached != nil && reached.Load()
}

// Ready returns an error that names each application without a peer to send to, while a configured peer that may serve it is not
// connected.
func (n *Node) Ready() error {
	var ill []string

	for _, application := range n.applications {
		if len(n.candidates(destination{application: application.ID})) > 0 {
			continue
		}

		if missing := n.missing(application.ID); len(missing) > 0 {
			ill = append(ill, "no Diameter peer for "+application.Name+" is connected: "+strings.Join(missing, ", "))
		}
	}

	if len(ill) == 0 {
		return nil
	}

	return errors.New(strings.Join(ill, "; "))
}

// missing returns the configured peers that are not connected and may serve an application.
func (n *Node) missing(application uint32) (hosts []string) {
	for _, p := range n.all() {
		if p.settings == nil || p.settings.Address == "" || !p.mayServe(application) {
			continue
		}

		if c := p.open.Load(); c == nil || c.trust.Load() == untrusted {
			hosts = append(hosts, p.host)
		}
	}

	slices.Sort(hosts)

	return hosts
}

// NewSessionID returns a Session-Id of this node (RFC 6733 §8.8).
func (n *Node) NewSessionID() string {
	return n.config.OriginHost + ";" + strconv.FormatUint(uint64(n.stateID), 10) + ";" +
		strconv.FormatUint(uint64(n.sessions.Add(1)), 10) + ";" + strconv.FormatUint(uint64(rand.Uint32()), 36)
}
