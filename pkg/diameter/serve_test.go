package diameter_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/trace"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// TestRequestsThatNoProcedureSees: the answers to requests that no procedure decides (RFC 6733 §6.1, §6.2, §7.1).
func TestRequestsThatNoProcedureSees(t *testing.T) {
	change := func(m *diameter.Message, f func(*diameter.Message)) *diameter.Message {
		f(m)
		return m
	}

	tests := []struct {
		name    string
		request func(r *rawPeer) *diameter.Message
		result  uint32
		failed  uint32
	}{
		{"§6.1.4 for this host", func(r *rawPeer) *diameter.Message { return r.lir("hss.example", "example") }, 2001, 0},
		{"§6.2 without the P bit", func(r *rawPeer) *diameter.Message {
			return change(r.lir("", "example"), func(m *diameter.Message) { m.Header.CommandFlags &^= diam.ProxiableFlag })
		}, 2001, 0},
		{"§6.1.4 for this host in other letters", func(r *rawPeer) *diameter.Message { return r.lir("HSS.Example", "EXAMPLE") }, 2001, 0},
		{"§6.1.4 for this host, whatever the realm", func(r *rawPeer) *diameter.Message { return r.lir("hss.example", "elsewhere") }, 2001, 0},
		{"§6.1.4 for this realm", func(r *rawPeer) *diameter.Message { return r.lir("", "example") }, 2001, 0},
		{"§7.1.3 for another host: 3002", func(r *rawPeer) *diameter.Message { return r.lir("other.example", "example") }, 3002, 0},
		{"§7.1.3 for another realm: 3003", func(r *rawPeer) *diameter.Message { return r.lir("", "elsewhere") }, 3003, 0},
		{"§7.1.3 a command that is not served: 3001", func(r *rawPeer) *diameter.Message {
			return change(r.lir("", "example"), func(m *diameter.Message) { m.Header.CommandCode = 300 })
		}, 3001, 0},
		{"§7.1.3 a command that does not exist: 3001", func(r *rawPeer) *diameter.Message {
			return change(r.lir("", "example"), func(m *diameter.Message) { m.Header.CommandCode = 999 })
		}, 3001, 0},
		{"§7.1.3 an application that is not served: 3007", func(r *rawPeer) *diameter.Message {
			return change(r.lir("", "example"), func(m *diameter.Message) { m.Header.ApplicationID = 16777251 })
		}, 3007, 0},
		{"§7.1.3 the E bit in a request: 3008", func(r *rawPeer) *diameter.Message {
			return change(r.lir("", "example"), func(m *diameter.Message) { m.Header.CommandFlags |= diam.ErrorFlag })
		}, 3008, 0},
		{"§3 reserved command flags are ignored", func(r *rawPeer) *diameter.Message {
			return change(r.lir("", "example"), func(m *diameter.Message) { m.Header.CommandFlags |= 1 })
		}, 2001, 0},
		{"§7.1.5 an unknown AVP with the M bit: 5001", func(r *rawPeer) *diameter.Message {
			return change(r.lir("", "example"), func(m *diameter.Message) {
				m.AddAVP(diam.NewAVP(9999, avp.Mbit, 0, datatype.OctetString("x")))
			})
		}, 5001, 9999},
		{"§4.1 an unknown AVP without the M bit", func(r *rawPeer) *diameter.Message {
			return change(r.lir("", "example"), func(m *diameter.Message) { m.AddAVP(diam.NewAVP(9999, 0, 0, datatype.OctetString("x"))) })
		}, 2001, 0},
		{
			"§7.1.5 a required AVP is missing: 5005",
			func(r *rawPeer) *diameter.Message { return change(r.lir("", "example"), without(601)) },
			5005,
			601,
		},
		{"§5.3 a second CER: refused", func(r *rawPeer) *diameter.Message { return r.capabilities(diam.RequestFlag) }, 5012, 0},
		{
			"§7.1.3 a base command that only relays know: 3001",
			func(r *rawPeer) *diameter.Message { return r.base(275, diam.RequestFlag) },
			3001,
			0,
		},
	}

	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		var served atomic.Int32
		_, stop := net.run(t, listening("hss.example", addressA), serveLIR("sip:s", &served))
		defer stop()

		r := net.dialRaw(t, "a.example", addressA)
		r.receive(257, false)

		var want int32

		for i, test := range tests {
			request := test.request(r)
			request.Header.HopByHopID, request.Header.EndToEndID = uint32(1000+i), uint32(2000+i)
			r.send(request)

			answer, ok := <-r.came
			if !ok {
				t.Fatalf("%s: the connection ended", test.name)
			}

			if got := resultCode(answer); got != test.result {
				t.Errorf("%s: Result-Code %d", test.name, got)
			}
			if want += map[bool]int32{true: 1}[test.result == 2001]; served.Load() != want {
				t.Errorf("%s: the procedure saw %d requests, want %d", test.name, served.Load(), want)
			}
			if answer.Header.HopByHopID != uint32(1000+i) || answer.Header.EndToEndID != uint32(2000+i) ||
				answer.Header.CommandCode != request.Header.CommandCode {
				t.Errorf("%s: answered to %+v", test.name, answer.Header)
			}
			if (answer.Header.CommandFlags^request.Header.CommandFlags)&diam.ProxiableFlag != 0 {
				t.Errorf("%s: P bit unlike the request's", test.name)
			}
			if got := answer.Header.CommandFlags&diam.ErrorFlag != 0; got != (test.result/1000 == 3) {
				t.Errorf("%s: E bit %v", test.name, got)
			}
			if test.failed != 0 {
				failed, err := answer.FindAVP(avp.FailedAVP, 0)
				if err != nil || failed.Data.(*diam.GroupedAVP).AVP[0].Code != test.failed {
					t.Errorf("%s: Failed-AVP %v, %v", test.name, failed, err)
				}
			}
		}

		if served.Load() != 7 {
			t.Errorf("the procedure saw %d requests, want 7", served.Load())
		}

		r.send(r.base(280, diam.RequestFlag))
		r.receive(280, false) // it is all the same connection
		r.conn.Close()
	})
}

