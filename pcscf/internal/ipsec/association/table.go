// Package association manages the security associations of handsets (TS 33.203 §7): it negotiates them, makes the kernel install them, and
// ends them with their registrations.
package association

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Mode is whether handsets of an access are served without security associations.
type Mode string

// The modes.
const (
	Required Mode = "required" // 421 or 494 without them
	Optional Mode = "optional" // as the handset wants
	Off      Mode = "off"      // never
)

// Settings are what the operator configures.
type Settings struct {
	Modes       map[string]Mode // by the name of the endpoint that handsets use first
	Suites      []ipsec.Suite   // in the order of preference
	AnnounceAll bool            // Security-Server has all suites, not the chosen one alone
	AwaitAuth   time.Duration   // timer reg-await-auth: the life of temporary associations
	Grace       time.Duration   // how much longer than the registration they live (TS 33.203 §7.4)
	Linger      time.Duration   // how long associations outlive their use, for what is still on its way
	MaxSets     int
}

// Kernel installs and removes security associations.
type Kernel interface {
	Install(s ipsec.Set, lifetime time.Duration) error
	Prolong(s ipsec.Set, remaining time.Duration) error
	Remove(s ipsec.Set) error
	AllocateSPI(from, to netip.Addr) (uint32, error)
	ReleaseSPI(spi uint32)
	Use(s ipsec.Set) ([4]ipsec.Counters, error)
}

// Table holds all security associations of the P-CSCF with handsets.
type Table struct {
	settings Settings
	kernel   Kernel
	ports    *Ports
	log      *slog.Logger
	outcomes *prometheus.CounterVec
	keep     Keeper

	mu        sync.Mutex
	reqIDs    numbers
	byRequest map[way]*association // the handset's client port to the P-CSCF's server port
	byReturn  map[way]*association // the handset's server port from the P-CSCF's client port
	byHandset map[netip.Addr][]*association
	count     int
}

// way is one direction between protected ports, seen from here.
type way struct{ local, remote netip.AddrPort }

// Keeper saves established associations across restarts. Forget may be called for associations that were never saved.
type Keeper interface {
	Keep(Kept)
	Forget(reqID uint32)
}

type keepsNothing struct{}

func (keepsNothing) Keep(Kept)     {}
func (keepsNothing) Forget(uint32) {}

// Options are what associations are made with.
type Options struct {
	Kernel  Kernel
	Ports   *Ports
	Keep    Keeper // nil: nothing is saved
	Log     *slog.Logger
	Metrics prometheus.Registerer
	// FirstReqID and LastReqID bound the request IDs of sets; there are more than Settings.MaxSets.
	FirstReqID, LastReqID uint32
}

// New returns an empty table.
func New(s Settings, o Options) *Table {
	p := &Table{
		settings:  s,
		kernel:    o.Kernel,
		ports:     o.Ports,
		log:       o.Log,
		keep:      o.Keep,
		reqIDs:    numbers{o.FirstReqID, o.LastReqID, o.FirstReqID, map[uint32]struct{}{}},
		byRequest: map[way]*association{},
		byReturn:  map[way]*association{},
		byHandset: map[netip.Addr][]*association{},
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_pcscf_sec_agree_total", Help: "Security agreements with handsets, by what came of them.",
		}, []string{"outcome"}),
	}

	if p.keep == nil {
		p.keep = keepsNothing{}
	}

	o.Metrics.MustRegister(p.outcomes)

	for state := temporary; state <= ending; state++ {
		o.Metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "dialtone_pcscf_security_association_sets", Help: "Sets of security associations, by their state.",
			ConstLabels: prometheus.Labels{"state": state.String()},
		}, func() float64 { return float64(p.inState(state)) }))
	}

	for _, server := range p.ports.servers() {
		server.ReplyBy(p.Return)
		server.InWork(p.inWork)
	}

	return p
}

// inState returns the number of sets in a state.
func (p *Table) inState(s state) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()

	for _, a := range p.byReturn {
		if a.state == s {
			n++
		}
	}

	return n
}

// Protected reports whether a flow is that of a handset's security association.
func (p *Table) Protected(flow stack.Flow) bool { return p.find(flow) != nil }

// Return returns the flow between the P-CSCF's client port and the handset's server port for a message that came between the other two; a
// message outside associations is answered the way it came. The transport stays.
func (p *Table) Return(flow stack.Flow) stack.Flow {
	p.mu.Lock()
	defer p.mu.Unlock()

	if a := p.lookup(flow); a != nil {
		return a.back(flow.Transport)
	}

	return flow
}

func (p *Table) find(flow stack.Flow) *association {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.lookup(flow)
}

// lookup is called with the lock held.
func (p *Table) lookup(flow stack.Flow) *association {
	if flow.Endpoint == nil {
		return nil
	}

	w := way{flow.Endpoint.Address(), flow.Remote}
	if flow.Server != nil {
		return p.byReturn[w]
	}

	return p.byRequest[w]
}
