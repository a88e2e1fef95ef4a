package stack_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

const (
	proxyAt  = "192.0.2.1:5060"
	calleeAt = "192.0.2.2:5060"
	otherAt  = "192.0.2.3:5060"
	callerAt = "192.0.2.9:5060"
)

// to returns a plan with one branch to these addresses, in order.
func to(transport string, addresses ...string) func(*sip.Request) stack.Plan {
	return func(r *sip.Request) stack.Plan {
		d := stack.Destination{}
		for _, a := range addresses {
			d.Targets = append(d.Targets, stack.Target{Transport: transport, Addr: netip.MustParseAddrPort(a)})
		}

		return stack.Plan{Groups: [][]stack.Branch{{{Request: r, To: d}}}}
	}
}

// script plays the other side of a TCP connection.
func script(t *testing.T, n *network, address string, f func(net.Conn)) {
	t.Helper()

	l, err := n.Listen(t.Context(), address, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })

	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
		}
	}()
}

// TestConnectionThatEnds: a peer that closes its connection has not taken the request: the next target is tried at once, not after 64*T1.
func TestConnectionThatEnds(t *testing.T) {
	closes := func(c net.Conn) {
		_, _ = c.Read(make([]byte, 10_000))
		c.Close()
	}
	trying := func(c net.Conn) {
		b := make([]byte, 10_000)
		n, _ := c.Read(b)
		if m, err := sip.ParseMessage(b[:n]); err == nil {
			_, _ = c.Write([]byte(sip.NewResponse(m.(*sip.Request), 100, "").String()))
		}
		c.Close()
	}

	tests := []struct {
		name, method string
		peer         func(net.Conn)
		targets      []string
		want         int
	}{
		{name: "§17.1.4 a request, another target", method: "MESSAGE", peer: closes, targets: []string{calleeAt, otherAt}, want: 200},
		{name: "§17.1.4 an INVITE, another target", method: "INVITE", peer: closes, targets: []string{calleeAt, otherAt}, want: 200},
		{name: "§17.1.4 an INVITE that was only tried", method: "INVITE", peer: trying, targets: []string{calleeAt, otherAt}, want: 200},
		{name: "§16.9, §16.7 6 no other target", method: "INVITE", peer: closes, targets: []string{calleeAt}, want: 500},
		{name: "§16.9 no other target for a request", method: "MESSAGE", peer: closes, targets: []string{calleeAt}, want: 500},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				script(t, n, calleeAt, test.peer)
				n.stack(t, otherAt, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(200, "") }})
				n.stack(t, proxyAt, relay(to("TCP", test.targets...)))
				caller := n.stack(t, callerAt, &user{})

				begin := time.Now()
				r, err := caller.Do(t.Context(), request(t, test.method, "sip:b@"+proxyAt, nil), stack.Destination{})
				if err != nil || r.StatusCode != test.want {
					t.Fatalf("%v %v, want %d", r, err, test.want)
				}
				if d := time.Since(begin); d > time.Second {
					t.Errorf("after %v", d)
				}
			})
		})
	}
}

// TestConnectionThatEndsWhileItRings: a callee that rings is alive, whatever became of its connection: it may open another one for its
// answer (§18.2.2).
func TestConnectionThatEndsWhileItRings(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		answers := make(chan *sip.Request, 1)
		script(t, n, calleeAt, func(c net.Conn) {
			b := make([]byte, 10_000)
			k, _ := c.Read(b)
			m, err := sip.ParseMessage(b[:k])
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = c.Write([]byte(sip.NewResponse(m.(*sip.Request), 180, "").String()))
			c.Close()
			answers <- m.(*sip.Request)
		})
		proxy := n.stack(t, proxyAt, relay(to("TCP", calleeAt, otherAt)))
		caller := n.stack(t, callerAt, &user{})

		tx, err := caller.Send(t.Context(), request(t, "INVITE", "sip:b@"+proxyAt, nil), stack.Destination{})
		if err != nil {
			t.Fatal(err)
		}

		if r := <-tx.Responses(); r.StatusCode != 180 {
			t.Fatalf("%v", r)
		}
		time.Sleep(60 * time.Second)

		c, err := n.Dial(t.Context(), netip.MustParseAddrPort("192.0.2.2:0"), proxy.Endpoint("Mw").Address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = c.Write([]byte(sip.NewResponse(<-answers, 200, "").String()))

		if r := <-tx.Responses(); r == nil || r.StatusCode != 200 {
			t.Fatalf("%v", r)
		}
	})
}

