package protection

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Verdict is the guard's decision on a message.
type Verdict int

// The verdicts.
const (
	Pass   Verdict = iota
	Drop           // without an answer
	Forbid         // 403
	Busy           // 503, and from then on Drop until the ban is over
)

// Guard counts the messages of sources and decides which may pass.
type Guard struct {
	config Config
	agents []string // in lower case
	log    *slog.Logger
	total  *prometheus.CounterVec

	mu       sync.Mutex
	sources  map[string]*source
	attempts map[attempt]*failures
	full     time.Time // when the log last said that there are too many sources
}

type source struct {
	count  int
	since  time.Time // of the window
	banned time.Time // until when
	said   time.Time // when the log last said that it sends too much
}

type attempt struct {
	address netip.Addr
	user    string
}

type failures struct {
	count int
	last  time.Time // failure
	nonce string    // of the last challenge sent there
	since time.Time // when it was sent
}

// until returns when these failures expire.
func (f *failures) until(ban time.Duration) time.Time {
	if f.since.After(f.last) {
		return f.since.Add(ban)
	}

	return f.last.Add(ban)
}

// Options are what a guard works with.
type Options struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// New returns a guard without any counts.
func New(c Config, o Options) *Guard {
	g := &Guard{
		config: c, log: o.Log, sources: map[string]*source{}, attempts: map[attempt]*failures{},
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_pcscf_protection_total",
			Help: "Messages of handsets not served, by reason: not_core, access_list, user_agent, rate, banned, authentication, oversized.",
		}, []string{"reason"}),
	}

	for _, part := range c.UserAgents {
		g.agents = append(g.agents, strings.ToLower(strings.TrimSpace(part)))
	}

	o.Metrics.MustRegister(g.total, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "dialtone_pcscf_bans", Help: "Sources that are not heard for some time.",
	}, func() float64 { return float64(len(g.Bans())) }))

	return g
}

// Message is what the guard knows of a message.
type Message struct {
	Source    netip.Addr
	UserAgent string
	Request   bool
	Emergency bool
	// Forgeable is true if anybody can forge the source: the message came by UDP in clear.
	Forgeable bool
	// Handset names the registered handset that sent it; "": none did.
	Handset string
}

// Core reports whether a source may be the core, which is trusted in everything.
func (g *Guard) Core(source netip.Addr) bool {
	if g.config.Core.Believes(source) {
		return true
	}

	g.total.WithLabelValues("not_core").Inc()

	return false
}

// Judge decides on one message and counts it. A registered handset has its own count, so that one that sends too much does not silence
// others behind the same address. An emergency call passes whatever the counts (but not past an access list).
func (g *Guard) Judge(m Message) Verdict {
	if g.excluded(m.Source) {
		g.total.WithLabelValues("access_list").Inc()

		if m.Request {
			return Forbid
		}

		return Drop
	}

	if m.Request && m.UserAgent != "" && g.scanner(m.UserAgent) {
		g.total.WithLabelValues("user_agent").Inc()
		return Drop
	}

	key, limit := g.counter(m)
	if limit == 0 {
		return Pass
	}

	return g.count(key, limit, m)
}

// Refused returns the verdict on a message that was judged already, without counting it again.
func (g *Guard) Refused(m Message) Verdict {
	if g.excluded(m.Source) {
		return Forbid
	}

	key, limit := g.counter(m)
	if limit == 0 {
		return Pass
	}

	g.mu.Lock()
	defer g.mu.Unlock()

	if s := g.sources[key]; s != nil && s.banned.After(time.Now()) {
		return Busy
	}

	return Pass
}

// Counts reports whether there is any limit to what a source sends.
func (g *Guard) Counts() bool { return g.config.Requests > 0 || g.config.RegisteredRequests > 0 }

// Restricts reports whether any source may be refused.
func (g *Guard) Restricts() bool { return g.Counts() || len(g.config.Allow)+len(g.config.Deny) > 0 }

func (g *Guard) excluded(a netip.Addr) bool {
	return contains(g.config.Deny, a) || len(g.config.Allow) > 0 && !contains(g.config.Allow, a)
}

// counter returns the key of the count that a message belongs to, and its limit; 0: it is not counted.
func (g *Guard) counter(m Message) (key string, limit int) {
	switch {
	case !g.Counts() || m.Emergency || contains(g.config.Exempt, m.Source):
		return "", 0
	case m.Handset != "":
		return "handset " + m.Handset, g.config.RegisteredRequests
	default:
		return "address " + network(m.Source).String(), g.config.Requests
	}
}

func (g *Guard) scanner(userAgent string) bool {
	userAgent = strings.ToLower(userAgent)
	return slices.ContainsFunc(g.agents, func(part string) bool { return strings.Contains(userAgent, part) })
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// network returns what counts as one source: an IPv4 address, or the /64 of an IPv6 host.
func network(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}

	p, _ := a.Prefix(bits) // in range

	return p
}

