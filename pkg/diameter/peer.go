package diameter

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/fsm"
)

const (
	handshakeTime = 10 * time.Second // for a transport connection, TLS, CER and CEA
	leaveTime     = 2 * time.Second  // for DPA to come, and for requests in work to end
	jitterOfTw    = 2 * time.Second  // RFC 3539 §3.4.1
	questionTime  = 2 * time.Second  // for the DWA of an open connection whose peer connects again
)

var (
	errLost     = errors.New("the Diameter connection was lost")
	errSuperior = errors.New("the peer's other connection stays (election)")
	errReplaced = errors.New("the peer connected anew, and this connection is dead")
	errDead     = errors.New("the peer did not answer the watchdog")
	errTimeout  = errors.New("the capabilities exchange took too long")
	errStopped  = errors.New("this node stops")
	errLeft     = errors.New("the peer disconnected")
)

// peer is one Diameter node that this one talks to, or may. It has at most one connection opened by each side, of which one survives, and
// says which connection requests may use.
type peer struct {
	node     *Node
	host     string
	settings *Peer // nil: the peer is not configured, and forgotten once it is gone
	sources  []netip.Prefix

	open    atomic.Pointer[connection] // the connection in I-Open or R-Open
	offered atomic.Pointer[[]uint32]   // applications of the last connection; nil: there was none

	mu          sync.Mutex
	run         fsm.Instance[peerState, peerEvent, peerAction]
	initiator   *connection
	responder   *connection
	watchdog    watchdog
	timer       *time.Timer   // Tw while open, the wait for the end in Closing
	tw          time.Duration // the current interval, with its jitter
	watchdogSet time.Time
	closed      chan struct{} // closed in state Closed
	called      bool          // Start has led to a call
	unwelcome   bool          // the peer said in DPR that it does not want to be called
	gone        bool

	newcomer *connection // a second connection from the peer, while the open one is tested by a DWR
	asked    atomic.Bool // whether there is a newcomer
	question *time.Timer // deadline of the open connection's answer
}

func (n *Node) newPeer(host string, settings *Peer) *peer {
	p := &peer{node: n, host: host, settings: settings, closed: make(chan struct{})}
	p.run = n.peerMachine.Start(peerClosed)
	p.watchdog.run = n.watchdogMachine.Start(watchdogInitial)
	close(p.closed)

	if settings != nil {
		p.sources, _ = settings.sources() // Validate has refused what is none
	}

	return p
}

// happen runs the machine. It reports false when the event means nothing in the peer's state.
func (p *peer) happen(event peerEvent, c *connection) bool {
	return p.under(func() bool { return p.step(event, c) })
}

// start is the event Start. It reports whether the node is to dial (I-Snd-Conn-Req).
func (p *peer) start() bool {
	return p.under(func() bool {
		p.called = false
		p.step(eventStart, nil)

		return p.called
	})
}

// under runs a step with the peer's lock held.
func (p *peer) under(step func() bool) bool {
	meant, gone := func() (bool, bool) {
		p.mu.Lock()
		defer p.mu.Unlock()

		return step(), p.gone
	}()

	if gone {
		p.node.forget(p)
	}

	return meant
}

// connected is the event R-Conn-CER: a connection that the peer opened, with a sound CER. It reports false when the peer was forgotten
// just now.
func (p *peer) connected(c *connection) bool {
	event := eventConnCER

	p.mu.Lock()
	defer p.mu.Unlock()

	if p.gone {
		return false
	}

	if open := p.open.Load(); open != nil && open.peer.OriginStateID != 0 && c.peer.OriginStateID > open.peer.OriginStateID {
		event = eventReplaced
		open.blame(errReplaced)
		p.dismissNewcomer()
	}

	p.step(event, c)

	return true
}

// capable is the event I-Rcv-CEA, or I-Rcv-Non-CEA if the message was not a CEA that accepts.
func (p *peer) capable(c *connection, refusal error) {
	if refusal != nil {
		c.blame(refusal)
		p.happenOn(c, eventNonCEA)
	} else {
		p.happenOn(c, eventCEA)
	}
}

