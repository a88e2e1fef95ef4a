package stack_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// user is the transaction user of one stack in a test.
type user struct {
	urgent  func(stack.Flow, *sip.Request) bool // nil: none is
	stack   *stack.Stack
	request func(ctx context.Context, s *stack.Stack, tx *stack.ServerTransaction)
	ack     func(ctx context.Context, s *stack.Stack, ack *stack.Ack)
}

func (u *user) HandleRequest(ctx context.Context, tx *stack.ServerTransaction) {
	if u.request != nil {
		u.request(ctx, u.stack, tx)
	}
}

func (u *user) HandleAck(ctx context.Context, ack *stack.Ack) {
	if u.ack != nil {
		u.ack(ctx, u.stack, ack)
	}
}

func start(t testing.TB, u *user, edits ...func(*stack.Config)) *stack.Stack {
	t.Helper()

	c := stack.DefaultConfig(stack.EndpointConfig{Name: "Mw", Address: "127.0.0.1:0", Transports: []string{"udp", "tcp"}})
	c.Timers.T1 = 100 * time.Millisecond
	for _, edit := range edits {
		edit(&c)
	}

	s, err := stack.New(c, u, stack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	u.stack = s

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})

	return s
}

func uri(s *stack.Stack, user, transport string) string {
	return fmt.Sprintf("sip:%s@%s;transport=%s", user, s.Endpoint("Mw").Address(), transport)
}

func request(t testing.TB, method, target string, via *stack.Stack) *sip.Request {
	t.Helper()

	r, err := sip.NewRequest(method, target)
	if err != nil {
		t.Fatal(err)
	}
	r.AppendHeader(sip.NewHeader("From", "<sip:alice@example>;tag="+sip.NewTag()))
	text := fmt.Sprintf(
		"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKx\r\nMax-Forwards: 70\r\nFrom: \"A\" <sip:alice@example>;tag=%s\r\nTo: <%s>\r\n"+
			"Call-ID: %s\r\nCSeq: 1 %s\r\nContact: <sip:alice@127.0.0.1>\r\nContent-Length: 0\r\n\r\n",
		method,
		target,
		sip.NewTag(),
		target,
		sip.NewCallID(),
		method,
	)
	m, err := sip.ParseMessage([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	parsed := m.(*sip.Request)
	parsed.RemoveHeader("Via")
	if via != nil {
		sip.PushRoute(parsed, via.Endpoint("Mw").URI(""))
	}

	return parsed
}

// relay returns a user that proxies every request to where its Route and Request-URI lead.
func relay(plan func(*sip.Request) stack.Plan) *user {
	return &user{
		request: func(ctx context.Context, s *stack.Stack, tx *stack.ServerTransaction) {
			out, _, refusal := s.Forwardable(tx.Request())
			if refusal != nil {
				_ = tx.Respond(refusal.Response(tx.Request()))
				return
			}
			if tx.Request().IsInvite() {
				sip.AddRecordRoute(out, s.Endpoint("Mw").URI(""))
			}
			p := stack.Plan{Groups: [][]stack.Branch{{{Request: out}}}}
			if plan != nil {
				p = plan(out)
			}
			s.Forward(tx, p)
		},
		ack: func(ctx context.Context, s *stack.Stack, ack *stack.Ack) {
			out, _, refusal := s.Forwardable(ack.Request)
			if refusal == nil {
				_ = s.SendStateless(ctx, out, stack.Destination{})
			}
		},
	}
}

func TestProxyRelaysARequest(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			callee := start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
				if n := len(tx.Request().GetHeaders("Via")); n != 2 {
					t.Errorf("%d Via at the callee, want 2", n)
				}
				if h := tx.Request().MaxForwards(); h.Val() != 69 {
					t.Errorf("Max-Forwards %d, want 69", h.Val())
				}
				_ = tx.Reply(200, "")
			}})
			proxy, caller := start(t, relay(nil)), start(t, &user{})

			r, err := caller.Do(t.Context(), request(t, "OPTIONS", uri(callee, "bob", transport), proxy), stack.Destination{})
			if err != nil || r.StatusCode != 200 || len(r.GetHeaders("Via")) != 1 {
				t.Fatalf("%v %v", r, err)
			}
		})
	}
}

