package stack_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// ownRefusal is a request that the stack itself refuses: the response, the count and the log.
type ownRefusal struct {
	name  string
	user  *user // nil: a proxy to the callee
	edit  func(*stack.Config)
	talk  func(s *node, caller, callee *peer)
	want  string // start line, and Reason
	count string // the reason of dialtone_sip_refused_total; "": another metric has it
	cause string // in the log
}

func plan(change func(*stack.Plan)) *user {
	return relay(func(r *sip.Request) stack.Plan {
		p := to("UDP", calleeAt)(r)
		change(&p)

		return p
	})
}

// cancelledFirst forwards a request once it is cancelled.
func cancelledFirst() *user {
	u := relay(to("UDP", calleeAt))
	forward := u.request
	u.request = func(ctx context.Context, s *stack.Stack, tx *stack.ServerTransaction) {
		<-tx.Cancelled()
		forward(ctx, s, tx)
	}

	return u
}

func ownRefusals() []ownRefusal {
	large := strings.Repeat("x", 3000)
	small := func(c *stack.Config) { c.Limits.MaxMessage = 2048 }
	sends := func(method string, more ...string) func(*node, *peer, *peer) {
		return func(s *node, caller, _ *peer) { caller.send(s, caller.text(method, "sip:b@example", "1", more...)) }
	}
	answered := func(method string, status int) func(*node, *peer, *peer) {
		return func(s *node, caller, callee *peer) {
			caller.send(s, caller.text(method, "sip:b@example", "1"))
			callee.answer(s, callee.request(method), status)
		}
	}
	does := func(f func(tx *stack.ServerTransaction)) *user {
		return &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { f(tx) }}
	}

	return []ownRefusal{
		{
			name: "RFC 3261 §21.5.4 max_transactions",
			user: &user{request: func(ctx context.Context, _ *stack.Stack, _ *stack.ServerTransaction) { <-ctx.Done() }},
			edit: func(c *stack.Config) { c.Limits.MaxTransactions = 1 },
			talk: func(s *node, caller, _ *peer) {
				caller.send(s, caller.text("INVITE", "sip:b@example", "0"))
				caller.send(s, caller.text("MESSAGE", "sip:b@example", "1"))
			},
			want:  `503 Service Unavailable: SIP;cause=503;text="too many requests are in work"`,
			count: "overload", cause: "max_transactions is reached",
		},
		{
			name: "§9.2 CANCEL of nothing", talk: sends("CANCEL"),
			want:  `481 Call/Transaction Does Not Exist: SIP;cause=481;text="there is no INVITE in work that this CANCEL is for"`,
			count: "cancel", cause: "no transaction has its branch",
		},
		{
			name: "§16.3 1 it cannot be read", talk: sends("MESSAGE", "CSeq: x\r\n"),
			want: `400 Malformed CSeq: SIP;cause=400;text="Malformed CSeq"`, cause: "Malformed CSeq",
		},
		{
			name: "§21.5.7 it is too large to read", edit: small, talk: sends("MESSAGE", "X: "+large+"\r\n"),
			want: `513 Message Too Large: SIP;cause=513;text="Message Too Large"`, cause: "Message Too Large",
		},
		{
			name: "§21.5.7 it is too large to go on", edit: small,
			user: relay(func(r *sip.Request) stack.Plan { sip.Set(r, "X", large); return to("UDP", calleeAt)(r) }), talk: sends("MESSAGE"),
			want:  `513 Message Too Large: SIP;cause=513;text="the request would be larger than the next hop takes"`,
			count: "too large to send", cause: "larger than its receiver takes",
		},
		{
			name: "the response is too large", edit: small, talk: sends("MESSAGE"),
			user:  does(func(tx *stack.ServerTransaction) { _ = tx.Reply(200, "", sip.NewHeader("X", large)) }),
			want:  `500 Server Internal Error: SIP;cause=500;text="the response would be larger than its receiver takes"`,
			count: "too large to send", cause: "larger than its receiver takes",
		},
		{
			name: "§16.3 3 no hops left", talk: func(s *node, caller, _ *peer) {
				caller.send(s, strings.Replace(caller.text("MESSAGE", "sip:b@example", "1"), "Forwards: 70", "Forwards: 0", 1))
			},
			want: `483 Too Many Hops: SIP;cause=483;text="Max-Forwards is used up"`, cause: "-",
		},
		{
			name: "§16.4 Route cannot be read", talk: sends("MESSAGE", "Route: <sip:\r\n"),
			want: `400 Bad Route: SIP;cause=400;text="Route cannot be read"`, cause: "-",
		},
		{
			name: "RFC 5393 §4.2.1 a loop",
			user: relay(to("UDP", proxyAt)), talk: sends("MESSAGE"),
			want: `482 Loop Detected: SIP;cause=482;text="the request was here before, unchanged: a loop"`, cause: "-",
		},
		{
			name: "RFC 5393 §5.3.3 Max-Breadth", talk: sends("MESSAGE", "Max-Breadth: 0\r\n"),
			want:  `440 Max-Breadth Exceeded: SIP;cause=440;text="the request may not be forked any more"`,
			count: "max-breadth", cause: "Max-Breadth is 0",
		},
		{
			name: "§16.7 6 there is no target", talk: sends("MESSAGE"), user: plan(func(p *stack.Plan) { p.Groups = nil }),
			want:  `480 Temporarily Unavailable: SIP;cause=480;text="there was nowhere to send the request"`,
			count: "forward", cause: "there was no target",
		},
		{
			name: "§16.8 no answer", talk: sends("INVITE"),
			want: `408 Request Timeout: SIP;cause=408;text="the next hop did not answer in time"`, count: "forward",
			cause: "no answer from " + calleeAt,
		},
		{
			name: "§16.9 it cannot be reached", talk: sends("MESSAGE"), user: relay(to("TCP", calleeAt)),
			want: `500 Server Internal Error: SIP;cause=500;text="the next hop cannot be reached"`, count: "forward", cause: calleeAt,
		},
		{
			name: "§16.7 6 the next hop is overloaded, and says no more", talk: answered("MESSAGE", 503),
			want: `500 Server Internal Error: SIP;cause=500;text="the next hop answered 503"`, cause: "-",
		},
		{
			name: "§9.2 cancelled before it is sent",
			user: cancelledFirst(),
			talk: func(s *node, caller, _ *peer) {
				caller.send(s, caller.text("INVITE", "sip:b@example", "1"))
				caller.send(s, caller.text("CANCEL", "sip:b@example", "1"))
				caller.response(200)
			},
			want: `487 Request Terminated: SIP;cause=487;text="the request was cancelled"`, cause: "-",
		},
		{
			name: "the procedure panics", talk: sends("MESSAGE"), user: does(func(*stack.ServerTransaction) { panic("of the test") }),
			want:  `500 Server Internal Error: SIP;cause=500;text="the request ran into a fault of this program"`,
			count: "panic", cause: "the procedure panicked",
		},
		{
			name: "a function of the plan panics", talk: answered("MESSAGE", 404),
			user: plan(func(p *stack.Plan) {
				p.OnResponse = func(*stack.Branch, *sip.Response) { panic("of the test") }
			}),
			want:  `500 Server Internal Error: SIP;cause=500;text="the request ran into a fault of this program"`,
			count: "panic", cause: "the procedure panicked",
		},
		{
			name: "the procedure gives no answer", talk: sends("MESSAGE"), user: does(func(*stack.ServerTransaction) {}),
			want:  `500 Server Internal Error: SIP;cause=500;text="this program came to no answer"`,
			count: "undecided", cause: "the procedure ended without a final response",
		},
	}
}

