package stack_test

import (
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// TestAnswersToOwnRequests: requests made here have one Via, and so have their answers: they reach the transaction, and nothing is
// retransmitted (RFC 3261 §8.1.3.3, §17.1.2).
func TestAnswersToOwnRequests(t *testing.T) {
	for _, method := range []string{
		"OPTIONS", "SUBSCRIBE", "NOTIFY", "REGISTER", "BYE", "MESSAGE", "UPDATE", "PUBLISH", "INFO", "PRACK",
		"REFER",
	} {
		t.Run(method, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				callee := n.peer(t, calleeAt)
				caller := n.stack(t, callerAt, &user{})

				done := make(chan *sip.Response, 1)
				go func() {
					r, err := caller.Do(t.Context(), request(t, method, "sip:b@"+calleeAt, nil), stack.Destination{})
					if err != nil {
						t.Error(err)
					}
					done <- r
				}()

				callee.answer(caller, callee.request(method), 200)
				if r := <-done; r == nil || r.StatusCode != 200 {
					t.Errorf("%v", r)
				}
				callee.nothing(2 * time.Minute)
				if got := caller.value(t, "unexpected_total"); got != 0 {
					t.Errorf("%v answers were not expected", got)
				}
				caller.empty(t)
			})
		})
	}

	for _, proxied := range []bool{false, true} {
		name := "CANCEL of a caller"
		if proxied {
			name = "CANCEL of a proxy"
		}

		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				callee, caller := n.peer(t, calleeAt), n.peer(t, callerAt)
				s := n.stack(t, proxyAt, relay(nil))

				var tx *stack.ClientTransaction
				if proxied {
					caller.send(s, caller.text("INVITE", "sip:b@"+calleeAt, "1"))
				} else {
					var err error
					if tx, err = s.Send(t.Context(), request(t, "INVITE", "sip:b@"+calleeAt, nil), stack.Destination{}); err != nil {
						t.Fatal(err)
					}
				}

				invite := callee.request("INVITE")
				callee.answer(s, invite, 180)

				if proxied {
					caller.response(180)
					caller.send(s, caller.text("CANCEL", "sip:b@"+calleeAt, "1"))
				} else {
					<-tx.Responses()
					tx.Cancel()
				}

				callee.answer(s, callee.request("CANCEL"), 200)
				callee.answer(s, invite, 487)
				callee.request("ACK")
				callee.nothing(2 * time.Minute)
				if got := s.value(t, "unexpected_total"); got != 0 {
					t.Errorf("%v answers were not expected", got)
				}
			})
		})
	}
}
