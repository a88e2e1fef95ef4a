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

// TestOverload: at max_transactions a request is answered 503 and nothing of it is kept; CANCEL of a request in work still succeeds.
func TestOverload(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		s := n.stack(t, proxyAt, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
			<-tx.Cancelled()
			_ = tx.Reply(487, "")
		}}, func(c *stack.Config) { c.Limits.MaxTransactions = 3 })
		sender := n.peer(t, callerAt)

		for i := range 3 {
			sender.send(s, sender.text("INVITE", "sip:b@example", fmt.Sprint(i)))
		}
		time.Sleep(time.Second)
		sender.drained()

		for i := range 50 {
			sender.send(s, sender.text("MESSAGE", "sip:b@example", fmt.Sprint("m", i)))
			if r := sender.response(503); sip.Value(r, "Retry-After") == "" {
				t.Errorf("without Retry-After:\n%s", r)
			}
		}
		sender.send(s, sender.text("INVITE", "sip:b@example", "0")) // a retransmission is not a new request
		sender.response(100)

		for i := range 500 { // CANCEL of nothing must not be kept
			sender.send(s, sender.text("CANCEL", "sip:b@example", fmt.Sprint("c", i)))
			sender.response(481)
		}
		if got := s.value(t, "transactions"); got != 3 {
			t.Errorf("%v transactions are alive", got)
		}

		for range 20 { // and for one INVITE only one is
			sender.send(s, sender.text("CANCEL", "sip:b@example", "1"))
		}
		synctest.Wait()
		if got := s.value(t, "transactions"); got != 4 {
			t.Errorf("%v transactions are alive after CANCEL", got)
		}

		sender.send(s, sender.text("CANCEL", "sip:b@example", "0"))
		sender.send(s, sender.text("CANCEL", "sip:b@example", "2"))
		time.Sleep(time.Hour)
		s.empty(t)
	})
}

// TestAnsweredRequestsDoNotBlock: answered requests wait 64*T1 for retransmissions; many of them in that time are no reason to refuse
// more. The oldest are forgotten, the latest are still known.
func TestAnsweredRequestsDoNotBlock(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		served := 0
		s := n.stack(t, proxyAt, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
			served++
			_ = tx.Reply(200, "")
		}}, func(c *stack.Config) { c.Limits.MaxTransactions = 128 })
		sender := n.peer(t, callerAt)

		for i := range 5000 {
			sender.send(s, sender.text("REGISTER", "sip:example", fmt.Sprint(i)))
			sender.response(200)

			if got := s.value(t, "transactions"); got > 2*128 {
				t.Fatalf("%v transactions are alive after %d requests", got, i+1)
			}
		}

		synctest.Wait() // while an answer is being sent a retransmission is not answered again
		sender.send(s, sender.text("REGISTER", "sip:example", "4999"))
		sender.response(200)
		if served != 5000 {
			t.Errorf("%d requests were served, want 5000: the last one came twice", served)
		}

		time.Sleep(time.Hour)
		s.empty(t)
	})
}

// TestCancelIsBounded: a cancelled request is over within 64*T1, whatever still rings (RFC 3261 §9.1).
func TestCancelIsBounded(t *testing.T) {
	for _, early := range []bool{false, true} {
		t.Run(fmt.Sprintf("CANCEL wanted before the 180: %v", early), func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				caller, callee := n.stack(t, callerAt, &user{}), n.peer(t, calleeAt)

				tx, err := caller.Send(t.Context(), request(t, "INVITE", "sip:b@"+calleeAt, nil), stack.Destination{})
				if err != nil {
					t.Fatal(err)
				}
				invite := callee.request("INVITE")

				begin := time.Now()
				if early {
					tx.Cancel()
					callee.answer(caller, invite, 180)
				} else {
					callee.answer(caller, invite, 180)
					<-tx.Responses()
					tx.Cancel()
				}

				go func() {
					for range 100 { // it rings on
						time.Sleep(time.Second)
						callee.answer(caller, invite, 180)
					}
				}()

				over(tx)
				if d := time.Since(begin); d != 32*time.Second {
					t.Errorf("over after %v", d)
				}
				if cancel := callee.request("CANCEL"); cancel.Via().String() != invite.Via().String() {
					t.Errorf("the Via of CANCEL is %s", cancel.Via())
				}
				time.Sleep(time.Hour)
				caller.empty(t)
			})
		})
	}
}

