package interop

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/child"
	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
	"github.com/dialtone-ims/dialtone/ue/namespace"
)

// What happens to a phone.
const (
	registered = "registered"
	incoming   = "incoming call"
	ringing    = "ringing at the other end"
	talking    = "answered"
	held       = "on hold"
	resumed    = "taken from hold"
	ended      = "ended"
	delivered  = "its message is delivered"
	message    = "a message"
)

// phone is one of the suite's. What its commands lead to is awaited.
type phone interface {
	named() string    // as its account is
	uri() string      // as it is called
	identity() string // as it is registered
	dial(uri string)
	answer()
	hangUp() // also cancels and declines
	await(event string)
}

type writer interface{ message(uri string) }

type holder interface {
	hold()
	resume()
}

// account is a user with a password.
type account struct{ name, password, number string }

func (a account) named() string { return a.name }
func (a account) uri() string   { return "sip:" + a.name + "@" + domain }

func (a account) identity() string { return a.uri() }

var proxy = netip.MustParseAddrPort(pcscf + ":5060")

// interval is how often the programs register, in seconds.
const interval = 10

// address is where the phone with this number is.
func address(number int) netip.AddrPort {
	return netip.MustParseAddrPort(fmt.Sprintf("10.8.%d.2:5060", number))
}

// events are what has happened to a phone, in order; each is awaited once.
type events struct {
	t   *testing.T
	who string
	log func() string

	mu      sync.Mutex
	seen    []string
	arrived chan struct{} // closed when there are more
}

func newEvents(t *testing.T, who string) *events {
	return &events{t: t, who: who, arrived: make(chan struct{}), log: func() string { return "" }}
}

func (e *events) happened(event string) {
	e.mu.Lock()
	defer e.mu.Unlock()

	e.seen = append(e.seen, event)
	close(e.arrived)
	e.arrived = make(chan struct{})
}

const patience = 40 * time.Second // longer than any transaction lasts

// await waits for an event, and forgets those before it.
func (e *events) await(event string) {
	e.t.Helper()

	deadline := time.After(patience)

	for {
		e.mu.Lock()
		more := e.arrived

		for i, seen := range e.seen {
			if seen == event {
				e.seen = e.seen[i+1:]
				e.mu.Unlock()

				return
			}
		}
		e.mu.Unlock()

		select {
		case <-more:
		case <-deadline:
			e.t.Fatalf("%s: waited in vain: %s; there was %q\n%s", e.who, event, e.seen, e.log())
		}
	}
}

// program is a phone of another make, in a network namespace.
type program struct {
	account
	*events
	dir string
}

func newProgram(t *testing.T, a account) *program {
	t.Helper()

	p := &program{account: a, events: newEvents(t, a.name), dir: t.TempDir()}
	p.log = func() string {
		text, _ := os.ReadFile(filepath.Join(p.dir, "log"))
		return string(text[max(0, len(text)-3000):])
	}

	return p
}

func (p *program) file(name, text string) string {
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}

	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}

	return path
}

// run starts the program; it ends with the test.
func (p *program) run(where string, name string, arguments ...string) {
	p.t.Helper()

	log, err := os.Create(filepath.Join(p.dir, "log"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()

	command := exec.Command(name, arguments...)
	command.Dir, command.Env = p.dir, append(os.Environ(), "HOME="+p.dir)
	command.Stdout, command.Stderr = log, log
	child.Bind(command, syscall.SIGKILL)

	if err := namespace.Network(where).Do(command.Start); err != nil {
		p.t.Fatal(err)
	}

	p.t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
}

// connect waits until the program listens for commands.
func (p *program) connect(kind, address string) net.Conn {
	p.t.Helper()

	for deadline := time.Now().Add(patience); ; {
		c, err := net.Dial(kind, address)
		if err == nil {
			p.t.Cleanup(func() { _ = c.Close() })
			return c
		}

		if time.Now().After(deadline) {
			p.t.Fatalf("%s does not listen: %v\n%s", p.name, err, p.log())
		}

		time.Sleep(20 * time.Millisecond) // there is nothing else to wait on
	}
}

// linphone is its daemon, with commands and answers on a Unix socket; events are asked for.
type linphone struct {
	*program
	mu      sync.Mutex
	control net.Conn
}

func newLinphone(t *testing.T, a account, transport, name string) *linphone {
	t.Helper()

	l := &linphone{program: newProgram(t, a)}
	l.file(".local/share/linphone/none", "")
	l.file(".config/linphone/none", "")
	settings := l.file("settings", fmt.Sprintf(`[sip]
sip_port=5060
sip_tcp_port=5060
sip_tls_port=0
default_proxy=0
[proxy_0]
reg_proxy=<sip:%[1]s;transport=%[2]s>
reg_route=<sip:%[1]s;transport=%[2]s;lr>
reg_identity=sip:%[3]s@%[4]s
reg_expires=%[6]d
reg_sendregister=1
[auth_info_0]
username=%[3]s
userid=%[3]s@%[4]s
passwd=%[5]s
realm=%[4]s
`, proxy, strings.ToLower(transport), a.name, domain, a.password, interval))

	pipe := fmt.Sprintf("dialtone-%d-%s", os.Getpid(), transport) // in /tmp
	t.Cleanup(func() { _ = os.Remove("/tmp/" + pipe) })
	l.run(name+"-2", "linphone-daemon", "--config", settings, "--pipe", pipe, "--disable-stats-events", "--log", filepath.Join(l.dir, "log"))
	l.control = l.connect("unix", "/tmp/"+pipe)

	go l.watch(t.Context())

	return l
}

var ofLinphone = map[string]string{
	"LinphoneCallIncomingReceived": incoming, "LinphoneCallOutgoingRinging": ringing, "LinphoneCallStreamsRunning": talking,
	"LinphoneCallPausedByRemote": held, "LinphoneCallReleased": ended, "LinphoneChatMessageStateDelivered": delivered,
}

// watch asks for events, and for the state of the registration.
func (l *linphone) watch(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()

	state, paused := "", false

	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}

		for said := l.do("pop-event"); strings.Contains(said, "Event-type:"); said = l.do("pop-event") {
			_, event, found := strings.Cut(said, "\nEvent: ")
			if !found {
				_, event, _ = strings.Cut(said, "\nState: ") // of a message
			}

			event, _, _ = strings.Cut(event, "\n")

			if paused && event == "LinphoneCallStreamsRunning" {
				l.happened(resumed)
			}

			paused = event == "LinphoneCallPausedByRemote"

			if known := ofLinphone[event]; known != "" {
				l.happened(known)
			}
		}

		now := l.do("register-status ALL")
		if now != state && strings.Contains(now, "LinphoneRegistrationOk") { // another one, or this one now
			l.happened(registered)
		}

		state = now
	}
}

