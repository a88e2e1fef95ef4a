package stack_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// times returns the messages that come within d, with the seconds since begin.
func (p *peer) times(begin time.Time, d time.Duration) (all []string) {
	end := time.Now().Add(d)

	for time.Now().Before(end) {
		m, err := p.receive(time.Until(end))
		if err != nil {
			break
		}

		what := ""
		switch m := m.(type) {
		case *sip.Request:
			what = string(m.Method)
		case *sip.Response:
			what = fmt.Sprint(m.StatusCode)
		}
		all = append(all, fmt.Sprintf("%g %s", time.Since(begin).Seconds(), what))
	}

	return all
}

func wantTimes(t *testing.T, got []string, want string) {
	t.Helper()

	if s := strings.Join(got, ", "); s != want {
		t.Errorf("came: %s\nwant: %s", s, want)
	}
}

// TestClientTimers: the requests that the other side sees, and when the transaction is over (RFC 3261 §17.1).
func TestClientTimers(t *testing.T) {
	tests := []struct {
		name, method, transport string
		answers                 map[int]int // the n-th message is answered with this status
		want                    string
		over                    float64 // seconds; when Done is closed
		failed                  bool
	}{
		{
			name: "§17.1.1.2 timers A and B", method: "INVITE", transport: "udp",
			want: "0 INVITE, 0.5 INVITE, 1.5 INVITE, 3.5 INVITE, 7.5 INVITE, 15.5 INVITE, 31.5 INVITE", over: 32, failed: true,
		},
		{name: "§17.1.1.2 timer B over TCP", method: "INVITE", transport: "tcp", want: "0 INVITE", over: 32, failed: true},
		{
			name:      "§17.1.1.2 A stops with a provisional response",
			method:    "INVITE",
			transport: "udp",
			answers:   map[int]int{1: 180},
			want:      "0 INVITE, 0.5 INVITE",
			over:      632.5,
		},
		{name: "§17.1.1.2 timer D", method: "INVITE", transport: "udp", answers: map[int]int{0: 486}, want: "0 INVITE, 0 ACK", over: 32},
		{name: "§17.1.1.2 timer D is zero over TCP", method: "INVITE", transport: "tcp", answers: map[int]int{0: 486}, want: "0 INVITE, 0 ACK"},
		{name: "RFC 6026 §7.2 timer M", method: "INVITE", transport: "udp", answers: map[int]int{0: 200}, want: "0 INVITE", over: 32},
		{
			name:      "RFC 6026 §7.2 timer M over TCP as well",
			method:    "INVITE",
			transport: "tcp",
			answers:   map[int]int{0: 200},
			want:      "0 INVITE",
			over:      32,
		},
		{
			name:      "§17.1.2.2 timers E and F",
			method:    "MESSAGE",
			transport: "udp",
			want: "0 MESSAGE, 0.5 MESSAGE, 1.5 MESSAGE, 3.5 MESSAGE, 7.5 MESSAGE, 11.5 MESSAGE, 15.5 MESSAGE, 19.5 MESSAGE, 23.5 MESSAGE, " +
				"27.5 MESSAGE, 31.5 MESSAGE",
			over:   32,
			failed: true,
		},
		{name: "§17.1.2.2 timer F over TCP", method: "MESSAGE", transport: "tcp", want: "0 MESSAGE", over: 32, failed: true},
		{
			name: "§17.1.2.2 E is T2 once the request is tried", method: "MESSAGE", transport: "udp",
			answers: map[int]int{0: 100, 3: 200},
			want:    "0 MESSAGE, 0.5 MESSAGE, 4.5 MESSAGE, 8.5 MESSAGE", over: 13.5,
		},
		{name: "§17.1.2.2 timer K", method: "MESSAGE", transport: "udp", answers: map[int]int{0: 200}, want: "0 MESSAGE", over: 5},
		{name: "§17.1.2.2 timer K is zero over TCP", method: "MESSAGE", transport: "tcp", answers: map[int]int{0: 404}, want: "0 MESSAGE"},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				caller := n.stack(t, callerAt, &user{})
				begin := time.Now()

				var got []string
				came := func(raw []byte, reply func([]byte)) {
					m, err := sip.ParseMessage(raw)
					if err != nil {
						t.Error(err)
						return
					}
					r := m.(*sip.Request)
					got = append(got, fmt.Sprintf("%g %s", time.Since(begin).Seconds(), r.Method))
					if status := test.answers[len(got)-1]; status != 0 && !r.IsAck() {
						reply([]byte(sip.NewResponse(r, status, "").String()))
						if status == 180 { // it rings for ten minutes
							go func() {
								time.Sleep(10 * time.Minute)
								reply([]byte(sip.NewResponse(r, 200, "").String()))
							}()
						}
					}
				}

				if test.transport == "udp" {
					callee, err := n.ListenPacket(t.Context(), calleeAt)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { callee.Close() })
					go func() {
						b := make([]byte, 10_000)
						for {
							k, _, err := callee.ReadFromUDPAddrPort(b)
							if err != nil {
								return
							}
							came(b[:k], func(raw []byte) { _, _ = callee.WriteToUDPAddrPort(raw, netip.MustParseAddrPort(callerAt)) })
						}
					}()
				} else {
					script(t, n, calleeAt, func(c net.Conn) {
						b := make([]byte, 10_000)
						for {
							k, err := c.Read(b)
							if err != nil {
								return
							}
							came(b[:k], func(raw []byte) { _, _ = c.Write(raw) })
						}
					})
				}

				tx, err := caller.Send(t.Context(), request(t, test.method, "sip:b@"+calleeAt+";transport="+test.transport, nil), stack.Destination{})
				if err != nil {
					t.Fatal(err)
				}

				over(tx)
				if d := time.Since(begin).Seconds(); d != test.over {
					t.Errorf("over after %g s, want %g", d, test.over)
				}
				if err := tx.Err(); (err != nil) != test.failed {
					t.Errorf("error %v", err)
				}

				time.Sleep(time.Hour)
				synctest.Wait()
				wantTimes(t, got, test.want)
				caller.empty(t)
			})
		})
	}
}

