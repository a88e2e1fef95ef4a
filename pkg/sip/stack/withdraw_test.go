package stack_test

import (
	"context"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// TestWithdraw: a proxy that ends a request on its own initiative cancels its ringing branches, and says why (TS 24.229 §5.4.5.1.1, RFC
// 3326).
func TestWithdraw(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		callee, caller := n.peer(t, calleeAt), n.peer(t, callerAt)
		rings := make(chan struct{})
		relayed := relay(func(r *sip.Request) stack.Plan {
			p := to("UDP", calleeAt)(r)
			p.OnResponse = func(*stack.Branch, *sip.Response) {
				select {
				case <-rings:
				default:
					close(rings)
				}
			}
			return p
		})
		forward := relayed.request
		relayed.request = func(ctx context.Context, s *stack.Stack, tx *stack.ServerTransaction) {
			go func() {
				<-rings
				tx.Withdraw(sip.NewHeader("Reason", `SIP;cause=480;text="gone"`))
			}()
			forward(ctx, s, tx)
		}
		proxy := n.stack(t, proxyAt, relayed)

		caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
		invite := callee.request("INVITE")
		callee.answer(proxy, invite, 180)
		caller.response(180)
		cancel := callee.request("CANCEL")
		if got := sip.Value(cancel, "Reason"); got != `SIP;cause=480;text="gone"` {
			t.Errorf("CANCEL says %q", got)
		}
		callee.answer(proxy, cancel, 200)
		callee.answer(proxy, invite, 487)
		caller.response(487)
	})
}
