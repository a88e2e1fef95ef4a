package sip_test

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// RFC 5626 §3.5.1, §4.4.1: two empty lines are a ping and are answered by one, a pong; either keeps the connection from being
// idle.
func TestKeepAlive(t *testing.T) {
	const idle, interval = 2 * time.Minute, 110 * time.Second

	tests := []struct {
		name  string
		sends []string // one after each interval
		pongs int
	}{
		{"nothing", nil, 0},
		{"pings", []string{"\r\n\r\n", "\r\n\r\n", "\r\n\r\n"}, 3},
		{"a ping in two parts", []string{"\r\n", "\r\n"}, 1},
		{"a pong", []string{"\r\n"}, 0},
		{"half of a line is nothing", []string{"\r"}, -1},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				s := n.stack(t, proxyAt, &user{}, func(c *sip.Config) { c.Limits.TCPIdle = idle })

				c, err := n.Dial(t.Context(), netip.MustParseAddrPort(callerAt), s.Endpoint("Mw").Address())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()

				last, pongs := time.Now(), 0
				for _, text := range test.sends {
					time.Sleep(interval)
					if _, err := c.Write([]byte(text)); err != nil {
						t.Fatalf("after %q: %v", text, err)
					}
					if test.pongs >= 0 {
						last = time.Now()
					}

					_ = c.SetReadDeadline(time.Now().Add(time.Second))
					b := make([]byte, 10)
					switch k, err := c.Read(b); {
					case err == nil && string(b[:k]) == "\r\n":
						pongs++
					case !errors.Is(err, os.ErrDeadlineExceeded):
						t.Fatalf("%q %v comes for %q", b[:k], err, text)
					}
				}

				if pongs != max(test.pongs, 0) {
					t.Errorf("%d pongs, want %d", pongs, test.pongs)
				}

				_ = c.SetReadDeadline(time.Time{})
				if k, err := c.Read(make([]byte, 10)); !errors.Is(err, io.EOF) || time.Since(last) != idle {
					t.Errorf("%d octets, %v after %v", k, err, time.Since(last))
				}
			})
		})
	}
}
