package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/dialtone-ims/dialtone/pkg/lookup"
)

// service is the name of SRV records, and their transport.
type service struct{ name, transport string }

// The records of a domain are under its owner's control, and the domain may be one that a stranger named: only the first of its services
// and hosts are looked up.
const (
	mostServices = 8
	mostHosts    = 16 // of all services together
	mostTargets  = 64
)

// services returns the targets that NAPTR and SRV records name (RFC 3263 §4.1, §4.2). Without SRV records found is false, and the host's
// own addresses count.
func (r *Resolver) services(ctx context.Context, host, transport string) (targets []Target, found bool, err error) {
	services, err := r.pointers(ctx, host, transport)
	if err != nil {
		return nil, false, err
	}

	if len(services) == 0 {
		for _, t := range []string{"UDP", "TCP"} {
			if transport == "" || transport == t {
				services = append(services, service{"_sip._" + strings.ToLower(t) + "." + host, t})
			}
		}
	}

	var failed error // a lookup that failed counts once nothing else does

	hosts := 0

	for _, s := range services {
		records, err := r.dns.Ask(ctx, s.name, dns.TypeSRV)
		if err != nil {
			if !errors.Is(err, lookup.ErrNone) {
				failed = errors.Join(failed, err)
			}

			continue
		}

		found = true

		for _, srv := range weighted(lookup.Only[*dns.SRV](records)) {
			if srv.Target == "." { // RFC 2782: the service is decidedly not there
				continue
			}

			if hosts++; hosts > mostHosts || len(targets) >= mostTargets {
				break
			}

			addresses, err := r.addresses(ctx, srv.Target)
			if err != nil {
				if !errors.Is(err, ErrNoTarget) {
					failed = errors.Join(failed, err)
				}

				continue
			}

			targets = append(targets, r.at(addresses, int(srv.Port), s.transport)...)
		}
	}

	switch {
	case len(targets) > 0:
		return targets, true, nil
	case failed != nil:
		return nil, false, fmt.Errorf("sip: %w", failed)
	case found:
		return nil, true, fmt.Errorf("%w: %s: SRV records, and none with an address", ErrNoTarget, host)
	default:
		return nil, false, nil
	}
}

// pointers returns the services that NAPTR records name, for the transports in use here (§4.1). They are not looked up when the URI has
// its transport.
func (r *Resolver) pointers(ctx context.Context, host, transport string) (services []service, err error) {
	if transport != "" {
		return nil, nil
	}

	records, err := r.dns.Ask(ctx, host, dns.TypeNAPTR)
	if err != nil && !errors.Is(err, lookup.ErrNone) {
		return nil, fmt.Errorf("sip: %w", err)
	}

	pointers := lookup.Only[*dns.NAPTR](records)
	slices.SortStableFunc(pointers, func(a, b *dns.NAPTR) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Preference, b.Preference))
	})

	for _, p := range pointers {
		if !strings.EqualFold(p.Flags, "s") {
			continue
		}

		s := service{name: strings.ToLower(p.Replacement)}

		switch strings.ToUpper(p.Service) {
		case "SIP+D2U":
			s.transport = "UDP"
		case "SIP+D2T":
			s.transport = "TCP"
		default:
			continue
		}

		if !slices.Contains(services, s) {
			services = append(services, s)
		}
	}

	return services[:min(len(services), mostServices)], nil
}

// weighted orders SRV records by priority and, within one, at random by weight (RFC 2782).
func weighted(records []*dns.SRV) []*dns.SRV {
	const unlikely = 0.01 // for a weight of 0, which has a small chance

	draw := make(map[*dns.SRV]float64, len(records))
	for _, srv := range records {
		draw[srv] = rand.ExpFloat64() / (float64(srv.Weight) + unlikely)
	}

	slices.SortFunc(records, func(a, b *dns.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(draw[a], draw[b]))
	})

	return records
}

// addresses returns the addresses of a host: those of IPv4, then those of IPv6. The sender uses those that one of its endpoints reaches.
func (r *Resolver) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if addresses := r.hosts[canonical(host)]; len(addresses) > 0 {
		return addresses, nil
	}

	var (
		all    []netip.Addr
		failed error
	)

	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		records, err := r.dns.Ask(ctx, host, kind)
		if err != nil && !errors.Is(err, lookup.ErrNone) {
			failed = errors.Join(failed, err)
		}

		for _, record := range records {
			var ip []byte

			switch record := record.(type) {
			case *dns.A:
				ip = record.A
			case *dns.AAAA:
				ip = record.AAAA
			}

			if address, ok := netip.AddrFromSlice(ip); ok && len(all) < mostTargets {
				all = append(all, address.Unmap())
			}
		}
	}

	switch {
	case len(all) > 0:
		return all, nil
	case failed != nil:
		return nil, fmt.Errorf("sip: %w", failed)
	default:
		return nil, fmt.Errorf("%w: %s", ErrNoTarget, host)
	}
}
