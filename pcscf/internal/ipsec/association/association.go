package association

import (
	"net/netip"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// state is the state of a set in its life (TS 33.203 §7.4).
type state int

const (
	temporary   state = iota // made at the 401, until the 200
	established              // the registration's
	replaced                 // a newer set is established, but not used yet
	ending                   // for what is still on its way
)

func (s state) String() string {
	return [...]string{"temporary", "established", "replaced", "ending"}[s]
}

// association is one set with a handset.
type association struct {
	set            ipsec.Set
	client, server *stack.Endpoint
	private        string // private identity of the user; "" if the first REGISTER did not state it
	nonce          string // of the challenge with these keys
	offer          []ims.SecurityMechanism
	answer         []ims.SecurityMechanism

	state    state
	used     bool // something besides REGISTER came through it
	takesTCP bool
	removing bool      // the kernel is removing it
	inWork   int       // unanswered requests that came through it
	latest   time.Time // of an ending set: when the kernel ends it by itself
	heard    time.Time // when the handset's last request came; zero: never
	until    time.Time
	why      string // and why it ends then
	timer    *time.Timer
}

func (a *association) request() way {
	return way{a.server.Address(), netip.AddrPortFrom(a.set.UE, a.set.Ports.UEClient)}
}

func (a *association) answerWay() way {
	return way{a.client.Address(), netip.AddrPortFrom(a.set.UE, a.set.Ports.UEServer)}
}

// back returns the flow of requests, and of responses over UDP, to the handset (TS 33.203 §7.1).
func (a *association) back(transport string) stack.Flow {
	return stack.Flow{
		Endpoint: a.client, Server: a.server, Transport: transport, Local: a.client.Address(),
		Remote: netip.AddrPortFrom(a.set.UE, a.set.Ports.UEServer), TakesTCP: true,
	}
}

// with reports whether two sets belong to the same user at the same handset.
func (a *association) with(other *association) bool {
	return a.set.UE == other.set.UE && (a.private == other.private || a.private == "" || other.private == "")
}

// add and drop maintain the indexes; the lock is held.
func (p *Table) add(a *association) {
	p.byRequest[a.request()] = a
	p.byReturn[a.answerWay()] = a
	p.byHandset[a.set.UE] = append(p.byHandset[a.set.UE], a)
	p.count++
}

func (p *Table) drop(a *association) {
	if p.byReturn[a.answerWay()] != a {
		return
	}

	delete(p.byRequest, a.request())
	delete(p.byReturn, a.answerWay())

	delete(p.reqIDs.taken, a.set.ReqID)

	p.count--

	rest := slices.DeleteFunc(p.byHandset[a.set.UE], func(other *association) bool { return other == a })
	if len(rest) == 0 {
		delete(p.byHandset, a.set.UE)
	} else {
		p.byHandset[a.set.UE] = rest
	}
}

// remove removes a set. Its ports stay taken until the kernel has removed it, lest a new set with the same ports be removed in its place.
func (p *Table) remove(a *association, why string) {
	p.mu.Lock()

	if a.removing {
		p.mu.Unlock()
		return
	}

	a.removing = true
	if a.timer != nil {
		a.timer.Stop()
	}
	unanswered := a.state == temporary
	p.mu.Unlock()

	attributes := []any{"impi", a.private, "ue", a.set.UE, "cause", why}

	if unanswered {
		if four, err := p.kernel.Use(a.set); err == nil {
			attributes = append(attributes, "says", says(temporary, four))
		}
	}

	if err := p.kernel.Remove(a.set); err != nil {
		p.log.Error("security associations cannot be removed", "set", a.set.String(), "cause", err)
	}

	// Nothing passes through a connection between these ports any more.
	a.server.Disconnect(netip.AddrPortFrom(a.set.UE, a.set.Ports.UEClient))
	a.client.Disconnect(netip.AddrPortFrom(a.set.UE, a.set.Ports.UEServer))

	p.kernel.ReleaseSPI(a.set.SPIs.PCSCFClient)
	p.kernel.ReleaseSPI(a.set.SPIs.PCSCFServer)
	p.keep.Forget(a.set.ReqID)

	p.mu.Lock()
	p.drop(a)
	p.mu.Unlock()

	p.log.Info("security associations removed", attributes...)
}

// live sets the end of a set; the lock is held.
func (p *Table) live(a *association, life time.Duration, why string) {
	a.until, a.why = time.Now().Add(life), why

	if a.timer != nil {
		a.timer.Stop()
	}

	a.timer = time.AfterFunc(life, func() {
		p.mu.Lock()
		over := time.Until(a.until) <= 0

		if over && a.awaited() {
			p.live(a, time.Until(a.latest), why) // or until pending requests are answered
			over = false
		}
		p.mu.Unlock()

		if over {
			p.remove(a, why)
		}
	})
}

// end lets a set live a little longer, for what is still on its way; the lock is held.
func (p *Table) end(a *association, why string) {
	if a.state == ending {
		return
	}

	kept := a.state != temporary
	a.state, a.latest = ending, a.until
	p.live(a, p.settings.Linger, why)

	if kept { // a restart must not extend its life
		p.keep.Keep(keptOf(a))
	}
}

// awaited reports whether a set would end before a request that came through it is answered: the answer and its retransmissions can leave
// through no other set (TS 33.203 §7.4). The lock is held.
func (a *association) awaited() bool {
	return a.state == ending && a.inWork > 0 && time.Until(a.latest) > 0
}

// inWork counts a request that came through a set, until it is answered. A request that comes while the set is ending does not prolong it.
func (p *Table) inWork(flow stack.Flow) (end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()

	a := p.lookup(flow)
	if a == nil || a.state == ending {
		return nil
	}

	a.inWork++

	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()

		if a.inWork--; a.inWork == 0 && a.state == ending && !a.removing {
			p.live(a, p.settings.Linger, a.why)
		}
	}
}

// numbers allocates the request IDs of sets, each used by one set at a time.
type numbers struct {
	first, last, next uint32
	taken             map[uint32]struct{}
}

func (n *numbers) full() bool { return len(n.taken) > int(n.last-n.first) }

// take returns a free number. It must not be called when all are taken.
func (n *numbers) take() uint32 {
	for {
		number := n.next

		if n.next++; n.next > n.last {
			n.next = n.first
		}

		if _, taken := n.taken[number]; !taken {
			n.taken[number] = struct{}{}
			return number
		}
	}
}
