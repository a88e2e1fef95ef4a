package nameserver

import (
	"strconv"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// Lookup is a question, and its answer for people.
type Lookup struct {
	Name, Type string
	Answer     string
}

// mostLookups is how many questions are remembered, each once.
const mostLookups = 1000

// lookups remembers what was asked.
type lookups struct {
	mu  sync.Mutex
	all []Lookup
}

// Lookups returns the questions that were answered, or whose names there are not, in the order in which they were first asked. Questions
// for other zones are left out.
func (s *Server) Lookups() []Lookup {
	s.lookups.mu.Lock()
	defer s.lookups.mu.Unlock()

	return append([]Lookup(nil), s.lookups.all...)
}

func (l *lookups) note(q, m *dns.Msg) {
	if len(q.Question) != 1 || !m.Authoritative {
		return
	}

	one := Lookup{
		Name: strings.TrimSuffix(dns.CanonicalName(q.Question[0].Name), "."), Type: dns.Type(q.Question[0].Qtype).String(), Answer: inWords(m),
	}

	l.mu.Lock()
	defer l.mu.Unlock()

	if len(l.all) == mostLookups {
		return
	}

	for _, known := range l.all {
		if known == one {
			return
		}
	}

	l.all = append(l.all, one)
}

// inWords returns an answer for people.
func inWords(m *dns.Msg) string {
	var all []string

	for _, r := range m.Answer {
		switch r := r.(type) {
		case *dns.A:
			all = append(all, r.A.String())
		case *dns.AAAA:
			all = append(all, r.AAAA.String())
		case *dns.SRV:
			all = append(all, strings.TrimSuffix(r.Target, ".")+":"+strconv.Itoa(int(r.Port)))
		case *dns.NAPTR:
			to := strings.TrimSuffix(r.Replacement, ".")
			if r.Regexp != "" { // "!^.*$!sip:+15550002@ims.example!"
				to = strings.Trim(r.Regexp[strings.LastIndexByte(r.Regexp[:len(r.Regexp)-1], r.Regexp[0]):], r.Regexp[:1])
			}

			all = append(all, to)
		default:
			all = append(all, dns.Type(r.Header().Rrtype).String())
		}
	}

	switch {
	case m.Rcode == dns.RcodeNameError:
		return "no such name"
	case len(all) == 0:
		return "nothing"
	default:
		return strings.Join(all, ", ")
	}
}
