package stack_test

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// seen makes a plan record the responses that OnResponse sees.
func seen(plan func(*sip.Request) stack.Plan, responses *[]int) func(*sip.Request) stack.Plan {
	return func(r *sip.Request) stack.Plan {
		p := plan(r)
		p.OnResponse = func(_ *stack.Branch, r *sip.Response) {
			*responses = append(*responses, r.StatusCode)
			sip.Set(r, "X-Seen", "yes")
		}

		return p
	}
}

// TestLateSuccess: every callee that has taken the call is reported upstream (RFC 3261 §16.7 5, RFC 6026); otherwise it rings on there
// without anybody who could hang up.
func TestLateSuccess(t *testing.T) {
	t.Run("§9.1 it crosses the CANCEL", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			proxy := n.stack(t, proxyAt, relay(to("UDP", calleeAt)))
			caller, callee := n.peer(t, callerAt), n.peer(t, calleeAt)

			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			invite := callee.request("INVITE")
			callee.answer(proxy, invite, 180)
			caller.response(180)
			caller.send(proxy, caller.text("CANCEL", "sip:b@example", "1"))
			caller.response(200)
			callee.request("CANCEL")
			callee.answer(proxy, invite, 200)

			if r := caller.response(200); r.CSeq().MethodName != "INVITE" {
				t.Errorf("it is of %s", r.CSeq().MethodName)
			}
			time.Sleep(time.Hour)
			proxy.empty(t)
		})
	})

	t.Run("from an attempt that was given up", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			plan := to("UDP", calleeAt, otherAt)
			proxy := n.stack(t, proxyAt, relay(func(r *sip.Request) stack.Plan {
				p := plan(r)
				p.Groups[0][0].Timeout = 3 * time.Second
				return p
			}))
			caller, slow, other := n.peer(t, callerAt), n.peer(t, calleeAt), n.peer(t, otherAt)

			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			invite := slow.request("INVITE")
			caller.response(100)
			second := other.request("INVITE")
			other.answer(proxy, second, 180)
			caller.response(180)

			slow.drained()
			slow.answer(proxy, invite, 200)
			caller.response(200)

			cancel := other.request("CANCEL")
			other.answer(proxy, cancel, 200)
			other.answer(proxy, second, 487)
			other.request("ACK")
			caller.nothing(time.Minute)
			time.Sleep(time.Hour)
			proxy.empty(t)
		})
	})

	t.Run("after another final response", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			var responses []int
			plan := to("UDP", calleeAt, otherAt)
			proxy := n.stack(t, proxyAt, relay(seen(func(r *sip.Request) stack.Plan {
				p := plan(r)
				p.Groups[0][0].Timeout = 3 * time.Second
				return p
			}, &responses)))
			caller, slow, other := n.peer(t, callerAt), n.peer(t, calleeAt), n.peer(t, otherAt)

			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			invite := slow.request("INVITE")
			caller.response(100)
			other.answer(proxy, other.request("INVITE"), 404)
			caller.response(404)
			caller.send(proxy, caller.text("ACK", "sip:b@example", "1"))

			ok := slow.answer(proxy, invite, 200)
			if r := caller.response(200); sip.Value(r, "X-Seen") != "yes" {
				t.Errorf("the late 200 went by OnResponse:\n%s", r)
			}
			slow.send(proxy, ok.String()) // again
			caller.response(200)

			synctest.Wait()
			if got := fmt.Sprint(responses); got != "[404 200]" {
				t.Errorf("OnResponse saw %s", got)
			}
			time.Sleep(time.Hour)
			proxy.empty(t)
		})
	})

	t.Run("§13.2.2.4 from a fork below that sent another final response before", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			proxy := n.stack(t, proxyAt, relay(to("UDP", calleeAt)))
			caller, callee := n.peer(t, callerAt), n.peer(t, calleeAt)

			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			invite := callee.request("INVITE")
			callee.answer(proxy, invite, 486)
			callee.request("ACK")
			caller.response(486)
			callee.answer(proxy, invite, 200)
			caller.response(200)
			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1")) // its transaction repeats its last response
			caller.response(486)
			caller.send(proxy, caller.text("ACK", "sip:b@example", "1"))
			time.Sleep(time.Hour)
			proxy.empty(t)
		})
	})

	t.Run("§13.3.1.4 retransmissions are passed on, and not shown again", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			var responses []int
			proxy := n.stack(t, proxyAt, relay(seen(to("UDP", calleeAt), &responses)))
			caller, callee := n.peer(t, callerAt), n.peer(t, calleeAt)

			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			ok := callee.answer(proxy, callee.request("INVITE"), 200)
			for range 3 {
				if r := caller.response(200); sip.Value(r, "X-Seen") != "yes" {
					t.Errorf("it went by OnResponse:\n%s", r)
				}
				time.Sleep(time.Second)
				callee.send(proxy, ok.String())
			}
			caller.response(200)

			synctest.Wait()
			if got := fmt.Sprint(responses); got != "[200]" {
				t.Errorf("OnResponse saw %s", got)
			}
		})
	})

	t.Run("§13.2.2.4 of a second callee behind a fork", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			var responses []int
			proxy := n.stack(t, proxyAt, relay(seen(to("UDP", calleeAt), &responses)))
			caller, callee := n.peer(t, callerAt), n.peer(t, calleeAt)

			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			invite := callee.request("INVITE")
			tags := map[string]bool{}
			for range 40 { // each with a tag of its own: some are accepted
				callee.answer(proxy, invite, 200)
			}
			for range 16 {
				tag, _ := caller.response(200).To().Params.Get("tag")
				tags[tag] = true
			}
			caller.nothing(time.Minute)

			synctest.Wait()
			if len(tags) != 16 || len(responses) != 16 {
				t.Errorf("%d callees, OnResponse saw %d", len(tags), len(responses))
			}
			if got := proxy.value(t, "unexpected_total"); got != 24 {
				t.Errorf("%v were counted as unexpected", got)
			}
		})
	})
}

