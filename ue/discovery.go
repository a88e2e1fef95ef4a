package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// labProxy is the address of the lab's P-CSCF.
const labProxy = "127.0.0.10:5060"

// dnsPort is the port of a name server that is given without one, as the lab's is (RFC 1035 §4.2).
const dnsPort = 53

// discover finds the P-CSCF (TS 24.229 §9.2.1): at its address, or by its name in DNS (RFC 3263 §4). A handset with only its home network
// domain derives the name. The result is of the same family as the handset's own address.
func (o options) discover(ctx context.Context, own netip.Addr) (stack.Target, error) {
	transport := strings.ToUpper(o.transport)
	if transport != "" && transport != "UDP" && transport != "TCP" {
		return stack.Target{}, fmt.Errorf("--transport: %q is neither udp nor tcp", o.transport)
	}

	name := o.proxy
	if name == "" && len(o.nameservers) > 0 {
		name = "pcscf." + o.domain
	}

	if at, err := netip.ParseAddrPort(cmp.Or(name, labProxy)); err == nil {
		return stack.Target{Transport: cmp.Or(transport, "UDP"), Addr: at}, nil
	}

	if o.namespace != "" { // whose DNS is another
		return stack.Target{}, errors.New("--pcscf: with --netns it has to be an address")
	}

	text := "sip:" + name
	if transport != "" {
		text += ";transport=" + strings.ToLower(transport)
	}

	uri, err := sip.ParseURI(text)
	if err != nil || uri.Host == "" || uri.User != "" {
		return stack.Target{}, fmt.Errorf("--pcscf: %q is neither an address with its port nor a name", name)
	}

	c := stack.DefaultResolverConfig()

	for _, server := range o.nameservers {
		if address, err := netip.ParseAddr(strings.Trim(server, "[]")); err == nil {
			server = netip.AddrPortFrom(address, dnsPort).String()
		}

		c.Servers = append(c.Servers, server)
	}

	resolver, err := stack.NewResolver(c)
	if err != nil {
		return stack.Target{}, fmt.Errorf("--dns: %w", err)
	}

	targets, err := resolver.Resolve(ctx, uri)
	if err != nil {
		return stack.Target{}, fmt.Errorf("--pcscf %s: %w", name, err)
	}

	for _, t := range targets {
		if t.Addr.Addr().Is4() == own.Unmap().Is4() {
			say("P-CSCF " + t.String())
			return t, nil
		}
	}

	return stack.Target{}, fmt.Errorf("--pcscf %s: it has no address of the family of --address", name)
}
