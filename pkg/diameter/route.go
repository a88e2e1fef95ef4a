package diameter

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fiorix/go-diameter/v4/diam/avp"
)

// destination is what a request's way depends on.
type destination struct {
	application uint32
	host, realm string
}

func destinationOf(m *Message) destination {
	return destination{m.Header.ApplicationID, textOf(m.AVP, avp.DestinationHost), textOf(m.AVP, avp.DestinationRealm)}
}

// routeCache remembers the candidates of each destination until a peer comes, goes, or falls into doubt.
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

// route chooses the connection for a request among those not tried yet.
func (n *Node) route(to destination, tried []*connection) *connection {
	for _, c := range n.candidates(to) {
		if !slices.Contains(tried, c) {
			return c
		}
	}

	return nil
}

func (n *Node) candidates(to destination) []*connection { return n.routes.candidates(to, n.ways) }

// ways are the usable connections to a destination, the best first (RFC 6733 §6.1.4 to §6.1.6). A Destination-Host that is a
// peer bypasses realm routing; one that is not is reached through whoever serves its realm. Where no route is configured,
// every peer of the realm serves it, and where there is none, any peer does.
func (n *Node) ways(to destination) []*connection {
	type way struct {
		*connection
		metric int
	}

	usable := func(p *peer) *connection {
		c := p.open.Load()
		if c == nil || c.trust.Load() == untrusted || !slices.Contains(c.applications, to.application) {
			return nil
		}

		return c
	}

	if to.host != "" {
		if direct := n.lookup(to.host); direct != nil && (direct.settings != nil || direct.open.Load() != nil) {
			if c := usable(direct); c != nil {
				return []*connection{c}
			}

			return nil // it is a neighbour and nobody else leads to it
		}
	}

	var found []way

	for _, r := range n.config.Routes {
		if r.Application != 0 && r.Application != to.application || !r.covers(to.realm) {
			continue
		}

		if p := n.lookup(r.Peer); p != nil {
			if c := usable(p); c != nil {
				found = append(found, way{c, r.Metric})
			}
		}
	}

	if len(found) == 0 {
		const realmOfPeer, anyRealm = 1, 2

		for _, p := range n.all() {
			c := usable(p)

			switch {
			case c == nil:
			case to.realm == "" || strings.EqualFold(c.peer.OriginRealm, to.realm):
				found = append(found, way{c, realmOfPeer})
			case len(n.config.Routes) == 0:
				found = append(found, way{c, anyRealm})
			}
		}
	}

	slices.SortStableFunc(found, func(a, b way) int {
		return cmp.Or(
			-cmp.Compare(a.trust.Load(), b.trust.Load()), // who is still being watched comes last
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
