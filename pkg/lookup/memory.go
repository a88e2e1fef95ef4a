package lookup

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	capacity     = 10_000
	longestLife  = time.Hour
	negativeLife = 30 * time.Second // of a negative answer, if the zone does not say
	longestNone  = 5 * time.Minute  // of a negative answer, whatever the zone says
	failureLife  = 5 * time.Second  // RFC 2308 §7: at most five minutes; short, so that a server that recovers is found
	avoidance    = 30 * time.Second // of a silent server
)

type question struct {
	name string // canonical
	kind uint16
}

// String returns the form of logs, which is also the question's key.
func (q question) String() string { return q.name + " " + dns.TypeToString[q.kind] }

type answer struct {
	records []dns.RR
	err     error
	life    time.Duration
}

// parse returns the answer in a reply. It lives as long as the shortest-lived of its records; a negative one as in RFC 2308 §5.
func parse(q question, reply *dns.Msg) answer {
	there := slices.ContainsFunc(reply.Answer, func(r dns.RR) bool { return r.Header().Rrtype == q.kind })

	if !there || reply.Rcode == dns.RcodeNameError {
		life := negativeLife

		for _, r := range Only[*dns.SOA](reply.Ns) {
			life = min(seconds(r.Hdr.Ttl), seconds(r.Minttl), longestNone)
		}

		return answer{err: fmt.Errorf("%w: %s", ErrNone, q), life: life}
	}

	a := answer{records: reply.Answer, life: longestLife}
	for _, r := range a.records {
		a.life = min(a.life, seconds(r.Header().Ttl))
	}

	return a
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

// memory holds the answers, and the servers that did not answer.
type memory struct {
	mu      sync.Mutex
	answers map[question]remembered
	silent  map[string]time.Time // servers, and until when they are asked last
}

type remembered struct {
	answer
	until time.Time
}

func newMemory() memory {
	return memory{answers: map[question]remembered{}, silent: map[string]time.Time{}}
}

func (m *memory) recall(q question) (answer, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()

	a, found := m.answers[q]

	return a.answer, found && time.Now().Before(a.until)
}

// store stores an answer. If there is no room, expired answers are dropped first, then any.
func (m *memory) store(q question, a answer) {
	if a.life <= 0 {
		return
	}

	m.mu.Lock()
	defer m.mu.Unlock()

	now := time.Now()

	if len(m.answers) >= capacity {
		for other, a := range m.answers {
			if !now.Before(a.until) {
				delete(m.answers, other)
			}
		}

		for other := range m.answers {
			if len(m.answers) <= capacity*9/10 { // several at once, so that not every store has to make room
				break
			}

			delete(m.answers, other)
		}
	}

	m.answers[q] = remembered{a, now.Add(a.life)}
}

func (m *memory) avoid(server string) {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.silent[server] = time.Now().Add(avoidance) // at most as many as are configured
}

// order returns the servers, silent ones last.
func (m *memory) order(servers []string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()

	now := time.Now()
	all := slices.Clone(servers)
	slices.SortStableFunc(all, func(a, b string) int {
		switch x, y := now.Before(m.silent[a]), now.Before(m.silent[b]); {
		case x == y:
			return 0
		case y:
			return -1
		default:
			return 1
		}
	})

	return all
}
