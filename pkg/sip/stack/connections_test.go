package stack_test

import (
	"bufio"
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

// without returns a message without Content-Length, as it may be over UDP.
func without(m sip.Message) string {
	return strings.Replace(m.String(), "Content-Length: 0\r\n", "", 1)
}

// TestContentLengthOnStreams: over UDP Content-Length may be missing, on a stream it may not, whoever made the message (RFC 3261 §20.14).
func TestContentLengthOnStreams(t *testing.T) {
	t.Run("responses", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			callee := n.peer(t, calleeAt)
			proxy := n.stack(t, proxyAt, relay(to("UDP", calleeAt)))
			caller := n.stack(t, callerAt, &user{})

			tx, err := caller.Send(t.Context(), request(t, "INVITE", "sip:b@"+proxyAt+";transport=tcp", nil), stack.Destination{})
			if err != nil {
				t.Fatal(err)
			}

			invite := callee.request("INVITE")
			for _, status := range []int{180, 200} {
				callee.send(proxy, without(sip.NewResponse(invite, status, "")))

				r := <-tx.Responses()
				if r == nil || r.StatusCode != status || r.ContentLength() == nil {
					t.Fatalf("%v %v, want %d", r, tx.Err(), status)
				}
			}
			callee.already()
			if got := n.Dials(netip.MustParseAddrPort(proxyAt)); got != 1 {
				t.Errorf("%d connections, want 1", got)
			}
		})
	})

	t.Run("requests", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			n.stack(t, calleeAt, answering())
			proxy := n.stack(t, proxyAt, relay(to("TCP", calleeAt)))
			caller := n.peer(t, callerAt)

			caller.send(proxy, strings.Replace(caller.text("MESSAGE", "sip:b@example", "1"), "Content-Length: 0\r\n", "", 1))
			caller.response(200)
		})
	})

	t.Run("and it is that of the body", func(t *testing.T) {
		within(t, func(t *testing.T, n *network) {
			came := make(chan string, 1)
			n.stack(t, calleeAt, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
				came <- string(tx.Request().Body())
				_ = tx.Reply(200, "")
			}})
			proxy := n.stack(t, proxyAt, relay(to("TCP", calleeAt)))
			caller := n.peer(t, callerAt)

			caller.send(proxy, strings.Replace(caller.text("MESSAGE", "sip:b@example", "1"), "Content-Length: 0\r\n\r\n", "\r\nbody", 1))
			caller.response(200)
			if got := <-came; got != "body" {
				t.Errorf("the body is %q", got)
			}
		})
	})
}

// messages reads requests from a connection until it ends.
func messages(c net.Conn, each func(*sip.Request)) {
	reader, text := bufio.NewReader(c), ""

	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}

		if text += line; line == "\r\n" {
			if m, err := sip.ParseMessage([]byte(text)); err == nil {
				each(m.(*sip.Request))
			}
			text = ""
		}
	}
}

// TestOthersOfAConnectionAreTriedAgain: a message that ends its connection must not end the transactions of the others: they go over a
// new connection with the same branch, so that a receiver recognises them (RFC 3261 §17.2.3).
func TestOthersOfAConnectionAreTriedAgain(t *testing.T) {
	for _, tried := range []bool{false, true} {
		name := "before any response"
		if tried {
			name = "after a 100"
		}

		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				const count = 10

				first, branches := true, map[string]int{}
				script(t, n, calleeAt, func(c net.Conn) {
					seen := 0
					messages(c, func(r *sip.Request) {
						if r.IsAck() {
							return
						}
						branch, _ := r.Via().Params.Get("branch")
						branches[branch]++
						seen++

						switch {
						case !first:
							_, _ = c.Write([]byte(sip.NewResponse(r, 486, "").String()))
						case tried:
							_, _ = c.Write([]byte(sip.NewResponse(r, 100, "").String()))
						}

						if first && seen == count { // the last one is the one it cannot read
							c.Close()
						}
					})
					first = false
				})
				proxy := n.stack(t, proxyAt, relay(to("TCP", calleeAt)))
				caller := n.stack(t, callerAt, &user{})

				var all []*stack.ClientTransaction
				for i := range count {
					method := "INVITE"
					if i%2 == 0 {
						method = "MESSAGE"
					}
					tx, err := caller.Send(t.Context(), request(t, method, "sip:b@"+proxyAt, nil), stack.Destination{})
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, tx)
				}

				begin := time.Now()
				for _, tx := range all {
					for r := range tx.Responses() {
						if r.IsProvisional() {
							continue
						}
						if r.StatusCode != 486 || time.Since(begin) > time.Second {
							t.Errorf("%v after %v", r, time.Since(begin))
						}

						break
					}
				}
				if len(branches) != count {
					t.Errorf("%d branches came, want %d", len(branches), count)
				}
				if got := n.Dials(netip.MustParseAddrPort(calleeAt)); got != 2 {
					t.Errorf("%d connections, want 2", got)
				}
				time.Sleep(time.Minute)
				proxy.empty(t)
			})
		})
	}
}

