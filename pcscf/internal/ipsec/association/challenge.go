package association

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/agreement"
	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

var (
	errFull    = errors.New("there are as many security associations as max_sets allows")
	errNoPorts = errors.New("no protected ports are free for this handset: it has too many sets at once")
	errSameSPI = errors.New("the handset offers the SPIs of the associations that its request came by")
)

// Challenge makes the temporary associations of a challenge and adds Security-Server, which tells the handset how to come back (TS 33.203
// §7.2, SM5 and SM6). Each challenge has its own set, also after a resynchronisation.
func (p *Table) Challenge(request *sip.Request, flow stack.Flow, response *sip.Response, keys agreement.Keys) error {
	if p.settings.Modes[flow.Endpoint.Name()] == Off {
		return nil
	}

	read, err := agreement.Parse(request)
	if err != nil || !read.Offered() {
		return nil // Screen has refused what must be refused
	}

	came := p.find(flow)
	if came != nil && came.state == temporary {
		return nil // challenged again inside: Security-Client must be the same, and its SPIs are in use for this 401
	}

	ik, errIK := key(keys.IK)
	ck, errCK := key(keys.CK)

	if err := errors.Join(errIK, errCK); err != nil {
		if !read.Demanded {
			return nil // a user of plain Digest
		}

		return fmt.Errorf("the challenge has no keys: %w", err)
	}

	choice, err := agreement.Choose(p.settings.Suites, read.Client)
	if err != nil {
		if !read.Demanded {
			return nil
		}

		return err
	}

	a, err := p.reserve(flow, choice, came)
	if errors.Is(err, errSameSPI) {
		p.log.Warn("no new security associations for a new challenge", "impi", came.private, "cause", err)
		return nil
	}

	if err != nil {
		p.outcomes.WithLabelValues("failed").Inc()
		return err
	}

	a.offer, a.set.IK, a.set.CK = read.Client, ik, ck
	a.private, a.nonce = username(request), nonce(response)

	var others []ipsec.Suite
	if p.settings.AnnounceAll {
		others = p.settings.Suites
	}

	a.answer = agreement.Answer(a.set, others)

	if err := p.kernel.Install(a.set, p.settings.AwaitAuth); err != nil {
		p.outcomes.WithLabelValues("failed").Inc()
		p.remove(a, "the kernel did not take them")

		return fmt.Errorf("%s: %w", a.set, err)
	}

	a.set.IK, a.set.CK = [16]byte{}, [16]byte{} // the kernel has them
	p.displace(a)
	sip.Set(response, "Security-Server", ims.FormatSecurity(a.answer))
	p.outcomes.WithLabelValues("challenged").Inc()
	p.log.Info("security associations set up", "impi", a.private, "set", a.set.String())

	return nil
}

// reserve allocates ports and SPIs for a set.
func (p *Table) reserve(flow stack.Flow, choice agreement.Choice, came *association) (*association, error) {
	ue, local, m := flow.Remote.Addr(), flow.Endpoint.Address().Addr(), choice.Mechanism

	spiClient, err := p.kernel.AllocateSPI(ue, local)
	if err != nil {
		return nil, err
	}

	spiServer, err := p.kernel.AllocateSPI(ue, local)
	if err != nil {
		p.kernel.ReleaseSPI(spiClient)
		return nil, err
	}

	a := &association{set: ipsec.Set{
		UE: ue, PCSCF: local, Suite: choice.Suite,
		Ports: ipsec.Ports{UEClient: m.PortClient, UEServer: m.PortServer},
		SPIs:  ipsec.SPIs{UEClient: m.SPIClient, UEServer: m.SPIServer, PCSCFClient: spiClient, PCSCFServer: spiServer},
	}}

	if err := p.place(a, came); err != nil {
		p.kernel.ReleaseSPI(spiClient)
		p.kernel.ReleaseSPI(spiServer)

		return nil, err
	}

	return a, nil
}

// place finds room for a set. A handset that has no free ports left, or that reuses its own SPIs, has forgotten the sets in the way: the
// oldest of them is removed.
func (p *Table) place(a, came *association) error {
	for {
		p.mu.Lock()

		if p.count >= p.settings.MaxSets || p.reqIDs.full() {
			p.mu.Unlock()
			return errFull
		}

		client, server, found := p.pair(a.set)
		other := p.inTheWay(a, found)

		if other == nil && found {
			a.client, a.server = client, server
			a.set.Ports.PCSCFClient, a.set.Ports.PCSCFServer = client.Address().Port(), server.Address().Port()
			a.set.ReqID = p.reqIDs.take()
			p.add(a)
			p.live(a, p.settings.AwaitAuth, "the challenge was not answered in time")
			p.mu.Unlock()

			return nil
		}

		p.mu.Unlock()

		switch other {
		case nil:
			return errNoPorts
		case came:
			return errSameSPI
		}

		p.remove(other, "the handset begins anew")
	}
}

// inTheWay returns the set to remove to make room for a; the lock is held.
func (p *Table) inTheWay(a *association, free bool) *association {
	var oldest *association

	for _, other := range p.byHandset[a.set.UE] {
		if other.removing {
			continue
		}

		if clash(a.set.SPIs, other.set.SPIs) {
			return other
		}

		if oldest == nil || other.state > oldest.state || other.state == temporary && oldest.state != ending {
			oldest = other
		}
	}

	if free {
		return nil
	}

	return oldest
}

// clash reports whether the handset receives on the same SPI in both.
func clash(a, b ipsec.SPIs) bool {
	return a.UEClient == b.UEClient || a.UEClient == b.UEServer || a.UEServer == b.UEClient || a.UEServer == b.UEServer
}

// displace ends what earlier challenges of the same user left behind.
func (p *Table) displace(a *association) {
	var stale []*association

	p.mu.Lock()
	for _, other := range p.byHandset[a.set.UE] {
		if other != a && other.state == temporary && other.with(a) {
			stale = append(stale, other)
		}
	}
	p.mu.Unlock()

	for _, other := range stale {
		p.remove(other, "a new challenge has new ones")
	}
}

func key(text string) (k [16]byte, err error) {
	octets, err := hex.DecodeString(text)
	if err == nil && len(octets) != len(k) {
		err = fmt.Errorf("a key has %d octets", len(octets))
	}

	copy(k[:], octets)

	return k, err
}

func username(r *sip.Request) string {
	credentials, err := digest.ParseCredentials(digest.Offered(sip.Values(r, "Authorization")))
	if err != nil {
		return ""
	}

	return credentials.Username
}

func nonce(r *sip.Response) string {
	challenge, err := digest.ParseChallenge(sip.Value(r, "WWW-Authenticate"))
	if err != nil {
		return ""
	}

	return challenge.Nonce
}
