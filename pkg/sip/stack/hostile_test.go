package stack_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// TestHostileContentLength: an impossible length ends its own connection, and nothing else.
func TestHostileContentLength(t *testing.T) {
	s := start(t, &user{request: func(_ context.Context, _ *stack.Stack, tx *stack.ServerTransaction) { _ = tx.Reply(200, "") }})

	for _, length := range []string{"9223372036854775807", "9223372036854775000", "-1", "4194305", "99999999999999999999", "1e9"} {
		conn, err := net.Dial("tcp", s.Endpoint("Mw").Address().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "OPTIONS sip:a@b SIP/2.0\r\nContent-Length: %s\r\n\r\n", length); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("Content-Length %s: read %d, %v; want the connection closed", length, n, err)
		}
		conn.Close()
	}

	if r, err := start(t, &user{}).Do(t.Context(), request(t, "OPTIONS", uri(s, "a", "tcp"), nil), stack.Destination{}); err != nil ||
		r.StatusCode != 200 {
		t.Errorf("afterwards: %v %v", r, err)
	}
}
