package stack_test

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// TestForwardHoldsNoGoroutine: requests that wait for an answer cost no goroutine, whatever responses have come so far.
func TestForwardHoldsNoGoroutine(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		callee, caller := n.peer(t, calleeAt), n.peer(t, callerAt)
		proxy := n.stack(t, proxyAt, relay(to("UDP", calleeAt)), func(c *stack.Config) { c.Timers.T1, c.Timers.T2 = time.Hour, time.Hour })

		synctest.Wait()
		before := runtime.NumGoroutine()

		const requests = 50

		for i := range requests {
			caller.send(proxy, caller.text("INVITE", "sip:b@example", strconv.Itoa(i)))
			invite := callee.request("INVITE")

			switch i % 3 {
			case 1:
				callee.answer(proxy, invite, 100)
			case 2:
				callee.answer(proxy, invite, 180)
			}
		}

		synctest.Wait()

		// Other goroutines of the process, such as those of an earlier test, may come and go meanwhile.
		if grown := runtime.NumGoroutine() - before; grown >= requests/5 {
			t.Errorf("%d goroutines wait for %d requests", grown, requests)
		}
	})
}

// TestThen: Then is called once, after the final response has gone upstream, whoever made that response.
func TestThen(t *testing.T) {
	for _, test := range []struct {
		name   string
		method string
		answer []int // of the callee
		want   []int // that go upstream
		final  int
	}{
		{name: "2xx", method: "MESSAGE", answer: []int{200}, want: []int{200}, final: 200},
		{name: "a failure", method: "MESSAGE", answer: []int{404}, want: []int{404}, final: 404},
		{name: "2xx to an INVITE that rang, and again", method: "INVITE", answer: []int{180, 200, 200}, want: []int{180, 200, 200}, final: 200},
		{name: "silence", method: "INVITE", want: []int{100, 408}, final: 408},
		{name: "silence to what is no INVITE", method: "MESSAGE", final: 408},
	} {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				callee, caller := n.peer(t, calleeAt), n.peer(t, callerAt)

				var ends []int

				proxy := n.stack(t, proxyAt, relay(func(r *sip.Request) stack.Plan {
					p := to("UDP", calleeAt)(r)
					p.Then = func(final *sip.Response) { ends = append(ends, final.StatusCode) }

					return p
				}))

				caller.send(proxy, caller.text(test.method, "sip:b@example", "1"))
				request := callee.request(test.method)

				for _, status := range test.answer {
					callee.answer(proxy, request, status)
					synctest.Wait()
				}

				var got []int
				for m, err := caller.receive(time.Hour); err == nil; m, err = caller.receive(time.Hour) {
					got = append(got, m.(*sip.Response).StatusCode)
					if test.method == "INVITE" && got[len(got)-1] >= 300 {
						caller.send(proxy, caller.text("ACK", "sip:b@example", "1"))
					}
				}

				if got = slices.Compact(got); !slices.Equal(got, slices.Compact(slices.Clone(test.want))) {
					t.Errorf("%d came upstream, want %d", got, test.want)
				}

				synctest.Wait()

				if !slices.Equal(ends, []int{test.final}) {
					t.Errorf("the ends were %d, want %d alone", ends, test.final)
				}

				proxy.empty(t)
			})
		})
	}
}

// TestCancelledBeforeItIsSent: a CANCEL that comes while the procedure still chooses a target is answered 487, and nothing is sent (RFC
// 3261 §9.2).
func TestCancelledBeforeItIsSent(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		callee, caller := n.peer(t, calleeAt), n.peer(t, callerAt)
		relayed := relay(to("UDP", calleeAt))
		forward := relayed.request
		relayed.request = func(ctx context.Context, s *stack.Stack, tx *stack.ServerTransaction) {
			<-tx.Cancelled()
			forward(ctx, s, tx)
		}
		proxy := n.stack(t, proxyAt, relayed)

		caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
		caller.send(proxy, caller.text("CANCEL", "sip:b@example", "1"))
		caller.response(200)
		caller.response(487)
		callee.nothing(time.Second)
	})
}

// TestPlanPanics: a panic in a function of the plan ends its request alone, and is logged.
func TestPlanPanics(t *testing.T) {
	for name, plan := range map[string]func(p *stack.Plan){
		"OnResponse": func(p *stack.Plan) { p.OnResponse = func(*stack.Branch, *sip.Response) { panic("OnResponse") } },
		"OnFailure": func(p *stack.Plan) {
			p.OnFailure = func(*stack.Branch, *sip.Response) []stack.Branch { panic("OnFailure") }
		},
		"Then": func(*stack.Plan) {},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				callee, caller := n.peer(t, calleeAt), n.peer(t, callerAt)
				ends := 0
				proxy := n.stack(t, proxyAt, relay(func(r *sip.Request) stack.Plan {
					p := to("UDP", calleeAt)(r)
					plan(&p)
					p.Then = func(*sip.Response) {
						if ends++; name == "Then" {
							panic("Then")
						}
					}

					return p
				}))

				caller.send(proxy, caller.text("MESSAGE", "sip:b@example", "1"))
				callee.answer(proxy, callee.request("MESSAGE"), 404)

				want := 500
				if name == "Then" {
					want = 404
				}
				caller.response(want)
				synctest.Wait()

				if told := proxy.value(t, "refused_total"); ends != 1 || told != 1 {
					t.Errorf("the end was told %d times and the panic %v times, want each once", ends, told)
				}

				time.Sleep(time.Hour)
				proxy.empty(t)
			})
		})
	}
}