// TestOwnRefusals: a refusal by the stack itself says why, as a function's does: in Reason (RFC 3326), in a log line with its cause, and
// in a count.
func TestOwnRefusals(t *testing.T) {
	for _, test := range ownRefusals() {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				caller, callee := n.peer(t, callerAt), n.peer(t, calleeAt)
				u := test.user
				if u == nil {
					u = relay(to("UDP", calleeAt))
				}
				edit := test.edit
				if edit == nil {
					edit = func(*stack.Config) {}
				}
				s := n.stack(t, proxyAt, u, edit)
				test.talk(s, caller, callee)
				s.refused(t, caller, test)
			})
		})
	}

	t.Run("§8.2.2.2 an INVITE that came again, and nothing comes for it", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			callee, caller := n.peer(t, calleeAt), n.peer(t, callerAt)
			proxy := n.stack(t, proxyAt, merging(t, true))
			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			callee.request("INVITE")
			for i := range 5 {
				branch := fmt.Sprint(i + 2)
				caller.send(proxy, strings.Replace(caller.text("INVITE", "sip:b@example", branch), "Call-ID: "+branch, "Call-ID: 1", 1))
				synctest.Wait()
			}
			proxy.refused(t, caller, ownRefusal{
				want:  `408 Request Timeout: SIP;cause=408;text="the INVITE came by another branch, too, and no answer comes for this one any more"`,
				count: "merged", cause: "merged into one that has ended",
			})
		})
	})
}