// TestUpstreamStatus: the caller's response where it is not the callee's.
func TestUpstreamStatus(t *testing.T) {
	tests := []struct {
		name, method string
		plan         func(*sip.Request) stack.Plan
		answer       int // of the callee; 0: it is silent
		want         int
		local        bool
	}{
		{name: "§16.7 6 a 503 from below is a 500 above", method: "MESSAGE", plan: to("UDP", calleeAt), answer: 503, want: 500},
		{name: "§16.9 nobody takes the connection", method: "MESSAGE", plan: to("TCP", "192.0.2.77:5060"), want: 500, local: true},
		{name: "§16.7 the others go as they are", method: "MESSAGE", plan: to("UDP", calleeAt), answer: 500, want: 500},
		{name: "§16.8 an INVITE that nobody answers", method: "INVITE", plan: to("UDP", calleeAt), want: 408, local: true},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				var final *sip.Response
				proxy := n.stack(t, proxyAt, relay(func(r *sip.Request) stack.Plan {
					p := test.plan(r)
					p.OnResponse = func(_ *stack.Branch, r *sip.Response) { final = r }
					return p
				}))
				caller, callee := n.peer(t, callerAt), n.peer(t, calleeAt)

				caller.send(proxy, caller.text(test.method, "sip:b@example", "1"))
				if test.answer != 0 {
					callee.answer(proxy, callee.request(test.method), test.answer)
				}
				if test.want == 408 {
					caller.response(100)
				}
				caller.response(test.want)
				synctest.Wait()
				if stack.Local(final) != test.local {
					t.Errorf("Local is %v", stack.Local(final))
				}
				time.Sleep(time.Hour)
				proxy.empty(t)
			})
		})
	}
}

