package stack_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// TestServerTimers: the responses that the sender of a request sees (RFC 3261 §17.2).
func TestServerTimers(t *testing.T) {
	type sending struct {
		at   float64 // seconds
		what string
	}

	tests := []struct {
		name    string
		method  string
		answer  []int // by the transaction user
		later   time.Duration
		sending []sending
		want    string
	}{
		{
			name:    "§17.2.1 the stack says 100 after 200 ms",
			method:  "INVITE",
			answer:  []int{486},
			later:   time.Second,
			sending: []sending{{1.1, "ACK"}},
			want:    "0.2 100, 1 486",
		},
		{
			name:    "§17.2.1 but not after the user said something",
			method:  "INVITE",
			answer:  []int{180, 486},
			sending: []sending{{0.1, "ACK"}},
			want:    "0 180, 0 486",
		},
		{
			name:    "§17.2.1 100 does not follow another",
			method:  "INVITE",
			answer:  []int{180, 100, 486},
			sending: []sending{{0.1, "ACK"}},
			want:    "0 180, 0 486",
		},
		{
			name: "§17.2.1 the last provisional response is repeated", method: "INVITE",
			answer:  []int{183, 180, 486},
			later:   3 * time.Second,
			sending: []sending{{0.5, "INVITE"}, {4, "INVITE"}, {10, "ACK"}},
			want:    "0.2 100, 0.5 100, 3 183, 3 180, 3 486, 3.5 486, 4 486, 4.5 486, 6.5 486",
		},
		{
			name: "§17.2.1 timers G and H", method: "INVITE",
			answer: []int{486},

			want: "0 486, 0.5 486, 1.5 486, 3.5 486, 7.5 486, 11.5 486, 15.5 486, 19.5 486, 23.5 486, 27.5 486, 31.5 486",
		},
		{name: "§17.2.1 ACK ends timer G", method: "INVITE", answer: []int{486}, sending: []sending{{0.7, "ACK"}}, want: "0 486, 0.5 486"},
		{
			name:    "§17.2.1 timer I: ACK is absorbed",
			method:  "INVITE",
			answer:  []int{486},
			sending: []sending{{0.1, "ACK"}, {0.2, "ACK"}, {5, "ACK"}},
			want:    "0 486",
		},
		{
			name:    "RFC 6026 §7.1 timer L: an accepted INVITE is absorbed",
			method:  "INVITE",
			answer:  []int{200},
			sending: []sending{{0.5, "INVITE"}, {31, "INVITE"}},
			want:    "0 200",
		},
		{
			name:   "§17.2.2 timer J: the final response is repeated",
			method: "MESSAGE",
			answer: []int{200},

			sending: []sending{{0.5, "MESSAGE"}, {31.5, "MESSAGE"}},
			want:    "0 200, 0.5 200, 31.5 200",
		},
		{
			name:    "§17.2.2 a request in work is absorbed",
			method:  "MESSAGE",
			answer:  []int{200},
			later:   2 * time.Second,
			sending: []sending{{0.5, "MESSAGE"}, {1.5, "MESSAGE"}},
			want:    "2 200",
		},
		{
			name:    "§17.2.1 a final response settles it",
			method:  "INVITE",
			answer:  []int{486, 180, 404},
			sending: []sending{{0.1, "ACK"}},
			want:    "0 486",
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				handled, acks := 0, 0
				s := n.stack(t, proxyAt, &user{
					request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
						handled++
						time.Sleep(test.later)
						for _, status := range test.answer {
							_ = tx.Reply(status, "")
						}
					},
					ack: func(context.Context, *stack.Stack, *stack.Ack) { acks++ },
				})
				sender := n.peer(t, callerAt)

				begin := time.Now()
				sender.send(s, sender.text(test.method, "sip:b@example", "1"))
				go func() {
					for _, next := range test.sending {
						time.Sleep(time.Until(begin.Add(time.Duration(next.at * float64(time.Second)))))
						sender.send(s, sender.text(next.what, "sip:b@example", "1"))
					}
				}()

				wantTimes(t, sender.times(begin, 33*time.Second), test.want)
				time.Sleep(33 * time.Second)
				s.empty(t)
				if handled != 1 || acks != 0 {
					t.Errorf("the user saw %d requests and %d ACKs, want 1 and 0", handled, acks)
				}
			})
		})
	}
}

// TestTryingWhileTheHandlerWorks: the stack's 100 answers the request as received, whatever its handler makes of it meanwhile.
func TestTryingWhileTheHandlerWorks(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		s := n.stack(t, proxyAt, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
			for i := range 1000 { // the race detector sees a request that the timer reads
				sip.Set(tx.Request(), "X-Count", fmt.Sprint(i))
				tx.Request().RemoveHeader("Via")
				time.Sleep(300 * time.Microsecond)
			}
			<-tx.Cancelled()
			_ = tx.Reply(487, "")
		}})
		sender := n.peer(t, callerAt)
		sender.send(s, sender.text("INVITE", "sip:b@example", "1"))

		if via := sender.response(100).Via(); via == nil || via.Host != "192.0.2.9" {
			t.Errorf("the Via of 100 is %v", via)
		}
		time.Sleep(time.Second)
		sender.send(s, sender.text("CANCEL", "sip:b@example", "1"))
		time.Sleep(time.Hour)
		s.empty(t)
	})
}
