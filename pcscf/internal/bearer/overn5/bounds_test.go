package overn5_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/test/memory"
)

const path = "/n5/v1/sessions/x/terminate"

// frame is one of HTTP/2 (RFC 9113 §4.1).
func frame(kind, flags byte, stream int, payload string) string {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload)<<8)|uint32(kind))

	return string(binary.BigEndian.AppendUint32(append(head, flags), uint32(stream))) + payload
}

// streams is an HTTP/2 connection on which so many notifications come, whose answers have no window; none of them ends without a body.
func streams(count int, body string) string {
	var text, fields strings.Builder

	for _, field := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":authority", "x"}, {":path", path}} {
		for _, part := range field { // literal, without indexing (RFC 7541 §6.2.2)
			if part == field[0] {
				fields.WriteByte(0)
			}
			fields.WriteByte(byte(len(part)))
			fields.WriteString(part)
		}
	}

	text.WriteString("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "\x00\x04\x00\x00\x00\x00")) // SETTINGS_INITIAL_WINDOW_SIZE

	for i := range count {
		text.WriteString(frame(1, 4, 1+2*i, fields.String())) // HEADERS, END_HEADERS
		if body != "" {
			text.WriteString(frame(0, 1, 1+2*i, body)) // DATA, END_STREAM
		}
	}

	return text.String()
}

// Connections that do not go on are bounded, of one source and in all, and so are the requests of each. They end, and there is room again.
func TestConnectionsAreBounded(t *testing.T) {
	withDesk(t, func(t *testing.T, d *desk) {
		const ofOneSource, requests = 16, 16

		before := runtime.NumGoroutine()
		begun := time.Now()

		var open []net.Conn

		connect := func(source string) net.Conn {
			c, err := d.dial(source+":0")(t.Context(), "tcp", notify)
			if err != nil {
				t.Fatal(err)
			}

			open = append(open, c)

			return c
		}
		refused := func(source string) {
			t.Helper()

			if err := ended(t, connect(source), time.Second); err != nil || !time.Now().Equal(begun) {
				t.Errorf("a further one of %s is not closed at once: %v", source, err)
			}
		}

		const unread = "one whose client does not read"

		for source, client := range map[string]struct{ kind, says string }{
			"192.0.2.101": {"one that says nothing", ""},
			"192.0.2.102": {"HTTP/1, a part of a body", "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"},
			"192.0.2.103": {unread, streams(100, `{"termCause":"x","resUri":"y"}`)},
			"192.0.2.104": {"requests without an end", streams(100, "")},
		} {
			for range ofOneSource {
				c := connect(source)
				if client.kind == unread {
					memory.Stall(c)
				}
				if _, err := io.WriteString(c, client.says); err != nil {
					t.Fatalf("%s: %v", client.kind, err)
				}
			}

			refused(source)
		}

		synctest.Wait()
		refused("192.0.2.200")

		// Each connection has a few goroutines of its own.
		if more := runtime.NumGoroutine() - before; more > len(open)*4+2*ofOneSource*requests {
			t.Errorf("%d goroutines more", more)
		}

		for _, c := range open {
			if err := ended(t, c, 30*time.Second-time.Since(begun)); err != nil {
				t.Errorf("one of %s is open after %v: %v", c.LocalAddr(), time.Since(begun), err)
			}
		}

		synctest.Wait()

		if more := runtime.NumGoroutine() - before; more > 0 {
			t.Errorf("%d goroutines are left", more)
		}

		if err := d.need(d.leg(call), needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}
		if status, err := d.pcf.Terminate(t.Context(), d.only()); err != nil || status != http.StatusNoContent {
			t.Errorf("when all are gone: %d %v", status, err)
		}
	})
}

// ended reads what a connection brings, until the other side has closed it.
func ended(t *testing.T, c net.Conn, within time.Duration) error {
	t.Helper()

	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}

	_, err := io.Copy(io.Discard, c)

	return err
}