func (l *linphone) do(command string) string {
	l.mu.Lock()
	defer l.mu.Unlock()

	_ = l.control.SetDeadline(time.Now().Add(patience))

	answer := make([]byte, 1<<16)

	if _, err := fmt.Fprintln(l.control, command); err != nil {
		return ""
	}

	n, _ := l.control.Read(answer)

	return string(answer[:n])
}

func (l *linphone) dial(uri string) { l.do("call " + uri) }
func (l *linphone) answer()         { l.do("answer") }
func (l *linphone) hangUp()         { l.do("terminate") }
func (l *linphone) hold()           { l.do("call-pause") }
func (l *linphone) resume()         { l.do("call-resume") }

// message sends one, and waits until it is delivered.
func (l *linphone) message(uri string) {
	l.do("message " + uri + " hello")
	l.await(delivered)
}

// simulated is our own handset.
type simulated struct {
	*events
	network.Subscriber
	handset *handset.Handset

	mu     sync.Mutex
	call   *handset.Call
	cancel context.CancelFunc
}

func newSimulated(t *testing.T, h *handset.Handset, who network.Subscriber) *simulated {
	t.Helper()

	s := &simulated{events: newEvents(t, who.Name), Subscriber: who, handset: h}
	if err := h.Register(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.happened(registered)

	go func() {
		for {
			select {
			case c := <-h.Incoming():
				s.has(c)
				s.happened(incoming)
			case <-h.Messages():
				s.happened(message)
			case <-t.Context().Done():
				return
			}
		}
	}()

	return s
}

func (s *simulated) named() string { return s.Subscriber.Name }
func (s *simulated) uri() string   { return "sip:" + s.MSISDN + "@" + domain } // as people dial it

func (s *simulated) identity() string { return s.Tel() }

// has is a call that there is now; its end is an event.
func (s *simulated) has(c *handset.Call) {
	s.mu.Lock()
	s.call = c
	s.mu.Unlock()

	go func() { <-c.Ended(); s.happened(ended) }()
}

func (s *simulated) dial(uri string) {
	ctx, cancel := context.WithCancel(s.t.Context())

	s.mu.Lock()
	s.call, s.cancel = nil, cancel
	s.mu.Unlock()

	s.happened(ringing) // the handset tells nobody

	go func() {
		c, err := s.handset.Dial(ctx, uri)
		if err != nil {
			s.happened(ended)
			return
		}

		s.has(c)
		s.happened(talking)
	}()
}

func (s *simulated) answer() {
	s.mu.Lock()
	c := s.call
	s.mu.Unlock()

	go func() {
		if err := c.Answer(s.t.Context()); err != nil {
			s.t.Errorf("%s does not answer: %v", s.named(), err)
		}

		s.happened(talking)
		s.happened(held)
		s.happened(resumed)
	}()
}

func (s *simulated) hangUp() {
	s.mu.Lock()
	c, cancel := s.call, s.cancel
	s.mu.Unlock()

	switch {
	case c == nil:
		cancel()
	case c.HangUp(s.t.Context()) != nil:
		_ = c.Reject(486)
	}
}

func (s *simulated) message(uri string) {
	if response, err := s.handset.Message(s.t.Context(), uri, "hello"); err != nil || !response.IsSuccess() {
		s.t.Errorf("%s sends a message: %v, %v", s.named(), response, err)
	}
}

func (s *simulated) again() {
	if err := s.handset.Register(s.t.Context()); err != nil {
		s.t.Errorf("%s: %v", s.named(), err)
	}
}
