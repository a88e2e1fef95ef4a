package stack_test

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// TestBusyServer: a server that answers 503 is not tried again over another transport; another server is (RFC 3263 §4.3).
func TestBusyServer(t *testing.T) {
	at := func(transport, address string) stack.Target {
		return stack.Target{Transport: transport, Addr: netip.MustParseAddrPort(address)}
	}
	large := sip.NewHeader("X-Large", strings.Repeat("x", 1300))

	tests := []struct {
		name    string
		large   bool
		targets []stack.Target
		came    string
		want    int // at a proxy; the sender itself gets 503
	}{
		{name: "UDP behind TCP", large: true, targets: []stack.Target{at("UDP", calleeAt)}, came: "callee TCP", want: 500},
		{
			name: "both transports of a name", targets: []stack.Target{at("TCP", calleeAt), at("UDP", calleeAt)},
			came: "callee TCP", want: 500,
		},
		{
			name: "another server", large: true, targets: []stack.Target{at("UDP", calleeAt), at("UDP", otherAt)},
			came: "callee TCP, other TCP", want: 200,
		},
		{
			name: "another server behind the same", targets: []stack.Target{at("UDP", calleeAt), at("TCP", calleeAt), at("UDP", otherAt)},
			came: "callee UDP, other UDP", want: 200,
		},
	}

	for _, test := range tests {
		for _, method := range []string{"INVITE", "MESSAGE"} {
			for _, proxied := range []bool{true, false} {
				name := test.name + "/" + method + "/of its own"
				if proxied {
					name = test.name + "/" + method + "/through a proxy"
				}

				t.Run(name, func(t *testing.T) {
					within(t, func(t *testing.T, n *network) {
						var came []string
						answers := func(name string, status int) *user {
							return &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
								came = append(came, name+" "+tx.Flow().Transport)
								_ = tx.Reply(status, "")
							}}
						}
						callee := n.stack(t, calleeAt, answers("callee", 503))
						n.stack(t, otherAt, answers("other", 200))
						n.stack(t, proxyAt, relay(func(r *sip.Request) stack.Plan {
							to := stack.Destination{Targets: slices.Clone(test.targets)}
							return stack.Plan{Groups: [][]stack.Branch{{{Request: r, To: to}}}}
						}))
						caller := n.stack(t, callerAt, &user{})

						want, to := test.want, stack.Destination{}
						if !proxied {
							to.Targets = slices.Clone(test.targets)
							if want == 500 {
								want = 503
							}
						}

						for range 2 { // without Retry-After nothing is remembered
							r := request(t, method, "sip:b@"+proxyAt, nil)
							if test.large {
								r.AppendHeader(large)
							}

							came = nil
							answer, err := caller.Do(t.Context(), r, to)
							if err != nil || answer.StatusCode != want {
								t.Errorf("%v %v, want %d", answer, err, want)
							}
							time.Sleep(time.Minute)
							if got := strings.Join(came, ", "); got != test.came {
								t.Errorf("came to %s; want %s", got, test.came)
							}
						}
						callee.empty(t)
					})
				})
			}
		}
	}
}

// TestConnectionThatEndsAfterTrying: a server that has the request, as its 100 says, does not get it over UDP when its connection ends.
func TestConnectionThatEndsAfterTrying(t *testing.T) {
	for _, proxied := range []bool{true, false} {
		within(t, func(t *testing.T, n *network) {
			callee := n.peer(t, calleeAt)
			script(t, n, calleeAt, func(c net.Conn) {
				b := make([]byte, 10_000)
				k, _ := c.Read(b)
				if m, err := sip.ParseMessage(b[:k]); err == nil {
					_, _ = c.Write([]byte(sip.NewResponse(m.(*sip.Request), 100, "").String()))
				}
				time.Sleep(time.Second)
				c.Close()
			})
			n.stack(t, proxyAt, relay(to("UDP", calleeAt)))
			caller := n.stack(t, callerAt, &user{})

			r, d, want := request(t, "INVITE", "sip:b@"+proxyAt, nil), stack.Destination{}, 500
			r.AppendHeader(sip.NewHeader("X-Large", strings.Repeat("x", 1300)))

			if !proxied {
				d.Targets, want = []stack.Target{{Transport: "UDP", Addr: callee.address}}, 503
			}

			answer, err := caller.Do(t.Context(), r, d)
			if err != nil || answer.StatusCode != want {
				t.Errorf("%v %v, want %d", answer, err, want)
			}
			if got := callee.drained(); len(got) != 0 {
				t.Errorf("by UDP came %q", got)
			}
		})
	}
}

// TestRetryAfter: a server is tried last, over all transports, for the Retry-After of its 503 (RFC 3261 §21.5.4).
func TestRetryAfter(t *testing.T) {
	for retryAfter, want := range map[string]time.Duration{
		"": 0, "0": 0, "soon": 0, "-5": 0, "30": 30 * time.Second, "30;duration=600": 30 * time.Second, "30 (busy)": 30 * time.Second,
		"86400": time.Hour, "99999999999999999999": time.Hour,
	} {
		t.Run(retryAfter, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				var came []string
				status := 503
				n.stack(t, "192.0.2.2:5060", &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
					came = append(came, "first "+tx.Flow().Transport)
					_ = tx.Reply(status, "", sip.NewHeader("Retry-After", retryAfter))
				}})
				n.stack(t, "192.0.2.3:5060", &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
					came = append(came, "second "+tx.Flow().Transport)
					_ = tx.Reply(200, "")
				}})
				caller := n.stack(t, callerAt, &user{}, func(c *stack.Config) {
					c.Resolver.Hosts = map[string][]string{"pool.example": {"192.0.2.2", "192.0.2.3"}}
				})
				do := func(transport, want string) {
					t.Helper()
					came = nil
					r, err := caller.Do(t.Context(), request(t, "OPTIONS", "sip:pool.example"+transport, nil), stack.Destination{})
					if err != nil || r.StatusCode != 200 {
						t.Fatalf("%v %v", r, err)
					}
					if got := strings.Join(came, ", "); got != want {
						t.Errorf("came to %s; want %s", got, want)
					}
				}

				do("", "first UDP, second UDP")
				status = 200
				if want > 0 {
					do(";transport=tcp", "second TCP")
					time.Sleep(want - time.Second)
					do("", "second UDP")
					time.Sleep(2 * time.Second)
				}
				do("", "first UDP")
			})
		})
	}
}