// disconnected is the event Peer-Disc: c cannot be read any more.
func (p *peer) disconnected(c *connection) {
	p.mu.Lock()
	if p.newcomer == c {
		p.settleQuestion()
	}
	p.mu.Unlock()

	if c.outbound {
		p.happenOn(c, eventIDisc)
	} else {
		p.happenOn(c, eventRDisc)
	}
}

// happenOn runs the machine for an event of a connection, if that still is one of the peer's.
func (p *peer) happenOn(c *connection, event peerEvent) {
	p.under(func() bool { return (c == p.initiator || c == p.responder) && p.step(event, c) })
}

func (p *peer) step(event peerEvent, c *connection) bool {
	was := p.run.State()

	actions, found := p.run.Step(event)
	if !found {
		return false
	}

	if was == peerClosed && p.run.State() != peerClosed {
		p.closed = make(chan struct{})
	}

	for _, action := range actions {
		p.act(action, c)
	}

	if p.run.State() == peerClosed && was != peerClosed {
		close(p.closed)
		p.gone = p.settings == nil

		if next := p.settleQuestion(); next != nil { // the open connection ended while it was tested
			p.gone = false
			p.step(eventConnCER, next)
		}
	}

	return true
}

// fits reports false for an action on a connection that does not exist: the table does not lead to it.
func (p *peer) fits(action peerAction, c *connection) bool {
	switch action {
	case doSendCER, doAccept, doReject, doQuestion, doSendDPA:
		return c != nil
	case doElect, doSendCEA, doOpenR:
		return p.responder != nil
	case doOpenI:
		return p.initiator != nil
	case doSendDPR:
		return p.open.Load() != nil
	default:
		return true
	}
}

func (p *peer) act(action peerAction, c *connection) {
	if !p.fits(action, c) {
		p.node.log.Error("the peer's table does not fit", "peer", p.host, "state", p.run.State(), "action", action)
		return
	}

	switch action {
	case doConnect:
		p.called = true
	case doSendCER:
		p.initiator = c
		c.sendCER()
	case doAccept:
		p.responder = c
	case doReject:
		c.reject()
	case doQuestion:
		p.ask(c)
	case doElect: // §5.6.4: the responder connection stays where the local identity is the greater, octet by octet
		if p.responder.self().Host > p.responder.peer.OriginHost {
			p.step(eventElected, nil)
		}
	case doSendCEA:
		p.responder.opened() // before the peer, who has the CEA at once, can have sent anything
		p.responder.answerCER(Success, "")
	case doOpenI:
		p.opened(p.initiator)
	case doOpenR:
		p.opened(p.responder)
	case doIDisc:
		p.drop(&p.initiator)
	case doRDisc:
		p.drop(&p.responder)
	case doCleanup:
		p.drop(&p.initiator)
		p.drop(&p.responder)
	case doSendDPR:
		p.dismissNewcomer() // it may connect again
		open := p.open.Load()
		p.retire(open, watchdogLeave)
		open.sendDPR(rebooting)
		p.expectEnd(open)
	case doSendDPA:
		p.dismissNewcomer()
		p.unwelcome = c.parting == busy || c.parting == doNotWantToTalkToYou
		p.retire(c, watchdogLeave)
		c.sendDPA()
		p.expectEnd(c)
	case doFarewell:
		if p.timer != nil {
			p.timer.Stop()
		}

		for _, one := range []**connection{&p.initiator, &p.responder} {
			if *one != nil {
				(*one).farewell(errStopped)
				*one = nil
			}
		}
	}
}

func (p *peer) drop(slot **connection) {
	c := *slot
	if c == nil {
		return
	}

	*slot = nil

	if p.timer != nil {
		p.timer.Stop()
	}

	p.retire(c, watchdogConnectionDown)
	c.finish(errLost)
}

// opened puts a connection to use.
func (p *peer) opened(c *connection) {
	n := p.node
	c.opened()
	p.open.Store(c)
	p.offered.Store(&c.applications)
	n.metrics.open.WithLabelValues(p.label()).Inc()
	n.log.Info(
		"Diameter peer connected",
		"peer", p.host,
		"address", c.conn.RemoteAddr(),
		"state", p.run.State(),
		"applications", c.applications,
	)

	p.timer = time.AfterFunc(time.Hour, func() { p.expired(c) })
	p.setWatchdog()
	p.watch(watchdogConnectionUp, c)

	for id, reached := range n.reached {
		if reachable, _ := p.suits(id); reachable != nil {
			reached.Store(true)
		}
	}
}