func TestResponsesKeepTheirOrder(t *testing.T) {
	callee := start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
		for _, status := range []int{180, 181, 182, 183, 200} {
			_ = tx.Reply(status, "")
		}
	}})
	proxy, caller := start(t, relay(nil)), start(t, &user{})

	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 40 {
				tx, err := caller.Send(t.Context(), request(t, "INVITE", uri(callee, "bob", "udp"), proxy), stack.Destination{})
				if err != nil {
					t.Error(err)
					return
				}
				var got []int
				for r := range tx.Responses() {
					got = append(got, r.StatusCode)
					if r.IsSuccess() {
						break
					}
				}
				got = slices.Compact(got) // on a slow machine an INVITE is sent again, and answered by the last response again
				if fmt.Sprint(got) != "[180 181 182 183 200]" && fmt.Sprint(got) != "[100 180 181 182 183 200]" {
					t.Errorf("came as %v", got)
				}
			}
		})
	}
	group.Wait()
}

func TestCancelReachesTheCallee(t *testing.T) {
	ringing, ended := make(chan struct{}), make(chan struct{})
	callee := start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
		_ = tx.Reply(180, "")
		close(ringing)
		<-tx.Cancelled()
		_ = tx.Reply(487, "")
		<-tx.Done() // its ACK came
		close(ended)
	}})
	proxy, caller := start(t, relay(nil)), start(t, &user{})

	tx, err := caller.Send(t.Context(), request(t, "INVITE", uri(callee, "bob", "udp"), proxy), stack.Destination{})
	if err != nil {
		t.Fatal(err)
	}
	<-ringing
	tx.Cancel()

	var last *sip.Response
	for r := range tx.Responses() {
		last = r
		if !r.IsProvisional() {
			break
		}
	}
	if last == nil || last.StatusCode != 487 {
		t.Fatalf("got %v, want 487", last)
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the callee's transaction did not end")
	}
}

func TestForkTakesTheFirst200(t *testing.T) {
	cancelled := make(chan struct{})
	slow := start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
		_ = tx.Reply(180, "")
		<-tx.Cancelled()
		close(cancelled)
		_ = tx.Reply(487, "")
	}})
	fast := start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
		_ = tx.Reply(180, "")
		_ = tx.Reply(200, "")
	}})
	proxy := start(t, relay(func(r *sip.Request) stack.Plan {
		group := make([]stack.Branch, 2)
		for i, s := range []*stack.Stack{slow, fast} {
			out := sip.Copy(r)
			out.Recipient, _ = sip.ParseURI(uri(s, "bob", "udp"))
			group[i] = stack.Branch{Request: out}
		}
		return stack.Plan{Groups: [][]stack.Branch{group}}
	}))
	caller := start(t, &user{})

	r, err := caller.Do(t.Context(), request(t, "INVITE", "sip:bob@example", proxy), stack.Destination{})
	if err != nil || r.StatusCode != 200 {
		t.Fatalf("%v %v", r, err)
	}
	select {
	case <-cancelled:
	case <-time.After(10 * time.Second):
		t.Error("the other branch was not cancelled")
	}
}

func TestFailures(t *testing.T) {
	answer := func(status int) *stack.Stack {
		return start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(status, "") }})
	}
	group := func(r *sip.Request, stacks ...*stack.Stack) stack.Plan {
		var branches []stack.Branch
		for _, s := range stacks {
			out := sip.Copy(r)
			out.Recipient, _ = sip.ParseURI(uri(s, "bob", "udp"))
			branches = append(branches, stack.Branch{Request: out})
		}
		return stack.Plan{Groups: [][]stack.Branch{branches}}
	}
	busy, gone, overloaded, declined := answer(486), answer(404), answer(503), answer(603)
	caller := start(t, &user{})

	tests := []struct {
		name string
		plan func(*sip.Request) stack.Plan
		want int
	}{
		{"§16.7 6 the lowest of one class", func(r *sip.Request) stack.Plan { return group(r, busy, gone) }, 404},
		{"§16.7 6 a 6xx wins", func(r *sip.Request) stack.Plan { return group(r, gone, declined) }, 603},
		{"§16.7 6 a 503 from below is a 500 above", func(r *sip.Request) stack.Plan { return group(r, overloaded) }, 500},
		{"a failed branch may be replaced", func(r *sip.Request) stack.Plan {
			p := group(r, busy)
			p.OnFailure = func(b *stack.Branch, res *sip.Response) []stack.Branch {
				if res.StatusCode != 486 {
					return nil
				}
				return group(r, gone).Groups[0]
			}
			return p
		}, 404},
		{"a name that does not exist", func(r *sip.Request) stack.Plan { return stack.Plan{Groups: [][]stack.Branch{{{Request: r}}}} }, 404},
		{"no target at all", func(r *sip.Request) stack.Plan { return stack.Plan{} }, 480},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			proxy := start(t, relay(test.plan))
			r, err := caller.Do(t.Context(), request(t, "MESSAGE", "tel:+1", proxy), stack.Destination{})
			if err != nil || r.StatusCode != test.want {
				t.Fatalf("%v %v, want %d", r, err, test.want)
			}
		})
	}
}

