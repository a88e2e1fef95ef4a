package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/network"
)

// server is an application server that hands every request back to the S-CSCF.
type server struct {
	stack *stack.Stack
	stop  func()

	mu   sync.Mutex
	seen []string // "INVITE orig"
	kept *sip.Request
}

func serve(t *testing.T, address string) *server {
	t.Helper()

	s := &server{}
	c := stack.DefaultConfig(stack.EndpointConfig{Name: "ISC", Address: address, Transports: []string{"udp", "tcp"}})

	stack, err := stack.New(c, s, stack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.stack = stack

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- stack.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.stop)

	return s
}

func (s *server) HandleRequest(ctx context.Context, tx *stack.ServerTransaction) {
	r := tx.Request()

	s.mu.Lock()
	_, side, _ := strings.Cut(sip.Value(r, "P-Served-User"), "sescase=")
	side, _, _ = strings.Cut(side, ";")
	s.kept = sip.Copy(r)
	s.seen = append(s.seen, string(r.Method)+" "+side)
	s.mu.Unlock()

	out, _, refusal := s.stack.Forwardable(r)
	if refusal != nil {
		_ = tx.Respond(refusal.Response(r))
		return
	}

	s.stack.Forward(tx, stack.Plan{Groups: [][]stack.Branch{{{Request: out}}}})
}

func (s *server) HandleAck(context.Context, *stack.Ack) {}

func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Clone(s.seen)
}

// last is the request that came last.
func (s *server) last() *sip.Request {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.kept
}

// TestApplicationServer: an AS is put in the path of calls by a filter criterion, and what happens when it is dead is the
// criterion's default handling (TS 23.218 §5.2, TS 24.229 §5.4.3.2).
func TestApplicationServer(t *testing.T) {
	n := network.Start(t, "DIALTONE_SCSCF_SESSIONS_APPLICATION_SERVER_TIMEOUT=2s")

	profile := func(name, address string, handling int) {
		n.HSS("PUT", "/service-profiles/"+name, map[string]any{"name": name, "filter_criteria": []any{map[string]any{
			"priority": 1, "application_server": map[string]any{"server_name": "sip:" + address, "default_handling": handling},
			"trigger": map[string]any{"cnf": 1, "service_points": []any{map[string]any{"groups": []int{0}, "method": "INVITE"}}},
		}}}, nil)
	}
	profile("continues", "127.0.0.20:5060", 0)
	profile("terminates", "127.0.0.21:5060", 1)

	alice, bob := n.Subscribe(1000, "continues"), n.Subscribe(0, "")
	carol := n.Subscribe(1000, "terminates")
	as := serve(t, "127.0.0.20:5060")
	a, b, c := n.Registered(alice, nil), n.Registered(bob, nil), n.Registered(carol, nil)
	answered := n.Answering(b)

	dial := func(t *testing.T) {
		t.Helper()
		call, err := a.Dial(t.Context(), bob.Tel())
		if err != nil {
			t.Fatal(err)
		}
		<-answered
		if err := call.HangUp(t.Context()); err != nil {
			t.Error(err)
		}
	}

	t.Run("in the path", func(t *testing.T) {
		dial(t)
		if got := fmt.Sprint(as.requests()); got != "[INVITE orig]" {
			t.Errorf("the AS saw %s", got)
		}
	})

	t.Run("what the callee says comes through it, and rings nobody a second time", func(t *testing.T) {
		dave := n.Subscribe(0, "")
		d := n.Registered(dave, nil)

		for _, status := range []int{480, 500, 580} {
			rang := make(chan error, 1)
			go func() { rang <- (<-d.Incoming()).Reject(status) }()
			if _, err := a.Dial(t.Context(), dave.Tel()); network.Status(err) != status {
				t.Errorf("got %v, want %d", err, status)
			}
			if err := <-rang; err != nil {
				t.Error(err)
			}
			if err := a.Register(t.Context()); err != nil { // by now a second INVITE would be there
				t.Error(err)
			}
			select {
			case <-d.Incoming():
				t.Errorf("%d rang a second time", status)
			default:
			}
		}
	})

	t.Run("dead, SESSION_CONTINUED: out of the path", func(t *testing.T) {
		as.stop()
		dial(t)
	})

	t.Run("dead, SESSION_TERMINATED: the call fails", func(t *testing.T) {
		if _, err := c.Dial(t.Context(), bob.Tel()); network.Status(err) != 408 && network.Status(err)/100 != 5 {
			t.Errorf("got %v, want 408 or 5xx", err)
		}
	})
}
