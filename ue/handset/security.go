package handset

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Security is the handset's IPsec configuration (TS 33.203 §7).
type Security struct {
	Kernel     Kernel
	Suites     []ipsec.Suite // offered, in this order
	ClientPort uint16        // protected; each further set uses the next one
	ServerPort uint16        // protected; does not change
	Linger     time.Duration // how long a set outlives its use
	Misbehave  Misbehaviour
}

// Kernel installs and removes security associations.
type Kernel interface {
	Install(s ipsec.Set, lifetime time.Duration) error
	Remove(s ipsec.Set) error
	AllocateSPI(from, to netip.Addr) (uint32, error)
	ReleaseSPI(spi uint32)
}

// Misbehaviour is what the handset does wrong on purpose.
type Misbehaviour struct {
	Verify  func(string) string // writes another Security-Verify
	Outside bool                // answers the challenge outside the associations
	Silent  bool                // sets the associations up and never answers
}

// ErrSilent is returned for a registration that the handset gave up on purpose.
var ErrSilent = errors.New("the handset keeps silent")

// lifetime is that of the handset's associations; the P-CSCF's end earlier.
const lifetime = 24 * time.Hour

// guard is the handset's side of its security associations.
type guard struct {
	Security
	handset *Handset
	server  *stack.Endpoint

	// work is held while the kernel makes or removes a set: a new one may share ports with one being removed.
	work sync.Mutex

	mu      sync.Mutex
	next    uint16
	current *passage
	all     []*passage
}

// passage is one set of associations, or the offer of one.
type passage struct {
	set    ipsec.Set
	client *stack.Endpoint
	offer  string // Security-Client
	answer string // Security-Server; "" until there is one
	proxy  netip.AddrPort
}

func (h *Handset) secure(s Security) error {
	server, err := h.stack.AddEndpoint(h.protected("server", s.ServerPort))
	if err != nil {
		return err
	}

	h.guard = &guard{Security: s, handset: h, server: server, next: s.ClientPort}
	server.ReplyBy(h.guard.back)

	return nil
}

func (h *Handset) protected(name string, port uint16) stack.EndpointConfig {
	return stack.EndpointConfig{
		Name:       "Gm " + name,
		Address:    netip.AddrPortFrom(h.config.Address.Addr(), port).String(),
		Transports: []string{"udp", "tcp"},
		FixedPort:  true,
	}
}

// propose allocates SPIs and a client port for a new set, for Security-Client.
func (g *guard) propose() (*passage, error) {
	ue, pcscf := g.handset.config.Address.Addr(), g.handset.config.Proxy.Addr()

	spiClient, err := g.Kernel.AllocateSPI(pcscf, ue)
	if err != nil {
		return nil, err
	}

	spiServer, err := g.Kernel.AllocateSPI(pcscf, ue)
	if err != nil {
		g.Kernel.ReleaseSPI(spiClient)
		return nil, err
	}

	p := &passage{set: ipsec.Set{UE: ue, PCSCF: pcscf, SPIs: ipsec.SPIs{UEClient: spiClient, UEServer: spiServer}}}

	if err := g.bind(p); err != nil {
		g.drop(p)
		return nil, err
	}

	mechanisms := make([]ims.SecurityMechanism, len(g.Suites))
	for i, s := range g.Suites {
		mechanisms[i] = ims.SecurityMechanism{
			Name: ims.IPsec3GPP, Preference: ims.NoPreference, Protocol: "esp", Mode: "trans",
			Algorithm: string(s.Integrity), EncryptionAlgorithm: string(s.Encryption),
			SPIClient: spiClient, SPIServer: spiServer, PortClient: p.set.Ports.UEClient, PortServer: p.set.Ports.UEServer,
		}
	}

	p.offer = ims.FormatSecurity(mechanisms)

	return p, nil
}

// bind opens the next client port.
func (g *guard) bind(p *passage) error {
	const tries = 64

	var err error

	for range tries {
		g.mu.Lock()
		port := g.next
		g.next++
		g.mu.Unlock()

		if port == g.ServerPort {
			continue
		}

		if p.client, err = g.handset.stack.AddEndpoint(g.handset.protected(fmt.Sprint("client ", port), port)); err == nil {
			p.set.Ports.UEClient, p.set.Ports.UEServer = port, g.ServerPort
			g.mu.Lock()
			g.all = append(g.all, p)
			g.mu.Unlock()

			return nil
		}
	}

	return err
}

