package memory

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Peer is somebody who speaks SIP over UDP and does what a test says.
type Peer struct {
	t      testing.TB
	socket *socket
}

// Peer opens one at ip:port. It goes with the test.
func (n *Network) Peer(t testing.TB, address string) *Peer {
	t.Helper()

	s, err := n.socket(address)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { s.Close() })

	return &Peer{t, s}
}

// Address returns where the peer is.
func (p *Peer) Address() string { return p.socket.address.String() }

// Send sends lines as one message; Content-Length is added, and so is the empty line before the body, if there is one.
func (p *Peer) Send(to string, lines ...string) {
	p.t.Helper()

	body := ""
	if at := len(lines) - 1; at > 0 && strings.HasPrefix(lines[at], "\n") {
		body, lines = lines[at][1:], lines[:at]
	}

	p.Raw(to, fmt.Sprintf("%s\r\nContent-Length: %d\r\n\r\n%s", strings.Join(lines, "\r\n"), len(body), body))
}

// Raw sends octets as they are.
func (p *Peer) Raw(to, text string) {
	p.t.Helper()

	if _, err := p.socket.WriteToUDPAddrPort([]byte(text), netip.MustParseAddrPort(to)); err != nil {
		p.t.Fatal(err)
	}
}

// Octets returns those of the next message that comes within d; nil: none has.
func (p *Peer) Octets(d time.Duration) []byte {
	select {
	case d := <-p.socket.in: // first, for a time of 0
		return d.data
	default:
	}

	select {
	case d := <-p.socket.in:
		return d.data
	case <-time.After(d):
		return nil
	}
}

// Next returns the next message that comes, within a minute of the bubble's time.
func (p *Peer) Next() sip.Message {
	p.t.Helper()

	raw := p.Octets(time.Minute)
	if raw == nil {
		p.t.Fatalf("%s waited in vain for a message", p.Address())
	}

	m, err := sip.ParseMessage(raw)
	if err != nil {
		p.t.Fatalf("%s got what cannot be read: %v\n%s", p.Address(), err, raw)
	}

	return m
}

// Request returns the next message, which must be a request with this method.
func (p *Peer) Request(method string) *sip.Request {
	p.t.Helper()

	m := p.Next()

	r, ok := m.(*sip.Request)
	if !ok || string(r.Method) != method {
		p.t.Fatalf("%s wants a %s, got\n%s", p.Address(), method, m)
	}

	return r
}

// Response returns the next message that is not a 100, which must be a response with this status.
func (p *Peer) Response(status int) *sip.Response {
	p.t.Helper()

	for {
		m := p.Next()

		r, ok := m.(*sip.Response)
		if ok && r.StatusCode == 100 && status != 100 {
			continue
		}

		if !ok || r.StatusCode != status {
			p.t.Fatalf("%s wants a %d, got\n%s", p.Address(), status, m)
		}

		return r
	}
}

// Silent wants that nothing has come when everybody has done what there was to do.
func (p *Peer) Silent() {
	p.t.Helper()
	synctest.Wait()

	select {
	case d := <-p.socket.in:
		p.t.Errorf("%s wants nothing, got\n%s", p.Address(), d.data)
	default:
	}
}

// Answer sends a response to a request back the way it came; lines are header fields, replacing those of the same name.
func (p *Peer) Answer(r *sip.Request, status int, lines ...string) {
	p.t.Helper()

	response := sip.NewResponse(r, status, "")

	seen := map[string]bool{}

	for _, line := range lines {
		name, value, found := strings.Cut(line, ":")
		if !found {
			p.t.Fatalf("no header: %q", line)
		}

		if name = strings.TrimSpace(name); seen[strings.ToLower(name)] {
			sip.Add(response, name, strings.TrimSpace(value))
		} else {
			sip.Set(response, name, strings.TrimSpace(value))
		}

		seen[strings.ToLower(name)] = true
	}

	via := r.Via()
	p.Raw(netip.AddrPortFrom(netip.MustParseAddr(strings.Trim(via.Host, "[]")), uint16(via.Port)).String(), response.String())
}

// Came gives the next message when there is one, for a test that does not know where it comes. It is closed at the test's end.
func (p *Peer) Came() <-chan sip.Message {
	came := make(chan sip.Message, 1)

	go func() {
		defer close(came)

		select {
		case d := <-p.socket.in:
			if m, err := sip.ParseMessage(d.data); err == nil {
				came <- m
			}
		case <-p.socket.closed:
		case <-p.t.Context().Done():
		}
	}()

	return came
}

// All returns the messages that have come and that nobody took.
func (p *Peer) All() []sip.Message {
	p.t.Helper()
	synctest.Wait()

	var all []sip.Message

	for {
		select {
		case d := <-p.socket.in:
			m, err := sip.ParseMessage(d.data)
			if err != nil {
				p.t.Fatalf("%s got what cannot be read: %v\n%s", p.Address(), err, d.data)
			}

			all = append(all, m)
		default:
			return all
		}
	}
}