// TestEndpointTimers: an endpoint may have timers of its own, for its requests and its answers.
func TestEndpointTimers(t *testing.T) {
	own := func(c *stack.Config) { c.Endpoints[0].Timers = stack.HandsetTimers() }

	t.Run("timers G and H", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			busy := func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(486, "") }
			s := n.stack(t, proxyAt, &user{request: busy}, own)
			sender := n.peer(t, callerAt)

			begin := time.Now()
			sender.send(s, sender.text("INVITE", "sip:b@example", "1"))
			wantTimes(t, sender.times(begin, time.Hour), "0 486, 2 486, 6 486, 14 486, 30 486, 46 486, 62 486, 78 486, 94 486, 110 486, 126 486")
			s.empty(t)
		})
	})

	t.Run("timers A, B and D", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			s := n.stack(t, proxyAt, &user{}, own)
			callee := n.peer(t, calleeAt)

			begin := time.Now()
			tx, err := s.Send(t.Context(), request(t, "INVITE", "sip:b@"+calleeAt, nil), stack.Destination{})
			if err != nil {
				t.Fatal(err)
			}
			wantTimes(t, callee.times(begin, time.Hour), "0 INVITE, 2 INVITE, 6 INVITE, 14 INVITE, 30 INVITE, 62 INVITE, 126 INVITE")
			if over(tx); tx.Err() == nil {
				t.Error("it did not fail")
			}

			begin = time.Now()
			if tx, err = s.Send(t.Context(), request(t, "INVITE", "sip:b@"+calleeAt, nil), stack.Destination{}); err != nil {
				t.Fatal(err)
			}
			callee.answer(s, callee.request("INVITE"), 486)
			callee.request("ACK")
			if over(tx); time.Since(begin) != 128*time.Second {
				t.Errorf("timer D fired after %v", time.Since(begin))
			}
		})
	})
}

