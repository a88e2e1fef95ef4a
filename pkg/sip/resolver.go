package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// ErrNoTarget is the error of a name that does not exist, or has no address that we can reach.
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

// Resolver finds the targets of URIs (RFC 3263), remembers answers for their time to live, and which targets failed.
type Resolver struct {
	hosts   map[string][]netip.Addr
	servers []string
	client  *dns.Client
	avoid   time.Duration

	mu     sync.Mutex
	cache  map[question]answer
	failed map[Target]time.Time
}

type question struct {
	name string
	kind uint16
}

type answer struct {
	records []dns.RR
	err     error
	until   time.Time
}

const (
	maxCached   = 10_000
	maxAvoided  = 10_000
	maxLifetime = time.Hour
	negative    = 30 * time.Second // how long "there is none" is remembered
)

// NewResolver checks the configuration.
func NewResolver(c ResolverConfig) (*Resolver, error) {
	r := &Resolver{
		hosts: map[string][]netip.Addr{}, servers: c.Servers, client: &dns.Client{Timeout: c.Timeout}, avoid: c.Avoid,
		cache: map[question]answer{}, failed: map[Target]time.Time{},
	}

	for name, addresses := range c.Hosts {
		for _, text := range addresses {
			address, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("sip.resolver.hosts: %s: %w", name, err)
			}

			r.hosts[canonical(name)] = append(r.hosts[canonical(name)], address.Unmap())
		}
	}

	for _, server := range c.Servers {
		if _, _, err := net.SplitHostPort(server); err != nil {
			return nil, fmt.Errorf("sip.resolver.servers: %w", err)
		}
	}

	if len(r.servers) == 0 {
		if system, err := dns.ClientConfigFromFile("/etc/resolv.conf"); err == nil {
			for _, server := range system.Servers {
				r.servers = append(r.servers, net.JoinHostPort(server, system.Port))
			}
		}
	}

	return r, nil
}

func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// Resolve lists the targets of a URI, those that failed lately last.
func (r *Resolver) Resolve(ctx context.Context, u Uri) ([]Target, error) {
	if u.Scheme != "sip" && u.Scheme != "sips" {
		return nil, fmt.Errorf("%w: %s URIs have no host", ErrNoTarget, u.Scheme)
	}

	host := u.Host
	if maddr, ok := u.UriParams.Get("maddr"); ok && maddr != "" {
		host = maddr
	}

	transport, _ := u.UriParams.Get("transport")

	targets, err := r.targets(ctx, strings.Trim(host, "[]"), u.Port, strings.ToUpper(transport))
	if err != nil {
		return nil, err
	}

	return r.order(targets), nil
}

// targets is RFC 3263 §4.1 and §4.2.
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
		targets, err := r.services(ctx, host, transport)
		if err != nil || len(targets) > 0 {
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

// services are the targets that NAPTR and SRV records name.
func (r *Resolver) services(ctx context.Context, host, transport string) ([]Target, error) {
	type service struct{ name, transport string }

	var services []service

	if transport == "" {
		records, err := r.ask(ctx, host, dns.TypeNAPTR)
		if err != nil && !errors.Is(err, ErrNoTarget) {
			return nil, err
		}

		pointers := only[*dns.NAPTR](records)
		slices.SortFunc(pointers, func(a, b *dns.NAPTR) int {
			return int(a.Order)<<16 + int(a.Preference) - int(b.Order)<<16 - int(b.Preference)
		})

		for _, p := range pointers {
			switch strings.ToUpper(p.Service) {
			case "SIP+D2U":
				services = append(services, service{p.Replacement, "UDP"})
			case "SIP+D2T":
				services = append(services, service{p.Replacement, "TCP"})
			}
		}
	}

	if len(services) == 0 {
		for _, t := range []string{"UDP", "TCP"} {
			if transport == "" || transport == t {
				services = append(services, service{"_sip._" + strings.ToLower(t) + "." + host, t})
			}
		}
	}

	var targets []Target

	for _, s := range services {
		records, err := r.ask(ctx, s.name, dns.TypeSRV)
		if err != nil && !errors.Is(err, ErrNoTarget) {
			return nil, err
		}

		for _, srv := range weighted(only[*dns.SRV](records)) {
			addresses, err := r.addresses(ctx, srv.Target)
			if err == nil {
				targets = append(targets, r.at(addresses, int(srv.Port), s.transport)...)
			}
		}
	}

	return targets, nil
}

// weighted orders SRV records by priority and, within one, at random by weight (RFC 2782).
func weighted(records []*dns.SRV) []*dns.SRV {
	draw := make(map[*dns.SRV]float64, len(records))
	for _, srv := range records {
		draw[srv] = rand.ExpFloat64() / (float64(srv.Weight) + 0.01)
	}

	slices.SortFunc(records, func(a, b *dns.SRV) int {
		switch {
		case a.Priority != b.Priority:
			return int(a.Priority) - int(b.Priority)
		case draw[a] < draw[b]:
			return -1
		default:
			return 1
		}
	})

	return records
}

func (r *Resolver) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if addresses := r.hosts[canonical(host)]; len(addresses) > 0 {
		return addresses, nil
	}

	var all []netip.Addr

	v4, err4 := r.ask(ctx, host, dns.TypeA)
	for _, a := range only[*dns.A](v4) {
		if address, ok := netip.AddrFromSlice(a.A); ok {
			all = append(all, address.Unmap())
		}
	}

	v6, err6 := r.ask(ctx, host, dns.TypeAAAA)
	for _, a := range only[*dns.AAAA](v6) {
		if address, ok := netip.AddrFromSlice(a.AAAA); ok {
			all = append(all, address)
		}
	}

	if len(all) == 0 {
		if err4 != nil && !errors.Is(err4, ErrNoTarget) {
			return nil, err4
		}

		return nil, errors.Join(fmt.Errorf("%w: %s", ErrNoTarget, host), err6)
	}

	return all, nil
}