// TestTimeoutOfANonInvite: a 408 to a request other than INVITE stays here, whoever made it, and retransmissions get nothing either (RFC
// 4320 §4.2).
func TestTimeoutOfANonInvite(t *testing.T) {
	for _, answer := range []int{0, 408} {
		t.Run(fmt.Sprintf("the callee says %d", answer), func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				proxy := n.stack(t, proxyAt, relay(to("UDP", calleeAt)))
				caller, callee := n.peer(t, callerAt), n.peer(t, calleeAt)

				caller.send(proxy, caller.text("MESSAGE", "sip:b@example", "1"))
				if r := callee.request("MESSAGE"); answer != 0 {
					callee.answer(proxy, r, answer)
				}
				caller.nothing(33 * time.Second)
				caller.send(proxy, caller.text("MESSAGE", "sip:b@example", "1"))
				caller.nothing(10 * time.Second)
				time.Sleep(time.Hour)
				proxy.empty(t)
			})
		})
	}
}

// TestSentByOfResponses: a response whose topmost Via is not the one that was sent is not for us (§18.1.2).
func TestSentByOfResponses(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		caller, callee := n.stack(t, callerAt, &user{}), n.peer(t, calleeAt)

		tx, err := caller.Send(t.Context(), request(t, "MESSAGE", "sip:b@"+calleeAt, nil), stack.Destination{})
		if err != nil {
			t.Fatal(err)
		}
		r := callee.request("MESSAGE")
		for _, via := range []string{"192.0.2.8:5060", "192.0.2.9:5062", "192.0.2.9", "elsewhere.example"} {
			callee.send(caller, strings.Replace(sip.NewResponse(r, 404, "").String(), "UDP 192.0.2.9:5060", "UDP "+via, 1))
		}
		synctest.Wait()
		if got := caller.value(t, "unexpected_total"); got != 4 {
			t.Errorf("%v were counted as unexpected", got)
		}
		callee.answer(caller, r, 200)
		if r := <-tx.Responses(); r.StatusCode != 200 {
			t.Errorf("%v", r)
		}
	})
}

// TestRequestThatComesTwiceAtOnce: the same request over several flows at once begins one transaction.
func TestRequestThatComesTwiceAtOnce(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		var handled atomic.Int64
		s := n.stack(t, proxyAt, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
			handled.Add(1)
			<-tx.Cancelled()
			_ = tx.Reply(487, "")
		}})
		sender := n.peer(t, callerAt)

		const requests, ways = 200, 8
		for range ways {
			c, err := n.Dial(t.Context(), netip.MustParseAddrPort("192.0.2.9:0"), s.Endpoint("Mw").Address())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			go func() {
				for i := range requests {
					_, _ = c.Write([]byte(sender.text("INVITE", "sip:b@example", fmt.Sprint("i", i))))
				}
			}()
		}

		synctest.Wait()
		if handled.Load() != requests || s.value(t, "transactions") != requests {
			t.Errorf("%d requests were handled in %v transactions, want %d", handled.Load(), s.value(t, "transactions"), requests)
		}

		for i := range requests {
			sender.send(s, sender.text("CANCEL", "sip:b@example", fmt.Sprint("i", i)))
		}
		time.Sleep(time.Hour)
		s.empty(t)
	})
}

