package stack

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Passer passes on a response that no transaction takes. It may block.
type Passer func(ctx context.Context)

// stray handles a response that may belong to an INVITE of a process before this one. Only the handler can know; without a Passer from it
// the response is dropped (RFC 6026 §8.9).
func (s *Stack) stray(flow Flow, r *sip.Response) {
	s.metrics.unexpected.WithLabelValues(flow.Endpoint.name, "response").Inc()

	if s.strays == nil || methodOf(r) != "INVITE" || r.StatusCode == 100 {
		return
	}

	via := r.Via()
	if !s.Own(sip.Uri{Host: via.Host, Port: via.Port}) || !passable(r) {
		return
	}

	if pass := s.strays(flow, r); pass != nil {
		s.running.Go(func() { pass(s.ctx) })
	}
}

// Relay sends a response over this flow, outside any transaction.
func (s *Stack) Relay(ctx context.Context, r *sip.Response, flow Flow) error {
	return flow.Endpoint.transmit(ctx, flow, serialise(r))
}

// ResponseAddress returns the address that a response goes to by its topmost Via (RFC 3261 §18.2.2).
func ResponseAddress(via *sip.ViaHeader) (netip.AddrPort, error) {
	host := via.Host
	if received, given := via.Params.Get("received"); given {
		host = received
	}

	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("sip: Via: %w", err)
	}

	port := via.Port
	if rport, given := via.Params.Get("rport"); given && via.Transport == "UDP" {
		if n, err := strconv.ParseUint(rport, 10, 16); err == nil {
			port = int(n)
		}
	}

	if port <= 0 || port > 65535 {
		port = 5060
	}

	return netip.AddrPortFrom(address.Unmap(), uint16(port)), nil
}