func TestDoAfterAConnectionEnds(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		script(t, n, calleeAt, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 10_000))
			c.Close()
		})
		caller := n.stack(t, callerAt, &user{})

		begin := time.Now()
		r, err := caller.Do(t.Context(), request(t, "OPTIONS", "sip:b@"+calleeAt+";transport=tcp", nil), stack.Destination{})
		if err != nil || r.StatusCode != 503 || !stack.Local(r) || time.Since(begin) > time.Second {
			t.Errorf("%v %v after %v", r, err, time.Since(begin))
		}
		caller.empty(t)
	})
}

// TestConnectionThatTakesLong: a target that takes no connection must hold up neither the others nor CANCEL.
func TestConnectionThatTakesLong(t *testing.T) {
	silent := netip.MustParseAddrPort(calleeAt)

	t.Run("another branch answers", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			n.Silence(silent)
			n.stack(t, otherAt, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(200, "") }})
			proxy := n.stack(t, proxyAt, relay(func(r *sip.Request) stack.Plan {
				one, two := to("TCP", calleeAt)(r), to("UDP", otherAt)(sip.Copy(r))
				return stack.Plan{Groups: [][]stack.Branch{append(one.Groups[0], two.Groups[0]...)}}
			}))
			caller := n.stack(t, callerAt, &user{})

			begin := time.Now()
			r, err := caller.Do(t.Context(), request(t, "INVITE", "sip:b@"+proxyAt, nil), stack.Destination{})
			if err != nil || r.StatusCode != 200 || time.Since(begin) > 100*time.Millisecond {
				t.Fatalf("%v %v after %v", r, err, time.Since(begin))
			}
			time.Sleep(time.Minute)
			proxy.empty(t)
		})
	})

	t.Run("§9.1 CANCEL", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			n.Silence(silent)
			proxy := n.stack(t, proxyAt, relay(to("TCP", calleeAt)))
			caller := n.peer(t, callerAt)

			begin := time.Now()
			caller.send(proxy, caller.text("INVITE", "sip:b@example", "1"))
			caller.response(100)
			caller.send(proxy, caller.text("CANCEL", "sip:b@example", "1"))
			caller.response(200)
			caller.response(487)
			if d := time.Since(begin); d > time.Second {
				t.Errorf("after %v", d)
			}
		})
	})
}

// TestLargeRequests: RFC 3261 §18.1.1.
func TestLargeRequests(t *testing.T) {
	large := sip.NewHeader("X-Large", strings.Repeat("x", 1300))

	t.Run("one without a body goes over TCP", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			came := make(chan string, 1)
			n.stack(t, calleeAt, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
				came <- tx.Flow().Transport + " " + tx.Request().Via().Transport
				_ = tx.Reply(200, "")
			}})
			caller := n.stack(t, callerAt, &user{})

			r := request(t, "OPTIONS", "sip:b@"+calleeAt, nil)
			r.AppendHeader(large)
			if answer, err := caller.Do(t.Context(), r, stack.Destination{}); err != nil || answer.StatusCode != 200 {
				t.Fatalf("%v %v", answer, err)
			}
			if got := <-came; got != "TCP TCP" {
				t.Errorf("it came over %s", got)
			}
		})
	})

	t.Run("who refuses TCP gets UDP, and is not asked again at once", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			callee := n.peer(t, calleeAt)
			proxy := n.stack(t, proxyAt, relay(nil))
			caller := n.peer(t, callerAt)

			for i, branch := range []string{"1", "2", "3"} {
				if i == 2 {
					time.Sleep(time.Hour)
				}
				caller.send(proxy, caller.text("MESSAGE", "sip:b@"+calleeAt, branch, "X-Large: "+strings.Repeat("x", 1300)+"\r\n"))
				callee.answer(proxy, callee.request("MESSAGE"), 200)
				caller.response(200)
			}

			synctest.Wait()
			if got := n.Dials(callee.address); got != 2 {
				t.Errorf("%d connections were tried, want 2: one for the first request, one an hour later", got)
			}
		})
	})
}
