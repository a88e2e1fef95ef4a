package lookup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dialtone-ims/dialtone/test/nameserver"
)

func client(t *testing.T, timeout time.Duration, servers ...*nameserver.Server) *Client {
	t.Helper()

	var addresses []string
	for _, s := range servers {
		addresses = append(addresses, s.Address)
	}

	c, err := New(addresses, timeout)
	if err != nil {
		t.Fatal(err)
	}

	return c
}

// Against a server on the wire.
func TestAsk(t *testing.T) {
	zone := []string{
		"example. 300 IN SOA ns.example. admin.example. 1 2 3 4 60",
		"a.example. 300 IN A 192.0.2.1",
		"alias.example. 300 IN CNAME a.example.",
		"dangling.example. 300 IN CNAME nobody.example.",
		"broken.example. 300 IN A 192.0.2.9",
		"dropped.example. 300 IN A 192.0.2.9",
	}
	for i := range 100 {
		zone = append(zone, fmt.Sprintf("many.example. 300 IN A 192.0.2.%d", i+1))
	}

	server := nameserver.Start(t, zone...)
	server.Deny("broken.example", dns.RcodeServerFailure)
	server.Drop("dropped.example")
	c := client(t, 300*time.Millisecond, server)

	tests := []struct {
		name, host string
		kind       uint16
		want       int
		none       bool
		err        string
	}{
		{name: "one", host: "a.example", kind: dns.TypeA, want: 1},
		{name: "in other letters, with a dot", host: "A.Example.", kind: dns.TypeA, want: 1},
		{name: "behind an alias", host: "alias.example", kind: dns.TypeA, want: 1},
		{name: "RFC 7766 §5 too many for a datagram", host: "many.example", kind: dns.TypeA, want: 100},
		{name: "none of this kind", host: "a.example", kind: dns.TypeAAAA, none: true},
		{name: "an alias of nothing", host: "dangling.example", kind: dns.TypeA, none: true},
		{name: "no such name", host: "nobody.example", kind: dns.TypeA, none: true},
		{name: "the server fails", host: "broken.example", kind: dns.TypeA, err: "SERVFAIL"},
		{name: "the server says nothing", host: "dropped.example", kind: dns.TypeA, err: "timeout"},
		{name: "no name", host: "a..example", kind: dns.TypeA, none: true, err: "no name"},
		{name: "too long a label", host: strings.Repeat("a", 64) + ".example", kind: dns.TypeA, none: true, err: "no name"},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			records, err := c.Ask(t.Context(), test.host, test.kind)

			if got := 0; test.want > 0 {
				for range Only[*dns.A](records) {
					got++
				}
				if err != nil || got != test.want {
					t.Errorf("%d records, %v; want %d", got, err, test.want)
				}
				return
			}

			if err == nil || errors.Is(err, ErrNone) != test.none || !strings.Contains(err.Error(), test.err) || records != nil {
				t.Errorf("%v, %v", records, err)
			}
		})
	}
}

// A silent server is asked last for some time, so that not every question waits for it.
func TestServersInTurn(t *testing.T) {
	first, second := nameserver.Start(
		t,
		"a.example. 300 IN A 192.0.2.1",
	), nameserver.Start(
		t,
		"b.example. 300 IN A 192.0.2.2",
		"c.example. 300 IN A 192.0.2.3",
	)
	first.Drop("b.example")
	c := client(t, 300*time.Millisecond, first, second)

	for _, host := range []string{"b.example", "c.example"} {
		if records, err := c.Ask(t.Context(), host, dns.TypeA); err != nil || len(records) != 1 {
			t.Errorf("%s: %v %v", host, records, err)
		}
	}

	if n := first.Asked("c.example", "A"); n != 0 {
		t.Errorf("the server that was silent was asked %d times first", n)
	}
}

// old is a server without EDNS (RFC 6891 §7).
type old struct{ asked int }

func (o *old) ExchangeContext(_ context.Context, q *dns.Msg, _ string) (*dns.Msg, time.Duration, error) {
	o.asked++
	m := new(dns.Msg).SetReply(q)

	if q.IsEdns0() != nil {
		m.Rcode = dns.RcodeFormatError
		return m, 0, nil
	}

	m.Answer = []dns.RR{record("a.example. 300 IN A 192.0.2.1")}

	return m, 0, nil
}

func record(line string) dns.RR {
	r, err := dns.NewRR(line)
	if err != nil {
		panic(err)
	}

	return r
}

func TestServerWithoutEDNS(t *testing.T) {
	server := &old{}
	c := &Client{servers: []string{"old:53"}, udp: server, memory: newMemory()}

	if records, err := c.Ask(t.Context(), "a.example", dns.TypeA); err != nil || len(records) != 1 || server.asked != 2 {
		t.Errorf("%v %v after %d questions", records, err, server.asked)
	}
}

// scripted gives the replies that it is told to, and counts.
type scripted struct {
	reply func(*dns.Msg) error
	wait  time.Duration

	mu    sync.Mutex
	asked int
}