// retire takes the open connection out of use; requests that wait on it may still be answered.
func (p *peer) retire(c *connection, why watchdogEvent) {
	if c == nil || !p.open.CompareAndSwap(c, nil) {
		return
	}

	p.timer.Stop()
	p.watch(why, c)

	p.node.metrics.open.WithLabelValues(p.label()).Dec()
}

// label returns the peer's name in metrics. A peer that is not configured may call itself anything, so all of those share one.
func (p *peer) label() string {
	if p.settings == nil {
		return "unconfigured"
	}

	return p.settings.Host
}

// expectEnd gives the other side time to answer DPR or to disconnect after DPA.
func (p *peer) expectEnd(c *connection) {
	if p.timer != nil {
		p.timer.Stop()
	}

	p.timer = time.AfterFunc(2*leaveTime, func() { p.happenOn(c, eventTimeout) })
}

// setWatchdog begins another interval Tw.
func (p *peer) setWatchdog() {
	p.watchdogSet = time.Now()
	p.tw = p.node.config.Watchdog + rand.N(2*jitterOfTw) - jitterOfTw
	p.timer.Reset(p.tw)
}

// expired handles the end of Tw, if nothing was heard meanwhile: a message only records its time, so that it needs no lock.
func (p *peer) expired(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.open.Load() != c {
		return
	}

	if heard := c.heardAt(); heard.After(p.watchdogSet) {
		p.watchdogSet = heard
		if left := p.tw - time.Since(heard); left > 0 {
			p.timer.Reset(left)
			return
		}
	}

	p.setWatchdog()
	p.watch(p.watchdog.expired(), c)
}

// heard is called for every message received.
func (p *peer) heard(c *connection, dwa bool) {
	c.hear()

	if !dwa && c.trust.Load() == trusted {
		return
	}

	if dwa && p.asked.Load() {
		p.lives(c)
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	if p.open.Load() != c {
		return
	}

	if dwa {
		p.watch(p.watchdog.answered(), c)
	} else {
		p.watch(watchdogOther, c)
	}
}

// watch runs the watchdog's machine and sets how far requests may trust the connection.
func (p *peer) watch(event watchdogEvent, c *connection) {
	log := p.node.log.With("peer", p.host)
	actions := p.watchdog.step(event)

	trust := untrusted
	if p.open.Load() == c {
		switch p.watchdog.run.State() {
		case watchdogOkay:
			trust = trusted
		case watchdogReopen:
			trust = doubted
		}
	}

	if c.trust.Swap(int32(trust)) != int32(trust) {
		p.node.routes.forget()
	}

	for _, action := range actions {
		switch action {
		case doSendDWR:
			c.sendDWR()
		case doFailover:
			log.Warn("Diameter peer does not answer the watchdog: requests go elsewhere")
			p.node.metrics.failovers.WithLabelValues("watchdog").Inc()
			c.failover()
		case doFailback:
			log.Info("Diameter peer is back in service")
		case doCloseConnection:
			c.close(errDead) // its reader logs that
		}
	}
}

// status returns the peer's status for the administrator.
func (p *peer) status() PeerStatus {
	p.mu.Lock()
	defer p.mu.Unlock()

	s := PeerStatus{Host: p.host, State: "closed", Machine: p.run.State().String(), Watchdog: p.watchdog.run.State().String()}
	if p.settings != nil {
		s.Host, s.Realm, s.Address, s.Outbound = p.settings.Host, p.settings.Realm, p.settings.Address, p.settings.Address != ""
	}

	if c := p.open.Load(); c != nil {
		s.State = "open"
		if p.watchdog.run.State() == watchdogSuspect {
			s.State = "suspect"
		}

		s.Host, s.Realm, s.Address, s.Outbound = c.peer.OriginHost, c.peer.OriginRealm, c.conn.RemoteAddr().String(), c.outbound
		s.Applications, s.Product = p.purposes(c), c.peer.ProductName
	}

	return s
}
