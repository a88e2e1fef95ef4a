package stack_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

const maxMessage = 4000

func small(c *stack.Config) { c.Limits.MaxMessage = maxMessage }

// TestOversizedIsPassedOver: a message that is too large is answered 513 and skipped, and its connection goes on.
func TestOversizedIsPassedOver(t *testing.T) {
	s := start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(200, "") }}, small)

	conn, err := net.Dial("tcp", s.Endpoint("Mw").Address().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))

	// send writes a message with a body of this many octets.
	send := func(start, method, branch string, octets int) {
		t.Helper()

		_, err := fmt.Fprintf(
			conn,
			"%s\r\nVia: SIP/2.0/TCP 192.0.2.7;branch=%s\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n"+
				"Content-Length: %d\r\n\r\n%s",
			start,
			branch,
			branch,
			method,
			octets,
			strings.Repeat("BYE sip:c@d SIP/2.0\r\n", octets/20+1)[:octets],
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	reader := bufio.NewReader(conn)
	answered := func(branch string, status int) {
		t.Helper()

		head := ""
		for !strings.HasSuffix(head, "\r\n\r\n") {
			line, err := reader.ReadString('\n')
			if err != nil {
				t.Fatalf("%q %v", head, err)
			}
			head += line
		}
		if !strings.HasPrefix(head, fmt.Sprintf("SIP/2.0 %d ", status)) || !strings.Contains(head, "branch="+branch) {
			t.Fatalf("%s\nwant %d to %s", head, status, branch)
		}
	}

	for i, octets := range []int{maxMessage, 100_000, 4 << 20} {
		large, next := fmt.Sprintf("z9hG4bKlarge%d", i), fmt.Sprintf("z9hG4bKnext%d", i)
		send("MESSAGE sip:c@d SIP/2.0", "MESSAGE", large, octets)
		answered(large, 513)
		send("OPTIONS sip:c@d SIP/2.0", "OPTIONS", next, 0)
		answered(next, 200)
	}

	send("SIP/2.0 200 OK", "MESSAGE", "z9hG4bKresponse", 100_000) // has no answer
	send("OPTIONS sip:c@d SIP/2.0", "OPTIONS", "z9hG4bKlast", 0)
	answered("z9hG4bKlast", 200)

	if _, err := fmt.Fprintf(conn, "OPTIONS sip:c@d SIP/2.0\r\nContent-Length: %d\r\n\r\n", 4<<20+1); err != nil { // more than is skipped
		t.Fatal(err)
	}
	if _, err := reader.ReadByte(); err != io.EOF {
		t.Errorf("%v, want the connection closed", err)
	}
}

// TestOversizedIsNotSent: a message larger than max_message is not sent, and its connection goes on.
func TestOversizedIsNotSent(t *testing.T) {
	large := strings.Repeat("x", maxMessage)

	for _, transport := range []string{"tcp", "udp"} {
		t.Run(transport, func(t *testing.T) {
			came, release := make(chan string, 16), make(chan struct{})
			callee := start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) {
				came <- string(tx.Request().Method)
				switch tx.Request().Method {
				case "MESSAGE":
					<-release
					_ = tx.Reply(200, "")
				case "INFO": // its 183 is too large, its 200 is not
					_ = tx.Reply(183, "", sip.NewHeader("X-Large", large))
					_ = tx.Reply(200, "")
				default:
					_ = tx.Reply(200, "", sip.NewHeader("X-Large", large))
				}
			}}, small)
			proxy, caller := start(t, relay(nil), small), start(t, &user{}, small)

			pending, err := caller.Send(t.Context(), request(t, "MESSAGE", uri(callee, "a", transport), nil), stack.Destination{})
			if err != nil {
				t.Fatal(err)
			}
			if got := <-came; got != "MESSAGE" {
				t.Fatalf("%s came", got)
			}

			// do sends a request of this many octets, and the Via that it gets on its way.
			do := func(name, method string, via *stack.Stack, octets, status int) {
				t.Helper()

				r := request(t, method, uri(callee, "a", transport), via)
				r.SetBody([]byte(large[:max(0, octets-len(r.String()))]))
				answer, err := caller.Do(t.Context(), r, stack.Destination{})
				if err != nil || answer.StatusCode != status {
					t.Fatalf("%s: %v %v, want %d", name, answer, err, status)
				}
				if got := sip.Value(answer, "Reason"); status >= 300 && !strings.HasPrefix(got, fmt.Sprintf("SIP;cause=%d;", status)) {
					t.Errorf("%s: Reason: %s", name, got)
				}
				if stack.Local(answer) {
					t.Errorf("%s: it passes for the silence of the next hop", name)
				}
			}

			do("a request", "INVITE", nil, maxMessage, 513)
			do("a request that the proxy makes larger", "INVITE", proxy, maxMessage-80, 513)
			if len(came) != 0 {
				t.Errorf("%s came", <-came)
			}
			do("a response", "OPTIONS", nil, 0, 500)
			do("a response through the proxy", "INVITE", proxy, 0, 500)
			do("a provisional response", "INFO", nil, 0, 200)

			close(release)
			select {
			case r := <-pending.Responses():
				if r == nil || r.StatusCode != 200 {
					t.Errorf("%v %v, want 200 to what was under way", r, pending.Err())
				}
			case <-time.After(20 * time.Second):
				t.Error("what was under way has no answer")
			}
		})
	}
}

// TestOversizedDatagram: a datagram holds less than max_message may allow.
func TestOversizedDatagram(t *testing.T) {
	callee := start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(200, "") }},
		func(c *stack.Config) { c.Limits.MaxMessage = 100_000 })
	caller := start(t, &user{}, func(c *stack.Config) { c.Limits.MaxMessage, c.UDPSizeLimit = 100_000, 0 })

	for transport, status := range map[string]int{"udp": 513, "tcp": 200} {
		r := request(t, "MESSAGE", uri(callee, "a", transport), nil)
		r.SetBody([]byte(strings.Repeat("x", 66_000)))

		if answer, err := caller.Do(t.Context(), r, stack.Destination{}); err != nil || answer.StatusCode != status {
			t.Errorf("%s: %v %v, want %d", transport, answer, err, status)
		}
	}
}
