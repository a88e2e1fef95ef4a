package diameter_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

const (
	addressA = "192.0.2.1:3868"
	addressB = "192.0.2.2:3868"
)

func listening(host, address string, peers ...diameter.Peer) diameter.Config {
	c := diameter.DefaultConfig(host, "example")
	c.Listen = []diameter.Listener{{Address: address}}
	c.AllowUnknownPeers = true
	c.Peers = peers

	return c
}

func dialling(host string, peers ...diameter.Peer) diameter.Config {
	c := diameter.DefaultConfig(host, "example")
	c.Peers = peers

	return c
}

func statusOf(t *testing.T, n *diameter.Node, host string) diameter.PeerStatus {
	t.Helper()

	for _, p := range n.Peers() {
		if p.Host == host {
			return p
		}
	}

	return diameter.PeerStatus{}
}

func wantState(t *testing.T, n *diameter.Node, host, machine, watchdog string) {
	t.Helper()
	synctest.Wait()

	if s := statusOf(t, n, host); s.Machine != machine || s.Watchdog != watchdog {
		t.Errorf("%s: %s %s, want %s %s", host, s.Machine, s.Watchdog, machine, watchdog)
	}
}

type outcome struct {
	answer *cx.LIA
	err    error
}

func call(t *testing.T, n *diameter.Node, ctx context.Context, host string) <-chan outcome {
	t.Helper()

	done := make(chan outcome, 1)
	go func() {
		q := &cx.LIR{PublicIdentity: "sip:a"}
		q.DestinationHost = host
		a, err := diameter.Call[cx.LIA](ctx, n, q)
		done <- outcome{a, err}
	}()

	return done
}

// TestCapabilitiesExchange: who may connect (RFC 6733 §5.3), and how the others are refused.
func TestCapabilitiesExchange(t *testing.T) {
	tests := []struct {
		name    string
		host    string
		change  []func(*diameter.Message)
		result  uint32
		failed  uint32
		configs func(*diameter.Config)
	}{
		{name: "§5.3 a known application: 2001", host: "peer.example", result: 2001},
		{
			name:    "§5.3 a configured peer in other letters: 2001",
			host:    "KNOWN.example",
			result:  2001,
			configs: func(c *diameter.Config) { c.AllowUnknownPeers = false },
		},
		{
			name:    "§5.3 an unknown peer: 3010",
			host:    "peer.example",
			result:  3010,
			configs: func(c *diameter.Config) { c.AllowUnknownPeers = false },
		},
		{name: "§5.3 our own name: 3010", host: "hss.example", result: 3010},
		{
			name: "§5.3 no application in common: 5010", host: "peer.example", result: 5010,
			change: []func(*diameter.Message){without(avp.VendorSpecificApplicationID), with(avp.AuthApplicationID, datatype.Unsigned32(16777251))},
		},
		{
			name: "§2.4 a relay has every application: 2001", host: "peer.example", result: 2001,
			change: []func(*diameter.Message){
				without(avp.VendorSpecificApplicationID),
				with(avp.AuthApplicationID, datatype.Unsigned32(0xFFFFFFFF)),
			},
		},
		{
			name: "§5.3 the application's vendor does not count: 2001", host: "peer.example", result: 2001,
			change: []func(*diameter.Message){
				without(avp.VendorSpecificApplicationID),
				with(avp.AuthApplicationID, datatype.Unsigned32(cx.Application.ID)),
			},
		},
		{name: "§6.10 TLS within the connection only: 5017", host: "peer.example", result: 5017, change: []func(*diameter.Message){inband(1)}},
		{
			name:   "§6.10 TLS within the connection or none: 2001",
			host:   "peer.example",
			result: 2001,
			change: []func(*diameter.Message){inband(1), inband(0)},
		},
		{
			name:   "§7.1.5 no Origin-Host: 5005",
			host:   "peer.example",
			result: 5005,
			failed: avp.OriginHost,
			change: []func(*diameter.Message){without(avp.OriginHost)},
		},
		{
			name:   "§7.1.5 no Origin-Realm: 5005",
			host:   "peer.example",
			result: 5005,
			failed: avp.OriginRealm,
			change: []func(*diameter.Message){without(avp.OriginRealm)},
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := listening("hss.example", addressA, diameter.Peer{Host: "known.example"})
				if test.configs != nil {
					test.configs(&c)
				}

				net := newNetwork()
				hss, stop := net.run(t, c, nil)
				defer stop()

				r := net.dialRaw(t, test.host, addressA, test.change...)
				cea := r.receive(257, false)

				if got := resultCode(cea); got != test.result {
					t.Errorf("Result-Code %d, want %d", got, test.result)
				}
				if protocolError := cea.Header.CommandFlags&diam.ErrorFlag != 0; protocolError != (test.result/1000 == 3) {
					t.Errorf("E bit %v with %d", protocolError, test.result)
				}
				if test.failed != 0 {
					failed, err := cea.FindAVP(avp.FailedAVP, 0)
					if err != nil || failed.Data.(*diam.GroupedAVP).AVP[0].Code != test.failed {
						t.Errorf("Failed-AVP: %v, %v; want AVP %d", failed, err, test.failed)
					}
				}

				if test.result != 2001 {
					r.ended()
					for _, p := range hss.Peers() {
						if p.State != "closed" {
							t.Errorf("the node has a peer: %+v", p)
						}
					}
					return
				}

				for _, code := range []uint32{
					avp.HostIPAddress,
					avp.VendorID,
					avp.ProductName,
					avp.OriginStateID,
					avp.SupportedVendorID,
					avp.VendorSpecificApplicationID,
					avp.InbandSecurityID,
				} {
					if !slices.ContainsFunc(cea.AVP, func(a *diam.AVP) bool { return a.Code == code }) {
						t.Errorf("the CEA has no AVP %d", code)
					}
				}
				synctest.Wait()
				if open := slices.ContainsFunc(hss.Peers(), func(p diameter.PeerStatus) bool {
					return strings.EqualFold(p.Host, test.host) && p.State == "open"
				}); !open {
					t.Errorf("not open: %+v", hss.Peers())
				}

				r.conn.Close()
			})
		})
	}
}

