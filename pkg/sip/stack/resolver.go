package stack

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/dialtone-ims/dialtone/pkg/lookup"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// ErrNoTarget is the error for a name that does not exist, or has no address that we can reach.
var ErrNoTarget = errors.New("sip: there is no such host")

// ResolverConfig says where names are looked up.
type ResolverConfig struct {
	Servers []string            `yaml:"servers"` // DNS servers as ip:port; without any, those of the system
	Hosts   map[string][]string `yaml:"hosts"`   // names with their addresses, asked before DNS
	Timeout time.Duration       `yaml:"timeout"` // for one question
	Avoid   time.Duration       `yaml:"avoid"`   // how long a target that failed is tried last
}

// DefaultResolverConfig asks the system's servers.
func DefaultResolverConfig() ResolverConfig {
	return ResolverConfig{Hosts: map[string][]string{}, Timeout: 2 * time.Second, Avoid: 2 * time.Minute}
}

// Target is one address that a request can be sent to.
type Target struct {
	Transport string // "UDP" or "TCP"
	Addr      netip.AddrPort
}

// asker asks DNS; it is a *lookup.Client.
type asker interface {
	Ask(ctx context.Context, name string, kind uint16) ([]dns.RR, error)
}

// Resolver finds the targets of URIs (RFC 3263), and remembers which of them failed.
type Resolver struct {
	hosts map[string][]netip.Addr
	dns   asker
	avoid time.Duration

	mu     sync.Mutex
	failed map[Target]time.Time // without a transport: failed over all of them
}

const maxAvoided = 10_000

// NewResolver returns a resolver, or an error if the configuration cannot work.
func NewResolver(c ResolverConfig) (*Resolver, error) {
	if c.Timeout <= 0 || c.Avoid < 0 {
		return nil, errors.New("sip.resolver: timeout must be positive, avoid not negative")
	}

	r := &Resolver{hosts: map[string][]netip.Addr{}, avoid: c.Avoid, failed: map[Target]time.Time{}}

	for name, addresses := range c.Hosts {
		for _, text := range addresses {
			address, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("sip.resolver.hosts: %s: %w", name, err)
			}

			r.hosts[canonical(name)] = append(r.hosts[canonical(name)], address.Unmap())
		}
	}

	var err error
	if r.dns, err = lookup.New(c.Servers, c.Timeout); err != nil {
		return nil, fmt.Errorf("sip.resolver.servers: %w", err)
	}

	return r, nil
}

func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// Resolve returns the targets of a URI; those that failed lately come last.
func (r *Resolver) Resolve(ctx context.Context, u sip.Uri) ([]Target, error) {
	if u.Scheme != "sip" && u.Scheme != "sips" {
		return nil, fmt.Errorf("%w: %s URIs have no host", ErrNoTarget, u.Scheme)
	}

	host := u.Host
	if maddr, ok := u.UriParams.Get("maddr"); ok && maddr != "" {
		host = maddr
	}

	transport, _ := u.UriParams.Get("transport")

	if u.Scheme == "sips" { // RFC 3261 §26.2.2: over TLS, or not at all
		return nil, fmt.Errorf("%w: sips URIs need TLS, which is not spoken here", ErrNoTarget)
	}

	targets, err := r.targets(ctx, strings.Trim(host, "[]"), u.Port, strings.ToUpper(transport))
	if err != nil {
		return nil, err
	}

	return r.order(targets), nil
}

// targets does RFC 3263 §4.1 and §4.2.
func (r *Resolver) targets(ctx context.Context, host string, port int, transport string) ([]Target, error) {
	if transport != "" && transport != "UDP" && transport != "TCP" {
		return nil, fmt.Errorf("%w: transport %s is not spoken here", ErrNoTarget, transport)
	}

	chosen := transport
	if chosen == "" {
		chosen = "UDP"
	}

	numeric, err := netip.ParseAddr(host)
	if err == nil {
		return r.at([]netip.Addr{numeric.Unmap()}, port, chosen), nil
	}

	if addresses := r.hosts[canonical(host)]; len(addresses) > 0 {
		return r.at(addresses, port, chosen), nil
	}

	if port == 0 {
		targets, found, err := r.services(ctx, host, transport)
		if err != nil || found {
			return targets, err
		}
	}

	addresses, err := r.addresses(ctx, host)
	if err != nil {
		return nil, err
	}

	return r.at(addresses, port, chosen), nil
}

func (r *Resolver) at(addresses []netip.Addr, port int, transport string) []Target {
	if port == 0 {
		port = 5060
	}

	targets := make([]Target, len(addresses))
	for i, address := range addresses {
		targets[i] = Target{Transport: transport, Addr: netip.AddrPortFrom(address, uint16(port))}
	}

	return targets
}

// MarkFailed makes a target one of the last to be tried for some time.
func (r *Resolver) MarkFailed(t Target) { r.mark(t, r.avoid) }

func (r *Resolver) mark(t Target, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()

	if len(r.failed) >= maxAvoided {
		clear(r.failed)
	}

	r.failed[t] = time.Now().Add(wait)
}

// markBusy makes a server that answered 503 one of the last to be tried, over whatever transport, for the time of its Retry-After;
// without one it does nothing (RFC 3261 §21.5.4).
func (r *Resolver) markBusy(server netip.AddrPort, refused *sip.Response) {
	const longest = uint32(3600)

	text, _, _ := strings.Cut(sip.Value(refused, "Retry-After"), ";")
	text, _, _ = strings.Cut(text, "(")

	if wait := min(sip.Seconds(text, 0), longest); wait > 0 {
		r.mark(Target{Addr: server}, time.Duration(wait)*time.Second)
	}
}

// avoids reports whether a target failed lately.
func (r *Resolver) avoids(t Target) bool {
	r.mu.Lock()
	defer r.mu.Unlock()

	until, failed := r.failed[t]

	return failed && time.Now().Before(until)
}

func (r *Resolver) order(targets []Target) []Target {
	if len(targets) < 2 {
		return targets
	}

	r.mu.Lock()
	defer r.mu.Unlock()

	now := time.Now()

	var good, bad []Target

	for _, t := range targets {
		if now.Before(r.failed[t]) || now.Before(r.failed[Target{Addr: t.Addr}]) {
			bad = append(bad, t)
		} else {
			good = append(good, t)
		}
	}

	return append(good, bad...)
}

// String returns the target as text for logs.
func (t Target) String() string {
	return t.Transport + " " + t.Addr.Addr().String() + " port " + strconv.Itoa(int(t.Addr.Port()))
}