// count bans a source that sends too much. One that can be forged is ignored only until the window ends: a few packets in another's name
// must not silence it.
func (g *Guard) count(key string, limit int, m Message) Verdict {
	g.mu.Lock()
	defer g.mu.Unlock()

	now := time.Now()
	s := g.sources[key]

	if s == nil {
		g.room(now)

		s = &source{since: now}
		g.sources[key] = s
	}

	if s.banned.After(now) {
		g.total.WithLabelValues("banned").Inc()
		return Drop
	}

	if now.Sub(s.since) >= g.config.Window {
		s.since, s.count = now, 0
	}

	if s.count++; s.count <= limit {
		return Pass
	}

	g.total.WithLabelValues("rate").Inc()

	if m.Forgeable {
		if now.Sub(s.said) >= g.config.Ban {
			s.said = now
			g.log.Warn(
				"a source by UDP in clear sends more than protection allows: the excess is dropped",
				"source", m.Source.String(),
				"prefix", key,
				"limit", limit,
				"window", g.config.Window,
				"hint", "a load generator or monitor belongs into protection.exempt; the source may be forged",
			)
		}

		return Drop
	}

	s.banned, s.count = now.Add(g.config.Ban), 0
	g.log.Warn(
		"source banned: it sends more than protection allows",
		"source", m.Source.String(),
		"prefix", key,
		"limit", limit,
		"window", g.config.Window,
		"ban", g.config.Ban,
		"hint", "a load generator or monitor belongs into protection.exempt",
	)

	return Busy
}

// room drops a source when the limit of sources is reached: one that is not banned, if there is any. It is called with the lock held.
func (g *Guard) room(now time.Time) {
	if len(g.sources) < g.config.MaxSources {
		return
	}

	if now.Sub(g.full) > time.Minute {
		g.full = now
		g.log.Warn("more sources than protection.max_sources: some are forgotten", "sources", len(g.sources))
	}

	looked, last := 0, ""

	for key, s := range g.sources { // in no order
		last = key
		if looked++; !s.banned.After(now) || looked == 16 {
			break
		}
	}

	delete(g.sources, last)
}

// Locked reports whether a user at an address has failed to authenticate too often, and for how long it is ignored.
func (g *Guard) Locked(address netip.Addr, user string) (time.Duration, bool) {
	if g.config.Failures == 0 || contains(g.config.Exempt, address) {
		return 0, false
	}

	g.mu.Lock()
	defer g.mu.Unlock()

	f := g.attempts[attempt{address, user}]
	if f == nil || f.count < g.config.Failures {
		return 0, false
	}

	left := g.config.Ban - time.Since(f.last)
	if left <= 0 {
		delete(g.attempts, attempt{address, user})
		return 0, false
	}

	g.total.WithLabelValues("authentication").Inc()

	return left, true
}

// Challenged records the challenge sent to a user: only its recipient there can fail to answer it.
func (g *Guard) Challenged(address netip.Addr, user, nonce string) {
	if g.config.Failures == 0 {
		return
	}

	g.mu.Lock()
	defer g.mu.Unlock()

	f := g.attempts[attempt{address, user}]

	if f == nil {
		if len(g.attempts) >= g.config.MaxSources {
			for other := range g.attempts { // in no order
				delete(g.attempts, other)
				break
			}
		}

		f = &failures{}
		g.attempts[attempt{address, strings.Clone(user)}] = f
	}

	f.nonce, f.since = strings.Clone(nonce), time.Now()
}

// Failed counts a wrong response to the challenge with this nonce. A response to a challenge that was not sent to this address proves
// nothing about it: it may be forged.
func (g *Guard) Failed(address netip.Addr, user, nonce string) {
	g.mu.Lock()
	defer g.mu.Unlock()

	f := g.attempts[attempt{address, user}]
	if f == nil || f.nonce != nonce {
		return
	}

	f.count, f.last, f.nonce = f.count+1, time.Now(), ""

	if f.count == g.config.Failures {
		g.log.Warn(
			"authentication failed too often: 429 until protection.ban is over",
			"impi", user,
			"source", address.String(),
			"failures", f.count,
			"ban", g.config.Ban,
			"hint", "K and OPc of the SIM against those of the HSS; was OP entered as OPc?",
		)
	}
}

// Succeeded forgets the failures of a user.
func (g *Guard) Succeeded(address netip.Addr, user string) {
	g.mu.Lock()
	defer g.mu.Unlock()

	delete(g.attempts, attempt{address, user})
}

// Oversized reports whether a body is larger than a handset may send.
func (g *Guard) Oversized(octets int) bool {
	if octets <= g.config.MaxBody {
		return false
	}

	g.total.WithLabelValues("oversized").Inc()

	return true
}

// BanTime returns how long a ban lasts.
func (g *Guard) BanTime() time.Duration { return g.config.Ban }

// Bans returns the banned sources, with the time at which each ban ends.
func (g *Guard) Bans() map[string]time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()

	now, all := time.Now(), map[string]time.Time{}

	for key, s := range g.sources {
		if s.banned.After(now) {
			all[key] = s.banned
		}
	}

	for k, f := range g.attempts {
		if until := f.last.Add(g.config.Ban); f.count >= g.config.Failures && until.After(now) {
			all["user "+k.user+" at "+k.address.String()] = until
		}
	}

	return all
}

// Lift lifts all bans.
func (g *Guard) Lift() {
	g.mu.Lock()
	defer g.mu.Unlock()

	clear(g.sources)
	clear(g.attempts)
}

// Run removes sources that have been silent, until ctx ends.
func (g *Guard) Run(ctx context.Context) {
	ticker := time.NewTicker(max(g.config.Window, 10*time.Second))
	defer ticker.Stop()

	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			g.sweep(now)
		}
	}
}

func (g *Guard) sweep(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()

	for key, s := range g.sources {
		if !s.banned.After(now) && now.Sub(s.since) >= g.config.Window {
			delete(g.sources, key)
		}
	}

	for k, f := range g.attempts {
		if !f.until(g.config.Ban).After(now) {
			delete(g.attempts, k)
		}
	}
}
