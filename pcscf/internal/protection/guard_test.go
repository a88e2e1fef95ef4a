package protection

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func address(text string) netip.Addr { return netip.MustParseAddr(text) }

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}

	return all
}

func with(change func(*Config)) *Guard {
	c := Default()
	if change != nil {
		change(&c)
	}

	return New(c, Options{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
}

func TestJudgement(t *testing.T) {
	scanner := Message{Source: address("192.0.2.1"), Request: true, UserAgent: "Friendly-Scanner v3"}
	handset := Message{Source: address("10.45.0.7"), Request: true, UserAgent: "iOS/17.1 iPhone"}
	stranger := Message{Source: address("198.51.100.7"), Request: true}

	for _, test := range []struct {
		name   string
		change func(*Config)
		m      Message
		want   Verdict
	}{
		{"by default all are heard", nil, handset, Pass},
		{"but scanners get no answer", nil, scanner, Drop},
		{"unless the list says so", func(c *Config) { c.UserAgents = []string{"other"} }, scanner, Pass},
		{"in the list of who may", func(c *Config) { c.Allow = prefixes("10.45.0.0/16") }, handset, Pass},
		{"not in it: 403", func(c *Config) { c.Allow = prefixes("10.45.0.0/16") }, stranger, Forbid},
		{"not in it, and a response: nothing", func(c *Config) { c.Allow = prefixes("10.45.0.0/16") }, Message{Source: stranger.Source}, Drop},
		{"in the list of who may not", func(c *Config) { c.Deny = prefixes("198.51.100.0/24") }, stranger, Forbid},
		{"in both", func(c *Config) { c.Allow, c.Deny = prefixes("0.0.0.0/0"), prefixes("198.51.100.0/24") }, stranger, Forbid},
		{
			"an emergency passes no access list",
			func(c *Config) { c.Deny = prefixes("198.51.100.0/24") },
			Message{Source: stranger.Source, Request: true, Emergency: true},
			Forbid,
		},
		{"IPv6", func(c *Config) { c.Allow = prefixes("2001:db8::/32") }, Message{Source: address("2001:db8::1"), Request: true}, Pass},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := with(test.change).Judge(test.m); got != test.want {
				t.Errorf("verdict %d, want %d", got, test.want)
			}
		})
	}
}

func limited(c *Config) { c.Requests, c.RegisteredRequests = 16, 32 }