// agree makes the associations that a 401 requests: the first mechanism of Security-Server that was offered, by falling q (RFC 3329 §2.3.1,
// TS 33.203 §7.2).
func (g *guard) agree(p *passage, response *sip.Response, ck, ik [16]byte) error {
	p.answer = strings.Join(sip.Values(response, "Security-Server"), ", ")
	if p.answer == "" {
		return errors.New("the 401 has no Security-Server: the P-CSCF makes no security associations")
	}

	mechanisms, err := ims.ParseSecurity(p.answer)
	if err != nil {
		return err
	}

	slices.SortStableFunc(mechanisms, func(a, b ims.SecurityMechanism) int { return b.Preference - a.Preference })

	for _, m := range mechanisms {
		suite := ipsec.Suite{Integrity: ipsec.Integrity(m.Algorithm), Encryption: ipsec.Encryption(m.EncryptionAlgorithm)}
		if !slices.Contains(g.Suites, suite) || m.Usable() != nil {
			continue
		}

		p.set.Suite, p.set.CK, p.set.IK = suite, ck, ik
		p.set.SPIs.PCSCFClient, p.set.SPIs.PCSCFServer = m.SPIClient, m.SPIServer
		p.set.Ports.PCSCFClient, p.set.Ports.PCSCFServer = m.PortClient, m.PortServer
		p.set.ReqID = p.set.SPIs.UEServer
		p.proxy = netip.AddrPortFrom(p.set.PCSCF, m.PortServer)

		g.work.Lock()
		defer g.work.Unlock()

		g.makeRoom(p)

		return g.Kernel.Install(p.set, lifetime)
	}

	return fmt.Errorf("Security-Server has nothing that was offered: %s", p.answer)
}

// makeRoom removes sets whose ports the P-CSCF reuses: it has dropped them.
func (g *guard) makeRoom(p *passage) {
	var old []*passage

	g.mu.Lock()
	g.all = slices.DeleteFunc(g.all, func(other *passage) bool {
		gone := other != p && other.answer != "" &&
			other.set.Ports.PCSCFClient == p.set.Ports.PCSCFClient && other.set.Ports.UEServer == p.set.Ports.UEServer
		if gone {
			old = append(old, other)
		}

		if gone && g.current == other {
			g.current = nil
		}

		return gone
	})
	g.mu.Unlock()

	for _, other := range old {
		_ = g.release(other) // a set left over would make the new one fail, with an error
	}
}

// establish makes a set the current one; the one before lives a little longer.
func (g *guard) establish(p *passage) {
	g.mu.Lock()
	old := g.current
	g.current = p
	g.mu.Unlock()

	if old != nil && old != p {
		g.end(old)
	}
}

// end removes a set once pending messages have passed.
func (g *guard) end(p *passage) {
	g.mu.Lock()
	if g.current == p {
		g.current = nil
	}
	g.mu.Unlock()

	time.AfterFunc(g.Linger, func() { g.drop(p) })
}

func (g *guard) drop(p *passage) {
	g.work.Lock()
	defer g.work.Unlock()

	g.mu.Lock()
	before := len(g.all)
	g.all = slices.DeleteFunc(g.all, func(other *passage) bool { return other == p })
	known := len(g.all) < before
	g.mu.Unlock()

	if known {
		_ = g.release(p)
	}
}

func (g *guard) release(p *passage) (failed error) {
	if p.answer != "" {
		failed = g.Kernel.Remove(p.set)
	}

	g.Kernel.ReleaseSPI(p.set.SPIs.UEClient)
	g.Kernel.ReleaseSPI(p.set.SPIs.UEServer)

	if p.client != nil {
		g.handset.stack.RemoveEndpoint(p.client)
	}

	return failed
}

// close removes all sets from the kernel.
func (g *guard) close() (failed error) {
	g.work.Lock()
	defer g.work.Unlock()

	g.mu.Lock()
	all := g.all
	g.all, g.current = nil, nil
	g.mu.Unlock()

	for _, p := range all {
		failed = errors.Join(failed, g.release(p))
	}

	return failed
}

func (g *guard) inUse() *passage {
	g.mu.Lock()
	defer g.mu.Unlock()

	return g.current
}

// flow returns the flow of the handset's requests: from its client port to the P-CSCF's server port (TS 33.203 §7.1).
func (g *guard) flow(p *passage) stack.Flow {
	return stack.Flow{
		Endpoint: p.client, Server: g.server, Transport: g.handset.config.Transport, Local: p.client.Address(), Remote: p.proxy, TakesTCP: true,
	}
}

// back returns the flow of responses over UDP: from the client port of the set that the request came through, to the P-CSCF's server port.
func (g *guard) back(f stack.Flow) stack.Flow {
	g.mu.Lock()
	defer g.mu.Unlock()

	for _, p := range g.all {
		if p.answer != "" && p.set.Ports.PCSCFClient == f.Remote.Port() {
			f.Endpoint, f.Local, f.Remote = p.client, p.client.Address(), p.proxy
			return f
		}
	}

	return f
}

// announce writes the security header fields of a request (TS 24.229 §5.1.1.2.2, §5.1.2A.1): the offer, if any, and what was agreed.
func (g *guard) announce(r *sip.Request, offered, agreed *passage) {
	sip.Add(r, "Require", "sec-agree")
	sip.Add(r, "Proxy-Require", "sec-agree")

	if offered != nil {
		sip.Add(r, "Security-Client", offered.offer)
	}

	if agreed == nil || agreed.answer == "" {
		return
	}

	verify := agreed.answer
	if g.Misbehave.Verify != nil {
		verify = g.Misbehave.Verify(verify)
	}

	sip.Add(r, "Security-Verify", verify)
}