func only[T dns.RR](records []dns.RR) []T {
	var all []T

	for _, record := range records {
		if t, ok := record.(T); ok {
			all = append(all, t)
		}
	}

	return all
}

// ask puts one question to the servers in turn, or to the cache.
func (r *Resolver) ask(ctx context.Context, name string, kind uint16) ([]dns.RR, error) {
	q := question{canonical(name), kind}

	r.mu.Lock()
	known, found := r.cache[q]
	r.mu.Unlock()

	if found && time.Now().Before(known.until) {
		return known.records, known.err
	}

	if len(r.servers) == 0 {
		return nil, fmt.Errorf("%w: %s: no DNS server is configured", ErrNoTarget, name)
	}

	message := new(dns.Msg)
	message.SetQuestion(dns.Fqdn(name), kind)

	var failed error

	for _, server := range r.servers {
		reply, _, err := r.client.ExchangeContext(ctx, message, server)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}

		switch reply.Rcode {
		case dns.RcodeSuccess, dns.RcodeNameError:
			return r.remember(q, reply)
		default:
			failed = errors.Join(failed, fmt.Errorf("%s says %s", server, dns.RcodeToString[reply.Rcode]))
		}
	}

	return nil, fmt.Errorf("sip: DNS for %s: %w", name, failed)
}

func (r *Resolver) remember(q question, reply *dns.Msg) ([]dns.RR, error) {
	a := answer{records: reply.Answer, until: time.Now().Add(maxLifetime)}

	if len(a.records) == 0 {
		a.err = fmt.Errorf("%w: %s %s", ErrNoTarget, q.name, dns.TypeToString[q.kind])
		a.until = time.Now().Add(negative)
	}

	for _, record := range a.records {
		if until := time.Now().Add(time.Duration(record.Header().Ttl) * time.Second); until.Before(a.until) {
			a.until = until
		}
	}

	r.mu.Lock()
	defer r.mu.Unlock()

	if len(r.cache) >= maxCached {
		clear(r.cache)
	}

	r.cache[q] = a

	return a.records, a.err
}

// MarkFailed makes a target one of the last to be tried for some time.
func (r *Resolver) MarkFailed(t Target) {
	r.mu.Lock()
	defer r.mu.Unlock()

	if len(r.failed) >= maxAvoided {
		clear(r.failed)
	}

	r.failed[t] = time.Now().Add(r.avoid)
}

// Avoids tells whether a target failed lately.
func (r *Resolver) Avoids(t Target) bool {
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
		if now.Before(r.failed[t]) {
			bad = append(bad, t)
		} else {
			good = append(good, t)
		}
	}

	return append(good, bad...)
}

// String is for logs.
func (t Target) String() string {
	return t.Transport + " " + t.Addr.Addr().String() + " port " + strconv.Itoa(int(t.Addr.Port()))
}
