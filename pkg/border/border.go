// Package border distinguishes the core's addresses from all others. A CSCF trusts whoever sends to a core port of its own (TS 24.229
// §4.4), and so must know who that can be.
package border

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// ErrOutside is the refusal of a request from outside the core. It usually comes from a telephone that follows its Service-Route by itself.
var ErrOutside error = sip.Refuse(403, "this is the core side: set the P-CSCF as outbound proxy").
	Because(errors.New("the source is not the core (protection.core)"))

// Core is the prefixes of all trusted sources: CSCFs, application servers, gateways, trusted networks. Empty: whoever reaches the port.
type Core []netip.Prefix

// Config is the protection of a function that has no port for handsets.
type Config struct {
	Core Core `yaml:"core"`
}

// Believes reports whether a source is trusted as the core.
func (c Core) Believes(source netip.Addr) bool { return len(c) == 0 || c.Holds(source) }

// Holds reports whether an address is known to be the core's.
func (c Core) Holds(address netip.Addr) bool {
	return slices.ContainsFunc(c, func(p netip.Prefix) bool { return p.Contains(address) })
}

// Screen returns the screen of stack.Options, which refuses requests from elsewhere. Responses come from wherever a request went, and are
// trusted within their transaction. pass, unless it is nil, reports which requests are served all the same.
func (c Core) Screen(pass func(*sip.Request) bool) func(stack.Flow, sip.Message) error {
	return func(flow stack.Flow, m sip.Message) error {
		r, isRequest := m.(*sip.Request)
		if !isRequest || c.Believes(flow.Remote.Addr()) || pass != nil && pass(r) {
			return nil
		}

		return ErrOutside
	}
}
