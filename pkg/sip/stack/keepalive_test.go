package stack_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// TestKeepAlive: two empty lines are a ping and are answered by one, a pong; either keeps the connection from being idle (RFC 5626
// §3.5.1, §4.4.1).
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
				s := n.stack(t, proxyAt, answering(), func(c *stack.Config) { c.Limits.TCPIdle = idle })

				c, err := n.Dial(t.Context(), netip.MustParseAddrPort(callerAt), s.Endpoint("Mw").Address())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				exchange(t, c, n)

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

// exchange sends a message over a connection, and waits for its answer.
func exchange(t *testing.T, c net.Conn, n *network) {
	t.Helper()

	text := "OPTIONS sip:b@example SIP/2.0\r\nVia: SIP/2.0/TCP " + callerAt + ";branch=" + sip.NewBranch() +
		"\r\nMax-Forwards: 70\r\nFrom: <sip:a@example>;tag=1\r\nTo: <sip:b@example>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}

	b := make([]byte, 10_000)
	if k, err := c.Read(b); err != nil || !strings.HasPrefix(string(b[:k]), "SIP/2.0 ") {
		t.Fatalf("%q %v", b[:k], err)
	}
}

// TestSilentConnections: a client that connects and sends nothing, or nothing but pings, loses the connection: it has tcp_message_time
// for a first message.
func TestSilentConnections(t *testing.T) {
	for _, test := range []struct {
		name  string
		speak bool
		pings string
		ends  time.Duration
	}{
		{"silent", false, "", 20 * time.Second},
		{"with pings", false, "\r\n\r\n", 20 * time.Second},
		{"one that has spoken", true, "", 2 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				s := n.stack(t, proxyAt, answering())
				c, err := n.Dial(t.Context(), netip.MustParseAddrPort(callerAt), s.Endpoint("Mw").Address())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()

				begin := time.Now()
				if test.speak {
					exchange(t, c, n)
				}

				var pinging sync.WaitGroup
				defer pinging.Wait()
				if test.pings != "" {
					pinging.Go(func() {
						for {
							time.Sleep(time.Second)
							if _, err := c.Write([]byte(test.pings)); err != nil {
								return
							}
						}
					})
				}

				for err == nil {
					_, err = c.Read(make([]byte, 10))
				}
				if d := time.Since(begin); !errors.Is(err, io.EOF) || d != test.ends {
					t.Errorf("%v after %v, want the end after %v", err, d, test.ends)
				}
			})
		})
	}
}

// TestConnectionsOfOneSource: one address has its share of the connections, and no more: it cannot keep the others out.
func TestConnectionsOfOneSource(t *testing.T) {
	for _, test := range []struct{ name, at, one, other string }{
		{"IPv4", proxyAt, "192.0.2.9", "192.0.2.10"},
		{"a /64 of IPv6", "[2001:db8::1]:5060", "2001:db8:9::%d", "2001:db8:a::1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				const share = 3
				s := n.stack(t, test.at, answering(), func(c *stack.Config) { c.Limits.TCPPerSource = share })

				connect := func(from string) (net.Conn, bool) {
					c, err := n.Dial(t.Context(), netip.AddrPortFrom(netip.MustParseAddr(from), 0), s.Endpoint("Mw").Address())
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { c.Close() })
					synctest.Wait()
					_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
					_, err = c.Read(make([]byte, 1))

					return c, errors.Is(err, os.ErrDeadlineExceeded)
				}
				from := func(i int) string { return strings.ReplaceAll(test.one, "%d", fmt.Sprint(i)) }

				var mine []net.Conn
				for i := range share {
					c, open := connect(from(i + 1))
					if mine = append(mine, c); !open {
						t.Fatalf("connection %d is refused", i)
					}
				}
				if _, open := connect(from(9)); open {
					t.Error("one more than the share is taken")
				}
				if got := s.value(t, "refused_total"); got != 1 {
					t.Errorf("%v refusals are counted", got)
				}
				if _, open := connect(test.other); !open {
					t.Error("another source is kept out")
				}

				mine[0].Close()
				synctest.Wait()
				if _, open := connect(from(8)); !open {
					t.Error("the place of a connection that ended is not free")
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if got := s.value(t, "connections"); got != 0 {
					t.Errorf("%v connections are open", got)
				}
			})
		})
	}
}