// TestAnswerCarriesWhatTheRequestBrought: Proxy-Info and Session-Id come back (RFC 6733 §6.2); the T flag does not.
func TestAnswerCarriesWhatTheRequestBrought(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		var served atomic.Int32
		_, stop := net.run(t, listening("hss.example", addressA), serveLIR("sip:s", &served))
		defer stop()

		r := net.dialRaw(t, "a.example", addressA)
		r.receive(257, false)

		for _, user := range []string{"sip:a", "sip:nobody"} {
			q := r.lir("", "example")
			if user == "sip:nobody" {
				for _, a := range q.AVP {
					if a.Code == 601 {
						a.Data = datatype.UTF8String(user)
					}
				}
				raw := q.AVP
				q = diam.NewMessage(302, diam.RequestFlag|diam.ProxiableFlag, cx.Application.ID, 5, 6, nil)
				for _, a := range raw {
					q.AddAVP(diam.NewAVP(a.Code, a.Flags, a.VendorID, a.Data))
				}
			}
			q.Header.CommandFlags |= diam.RetransmittedFlag
			for _, state := range []string{"one", "two"} {
				q.AddAVP(diam.NewAVP(avp.ProxyInfo, avp.Mbit, 0, &diam.GroupedAVP{AVP: []*diam.AVP{
					diam.NewAVP(avp.ProxyHost, avp.Mbit, 0, datatype.DiameterIdentity("proxy.example")),
					diam.NewAVP(avp.ProxyState, avp.Mbit, 0, datatype.OctetString(state)),
				}}))
			}
			r.send(q)

			a := r.receive(302, false)
			if a.Header.CommandFlags&diam.RetransmittedFlag != 0 {
				t.Errorf("%s: the answer has the T flag", user)
			}
			var proxies, sessions int
			for _, one := range a.AVP {
				switch one.Code {
				case avp.ProxyInfo:
					proxies++
				case avp.SessionID:
					sessions++
				}
			}
			if proxies != 2 || sessions != 1 {
				t.Errorf("%s: %d Proxy-Info and %d Session-Id in the answer", user, proxies, sessions)
			}
		}
		r.conn.Close()
	})
}

// TestOverload: a slow procedure holds up nothing else, and too many of them are refused.
func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		release := make(chan struct{})
		c := listening("hss.example", addressA)
		c.MaxConcurrent = 3
		_, stop := net.run(t, c, func(n *diameter.Node) {
			diameter.Handle(n, func(context.Context, *cx.LIR) (*cx.LIA, error) {
				<-release
				return &cx.LIA{ServerName: "sip:s"}, nil
			})
		})
		defer stop()

		r := net.dialRaw(t, "a.example", addressA)
		r.receive(257, false)
		for range 3 {
			r.send(r.lir("", "example"))
		}
		synctest.Wait()

		r.send(r.lir("", "example"))
		if got := r.receive(302, false); resultCode(got) != 3004 || got.Header.CommandFlags&diam.ErrorFlag == 0 {
			t.Errorf("the fourth: %d", resultCode(got))
		}
		r.send(r.base(280, diam.RequestFlag))
		r.receive(280, false)

		close(release)
		for range 3 {
			if got := resultCode(r.receive(302, false)); got != 2001 {
				t.Errorf("got %d", got)
			}
		}
		r.send(r.lir("", "example"))
		if got := resultCode(r.receive(302, false)); got != 2001 {
			t.Errorf("afterwards: %d", got)
		}
		r.conn.Close()
	})
}

