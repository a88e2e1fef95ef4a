package association

import (
	"net/netip"
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Ports holds the P-CSCF's protected ports. All handsets share them; a handset can have as many sets at once as there are pairs of ports
// that keep the four ways of its sets distinct (TS 33.203 §7.1).
type Ports struct {
	// Clients and Servers are the endpoints by the local address that handsets use.
	Clients, Servers map[netip.Addr][]*stack.Endpoint
}

func (p *Ports) servers() []*stack.Endpoint {
	var all []*stack.Endpoint
	for _, endpoints := range p.Servers {
		all = append(all, endpoints...)
	}

	return all
}

func (p *Ports) server(e *stack.Endpoint) bool {
	return slices.Contains(p.Servers[e.Address().Addr()], e)
}

func (p *Ports) client(e *stack.Endpoint) bool {
	return slices.Contains(p.Clients[e.Address().Addr()], e)
}

// pair finds ports for a new set. The server port stays that of the handset's other sets if possible, and the client port changes (TS
// 33.203 §7.1): in turn, since the handset may still have sets that are gone here. The lock of the associations is held.
func (p *Table) pair(s ipsec.Set) (client, server *stack.Endpoint, found bool) {
	servers := slices.Clone(p.ports.Servers[s.PCSCF])
	others := p.byHandset[s.UE]

	slices.SortStableFunc(servers, func(a, b *stack.Endpoint) int { return uses(others, b) - uses(others, a) })

	clients := p.ports.Clients[s.PCSCF]
	if len(others) > 0 {
		next := 1 + slices.Index(clients, others[len(others)-1].client)
		clients = slices.Concat(clients[next:], clients[:next])
	}

	for _, server := range servers {
		if p.byRequest[way{server.Address(), netip.AddrPortFrom(s.UE, s.Ports.UEClient)}] != nil {
			continue
		}

		for _, client := range clients {
			if p.byReturn[way{client.Address(), netip.AddrPortFrom(s.UE, s.Ports.UEServer)}] == nil {
				return client, server, true
			}
		}
	}

	return nil, nil, false
}

func uses(sets []*association, server *stack.Endpoint) (n int) {
	for _, a := range sets {
		if a.server == server {
			n++
		}
	}

	return n
}
