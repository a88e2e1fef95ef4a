package gm

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// RFC 3261 §18.1.1: a request that is too large for UDP goes by TCP to a handset that registered over UDP, at the port that it states;
// one that takes no connection gets it over UDP, after a wait that is bounded, and is not asked again for a while.
func TestLargeRequestsToHandsets(t *testing.T) {
	handset := netip.MustParseAddrPort(aliceAt)
	large := "X-Large: " + strings.Repeat("x", 1300)

	tests := []struct {
		name, method string
		line         string
		listens      func(t *testing.T, d *desk, took chan<- *sip.Request)
		over         string
		within       time.Duration
		dials        int // in two requests
	}{
		{name: "one that takes TCP", method: "INVITE", line: large, listens: takes(true), over: "TCP", dials: 1},
		{name: "a MESSAGE", method: "MESSAGE", line: large, listens: takes(true), over: "TCP", dials: 1},
		{name: "a small request", method: "MESSAGE", line: "X-Small: x", listens: takes(true), over: "UDP"},
		{name: "one that refuses TCP", method: "INVITE", line: large, over: "UDP", dials: 1},
		{
			name:    "one that drops what it does not expect",
			method:  "INVITE",
			line:    large,
			listens: func(_ *testing.T, d *desk, _ chan<- *sip.Request) { d.network.Silence(handset) },
			over:    "UDP",
			within:  3 * time.Second,
			dials:   1,
		},
		{
			name:    "one that takes the connection and says nothing",
			method:  "INVITE",
			line:    large,
			listens: takes(false),
			over:    "UDP",
			within:  8 * time.Second,
			dials:   1,
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()

				took := make(chan *sip.Request, 8)
				if test.listens != nil {
					test.listens(t, d, took)
				}

				udp := d.alice.Came()

				for i := range 2 {
					within := test.within
					if i > 0 { // it is known by now
						within = 0
					}

					begin := time.Now()
					d.toAlice(test.method, test.line)

					over := ""
					var r *sip.Request
					select {
					case r = <-took:
						over = "TCP"
					case m := <-udp:
						r, over = m.(*sip.Request), "UDP"
						d.alice.Answer(r, 486)
						if r.IsInvite() {
							d.alice.Request("ACK")
						}
						udp = d.alice.Came()
					case <-time.After(time.Minute):
						t.Fatal("nothing came")
					}

					if got := time.Since(begin); over != test.over || got != within {
						t.Errorf("request %d came over %s after %v, want %s after %v", i, over, got, test.over, within)
					}
					if want := "SIP/2.0/" + over + " " + gmAddress; !strings.HasPrefix(r.Via().Value(), want) {
						t.Errorf("Via: %s, want %s", r.Via().Value(), want)
					}
					d.scscf.Response(486)
				}

				synctest.Wait()
				if got := d.network.Dials(handset); got != test.dials {
					t.Errorf("%d connections were tried, want %d", got, test.dials)
				}
			})
		})
	}

	t.Run("behind an address translation", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			b := *d.only()
			for contact, want := range map[string]bool{
				"sip:alice@" + aliceAt:       true,
				"sip:alice@10.0.0.1":         true,
				"sip:alice@10.0.0.1:5070":    false,
				"sip:alice@192.168.0.2:5060": false,
				"sip:alice@host.invalid":     false,
			} {
				b.Contact = contact
				if got := d.proxy.handset(&b).Flow.TakesTCP; got != want {
					t.Errorf("%s tries TCP: %v", contact, got)
				}
			}
		})
	})
}

// takes makes the handset accept connections; it answers their requests, or is silent.
func takes(answers bool) func(t *testing.T, d *desk, took chan<- *sip.Request) {
	return func(t *testing.T, d *desk, took chan<- *sip.Request) {
		l, err := d.network.Listen(t.Context(), aliceAt, false)
		if err != nil {
			t.Fatal(err)
		}

		serve := func(c net.Conn) {
			defer c.Close()
			reader, head := bufio.NewReader(c), ""
			for {
				line, err := reader.ReadString('\n')
				if err != nil {
					return
				}
				if head += line; line != "\r\n" {
					continue
				}
				m, err := sip.ParseMessage([]byte(head))
				if r, ok := m.(*sip.Request); err == nil && ok && answers && !r.IsAck() {
					took <- r
					_, _ = fmt.Fprint(c, sip.NewResponse(r, 486, ""))
				}
				head = ""
			}
		}

		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go serve(c)
			}
		}()
		t.Cleanup(func() { l.Close() })
	}
}