func (s *scripted) ExchangeContext(_ context.Context, q *dns.Msg, _ string) (*dns.Msg, time.Duration, error) {
	s.mu.Lock()
	s.asked++
	s.mu.Unlock()
	time.Sleep(s.wait)

	m := new(dns.Msg).SetReply(q)
	err := s.reply(m)

	return m, 0, err
}

// What is cached, and for how long.
func TestLifetimes(t *testing.T) {
	soa := "example. 300 IN SOA ns.example. admin.example. 1 2 3 4 "

	tests := []struct {
		name  string
		reply func(*dns.Msg) error
		life  time.Duration
	}{
		{"its TTL", func(m *dns.Msg) error { m.Answer = []dns.RR{record("a.example. 17 IN A 192.0.2.1")}; return nil }, 17 * time.Second},
		{"the shortest TTL, of an alias too", func(m *dns.Msg) error {
			m.Answer = []dns.RR{
				record("a.example. 9 IN CNAME b.example."),
				record("b.example. 17 IN A 192.0.2.1"),
				record("b.example. 15 IN A 192.0.2.2"),
			}
			return nil
		}, 9 * time.Second},
		{"TTL 0: not at all", func(m *dns.Msg) error { m.Answer = []dns.RR{record("a.example. 0 IN A 192.0.2.1")}; return nil }, 0},
		{
			"not longer than an hour",
			func(m *dns.Msg) error { m.Answer = []dns.RR{record("a.example. 864000 IN A 192.0.2.1")}; return nil },
			time.Hour,
		},
		{
			"RFC 2308 §5 none, by the zone's minimum",
			func(m *dns.Msg) error { m.Rcode = dns.RcodeNameError; m.Ns = []dns.RR{record(soa + "60")}; return nil },
			time.Minute,
		},
		{
			"RFC 2308 §5 none, by the TTL of the SOA",
			func(m *dns.Msg) error { m.Ns = []dns.RR{record(soa + "3600")}; return nil },
			5 * time.Minute,
		},
		{"none, not longer than five minutes", func(m *dns.Msg) error {
			m.Ns = []dns.RR{record("example. 86400 IN SOA ns.example. admin.example. 1 2 3 4 86400")}
			return nil
		}, 5 * time.Minute},
		{"none, and no SOA", func(m *dns.Msg) error { m.Rcode = dns.RcodeNameError; return nil }, 30 * time.Second},
		{"RFC 2308 §7 a failure", func(m *dns.Msg) error { m.Rcode = dns.RcodeServerFailure; return nil }, 5 * time.Second},
		{"no answer", func(*dns.Msg) error { return errors.New("timeout") }, 5 * time.Second},
		{"an answer to another question", func(m *dns.Msg) error { m.Question[0].Name = "b.example."; return nil }, 5 * time.Second},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &scripted{reply: test.reply}
				c := &Client{servers: []string{"x:53"}, udp: server, memory: newMemory()}

				ask := func(want int) {
					t.Helper()
					_, _ = c.Ask(t.Context(), "a.example", dns.TypeA)
					if server.asked != want {
						t.Errorf("the server was asked %d times, want %d", server.asked, want)
					}
				}

				ask(1)
				if test.life == 0 {
					ask(2)
					return
				}
				time.Sleep(test.life - time.Millisecond)
				ask(1)
				time.Sleep(time.Millisecond)
				ask(2)
			})
		})
	}
}

// Equal questions at the same time are sent once, and a caller that gives up does not affect the others.
func TestQuestionsAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &scripted{
			wait:  time.Second,
			reply: func(m *dns.Msg) error { m.Answer = []dns.RR{record("a.example. 17 IN A 192.0.2.1")}; return nil },
		}
		c := &Client{servers: []string{"x:53"}, udp: server, memory: newMemory()}

		hasty, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()

		var group sync.WaitGroup
		group.Go(func() {
			if _, err := c.Ask(hasty, "a.example", dns.TypeA); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNone) {
				t.Errorf("the hasty one gets %v", err)
			}
		})
		synctest.Wait()
		for range 20 {
			group.Go(func() {
				if records, err := c.Ask(t.Context(), "A.example", dns.TypeA); err != nil || len(records) != 1 {
					t.Errorf("%v %v", records, err)
				}
			})
		}
		group.Wait()

		if server.asked != 1 {
			t.Errorf("the server was asked %d times", server.asked)
		}
	})
}

// Names chosen by others do not make the cache grow without bound.
func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &scripted{reply: func(m *dns.Msg) error { m.Rcode = dns.RcodeNameError; return nil }}
		c := &Client{servers: []string{"x:53"}, udp: server, memory: newMemory()}

		for i := range 2*capacity + capacity/2 {
			_, _ = c.Ask(t.Context(), fmt.Sprintf("%d.example", i), dns.TypeA)
			if i == capacity {
				time.Sleep(negativeLife)
			}
		}
		if n := len(c.memory.answers); n > capacity || n < capacity/2 {
			t.Errorf("%d answers are remembered", n)
		}
	})
}

func TestServersAreChecked(t *testing.T) {
	if _, err := New([]string{"192.0.2.1"}, time.Second); err == nil {
		t.Error("a server without a port is taken")
	}
}