func TestRate(t *testing.T) {
	stranger := Message{Source: address("198.51.100.7"), Request: true}

	judge := func(g *Guard, m Message, n int) (verdicts [4]int) {
		for range n {
			verdicts[g.Judge(m)]++
		}

		return verdicts
	}
	want := func(t *testing.T, got, want [4]int) {
		t.Helper()
		if got != want {
			t.Errorf("pass, drop, forbid, busy: %v, want %v", got, want)
		}
	}

	t.Run("16 in 2 s, then one answer, then none for 300 s", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := with(limited)
			want(t, judge(g, stranger, 20), [4]int{16, 3, 0, 1})
			if g.Refused(stranger) != Busy || len(g.Bans()) != 1 {
				t.Error("it is not banned")
			}
			time.Sleep(299 * time.Second)
			want(t, judge(g, stranger, 1), [4]int{0, 1, 0, 0})
			time.Sleep(time.Second)
			want(t, judge(g, stranger, 16), [4]int{16, 0, 0, 0})
		})
	})

	t.Run("by UDP in clear the excess is dropped, and nobody is banned for what is sent in his name", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := with(limited)
			forged := stranger
			forged.Forgeable = true
			want(t, judge(g, forged, 60), [4]int{16, 44, 0, 0})
			if g.Refused(forged) != Pass || len(g.Bans()) != 0 {
				t.Error("it is banned")
			}
			time.Sleep(2 * time.Second)
			want(t, judge(g, forged, 16), [4]int{16, 0, 0, 0})

			handset := forged
			handset.Handset = "a"
			want(t, judge(g, handset, 60), [4]int{32, 28, 0, 0})
			time.Sleep(2 * time.Second)
			want(t, judge(g, handset, 32), [4]int{32, 0, 0, 0})
		})
	})

	t.Run("16 in every 2 s are never too many", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := with(limited)
			for range 50 {
				want(t, judge(g, stranger, 16), [4]int{16, 0, 0, 0})
				time.Sleep(2 * time.Second)
			}
		})
	})

	t.Run("others are served meanwhile: other addresses, and handsets behind the same one", func(t *testing.T) {
		g := with(limited)
		judge(g, stranger, 20)
		want(t, judge(g, Message{Source: address("198.51.100.8"), Request: true}, 16), [4]int{16, 0, 0, 0})
		want(t, judge(g, Message{Source: stranger.Source, Request: true, Handset: "a"}, 32), [4]int{32, 0, 0, 0})
		want(t, judge(g, Message{Source: stranger.Source, Request: true, Handset: "b"}, 34), [4]int{32, 1, 0, 1})
		want(t, judge(g, Message{Source: stranger.Source, Request: true, Handset: "c"}, 1), [4]int{1, 0, 0, 0})
	})

	t.Run("an emergency passes, whoever is banned", func(t *testing.T) {
		g := with(limited)
		judge(g, stranger, 20)
		m := stranger
		m.Emergency = true
		want(t, judge(g, m, 100), [4]int{100, 0, 0, 0})
		if g.Refused(m) != Pass {
			t.Error("it is refused after all")
		}
	})

	t.Run("who is exempt is not counted", func(t *testing.T) {
		g := with(func(c *Config) { limited(c); c.Exempt = prefixes("198.51.100.0/24") })
		want(t, judge(g, stranger, 5000), [4]int{5000, 0, 0, 0})
	})

	t.Run("by default a load generator is not touched", func(t *testing.T) {
		g := with(nil)
		want(t, judge(g, Message{Source: address("127.0.0.1"), Request: true}, 50_000), [4]int{50_000, 0, 0, 0})
		if len(g.sources) != 0 {
			t.Errorf("%d sources kept", len(g.sources))
		}
	})

	t.Run("a /64 is one source, an address of IPv4 is one", func(t *testing.T) {
		g := with(limited)
		for i := range 20 {
			g.Judge(Message{Source: address(fmt.Sprintf("2001:db8::%x", i+1)), Request: true})
			g.Judge(Message{Source: address(fmt.Sprintf("10.0.0.%d", i+1)), Request: true})
		}
		if len(g.sources) != 21 || len(g.Bans()) != 1 {
			t.Errorf("%d sources, %d bans, want 21 and 1", len(g.sources), len(g.Bans()))
		}
	})

	t.Run("lifted", func(t *testing.T) {
		g := with(limited)
		judge(g, stranger, 20)
		g.Lift()
		want(t, judge(g, stranger, 1), [4]int{1, 0, 0, 0})
	})
}

// kept returns the numbers of sources and attempts that a guard remembers.
func (g *Guard) kept() (sources, attempts int) {
	g.mu.Lock()
	defer g.mu.Unlock()

	return len(g.sources), len(g.attempts)
}

func TestSourcesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := with(func(c *Config) { limited(c); c.MaxSources = 100 })
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { g.Run(ctx) })

		bad := Message{Source: address("192.0.2.66"), Request: true}
		for range 20 {
			g.Judge(bad)
		}
		for i := range 10_000 { // a flood of forged sources
			a := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
			g.Judge(Message{Source: a, Request: true})
			fail(g, a, "alice")
		}
		if sources, attempts := g.kept(); sources > 100 || attempts > 100 {
			t.Errorf("%d sources, %d attempts kept, want at most 100", sources, attempts)
		}
		time.Sleep(301 * time.Second)
		synctest.Wait()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if sources, attempts := g.kept(); sources+attempts != 0 {
			t.Errorf("%d sources, %d attempts kept when nobody speaks", sources, attempts)
		}
		cancel()
		running.Wait()
	})
}

// fail sends a challenge and a wrong answer.
func fail(g *Guard, from netip.Addr, user string) {
	g.Challenged(from, user, "nonce")
	g.Failed(from, user, "nonce")
}