// TestOversizedBranch: a branch whose request is too large is logged when another one answers.
func TestOversizedBranch(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		caller, callee := n.peer(t, callerAt), n.peer(t, calleeAt)
		u := relay(func(r *sip.Request) stack.Plan {
			large := sip.Copy(r)
			sip.Set(large, "X", strings.Repeat("x", 3000))
			p := to("UDP", calleeAt)(r)
			p.Groups[0] = append(p.Groups[0], to("UDP", calleeAt)(large).Groups[0]...)

			return p
		})
		s := n.stack(t, proxyAt, u, func(c *stack.Config) { c.Limits.MaxMessage = 2048 })
		caller.send(s, caller.text("INVITE", "sip:b@example", "1"))
		callee.answer(s, callee.request("INVITE"), 200)
		caller.response(200)
		synctest.Wait()

		if log := s.log.String(); strings.Count(log, "not sent: too large") != 1 || strings.Contains(log, "request refused") {
			t.Errorf("logged is\n%s", log)
		}
		if got := s.refusals(t); got["too large to send"] != 1 {
			t.Errorf("counted are %v", got)
		}
	})
}

// refused fails the test unless the next final response, the count and the log are those of a refusal.
func (n *node) refused(t *testing.T, caller *peer, want ownRefusal) {
	t.Helper()

	for {
		m, err := caller.receive(time.Hour)
		r, ok := m.(*sip.Response)
		if err != nil || !ok {
			t.Fatalf("%s came (%v), want %s", firstLine(m), err, want.want)
		}
		if r.IsProvisional() {
			continue
		}
		if got := fmt.Sprintf("%d %s: %s", r.StatusCode, r.Reason, strings.Join(sip.Values(r, "Reason"), ", ")); got != want.want {
			t.Errorf("answered\n%s, want\n%s", got, want.want)
		}

		break
	}

	synctest.Wait()

	if got := n.refusals(t); want.count != "" && (len(got) != 1 || got[want.count] < 1) {
		t.Errorf("counted are %v, want %q", got, want.count)
	}

	log := n.log.String()

	switch {
	case want.cause == "-":
		if strings.Contains(log, "level=WARN") {
			t.Errorf("logged is\n%s, though whoever uses the stack does that, or nobody", log)
		}
	case want.count != "" && strings.Count(log, `msg="request refused"`) != 1:
		t.Errorf("logged is\n%s, want one refusal", log)
	case !strings.Contains(log, "level=WARN") || !strings.Contains(log, "cause=") ||
		!strings.Contains(log[strings.LastIndex(log, "cause="):], want.cause):
		t.Errorf("logged is\n%s without the cause %q", log, want.cause)
	}
}

// refusals returns the counted refusals by reason.
func (n *node) refusals(t *testing.T) map[string]float64 {
	t.Helper()

	families, err := n.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}

	all := map[string]float64{}

	for _, f := range families {
		if f.GetName() == "dialtone_sip_refused_total" {
			for _, m := range f.GetMetric() {
				all[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}

	return all
}