// TestLoops: RFC 5393 §4 and RFC 3261 §16.3.
func TestLoops(t *testing.T) {
	t.Run("RFC 5393 §4.2.1 a loop ends at its first repetition", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			passed := 0
			one := n.stack(t, proxyAt, relay(func(r *sip.Request) stack.Plan { passed++; return to("UDP", otherAt)(r) }))
			two := n.stack(t, otherAt, relay(to("UDP", proxyAt)))
			caller := n.peer(t, callerAt)

			caller.send(one, caller.text("INVITE", "sip:b@example", "1"))
			caller.response(482)
			if passed != 1 {
				t.Errorf("the proxy passed it on %d times", passed)
			}
			caller.send(one, caller.text("ACK", "sip:b@example", "1"))
			time.Sleep(time.Hour)
			one.empty(t)
			two.empty(t)
		})
	})

	t.Run("RFC 5393 §4.2.1 a spiral is none: it comes back with another target", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			callee := n.peer(t, calleeAt)
			one := n.stack(t, proxyAt, relay(func(r *sip.Request) stack.Plan {
				if r.Recipient.User == "c" {
					return to("UDP", calleeAt)(r)
				}
				return to("UDP", otherAt)(r)
			}))
			n.stack(t, otherAt, relay(func(r *sip.Request) stack.Plan {
				r.Recipient.User = "c"
				return to("UDP", proxyAt)(r)
			}))
			caller := n.peer(t, callerAt)

			caller.send(one, caller.text("MESSAGE", "sip:b@example", "1"))
			callee.answer(one, callee.request("MESSAGE"), 200)
			caller.response(200)
		})
	})

	t.Run("§16.3 3 no hops left", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			proxy := n.stack(t, proxyAt, relay(to("UDP", calleeAt)))
			caller, callee := n.peer(t, callerAt), n.peer(t, calleeAt)
			caller.send(proxy, strings.Replace(caller.text("MESSAGE", "sip:b@example", "1"), "Max-Forwards: 70", "Max-Forwards: 0", 1))
			caller.response(483)
			callee.nothing(time.Minute)
		})
	})
}

// TestMaxBreadth: RFC 5393 §5.3.3.
func TestMaxBreadth(t *testing.T) {
	fork := func(r *sip.Request) stack.Plan {
		var group []stack.Branch
		for i := range 3 {
			group = append(group, to("UDP", fmt.Sprintf("192.0.2.2%d:5060", i))(sip.Copy(r)).Groups[0]...)
		}
		return stack.Plan{Groups: [][]stack.Branch{group}}
	}

	tests := []struct {
		name, header string
		rounds       [][]string // what the callees get at a time; each answers 404
		want         int
	}{
		{"§5.3.3.1 without one it is 60", "", [][]string{{"20", "20", "20"}}, 404},
		{"§5.3.3 it is shared", "Max-Breadth: 8\r\n", [][]string{{"2", "3", "3"}}, 404},
		{"§5.3.3 fewer than branches: one after the other", "Max-Breadth: 2\r\n", [][]string{{"1", "1", ""}, {"", "", "1"}}, 404},
		{"§5.3.3 one at a time", "Max-Breadth: 1\r\n", [][]string{{"1", "", ""}, {"", "1", ""}, {"", "", "1"}}, 404},
		{"§5.3.3 none", "Max-Breadth: 0\r\n", nil, 440},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				proxy := n.stack(t, proxyAt, relay(fork))
				caller := n.peer(t, callerAt)
				var callees []*peer
				for i := range 3 {
					callees = append(callees, n.peer(t, fmt.Sprintf("192.0.2.2%d:5060", i)))
				}

				caller.send(proxy, caller.text("MESSAGE", "sip:b@example", "1", test.header))
				for i, round := range test.rounds {
					synctest.Wait()
					var came []*sip.Request
					var got []string
					for _, callee := range callees {
						breadth := ""
						var r *sip.Request
						if raw := callee.already(); raw != nil {
							parsed, err := sip.ParseMessage(raw)
							if err != nil {
								t.Fatal(err)
							}
							r = parsed.(*sip.Request)
							breadth = sip.Value(r, "Max-Breadth")
						}
						got, came = append(got, breadth), append(came, r)
					}
					if fmt.Sprint(got) != fmt.Sprint(round) {
						t.Errorf("round %d: Max-Breadth %q, want %q", i, got, round)
					}
					for j, r := range came {
						if r != nil {
							callees[j].answer(proxy, r, 404)
							synctest.Wait() // one answer at a time
						}
					}
				}
				caller.response(test.want)
			})
		})
	}
}

// TestUrgentRequestsInAnOverload: urgent requests are served beyond max_transactions, but not without a limit.
func TestUrgentRequestsInAnOverload(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		s := n.stack(t, proxyAt, &user{
			urgent: func(_ stack.Flow, r *sip.Request) bool { return r.Recipient.String() == "urn:service:sos" },
			request: func(ctx context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
				<-ctx.Done()
				_ = tx.Reply(480, "")
			},
		}, func(c *stack.Config) { c.Limits.MaxTransactions = 3 })
		sender := n.peer(t, callerAt)

		for i := range 9 {
			target := "sip:b@example"
			if i >= 3 {
				sender.send(s, sender.text("INVITE", target, fmt.Sprint("m", i)))
				sender.response(503)
				sender.send(s, sender.text("ACK", target, fmt.Sprint("m", i)))
				target = "urn:service:sos"
			}
			sender.send(s, sender.text("INVITE", target, fmt.Sprint(i)))
			time.Sleep(time.Second)
			sender.response(100)
		}
		sender.send(s, sender.text("INVITE", "urn:service:sos", "9"))
		sender.response(503)
		if got := s.value(t, "transactions"); got != 9 {
			t.Errorf("%v transactions are alive", got)
		}
	})
}
