package association

import (
	"fmt"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Kept is what a Keeper saves of a set from the 200 on. The keys exist only in the kernel.
type Kept struct {
	Set      ipsec.Set `json:"set"`
	Private  string    `json:"private"`
	Offer    string    `json:"security_client"`
	Answer   string    `json:"security_server"`
	TakesTCP bool      `json:"takes_tcp,omitempty"`
	Until    time.Time `json:"until"`
	State    string    `json:"state,omitempty"` // empty: established
}

// keptOf is called with the lock held.
func keptOf(a *association) Kept {
	return Kept{
		Set: a.set, Private: a.private, Offer: ims.FormatSecurity(a.offer), Answer: ims.FormatSecurity(a.answer),
		TakesTCP: a.takesTCP, Until: a.until, State: a.state.String(),
	}
}

// stateOf returns the saved state of a set; temporary sets are not saved.
func stateOf(k Kept) (state, error) {
	if k.State == "" {
		return established, nil
	}

	for s := established; s <= ending; s++ {
		if k.State == s.String() {
			return s, nil
		}
	}

	return 0, fmt.Errorf("their state %q is none that is kept", k.State)
}

// Restore restores the saved sets that the kernel still has, and returns them.
func (p *Table) Restore(kept []Kept, whole func(ipsec.Set) bool) (restored []ipsec.Set) {
	for _, k := range kept {
		a, err := p.restore(k, whole)
		if err != nil {
			p.log.Warn("security associations are not restored", "impi", k.Private, "set", k.Set.String(), "cause", err)
			p.keep.Forget(k.Set.ReqID)

			continue
		}

		restored = append(restored, a.set)
	}

	return restored
}

func (p *Table) restore(k Kept, whole func(ipsec.Set) bool) (*association, error) {
	life := time.Until(k.Until)
	if life <= 0 {
		return nil, fmt.Errorf("they ended at %s", k.Until.UTC().Format(time.RFC3339))
	}

	if !whole(k.Set) {
		return nil, fmt.Errorf("the kernel does not have them")
	}

	client := at(p.ports.Clients[k.Set.PCSCF], k.Set.Ports.PCSCFClient)
	server := at(p.ports.Servers[k.Set.PCSCF], k.Set.Ports.PCSCFServer)

	if client == nil || server == nil {
		return nil, fmt.Errorf("their ports are not the P-CSCF's any more")
	}

	offer, err := ims.ParseSecurity(k.Offer)
	if err != nil {
		return nil, err
	}

	answer, err := ims.ParseSecurity(k.Answer)
	if err != nil {
		return nil, err
	}

	was, err := stateOf(k)
	if err != nil {
		return nil, err
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	// Whether an established set was used is not saved: its next use ends the sets that it replaced, if any are left.
	a := &association{
		set: k.Set, client: client, server: server, private: k.Private, offer: offer, answer: answer,
		state: was, takesTCP: k.TakesTCP, latest: k.Until,
	}
	p.reqIDs.taken[k.Set.ReqID] = struct{}{}
	p.add(a)
	p.live(a, life, "the registration ended")

	return a, nil
}

func at(endpoints []*stack.Endpoint, port uint16) *stack.Endpoint {
	for _, e := range endpoints {
		if e.Address().Port() == port {
			return e
		}
	}

	return nil
}