func TestBeforeCapabilitiesAreExchanged(t *testing.T) {
	t.Run("§5.6.1 another message than CER ends the connection unanswered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			_, stop := net.run(t, listening("hss.example", addressA), nil)
			defer stop()

			conn, err := net.Dial(t.Context(), "tcp", addressA)
			if err != nil {
				t.Fatal(err)
			}
			r := newRawPeer(t, "peer.example", conn)
			r.send(r.lir("", "example"))
			r.ended()
		})
	})

	t.Run("§5.6.1 who says nothing is cut off, and makes room", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := listening("hss.example", addressA)
			c.MaxConnections = 1

			net := newNetwork()
			_, stop := net.run(t, c, nil)
			defer stop()

			began := time.Now()
			conn, err := net.Dial(t.Context(), "tcp", addressA)
			if err != nil {
				t.Fatal(err)
			}
			idle := newRawPeer(t, "idle.example", conn)
			synctest.Wait()

			conn, err = net.Dial(t.Context(), "tcp", addressA)
			if err != nil {
				t.Fatal(err)
			}
			newRawPeer(t, "second.example", conn).ended() // one too many

			if time.Since(began) != 0 {
				t.Error("the connection beyond the limit was not refused at once")
			}

			idle.ended()
			if waited := time.Since(began); waited != 10*time.Second {
				t.Errorf("an idle connection lasted %v", waited)
			}
			synctest.Wait()

			r := net.dialRaw(t, "peer.example", addressA)
			r.receive(257, false)
			r.conn.Close()
		})
	})

	t.Run("§5.6 Wait-I-CEA: something else than a CEA, a refusal, a stranger, silence", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			l := net.mustListen(t, addressA)
			n, stop := net.run(t, dialling("a.example", diameter.Peer{Host: "hss.example", Address: addressA}), nil)
			defer stop()

			r, _ := acceptRaw(t, "hss.example", l)
			r.answerBase(r.base(280, diam.RequestFlag)) // a DWA
			r.ended()

			r, cer := acceptRaw(t, "hss.example", l)
			r.answer(cer, r.capabilities(0, result(5010)))
			r.ended()

			r, cer = acceptRaw(t, "other.example", l)
			r.answer(cer, r.capabilities(0, result(2001)))
			r.ended()

			r, _ = acceptRaw(t, "hss.example", l)
			began := time.Now()
			r.ended()
			if waited := time.Since(began); waited != 10*time.Second {
				t.Errorf("the CEA was waited for %v", waited)
			}
			wantState(t, n, "hss.example", "Closed", "INITIAL")

			r = openRaw(t, "hss.example", l)
			wantState(t, n, "hss.example", "I-Open", "OKAY")
			r.conn.Close()
		})
	})
}

