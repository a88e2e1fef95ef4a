package session

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ims/trust"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/call"
)

// Border says which hosts are in the core, and which others are trusted like it.
type Border struct {
	// Trusted are domains of other networks, with their subdomains, and hosts that belong to the trust domain (TS 24.229 §4.4), wherever
	// they are.
	Trusted []string
	// Functions reports whether an address is one of this network's own functions, Core whether it is in the core, which is trusted.
	Functions, Core func(netip.Addr) bool
}

// routeAbroad returns the branch of a request to another network, without header fields for the trust domain alone. A name or address by
// which a user could reach into the core, at any of its ports, is refused.
func (s *Server) routeAbroad(ctx context.Context, r *sip.Request) (stack.Branch, error) {
	inside := s.config.Border.Core
	if inDomain(r.Recipient.Host, s.config.HomeDomain) { // such as an application server's own name
		inside = s.config.Border.Functions
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

// outside returns the destination of a Request-URI, unless it is inside. A name that cannot be resolved is left to the sending of the
// request.
func (s *Server) outside(ctx context.Context, r *sip.Request, inside func(netip.Addr) bool) (stack.Destination, error) {
	targets, err := s.stack.Resolver().Resolve(ctx, r.Recipient)
	if err != nil || inside == nil {
		return stack.Destination{}, nil
	}

	if slices.ContainsFunc(targets, func(t stack.Target) bool { return inside(t.Addr.Addr()) }) {
		return stack.Destination{}, sip.Refusef(403, "%s is in the core", r.Recipient.Host)
	}

	return stack.Destination{Targets: targets}, nil
}

// routeWithin returns where a request within a dialog goes: along its Route, and at the end of that to its Request-URI. That may be the
// address of one of this network's functions only if the other party gave it, as an application server that has answered does.
func (s *Server) routeWithin(ctx context.Context, r *sip.Request, within *call.Within) (stack.Destination, error) {
	crossBorder(r, within)

	if sip.Has(r, "Route") || within.LeadsToParty() {
		return stack.Destination{}, nil
	}

	return s.outside(ctx, r, s.config.Border.Functions)
}

// crossBorder removes from a message within a call with another network the header fields that are not for the other side of the border,
// whichever side it comes from.
func crossBorder(m sip.Message, within *call.Within) {
	if within.Abroad() {
		trust.Cross(m, trust.Core, trust.Foreign)
		trust.Cross(m, trust.Foreign, trust.Core)
	}
}

// Abroad reports whether a request is within a call with another network: the other party sends it to this S-CSCF, which is in its route,
// from anywhere.
func (s *Server) Abroad(r *sip.Request) bool {
	if _, tagged := r.To().Params.Get("tag"); !tagged {
		return false
	}

	routes, err := sip.Routes(r)
	if err != nil || len(routes) == 0 {
		return false
	}

	top, err := sip.ParseURI(routes[0].URI)

	return err == nil && s.calls.Abroad(top)
}

// fromAbroad reports whether a request came from an address outside the core.
func (s *Server) fromAbroad(tx *stack.ServerTransaction) bool {
	core := s.config.Border.Core
	return core != nil && !core(tx.Flow().Remote.Addr())
}

// crossesBorder reports whether the next hop of a request within a dialog is not trusted. An address, as in Record-Route, is in the core
// if the border says so.
func (s *Server) crossesBorder(r *sip.Request) bool {
	next := r.Recipient

	routes, err := sip.Routes(r)
	if err != nil {
		return true
	}

	if len(routes) > 0 {
		if next, err = sip.ParseURI(routes[0].URI); err != nil {
			return true
		}

		if a, err := netip.ParseAddr(strings.Trim(next.Host, "[]")); err == nil {
			return s.config.Border.Core != nil && !s.config.Border.Core(a.Unmap()) && !s.trusted(next.Host)
		}
	}

	return s.foreign(next)
}

// foreign reports whether a target is outside the home network and not trusted either.
func (s *Server) foreign(u sip.Uri) bool {
	return !inDomain(u.Host, s.config.HomeDomain) && !s.trusted(u.Host)
}

func (s *Server) trusted(host string) bool {
	return slices.ContainsFunc(s.config.Border.Trusted, func(domain string) bool { return inDomain(host, domain) })
}

func inDomain(host, domain string) bool {
	host, domain = strings.ToLower(host), strings.ToLower(domain)
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// goesAbroad reports whether this S-CSCF sends a request to a network that is not trusted.
func (s *Server) goesAbroad(out *sip.Request, sv *served) bool {
	return sv.side == call.Originating && !s.ours(out.Recipient) && s.foreign(out.Recipient)
}
