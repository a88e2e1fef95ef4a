// Package nameserver is a DNS server inside a test.
package nameserver

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// Server answers from the records it was given, and counts what it is asked.
type Server struct {
	Address string // ip:port

	mu      sync.Mutex
	records []dns.RR
	denied  map[string]int // a name's Rcode
	dropped map[string]bool
	asked   map[string]int // by "name. TYPE"
}

// Start serves these records, each a line of a zone file, over UDP and TCP on a free port of a loopback address until the test
// ends.
func Start(t testing.TB, zone ...string) *Server {
	t.Helper()

	s := &Server{denied: map[string]int{}, dropped: map[string]bool{}, asked: map[string]int{}}
	s.Add(t, zone...)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	s.Address = listener.Addr().String()

	socket, err := net.ListenPacket("udp", s.Address)
	if err != nil {
		t.Fatal(err)
	}

	for _, server := range []*dns.Server{{PacketConn: socket, Handler: s}, {Listener: listener, Handler: s}} {
		started, done := make(chan struct{}), make(chan error, 1)
		server.NotifyStartedFunc = func() { close(started) }

		go func() { done <- server.ActivateAndServe() }()

		<-started
		t.Cleanup(func() {
			if err := server.Shutdown(); err != nil {
				t.Error(err)
			}

			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}

	return s
}

// Add adds records, each a line of a zone file.
func (s *Server) Add(t testing.TB, zone ...string) {
	t.Helper()

	for _, line := range zone {
		r, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}

		s.mu.Lock()
		s.records = append(s.records, r)
		s.mu.Unlock()
	}
}

// Deny answers questions of this name with this Rcode.
func (s *Server) Deny(name string, rcode int) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.denied[canonical(name)] = rcode
}

// Drop leaves questions of this name without an answer.
func (s *Server) Drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.dropped[canonical(name)] = true
}

// Asked returns how often a name was asked for, by the kind of record.
func (s *Server) Asked(name, kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.asked[canonical(name)+" "+kind]
}

func canonical(name string) string { return strings.ToLower(dns.Fqdn(name)) }

// ServeDNS answers one question as an authoritative server does.
func (s *Server) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()

	name := canonical(q.Question[0].Name)
	s.asked[name+" "+dns.TypeToString[q.Question[0].Qtype]]++

	if s.dropped[name] {
		return
	}

	m := new(dns.Msg).SetReply(q)
	m.Rcode = dns.RcodeNameError

	if rcode, denied := s.denied[name]; denied {
		m.Rcode = rcode
		_ = w.WriteMsg(m)

		return
	}

	for range 8 { // aliases
		alias := ""

		for _, r := range s.records {
			switch h := r.Header(); {
			case canonical(h.Name) != name:
				if h.Rrtype == dns.TypeSOA && dns.IsSubDomain(h.Name, name) {
					m.Ns = []dns.RR{r}
				}
			case h.Rrtype == q.Question[0].Qtype:
				m.Rcode = dns.RcodeSuccess
				m.Answer = append(m.Answer, r)
			default:
				m.Rcode = dns.RcodeSuccess
				if c, ok := r.(*dns.CNAME); ok {
					m.Answer = append(m.Answer, r)
					alias = canonical(c.Target)
				}
			}
		}

		if name = alias; alias == "" {
			break
		}
	}

	if len(m.Answer) > 0 {
		m.Ns = nil
	}

	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		size := dns.MinMsgSize
		if o := q.IsEdns0(); o != nil {
			size = int(o.UDPSize())
		}

		m.Truncate(size)
	}

	_ = w.WriteMsg(m)
}
