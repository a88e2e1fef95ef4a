package stack_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// TestNothingOvertakesTheACK: a callee that gets the BYE before the ACK has a call that ends before it begins.
func TestNothingOvertakesTheACK(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		proxying := relay(to("UDP", calleeAt))
		pass := proxying.ack
		proxying.ack = func(ctx context.Context, s *stack.Stack, ack *stack.Ack) {
			time.Sleep(3 * time.Second) // to find its way
			pass(ctx, s, ack)
		}

		proxy := n.stack(t, proxyAt, proxying)
		caller, callee := n.peer(t, callerAt), n.peer(t, calleeAt)

		within := func(call, method, branch string) string {
			return strings.Replace(caller.text(method, "sip:"+calleeAt, branch), "Call-ID: "+branch, "Call-ID: "+call, 1)
		}

		caller.send(proxy, within("one", "ACK", "1"))
		caller.send(proxy, within("one", "BYE", "2"))
		caller.send(proxy, within("other", "OPTIONS", "3"))
		callee.answer(proxy, callee.request("OPTIONS"), 200)
		callee.request("ACK")
		callee.answer(proxy, callee.request("BYE"), 200)
		time.Sleep(time.Hour)
		proxy.empty(t)
	})
}
