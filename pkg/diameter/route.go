package diameter

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fiorix/go-diameter/v4/diam/avp"
)

// destination is what the route of a request depends on.
type destination struct {
	application uint32
	host, realm string
}

func destinationOf(m *Message) destination {
	return destination{m.Header.ApplicationID, textOf(m.AVP, avp.DestinationHost), textOf(m.AVP, avp.DestinationRealm)}
}

// routeCache remembers the candidates of each destination until a peer comes, goes, or becomes suspect.
type routeCache struct {
	table atomic.Pointer[routeTable]
}

type routeTable struct {
	ways sync.Map // destination to []*connection
	size atomic.Int32
}

const maxCachedWays = 1024

func (r *routeCache) forget() { r.table.Store(&routeTable{}) }

func (r *routeCache) candidates(to destination, find func(destination) []*connection) []*connection {
	table := r.table.Load()
	if found, ok := table.ways.Load(to); ok {
		return found.([]*connection)
	}

	found := find(to)

	if table.size.Add(1) <= maxCachedWays {
		table.ways.Store(to, found)
	}

	return found
}

// route returns the connection for a request among those not tried yet.
func (n *Node) route(to destination, tried []*connection) *connection {
	for _, c := range n.candidates(to) {
		if !slices.Contains(tried, c) {
			return c
		}
	}

	return nil
}

func (n *Node) candidates(to destination) []*connection { return n.routes.candidates(to, n.ways) }

// Fitness of a peer for an application, the best first. A peer with one purpose comes before one with several: an HSS may advertise
// credit control, too, by accident, and a network with an OCS wants that one asked.
const (
	meant   = 0    // diameter.peers says so
	general = 1    // plus one for each application of this node that it has by name
	relayed = 1000 // it has the application only as a relay, which passes requests on and may not know where to
)

// suits returns the connection to a peer that may be asked for an application; nil if it may not.
func (p *peer) suits(application uint32) (c *connection, fit int) {
	c = p.open.Load()
	if c == nil || c.trust.Load() == untrusted || !slices.Contains(c.applications, application) {
		return nil, 0
	}

	switch {
	case p.settings != nil && len(p.settings.Applications) > 0:
		if !slices.Contains(p.settings.Applications, application) {
			return nil, 0
		}

		return c, meant
	case slices.Contains(c.named, application):
		return c, general + len(c.named)
	default:
		return c, relayed
	}
}

// mayServe reports whether a peer serves an application: as diameter.peers says, or as the peer advertised last. One that was never
// connected may serve it.
func (p *peer) mayServe(application uint32) bool {
	if p.settings != nil && len(p.settings.Applications) > 0 {
		return slices.Contains(p.settings.Applications, application)
	}

	offered := p.offered.Load()

	return offered == nil || slices.Contains(*offered, application)
}

// purposes returns the applications that a peer may be asked for over its connection.
func (p *peer) purposes(c *connection) []uint32 {
	if p.settings == nil || len(p.settings.Applications) == 0 {
		return c.applications
	}

	return slices.DeleteFunc(slices.Clone(c.applications), func(id uint32) bool { return !slices.Contains(p.settings.Applications, id) })
}

// ways returns the usable connections to a destination, the best first (RFC 6733 §6.1.4 to §6.1.6). A Destination-Host that is a peer
// bypasses realm routing; one that is not is reached through a peer that serves its realm. Without a configured route every peer of the
// realm serves it, and without such a peer any peer does; of these the one that suits best comes first.
func (n *Node) ways(to destination) []*connection {
	type way struct {
		*connection
		metric, fit int
	}

	usable := func(p *peer) *connection {
		c, _ := p.suits(to.application)
		return c
	}

	if to.host != "" {
		if direct := n.lookup(to.host); direct != nil && (direct.settings != nil || direct.open.Load() != nil) {
			if c := usable(direct); c != nil {
				return []*connection{c}
			}

			return nil // it is a peer and no other one leads to it
		}
	}

	var found []way

	for _, r := range n.config.Routes {
		if r.Application != 0 && r.Application != to.application || !r.covers(to.realm) {
			continue
		}

		if p := n.lookup(r.Peer); p != nil {
			if c := usable(p); c != nil {
				found = append(found, way{c, r.Metric, meant})
			}
		}
	}

	if len(found) == 0 {
		const realmOfPeer, anyRealm = 1, 2

		for _, p := range n.all() {
			c, fit := p.suits(to.application)

			switch {
			case c == nil:
			case to.realm == "" || strings.EqualFold(c.peer.OriginRealm, to.realm):
				found = append(found, way{c, realmOfPeer, fit})
			case len(n.config.Routes) == 0:
				found = append(found, way{c, anyRealm, fit})
			}
		}
	}

	slices.SortStableFunc(found, func(a, b way) int {
		return cmp.Or(
			cmp.Compare(a.fit, b.fit),
			-cmp.Compare(a.trust.Load(), b.trust.Load()), // a peer that is still being watched comes last
			cmp.Compare(a.metric, b.metric),
			cmp.Compare(a.owner.host, b.owner.host),
		)
	})

	var connections []*connection

	for _, w := range found {
		if !slices.Contains(connections, w.connection) {
			connections = append(connections, w.connection)
		}
	}

	return connections
}

func (r *Route) covers(realm string) bool {
	return r.Realm == "" || r.Realm == "*" || realm == "" || strings.EqualFold(r.Realm, realm)
}
