package session

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ims/trust"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Border is what of the world is the core, and who else is trusted like it.
type Border struct {
	// Trusted are domains of other networks, with their subdomains, and hosts that are taken for the trust domain (TS 24.229 §4.4),
	// wherever they are.
	Trusted []string
	// Functions tells the addresses of this network's own functions, Core those of all that is believed.
	Functions, Core func(netip.Addr) bool
}

// abroad makes a request that leaves the home network ready for where its Request-URI points: without what is for the trust domain
// alone. A name or address by which a user could reach into the core, at any of its ports, is refused.
func (s *Server) abroad(ctx context.Context, r *sip.Request) (stack.Branch, error) {
	inside := s.Config.Border.Core
	if within(r.Recipient.Host, s.Config.HomeDomain) { // such as an application server's own name
		inside = s.Config.Border.Functions
	}

	if s.trusted(r.Recipient.Host) {
		return stack.Branch{Request: r}, nil
	}

	to, err := s.outside(ctx, r, inside)
	if err != nil {
		return stack.Branch{}, err
	}

	if s.foreign(r.Recipient) {
		trust.Cross(r, trust.Core, trust.Foreign)
	}

	return stack.Branch{Request: r, To: to}, nil
}

// outside is where a Request-URI points, unless that is inside. A name that cannot be resolved is left to who sends the request.
func (s *Server) outside(ctx context.Context, r *sip.Request, inside func(netip.Addr) bool) (stack.Destination, error) {
	targets, err := s.Stack.Resolver().Resolve(ctx, r.Recipient)
	if err != nil || inside == nil {
		return stack.Destination{}, nil
	}

	if slices.ContainsFunc(targets, func(t stack.Target) bool { return inside(t.Addr.Addr()) }) {
		return stack.Destination{}, sip.Refusef(403, "%s is in the core", r.Recipient.Host)
	}

	return stack.Destination{Targets: targets}, nil
}

// onwards is where a request within a dialog goes: along its Route, and at the end of that to the other party. Its address is in the
// core only if the party itself is, as an application server that has answered.
func (s *Server) onwards(ctx context.Context, r *sip.Request, calls []*call) (stack.Destination, error) {
	crossBorder(r, calls)

	if sip.Has(r, "Route") || slices.ContainsFunc(calls, func(c *call) bool { return c.leadsTo(r) }) {
		return stack.Destination{}, nil
	}

	return s.outside(ctx, r, s.Config.Border.Functions)
}

// crossBorder takes out of a message within a call with another network what is not for the other side of the border, whichever side
// it comes from.
func crossBorder(m sip.Message, calls []*call) {
	if slices.ContainsFunc(calls, (*call).isAbroad) {
		trust.Cross(m, trust.Core, trust.Foreign)
		trust.Cross(m, trust.Foreign, trust.Core)
	}
}

// Abroad tells a request within a call with another network: the other party sends it to this S-CSCF, which is in its route, from
// wherever it is.
func (s *Server) Abroad(r *sip.Request) bool {
	if _, tagged := r.To().Params.Get("tag"); !tagged {
		return false
	}

	routes, err := sip.Routes(r)
	if err != nil || len(routes) == 0 {
		return false
	}

	top, err := sip.ParseURI(routes[0].URI)
	if err != nil {
		return false
	}

	c := s.find(tokenOf(top.User))

	return c != nil && c.isAbroad()
}

// foreign tells a target outside the home network that is not trusted either.
func (s *Server) foreign(u sip.Uri) bool {
	return !within(u.Host, s.Config.HomeDomain) && !s.trusted(u.Host)
}

func (s *Server) trusted(host string) bool {
	return slices.ContainsFunc(s.Config.Border.Trusted, func(domain string) bool { return within(host, domain) })
}

func within(host, domain string) bool {
	host, domain = strings.ToLower(host), strings.ToLower(domain)
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// goesAbroad tells a request that this S-CSCF sends to a network that is not trusted.
func (s *Server) goesAbroad(out *sip.Request, sv *served) bool {
	return sv.side == originating && !s.ours(out.Recipient) && s.foreign(out.Recipient)
}

func (c *call) isAbroad() bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.abroad
}

// leadsTo reports whether a request goes to where the party that it is for said to be.
func (c *call) leadsTo(r *sip.Request) bool {
	c.mu.Lock()
	dialog := c.dialogOf(r)
	c.mu.Unlock()

	if dialog == nil {
		return false
	}

	from, known := dialog.From(r)
	if !known {
		return false
	}

	target, err := sip.ParseURI(dialog.Target(from.Other()))

	return err == nil && strings.EqualFold(target.Host, r.Recipient.Host) && target.Port == r.Recipient.Port
}