// TestRetransmissionByAnotherConnection: a request repeated over another connection is answered there as before, and is not handled
// twice.
func TestRetransmissionByAnotherConnection(t *testing.T) {
	for _, test := range []struct {
		name, method string
		answered     bool
	}{
		{"an answer that was lost with the connection", "MESSAGE", true},
		{"a request in work", "MESSAGE", false},
		{"an INVITE that was refused", "INVITE", true},
		{"an INVITE in work", "INVITE", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				handled, goOn := 0, make(chan bool)
				s := n.stack(t, proxyAt, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
					handled++
					<-goOn
					_ = tx.Reply(404, "")
				}})
				text := n.peer(t, callerAt).text(test.method, "sip:b@example", "1")

				connect := func() net.Conn {
					c, err := n.Dial(t.Context(), netip.MustParseAddrPort("192.0.2.9:0"), netip.MustParseAddrPort(proxyAt))
					if err != nil {
						t.Fatal(err)
					}
					_, _ = c.Write([]byte(text))
					synctest.Wait()

					return c
				}

				c := connect()
				if test.answered {
					close(goOn)
					synctest.Wait()
				}
				c.Close()
				synctest.Wait()

				c = connect()
				defer c.Close()
				if !test.answered {
					close(goOn)
				}

				_ = c.SetReadDeadline(time.Now().Add(time.Minute))
				line, err := bufio.NewReader(c).ReadString('\n')
				if !strings.Contains(line, "404") || handled != 1 {
					t.Errorf("%q %v, and the request was done %d times", line, err, handled)
				}
				time.Sleep(time.Minute)
				s.empty(t)
			})
		})
	}
}

// TestAnswerAfterTheConnectionEnded: when the connection of a request is gone, its answer goes over a new one, to the request's source
// address and the port of sent-by (RFC 3261 §18.2.2); the connection's own port takes no connections, whatever rport says (RFC 3581 is
// about UDP).
func TestAnswerAfterTheConnectionEnded(t *testing.T) {
	for _, test := range []struct{ name, sentBy, params, listens string }{
		{"sent-by", "192.0.2.9:5080", "", "192.0.2.9:5080"},
		{"rport", "192.0.2.9:5080", ";rport", "192.0.2.9:5080"},
		{"the default port", "192.0.2.9", ";rport", "192.0.2.9:5060"},
		{"another address in sent-by", "192.0.2.77:5080", ";rport", "192.0.2.9:5080"},
		{"a name in sent-by", "phone.example:5080", "", "192.0.2.9:5080"},
	} {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				goOn := make(chan bool)
				n.stack(t, proxyAt, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
					<-goOn
					_ = tx.Reply(200, "")
				}})
				answers := make(chan string, 8)
				script(t, n, test.listens, func(c net.Conn) {
					line, _ := bufio.NewReader(c).ReadString('\n')
					answers <- strings.TrimSpace(line)
				})

				c, err := n.Dial(t.Context(), netip.MustParseAddrPort("192.0.2.9:0"), netip.MustParseAddrPort(proxyAt))
				if err != nil {
					t.Fatal(err)
				}
				text := n.peer(t, callerAt).text("MESSAGE", "sip:b@example", "1")
				_, _ = c.Write([]byte(strings.Replace(text, "UDP "+callerAt, "TCP "+test.sentBy+test.params, 1)))
				synctest.Wait()
				c.Close()
				synctest.Wait()
				close(goOn)

				select {
				case line := <-answers:
					if line != "SIP/2.0 200 OK" {
						t.Errorf("%q came", line)
					}
				case <-time.After(time.Minute):
					t.Errorf("no answer came; something went to %v", n.Astray())
				}
			})
		})
	}
}
