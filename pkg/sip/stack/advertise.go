package stack

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// validate refuses settings that cannot work. An unspecified address (all of the machine's) is none that others could answer to, so Via,
// Record-Route, Path and Contact need another (RFC 3261 §18.1.1).
func (c *EndpointConfig) validate() error {
	switch {
	case c.Name == "":
		return errors.New("sip.endpoints: an endpoint has no name")
	case len(c.Transports) == 0:
		return fmt.Errorf("sip.endpoints: %s has no transports", c.Name)
	case slices.ContainsFunc(c.Transports, func(t string) bool { return t != "udp" && t != "tcp" }):
		return fmt.Errorf("sip.endpoints: %s: transports are udp and tcp, not %v", c.Name, c.Transports)
	}

	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return fmt.Errorf("sip.endpoints: %s: address: %w", c.Name, err)
	}

	ip, err := netip.ParseAddr(host)
	all := host == "" || err == nil && ip.IsUnspecified()

	switch {
	case c.Advertise == "" && all:
		return fmt.Errorf(
			"sip.endpoints: %s: address %q is every address of the machine: set advertise to the one that others reach",
			c.Name,
			c.Address,
		)
	case c.Advertise == "":
		return nil
	}

	told, err := parseAdvertised(c.Advertise)

	switch {
	case err != nil:
		return fmt.Errorf("sip.endpoints: %s: advertise: %w", c.Name, err)
	case told.Addr().IsUnspecified():
		return fmt.Errorf("sip.endpoints: %s: advertise: %s is nobody's address", c.Name, c.Advertise)
	case ip.IsValid() && ip.Unmap().Is4() != told.Addr().Is4():
		return fmt.Errorf("sip.endpoints: %s: advertise: %s is not of the IP version of address %s", c.Name, c.Advertise, c.Address)
	}

	return nil
}

// advertised returns the address that others are told for an endpoint bound to this one.
func (c *EndpointConfig) advertised(bound netip.AddrPort) netip.AddrPort {
	told, err := parseAdvertised(c.Advertise)

	switch {
	case err != nil: // not set: validate has refused any that cannot be read
		return bound
	case told.Port() == 0:
		return netip.AddrPortFrom(told.Addr(), bound.Port())
	default:
		return told
	}
}

// parseAdvertised reads an IP address with or without a port.
func parseAdvertised(text string) (netip.AddrPort, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(ip.Unmap(), 0), nil
	}

	told, err := netip.ParseAddrPort(text)

	return netip.AddrPortFrom(told.Addr().Unmap(), told.Port()), err
}
