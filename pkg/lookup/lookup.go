// Package lookup queries DNS servers, and caches their answers for as long as they allow.
package lookup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/singleflight"
)

// ErrNone is returned for a name that does not exist, or has no records of the requested kind.
var ErrNone = errors.New("DNS has no such records")

// exchanger sends one question to one server.
type exchanger interface {
	ExchangeContext(ctx context.Context, question *dns.Msg, server string) (*dns.Msg, time.Duration, error)
}

// Client asks servers in order. Equal questions at the same time are sent once.
type Client struct {
	servers []string
	timeout time.Duration
	udp     exchanger
	tcp     exchanger
	flights singleflight.Group
	memory  memory
}

// datagram is how many octets a datagram may have on any path without fragmentation.
const datagram = 1232

// New returns a client of servers, each ip:port; without any, of the system's. The timeout is for one question to one server.
func New(servers []string, timeout time.Duration) (*Client, error) {
	for _, server := range servers {
		if _, _, err := net.SplitHostPort(server); err != nil {
			return nil, err
		}
	}

	if len(servers) == 0 {
		if system, err := dns.ClientConfigFromFile("/etc/resolv.conf"); err == nil {
			for _, server := range system.Servers {
				servers = append(servers, net.JoinHostPort(server, system.Port))
			}
		}
	}

	return &Client{
		servers: servers, timeout: timeout,
		udp: &dns.Client{Timeout: timeout}, tcp: &dns.Client{Net: "tcp", Timeout: timeout},
		memory: newMemory(),
	}, nil
}

// Ask returns the records of this name and kind, and the aliases that lead to them. ErrNone means that there are none; any other error,
// that no server gave an answer.
func (c *Client) Ask(ctx context.Context, name string, kind uint16) ([]dns.RR, error) {
	q := question{strings.ToLower(dns.Fqdn(name)), kind}

	if _, ok := dns.IsDomainName(q.name); !ok {
		return nil, fmt.Errorf("%w: %q is no name", ErrNone, name)
	}

	if a, known := c.memory.recall(q); known {
		return a.records, a.err
	}

	if len(c.servers) == 0 {
		return nil, fmt.Errorf("%w: %s: no DNS server is configured", ErrNone, name)
	}

	// The first caller may go away while others wait for the same answer.
	flight := c.flights.DoChan(q.String(), func() (any, error) {
		a := c.ask(context.WithoutCancel(ctx), q)
		c.memory.store(q, a)

		return a, nil
	})

	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("DNS for %s: %w", q, ctx.Err())
	case landed := <-flight:
		a := landed.Val.(answer)

		return a.records, a.err
	}
}

// ask sends a question to the servers in turn, those that were recently silent last.
func (c *Client) ask(ctx context.Context, q question) answer {
	var failed error

	for _, server := range c.memory.order(c.servers) {
		reply, err := c.exchange(ctx, q, server)
		if err == nil {
			return parse(q, reply)
		}

		c.memory.avoid(server)
		failed = errors.Join(failed, fmt.Errorf("%s: %w", server, err))
	}

	return answer{err: fmt.Errorf("DNS for %s: %w", q, failed), life: failureLife}
}

// exchange returns a reply to the question, over TCP if it does not fit in a datagram (RFC 7766 §5).
func (c *Client) exchange(ctx context.Context, q question, server string) (*dns.Msg, error) {
	m := new(dns.Msg)
	m.SetQuestion(q.name, q.kind)
	m.SetEdns0(datagram, false)

	reply, _, err := c.udp.ExchangeContext(ctx, m, server)
	if err == nil && reply.Truncated {
		reply, _, err = c.tcp.ExchangeContext(ctx, m, server)
	}

	if err == nil && reply.Rcode == dns.RcodeFormatError && reply.IsEdns0() == nil { // RFC 6891 §7: a server without EDNS
		m.Extra = nil
		if reply, _, err = c.udp.ExchangeContext(ctx, m, server); err == nil && reply.Truncated {
			reply, _, err = c.tcp.ExchangeContext(ctx, m, server)
		}
	}

	switch {
	case err != nil:
		return nil, err
	case !reply.Response || len(reply.Question) != 1 || !strings.EqualFold(reply.Question[0].Name, q.name) ||
		reply.Question[0].Qtype != q.kind:
		return nil, errors.New("the reply is of another question")
	case reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError:
		return nil, errors.New(dns.RcodeToString[reply.Rcode])
	default:
		return reply, nil
	}
}

// Only returns the records of one type.
func Only[T dns.RR](records []dns.RR) []T {
	var all []T

	for _, record := range records {
		if t, ok := record.(T); ok {
			all = append(all, t)
		}
	}

	return all
}