func TestPanicOfAProcedure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		_, stop := net.run(t, listening("hss.example", addressA), func(n *diameter.Node) {
			diameter.Handle(n, func(context.Context, *cx.LIR) (*cx.LIA, error) { panic("a mistake") })
		})
		defer stop()

		r := net.dialRaw(t, "a.example", addressA)
		r.receive(257, false)
		for range 2 {
			r.send(r.lir("", "example"))
			if got := resultCode(r.receive(302, false)); got != 5012 {
				t.Errorf("got %d, want UNABLE_TO_COMPLY", got)
			}
		}
		r.conn.Close()
	})
}

func TestTwoDialersToOneServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		var served atomic.Int32
		hss, stop := net.run(t, listening("hss.example", addressA), serveLIR("sip:s", &served))
		defer stop()

		pushed := make(chan string, 2)
		for _, host := range []string{"icscf.example", "scscf.example"} {
			n, stop := net.run(t, dialling(host, diameter.Peer{Host: "hss.example", Address: addressA}), func(n *diameter.Node) {
				diameter.Handle(n, func(context.Context, *cx.PPR) (*cx.PPA, error) {
					pushed <- host
					return &cx.PPA{}, nil
				})
			})
			defer stop()
			synctest.Wait()

			if o := <-call(t, n, t.Context(), ""); o.err != nil {
				t.Error(o.err)
			}
		}

		for _, host := range []string{"scscf.example", "icscf.example"} {
			q := &cx.PPR{UserName: "a"}
			q.DestinationHost = host
			if _, err := diameter.Call[cx.PPA](t.Context(), hss, q); err != nil {
				t.Error(err)
			}
			if got := <-pushed; got != host {
				t.Errorf("the request for %s came to %s", host, got)
			}
		}
		if served.Load() != 2 {
			t.Errorf("%d requests served", served.Load())
		}
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		registry := prometheus.NewRegistry()
		var served atomic.Int32
		_, stop := net.runWith(
			t,
			listening("hss.example", addressA, diameter.Peer{Host: "known.example"}),
			diameter.Options{Metrics: registry},
			serveLIR("sip:s", &served),
		)
		defer stop()

		var peers []*rawPeer
		for _, host := range []string{"known.example", "one.example", "two.example"} {
			r := net.dialRaw(t, host, addressA)
			r.receive(257, false)
			r.send(r.lir("", "example"))
			r.receive(302, false)
			peers = append(peers, r)
		}
		synctest.Wait()

		want := func(text, name string) {
			t.Helper()
			if err := testutil.GatherAndCompare(registry, strings.NewReader(text), name); err != nil {
				t.Error(err)
			}
		}
		open := func(known, others int) string {
			return fmt.Sprintf(`
# HELP dialtone_diameter_peer_open 1 while the connection to the peer is open.
# TYPE dialtone_diameter_peer_open gauge
dialtone_diameter_peer_open{peer="known.example"} %d
dialtone_diameter_peer_open{peer="unconfigured"} %d
`, known, others)
		}

		want(open(1, 2), "dialtone_diameter_peer_open")
		want(`
# HELP dialtone_diameter_requests_total Requests sent and received, by command and result.
# TYPE dialtone_diameter_requests_total counter
dialtone_diameter_requests_total{command="LI",direction="received",result="2001",vendor="0"} 3
`, "dialtone_diameter_requests_total")

		for _, r := range peers {
			r.conn.Close()
		}
		synctest.Wait()
		want(open(0, 0), "dialtone_diameter_peer_open")
	})
}

func TestTapAndLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var seen []string
		var log memory.Log

		net := newNetwork()
		l := net.mustListen(t, addressA)
		_, stop := net.runWith(t, dialling("a.example", diameter.Peer{Host: "hss.example", Address: addressA}), diameter.Options{
			Log: log.Logger(),
			Tap: func(m trace.Message) {
				mu.Lock()
				defer mu.Unlock()
				if text := m.Describe(m.Data); !strings.Contains(text, "Origin-Host: ") {
					t.Errorf("the trace describes a message as %q", text)
				}
				seen = append(
					seen,
					fmt.Sprintf("%s %s %v %v %d", m.Interface, m.Transport, m.Remote, m.Sent, binary.BigEndian.Uint32(m.Data[4:])&0xFFFFFF),
				)
			},
		}, nil)
		defer stop()

		r := openRaw(t, "hss.example", l)
		r.send(r.lir("", "example"))
		r.receive(302, false)
		r.conn.Close()
		synctest.Wait()

		mu.Lock()
		defer mu.Unlock()
		want := []string{
			"Diameter TCP 192.0.2.1:3868 true 257",
			"Diameter TCP 192.0.2.1:3868 false 257",
			"Cx TCP 192.0.2.1:3868 false 302",
			"Cx TCP 192.0.2.1:3868 true 302",
		}
		if strings.Join(seen, "\n") != strings.Join(want, "\n") {
			t.Errorf("the tap saw\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
		}
		for _, want := range []string{"peer=hss.example", "result=3001", "cause="} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not have %s:\n%s", want, log.String())
			}
		}
	})
}