func TestFailedAuthentications(t *testing.T) {
	here, elsewhere := address("10.45.0.7"), address("10.45.0.8")

	synctest.Test(t, func(t *testing.T) {
		g := with(func(c *Config) { c.Failures = 5 })
		for range 4 {
			fail(g, here, "alice")
		}
		if _, locked := g.Locked(here, "alice"); locked {
			t.Fatal("locked after four")
		}
		g.Succeeded(here, "alice")
		for range 5 {
			fail(g, here, "alice")
		}
		left, locked := g.Locked(here, "alice")
		if !locked || left != 300*time.Second {
			t.Errorf("locked %v for %s", locked, left)
		}
		if _, locked := g.Locked(here, "bob"); locked {
			t.Error("somebody else behind the same address is locked out")
		}
		if _, locked := g.Locked(elsewhere, "alice"); locked {
			t.Error("whoever tries from elsewhere locks the user out")
		}
		if len(g.Bans()) != 1 {
			t.Errorf("bans %v", g.Bans())
		}
		time.Sleep(300 * time.Second)
		if _, locked := g.Locked(here, "alice"); locked {
			t.Error("still locked when the time is over")
		}
	})

	t.Run("an answer to no challenge that went there is nobody's failure", func(t *testing.T) {
		g := with(func(c *Config) { c.Failures = 5 })
		g.Challenged(here, "alice", "the user's")
		for range 100 {
			g.Failed(here, "alice", "guessed")
			g.Failed(here, "bob", "")
		}
		g.Failed(here, "alice", "the user's")
		g.Failed(here, "alice", "the user's") // which is repeated
		if _, locked := g.Locked(here, "alice"); locked || len(g.attempts) != 1 {
			t.Errorf("locked %t, %d users remembered", locked, len(g.attempts))
		}
	})

	t.Run("challenges that nobody answers are forgotten", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := with(nil)
			g.Challenged(here, "alice", "n")
			g.sweep(time.Now())
			if len(g.attempts) != 1 {
				t.Error("forgotten at once")
			}
			time.Sleep(301 * time.Second)
			g.sweep(time.Now())
			if len(g.attempts) != 0 {
				t.Error("kept for ever")
			}
		})
	})

	t.Run("any number", func(t *testing.T) {
		g := with(func(c *Config) { c.Failures = 0 })
		for range 100 {
			fail(g, here, "alice")
		}
		if _, locked := g.Locked(here, "alice"); locked {
			t.Error("locked")
		}
	})
}

func TestCountersAndLog(t *testing.T) {
	var log bytes.Buffer
	c := Default()
	limited(&c)
	c.Failures, c.Deny = 2, prefixes("203.0.113.0/24")
	g := New(c, Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: prometheus.NewRegistry()})

	for range 20 {
		g.Judge(Message{Source: address("198.51.100.7"), Request: true})
	}
	g.Judge(Message{Source: address("203.0.113.7"), Request: true})
	g.Judge(Message{Source: address("192.0.2.7"), Request: true, UserAgent: "sipvicious"})
	fail(g, address("10.0.0.1"), "alice")
	fail(g, address("10.0.0.1"), "alice")
	fail(g, address("10.0.0.1"), "alice")
	g.Locked(address("10.0.0.1"), "alice")
	g.Oversized(1 << 20)

	for reason, want := range map[string]float64{
		"rate":           1,
		"banned":         3,
		"access_list":    1,
		"user_agent":     1,
		"authentication": 1,
		"oversized":      1,
	} {
		if got := testutil.ToFloat64(g.total.WithLabelValues(reason)); got != want {
			t.Errorf("%s: %v, want %v", reason, got, want)
		}
	}
	for _, said := range []string{"source banned", "authentication failed too often"} {
		if n := strings.Count(log.String(), said); n != 1 {
			t.Errorf("%q is logged %d times, want once", said, n)
		}
	}
}

func TestValidate(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"negative requests":   func(c *Config) { c.Requests = -1 },
		"no window":           func(c *Config) { c.Window = 0 },
		"no ban":              func(c *Config) { c.Ban = 0 },
		"no body":             func(c *Config) { c.MaxBody = 0 },
		"no sources":          func(c *Config) { c.MaxSources = 0 },
		"a part found in all": func(c *Config) { c.UserAgents = []string{" i "} },
	} {
		c := Default()
		if change(&c); c.Validate() == nil {
			t.Errorf("%s: taken", name)
		}
	}
	c := Default()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
