package stack_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// TestSecondAttempt: every further attempt begins from the request as it was before the first: it has one Via of each hop, and its answer
// comes back (RFC 3261 §16.6 8, §16.7 3).
func TestSecondAttempt(t *testing.T) {
	refuses := &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(480, "") }}
	target := func(address string) stack.Destination {
		return stack.Destination{Targets: []stack.Target{{Transport: "UDP", Addr: netip.MustParseAddrPort(address)}}}
	}

	for name, plan := range map[string]func(*sip.Request) stack.Plan{
		"OnFailure gives the request of the branch": func(r *sip.Request) stack.Plan {
			p := stack.Plan{Groups: [][]stack.Branch{{{Request: r, To: target(calleeAt)}}}}
			p.OnFailure = func(b *stack.Branch, _ *sip.Response) []stack.Branch {
				return []stack.Branch{{Request: b.Request, To: target(otherAt)}}
			}
			return p
		},
		"OnFailure gives a copy of it": func(r *sip.Request) stack.Plan {
			p := stack.Plan{Groups: [][]stack.Branch{{{Request: r, To: target(calleeAt)}}}}
			p.OnFailure = func(*stack.Branch, *sip.Response) []stack.Branch {
				return []stack.Branch{{Request: sip.Copy(r), To: target(otherAt)}}
			}
			return p
		},
		"a second group with the same request": func(r *sip.Request) stack.Plan {
			return stack.Plan{Groups: [][]stack.Branch{{{Request: r, To: target(calleeAt)}}, {{Request: r, To: target(otherAt)}}}}
		},
		"two branches of one group with the same request": func(r *sip.Request) stack.Plan {
			return stack.Plan{Groups: [][]stack.Branch{{{Request: r, To: target(calleeAt)}, {Request: r, To: target(otherAt)}}}}
		},
	} {
		for _, method := range []string{"INVITE", "MESSAGE"} {
			t.Run(name+"/"+method, func(t *testing.T) {
				within(t, func(t *testing.T, n *network) {
					vias := make(chan int, 1)
					n.stack(t, calleeAt, refuses)
					n.stack(t, otherAt, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
						vias <- len(tx.Request().GetHeaders("Via"))
						_ = tx.Reply(200, "")
					}})
					n.stack(t, proxyAt, relay(plan))
					caller := n.stack(t, callerAt, &user{})

					r := request(t, method, "sip:b@"+proxyAt, nil)
					answer, err := caller.Do(t.Context(), r, stack.Destination{})
					if err != nil || answer.StatusCode != 200 {
						t.Errorf("%v %v", answer, err)
					}
					if got := <-vias; got != 2 {
						t.Errorf("it came with %d Via, want one of the caller's and one of the proxy's", got)
					}
					if sip.Has(r, "Via") {
						t.Error("the caller's own request was changed")
					}
				})
			})
		}
	}
}