// TestStreams: a stream has no packets, and its messages keep their order (RFC 3261 §18.3, §7.5).
func TestStreams(t *testing.T) {
	const requests = 600

	for _, piece := range []int{1, 7, 100, 1000, 1 << 20} {
		t.Run(fmt.Sprintf("in pieces of %d octets", piece), func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				s := n.stack(t, proxyAt, answering())
				sender := n.peer(t, callerAt)

				count := requests
				if piece == 1 {
					count = 20
				}
				var text strings.Builder
				for i := range count {
					text.WriteString(
						strings.Replace(
							sender.text("MESSAGE", "sip:b@example", fmt.Sprint(i)),
							"Content-Length: 0\r\n\r\n",
							"Content-Length: 6\r\n\r\n\r\n\r\n\r\n",
							1,
						),
					)
				}

				c, err := n.Dial(t.Context(), netip.MustParseAddrPort("192.0.2.9:0"), s.Endpoint("Mw").Address())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				go func() {
					for all := []byte(text.String()); len(all) > 0; {
						k := min(piece, len(all))
						_, _ = c.Write(all[:k])
						all = all[k:]
					}
				}()

				answered := map[string]int{}
				reader := bufio.NewReader(c)
				for range count {
					for {
						line, err := reader.ReadString('\n')
						if err != nil {
							t.Fatal(err)
						}
						if id, found := strings.CutPrefix(line, "Call-ID: "); found {
							answered[strings.TrimSpace(id)]++
						}
						if line == "\r\n" {
							break
						}
					}
				}
				for i := range count {
					if answered[fmt.Sprint(i)] != 1 {
						t.Errorf("request %d was answered %d times", i, answered[fmt.Sprint(i)])
					}
				}
				time.Sleep(5 * time.Second) // T4
				s.empty(t)
			})
		})
	}
}

// TestResponsesOfOneFlowKeepTheirOrder: the responses of one flow, however many, reach the transaction user in order (§18.1.2, §17.1).
func TestResponsesOfOneFlowKeepTheirOrder(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		proxy := n.stack(t, proxyAt, relay(to("UDP", calleeAt)))
		caller, callee := n.peer(t, callerAt), n.peer(t, calleeAt)

		caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
		invite := callee.request("INVITE")
		for i := range 600 {
			callee.answer(proxy, invite, 183, sip.NewHeader("RSeq", fmt.Sprint(i)))
		}
		for i := range 600 {
			if got := sip.Value(caller.response(183), "RSeq"); got != fmt.Sprint(i) {
				t.Fatalf("response %d came in place %d", i, i)
			}
		}
	})
}

// TestRequestsOfOneFlowKeepTheirOrder: a CANCEL right behind its INVITE finds it, because requests of one flow are taken in order.
func TestRequestsOfOneFlowKeepTheirOrder(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		s := n.stack(t, proxyAt, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
			<-tx.Cancelled()
			_ = tx.Reply(487, "")
		}})
		sender := n.peer(t, callerAt)

		for i := range 600 {
			sender.send(s, sender.text("INVITE", "sip:b@example", fmt.Sprint(i)))
			sender.send(s, sender.text("CANCEL", "sip:b@example", fmt.Sprint(i)))
		}
		got := map[string]int{}
		for _, line := range sender.drained() {
			got[line]++
		}
		if len(got) != 2 || got["SIP/2.0 200 OK"] != 600 || got["SIP/2.0 487 Request Terminated"] != 600 {
			t.Errorf("answered by %v", got)
		}
		time.Sleep(time.Hour)
		s.empty(t)
	})
}

// TestIPv6: all of a proxy's addresses are in brackets.
func TestIPv6(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				var via, route string
				callee := n.stack(t, "[2001:db8::2]:5060", &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
					via, route = tx.Request().Via().Value(), sip.Value(tx.Request(), "Record-Route")
					_ = tx.Reply(200, "")
				}})
				proxy, caller := n.stack(t, "[2001:db8::1]:5060", relay(nil)), n.stack(t, "[2001:db8::9]:5060", &user{})

				r := request(t, "INVITE", uri(callee.Stack, "b", transport), proxy.Stack)
				answer, err := caller.Do(t.Context(), r, stack.Destination{})
				if err != nil || answer.StatusCode != 200 {
					t.Fatalf("%v %v", answer, err)
				}
				if !strings.HasPrefix(via, "SIP/2.0/"+strings.ToUpper(transport)+" [2001:db8::1]:5060;") || route != "<sip:[2001:db8::1]:5060;lr>" {
					t.Errorf("the callee saw Via %q, Record-Route %q", via, route)
				}
			})
		})
	}
}