// TestDisconnect: RFC 6733 §5.4.
func TestDisconnect(t *testing.T) {
	t.Run("this node's end: DPR, requests in work are answered after DPA, then the connection ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			entered, release := make(chan struct{}), make(chan struct{})
			_, stop := net.run(t, listening("hss.example", addressA), func(n *diameter.Node) {
				diameter.Handle(n, func(ctx context.Context, _ *cx.LIR) (*cx.LIA, error) {
					close(entered)
					<-release
					return &cx.LIA{ServerName: "sip:s"}, ctx.Err()
				})
			})

			r := net.dialRaw(t, "a.example", addressA)
			r.receive(257, false)
			r.send(r.lir("", "example"))
			<-entered

			stopped := make(chan struct{})
			go func() { stop(); close(stopped) }()

			dpr := r.receive(282, true)
			if cause, err := dpr.FindAVP(avp.DisconnectCause, 0); err != nil || cause.Data.(datatype.Enumerated) != 0 {
				t.Errorf("Disconnect-Cause %v, %v; want REBOOTING", cause, err)
			}
			r.answerBase(dpr)
			synctest.Wait()
			close(release)
			if got := resultCode(r.receive(302, false)); got != 2001 {
				t.Errorf("the request in work was answered %d", got)
			}
			r.ended()
			<-stopped
		})
	})

	t.Run("this node's end, and no DPA", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			_, stop := net.run(t, listening("hss.example", addressA), nil)
			r := net.dialRaw(t, "a.example", addressA)
			r.receive(257, false)
			began := time.Now()
			stop()
			if d := time.Since(began); d > 5*time.Second {
				t.Errorf("Run took %v to end", d)
			}
			r.receive(282, true)
			r.ended()
		})
	})

	t.Run("both ends at once: neither waits for the other's patience", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			_, stopServer := net.run(t, listening("hss.example", addressA), nil)
			_, stopClient := net.run(t, dialling("a.example", diameter.Peer{Host: "hss.example", Address: addressA}), nil)
			synctest.Wait()

			began := time.Now()
			var both sync.WaitGroup
			both.Go(stopServer)
			both.Go(stopClient)
			both.Wait()
			if d := time.Since(began); d != 0 {
				t.Errorf("it took %v", d)
			}
		})
	})

	for _, test := range []struct {
		name  string
		cause datatype.Enumerated
		least time.Duration
	}{
		{"the peer's end, REBOOTING: called again soon", 0, time.Second},
		{"the peer's end, BUSY: called again late", 1, 30 * time.Second},
		{"the peer's end, DO_NOT_WANT_TO_TALK_TO_YOU: called again late", 2, 30 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := newNetwork()
				l := net.mustListen(t, addressA)
				n, stop := net.run(t, dialling("a.example", diameter.Peer{Host: "hss.example", Address: addressA}), nil)
				defer stop()

				r := openRaw(t, "hss.example", l)
				o := call(t, n, t.Context(), "")
				pending := r.receive(302, true)

				dpr := r.base(282, diam.RequestFlag)
				dpr.AddAVP(diam.NewAVP(avp.DisconnectCause, avp.Mbit, 0, test.cause))
				r.send(dpr)
				if got := resultCode(r.receive(282, false)); got != 2001 {
					t.Errorf("DPA %d", got)
				}
				wantState(t, n, "hss.example", "Closing", "INITIAL")

				if got := <-call(t, n, t.Context(), ""); !errors.Is(got.err, diameter.ErrUnroutable) {
					t.Errorf("a request after DPR: %+v", got)
				}
				r.answerLIR(pending, "sip:s") // requests sent before may still be answered
				if got := <-o; got.err != nil {
					t.Error(got.err)
				}

				r.conn.Close()
				began := time.Now()
				r = openRaw(t, "hss.example", l)
				if d := time.Since(began); d < test.least || d > test.least*2 {
					t.Errorf("called again after %v", d)
				}
				wantState(t, n, "hss.example", "I-Open", "OKAY")
				r.conn.Close()
			})
		})
	}
}

func TestReconnectPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var dialled []time.Time

		n, err := diameter.New(
			dialling("a.example", diameter.Peer{Host: "hss.example", Address: addressA}),
			[]diameter.Application{cx.Application},
			diameter.Options{
				Dial: func(context.Context, string, string) (net.Conn, error) {
					mu.Lock()
					defer mu.Unlock()
					dialled = append(dialled, time.Now())
					return nil, errors.New("connection refused")
				},
			},
		)
		if err != nil {
			t.Fatal(err)
		}

		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		if err := n.Run(ctx); err != nil {
			t.Error(err)
		}

		want := time.Second
		for i := 1; i < len(dialled); i++ {
			if pause := dialled[i].Sub(dialled[i-1]); pause < want || pause > want*5/4 {
				t.Errorf("pause %d was %v, want %v and at most a quarter more", i, pause, want)
			}
			want = min(2*want, 5*time.Second)
		}
		if len(dialled) < 10 {
			t.Errorf("%d attempts in 5 minutes", len(dialled))
		}
	})
}
