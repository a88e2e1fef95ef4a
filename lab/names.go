package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/lab/internal/names"
	"github.com/dialtone-ims/dialtone/lab/internal/nameserver"
	"github.com/dialtone-ims/dialtone/lab/internal/scenario"
	"github.com/dialtone-ims/dialtone/lab/internal/zone"
)

const (
	dnsPort     = 53
	refreshTime = 5 * time.Second // between two polls of the subscribers
)

// nameservers are the addresses of a name server.
type nameservers []netip.AddrPort

// Set adds an address, with or without a port.
func (n *nameservers) Set(text string) error {
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		var address netip.Addr
		if address, err = parseAddress(text); err != nil {
			return err
		}

		at = netip.AddrPortFrom(address, dnsPort)
	}

	if at.Addr().IsUnspecified() {
		return errors.New("a name server says in its zones where it is: one address of this machine")
	}

	*n = append(*n, at)

	return nil
}

// String returns the addresses for the help.
func (n *nameservers) String() string {
	var all []string
	for _, at := range *n {
		all = append(all, at.String())
	}

	return strings.Join(all, ",")
}

// Type returns the type for the help.
func (n *nameservers) Type() string { return "address" }

func (n *nameservers) addresses() (all []netip.Addr) {
	for _, at := range *n {
		all = append(all, at.Addr())
	}

	return all
}

// naming is a running name server and the follower of its zones; without a server it does nothing.
type naming struct {
	at       nameservers
	server   *nameserver.Server
	follower *names.Follower
	cancel   context.CancelFunc
	running  sync.WaitGroup
	ended    chan struct{} // closed when the server has ended
	failed   error         // why, once ended
}

// serve starts a name server for a network.
func serve(plan zone.Plan, at nameservers, read names.Read, refresh time.Duration, say func(string)) (*naming, error) {
	server, err := nameserver.Listen(at)
	if err != nil {
		return nil, err
	}

	n := &naming{at: server.Addresses(), server: server, ended: make(chan struct{})}

	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel

	n.running.Go(func() {
		n.failed = server.Run(ctx)
		close(n.ended)
	})

	put := func(zones []*zone.Zone) error { server.Put(zones); return nil }
	if n.follower, err = names.Follow(plan, read, refresh, put, say); err != nil {
		return nil, errors.Join(err, n.stop())
	}

	return n, nil
}

// serveNames starts the lab's own name server, if it is to have one, and makes its functions use it.
func serveNames(s *scenario.Scenario, at nameservers) (*naming, error) {
	if len(at) == 0 {
		return &naming{}, nil
	}

	plan := s.Place.Names(s.Network, at.addresses()...)

	n, err := serve(plan, at, scenario.Numbers(), refreshTime, func(line string) { fmt.Fprintf(s.Out, "  %s\n", line) })
	if err != nil {
		return nil, err
	}

	s.Place.Nameservers, s.Provisioned = n.at, n.follower.Again

	fmt.Fprintf(s.Out, "The name server at %s answers for %s\n", n.at.String(), zones(plan))

	return n, nil
}

// zones lists the zones of a network for people.
func zones(plan zone.Plan) string {
	var all []string
	for _, origin := range zone.Origins(plan.Domain) {
		all = append(all, strings.TrimSuffix(origin, "."))
	}

	return strings.Join(all, ", ")
}

// tell reports a server that has ended by itself.
func (n *naming) tell(fail func(error)) {
	if n.ended == nil {
		return
	}

	if <-n.ended; n.failed != nil {
		fail(n.failed)
	}
}

// follow makes the zones follow the subscribers until ctx ends.
func (n *naming) follow(ctx context.Context) {
	if n.follower != nil {
		n.running.Go(func() { n.follower.Run(ctx) })
	}
}

// report prints what was looked up so far.
func (n *naming) report(out io.Writer) {
	if n.server == nil {
		return
	}

	fmt.Fprint(out, "\nWhat was looked up, and found\n\n")

	for _, l := range n.server.Lookups() {
		fmt.Fprintf(out, "  %-6s %-62s %s\n", l.Type, l.Name, l.Answer)
	}
}

// stop stops the server. The context of follow must end before.
func (n *naming) stop() error {
	if n.cancel == nil {
		return nil
	}

	n.cancel()
	n.running.Wait()

	return n.failed
}

// lookingUp returns how to ask the lab for names.
func lookingUp(o options, enter string) string {
	if len(o.dns) == 0 {
		return ""
	}

	at := o.dns[0]
	port := ""

	if at.Port() != dnsPort {
		port = fmt.Sprintf(" -p %d", at.Port())
	}

	return fmt.Sprintf("  names                          %sdig @%s%s pcscf.%s NAPTR\n", enter, at.Addr(), port, o.network.Domain())
}
