package stack_test

import (
	"testing"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TestResponseWithoutAnotherVia: a response without a Via of the request's sender goes no further, and the right one still does (RFC 3261
// §16.7 3).
func TestResponseWithoutAnotherVia(t *testing.T) {
	for _, method := range []string{"MESSAGE", "INVITE"} {
		t.Run(method, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				proxy := n.stack(t, proxyAt, relay(to("UDP", calleeAt)))
				caller, callee := n.peer(t, callerAt), n.peer(t, calleeAt)

				caller.send(proxy, caller.text(method, "sip:b@example", "1"))
				asked := callee.request(method)

				for _, status := range []int{180, 200, 486} {
					short := sip.NewResponse(asked, status, "")
					sip.Remove(short, "Via")
					short.PrependHeader(asked.Via())
					callee.send(proxy, short.String())
				}

				synctest.Wait()
				if got := caller.drained(); len(got) > 0 {
					t.Fatalf("%q go on", got)
				}
				if got := proxy.value(t, "unexpected_total"); got != 3 {
					t.Errorf("%v are counted", got)
				}

				callee.answer(proxy, asked, 200)
				caller.response(200)
			})
		})
	}
}