func TestBadInputIsAnswered(t *testing.T) {
	s := start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(200, "") }})
	head := "Via: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bK%d\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c%d\r\n" +
		"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n"

	tests := []struct {
		name, line, extra string
		want              string // "" no answer
	}{
		{"right", "OPTIONS sip:a@b SIP/2.0", "", "SIP/2.0 200"},
		{"another version", "OPTIONS sip:a@b SIP/3.0", "", "SIP/2.0 505"},
		{"method and CSeq differ", "INVITE sip:a@b SIP/2.0", "", "SIP/2.0 400"},
		{"two To", "OPTIONS sip:a@b SIP/2.0", "To: <sip:x@y>\r\n", "SIP/2.0 400"},
		{"a bare LF", "OPTIONS sip:a@b SIP/2.0", "X: 1\nY: 2\r\n", "SIP/2.0 400"},
		{"garbage", "hello", "", ""},
		{"CANCEL of nothing", "CANCEL sip:a@b SIP/2.0", "", "SIP/2.0 481"},
	}

	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conn, err := net.Dial("udp", s.Endpoint("Mw").Address().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()

			text := test.line + "\r\n" + fmt.Sprintf(head, i, i) + test.extra + "\r\n"
			if strings.HasPrefix(test.line, "CANCEL") {
				text = strings.Replace(text, "1 OPTIONS", "1 CANCEL", 1)
			}
			if _, err := conn.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if test.want == "" { // the next message is served all the same
				if _, err := conn.Write([]byte("OPTIONS sip:a@b SIP/2.0\r\n" + fmt.Sprintf(head, i+100, i) + "\r\n")); err != nil {
					t.Fatal(err)
				}
				test.want = "SIP/2.0 200"
			}
			answer := make([]byte, 2000)
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, err := conn.Read(answer)
			if err != nil || !strings.HasPrefix(string(answer[:n]), test.want) {
				t.Errorf("%s %v, want %s", answer[:n], err, test.want)
			}
		})
	}
}

func BenchmarkProxy(b *testing.B) {
	for _, transport := range []string{"udp", "tcp"} {
		b.Run(transport, func(b *testing.B) {
			callee := start(b, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(200, "") }})
			proxy, caller := start(b, relay(nil)), start(b, &user{})
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r, err := caller.Do(context.Background(), request(b, "MESSAGE", uri(callee, "bob", transport), proxy), stack.Destination{})
					if err != nil || r.StatusCode != 200 {
						b.Errorf("%v %v", r, err)
					}
				}
			})
		})
	}
}

// TestForwardLeavesNothing: a branch with a time of its own must not outlive its request, whatever the context it ran in.
func TestForwardLeavesNothing(t *testing.T) {
	short := func(c *stack.Config) { c.Timers.T4 = time.Millisecond }
	callee := start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(200, "") }}, short)
	proxy := start(t, relay(func(r *sip.Request) stack.Plan {
		return stack.Plan{Groups: [][]stack.Branch{{{Request: r, Timeout: time.Minute}}}}
	}), short)
	caller := start(t, &user{}, short)

	send := func(n int) {
		for range n {
			if _, err := caller.Do(t.Context(), request(t, "MESSAGE", uri(callee, "bob", "tcp"), proxy), stack.Destination{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	live := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}

	send(200)
	before := live()
	send(2000)

	// UDP from caller to proxy: its server transactions live on for 64*T1, some 1 kB each; a request that is kept takes more.
	if grown := int64(live()) - int64(before); grown > 2000*4000 {
		t.Errorf("%d octets are left of each request", grown/2000)
	}
}

// TestFinalResponseBeforeTheEnd: over a reliable transport a transaction ends with its final response, but not before the waiting caller
// has it.
func TestFinalResponseBeforeTheEnd(t *testing.T) {
	callee := start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(200, "") }})
	caller := start(t, &user{})

	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 250 {
				r, err := caller.Do(t.Context(), request(t, "OPTIONS", uri(callee, "bob", "tcp"), nil), stack.Destination{})
				if err != nil || r.StatusCode != 200 {
					t.Errorf("%v %v", r, err)
					return
				}
			}
		})
	}
	group.Wait()
}