// TestTimerC: RFC 3261 §16.8 and the bound on ringing, as caller and callee see it.
func TestTimerC(t *testing.T) {
	short := func(c *stack.Config) { c.Timers.C = 10 * time.Second }

	t.Run("§16.8 a branch that rings is cancelled, and ends as 408", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			proxy := n.stack(t, proxyAt, relay(to("UDP", calleeAt)))
			caller, callee := n.peer(t, callerAt), n.peer(t, calleeAt)

			begin := time.Now()
			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			invite := callee.request("INVITE")
			callee.answer(proxy, invite, 180)
			caller.response(180)

			cancel := callee.request("CANCEL")
			if d := time.Since(begin); d != 181*time.Second {
				t.Errorf("CANCEL after %v", d)
			}
			callee.answer(proxy, cancel, 200)
			callee.answer(proxy, invite, 487)
			callee.request("ACK")
			caller.response(408)
			caller.send(proxy, caller.text("ACK", "sip:b@example", "1"))
			time.Sleep(time.Hour)
			proxy.empty(t)
		})
	})

	t.Run("§16.8 nothing was heard", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			proxy := n.stack(t, proxyAt, relay(to("UDP", calleeAt)), short)
			caller := n.peer(t, callerAt)

			begin := time.Now()
			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			caller.response(100)
			caller.response(408)
			if d := time.Since(begin); d != 10*time.Second {
				t.Errorf("408 after %v", d)
			}
			time.Sleep(time.Hour)
			proxy.empty(t)
		})
	})

	t.Run("§16.7 2 each 101 to 199 starts it anew, 100 does not, and for its own branch alone", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			proxy := n.stack(t, proxyAt, relay(func(r *sip.Request) stack.Plan {
				one, two := to("UDP", calleeAt)(r), to("UDP", otherAt)(sip.Copy(r))
				return stack.Plan{Groups: [][]stack.Branch{append(one.Groups[0], two.Groups[0]...)}}
			}), short)
			caller, rings, tries := n.peer(t, callerAt), n.peer(t, calleeAt), n.peer(t, otherAt)

			begin := time.Now()
			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			invite, other := rings.request("INVITE"), tries.request("INVITE")

			var cancelled time.Duration
			go func() {
				for range 4 { // at 0, 6, 12, 18
					rings.answer(proxy, invite, 180)
					tries.answer(proxy, other, 100)
					time.Sleep(6 * time.Second)
				}
				rings.answer(proxy, invite, 200)
			}()
			go func() {
				if m, err := tries.receive(time.Hour); err == nil && firstWord(m) == "CANCEL" {
					cancelled = time.Since(begin)
					tries.answer(proxy, other, 487)
				}
			}()

			wantTimes(t, caller.times(begin, 30*time.Second), "0 180, 6 180, 12 180, 18 180, 24 200")
			if cancelled != 10*time.Second {
				t.Errorf("the branch that was only tried was cancelled after %v", cancelled)
			}
			if got := rings.drained(); len(got) != 0 {
				t.Errorf("the branch that rang got %v", got)
			}
			time.Sleep(time.Hour)
			proxy.empty(t)
		})
	})

	t.Run("an INVITE does not ring for ever", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			proxy := n.stack(t, proxyAt, relay(to("UDP", calleeAt)))
			caller, callee := n.peer(t, callerAt), n.peer(t, calleeAt)

			begin := time.Now()
			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			invite := callee.request("INVITE")

			for {
				callee.answer(proxy, invite, 180)
				if m, err := callee.receive(time.Minute); err == nil {
					if firstWord(m) != "CANCEL" || time.Since(begin) != 10*time.Minute {
						t.Errorf("%s after %v", firstLine(m), time.Since(begin))
					}
					break
				}
			}

			time.Sleep(time.Hour)
			got := caller.drained()
			if !slices.Contains(got, "SIP/2.0 408 Request Timeout") {
				t.Errorf("the caller got %v", got)
			}
			proxy.empty(t)
		})
	})
}

func firstWord(m sip.Message) string {
	word, _, _ := strings.Cut(firstLine(m), " ")
	return word
}

func TestEndpointTimersAreChecked(t *testing.T) {
	for _, test := range []struct {
		name   string
		timers stack.EndpointTimers
		good   bool
	}{
		{"none", stack.EndpointTimers{}, true},
		{"T1 alone", stack.EndpointTimers{T1: time.Second}, true},
		{"T1 above the stack's T2", stack.EndpointTimers{T1: 5 * time.Second}, false},
		{"negative", stack.EndpointTimers{T4: -time.Second}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := stack.DefaultConfig(stack.EndpointConfig{Name: "Gm", Address: callerAt, Transports: []string{"udp"}, Timers: test.timers})
			if err := c.Validate(); (err == nil) != test.good || !test.good && !strings.Contains(err.Error(), "Gm: timers") {
				t.Errorf("%v", err)
			}
		})
	}
}

// over waits for the end of a transaction, whatever responses are left.
func over(tx *stack.ClientTransaction) {
	for range tx.Responses() {
	}
}
