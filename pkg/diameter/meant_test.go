package diameter_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/fiorix/go-diameter/v4/diam"
	"github.com/fiorix/go-diameter/v4/diam/avp"
	"github.com/fiorix/go-diameter/v4/diam/datatype"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// TestPeersMeantForAnApplication: a request goes to peers meant for its application: those that diameter.peers names for it, else those
// that have it by name, the most specialised first, and to relays when there is no other.
func TestPeersMeantForAnApplication(t *testing.T) {
	auth := func(ids ...uint32) []func(*diameter.Message) {
		all := []func(*diameter.Message){without(avp.VendorSpecificApplicationID), result(2001)}
		for _, id := range ids {
			all = append(all, func(m *diameter.Message) {
				m.AddAVP(diam.NewAVP(avp.AuthApplicationID, avp.Mbit, 0, datatype.Unsigned32(id)))
			})
		}

		return all
	}

	const relay = 0xFFFFFFFF

	tests := []struct {
		name       string
		a, b       []uint32 // applications that the peers advertise
		meantA     []uint32 // their applications in diameter.peers
		meantB     []uint32
		goesTo     string
		otherwise  string // when that one has left
		destinedTo string
	}{
		{
			name:      "an HSS that is a relay, too, and an OCS",
			a:         []uint32{cx.Application.ID, relay},
			b:         []uint32{4},
			goesTo:    "b.example",
			otherwise: "a.example",
		},
		{
			name:      "an HSS with credit control by accident, and an OCS",
			a:         []uint32{cx.Application.ID, 4},
			b:         []uint32{4},
			goesTo:    "b.example",
			otherwise: "a.example",
		},
		{
			name:   "the same, and the configuration says what it is for",
			a:      []uint32{cx.Application.ID, 4},
			b:      []uint32{4},
			meantA: []uint32{cx.Application.ID},
			goesTo: "b.example",
		},
		{name: "a relay alone", a: []uint32{cx.Application.ID}, b: []uint32{relay}, goesTo: "b.example"},
		{name: "one for all", a: []uint32{cx.Application.ID, 4}, b: []uint32{cx.Application.ID}, goesTo: "a.example"},
		{
			name:      "a relay that is meant before one that only says so",
			a:         []uint32{4},
			b:         []uint32{relay},
			meantB:    []uint32{4},
			goesTo:    "b.example",
			otherwise: "a.example",
		},
		{
			name:       "Destination-Host does not make it meant",
			a:          []uint32{cx.Application.ID, 4},
			b:          []uint32{4},
			meantA:     []uint32{cx.Application.ID},
			destinedTo: "a.example",
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := newNetwork()
				listeners := map[string]string{"a.example": addressA, "b.example": addressB}
				la, lb := net.mustListen(t, addressA), net.mustListen(t, addressB)
				c := dialling("scscf.example",
					diameter.Peer{Host: "a.example", Address: listeners["a.example"], Applications: test.meantA},
					diameter.Peer{Host: "b.example", Address: listeners["b.example"], Applications: test.meantB})
				n, stop := net.runFor(t, c, cx.Application, ro.Application)
				defer stop()

				peers := map[string]*rawPeer{}
				a, cer := acceptRaw(t, "a.example", la)
				a.answer(cer, a.capabilities(0, auth(test.a...)...))
				b, cer := acceptRaw(t, "b.example", lb)
				b.answer(cer, b.capabilities(0, auth(test.b...)...))
				peers["a.example"], peers["b.example"] = a, b
				synctest.Wait()
				if got := statusOf(t, n, "a.example").Applications; len(test.meantA) > 0 && !slices.Equal(got, test.meantA) {
					t.Errorf("a.example may be asked for %v, want %v", got, test.meantA)
				}

				for _, want := range []string{test.goesTo, test.otherwise} {
					done := make(chan error, 1)
					go func() {
						q := &ro.CCR{ServiceContextID: "x", Type: ro.Initial}
						q.DestinationHost = test.destinedTo
						_, err := diameter.Call[ro.CCA](t.Context(), n, q)
						done <- err
					}()

					if want == "" {
						if err := <-done; err == nil {
							t.Error("it went somewhere")
						}
						break
					}

					m := peers[want].receive(272, true)
					answer := peers[want].base(272, 0)
					answer.Header.ApplicationID = 4
					result(2001)(answer)
					peers[want].answer(m, answer)
					if err := <-done; err != nil {
						t.Error(err)
					}
					peers[want].conn.Close()
					synctest.Wait()
				}

				a.conn.Close()
				b.conn.Close()
				la.Close()
				lb.Close()
			})
		})
	}
}

// TestRequestNobodyServed: a peer that answers that it has done nothing (RFC 6733 §7.1.3) is not the last to be asked.
func TestRequestNobodyServed(t *testing.T) {
	for _, refused := range []uint32{3001, 3002, 3003, 3004, 3007} {
		twoPeers(t, nil, func(t *testing.T, n *diameter.Node, a, b *rawPeer) {
			refuse := func(r *rawPeer) *diameter.Message {
				m := r.receive(302, true)
				answer := r.base(302, diam.ErrorFlag)
				answer.Header.ApplicationID = cx.Application.ID
				result(refused)(answer)
				r.answer(m, answer)

				return m
			}

			o := call(t, n, t.Context(), "")
			refuse(a)
			m := b.receive(302, true)
			if m.Header.CommandFlags&diam.RetransmittedFlag != 0 {
				t.Errorf("%d: T flag, though nothing was done", refused)
			}
			b.answerLIR(m, "sip:b")
			if got := <-o; got.err != nil || got.answer.ServerName != "sip:b" {
				t.Errorf("%d: %+v", refused, got)
			}

			o = call(t, n, t.Context(), "")
			refuse(a)
			refuse(b)
			if got := <-o; got.err != nil || got.answer.Result.Code != refused {
				t.Errorf("%d from both: %+v", refused, got)
			}
		})
	}
}

// TestSources: a name given over a connection without TLS counts only from its configured sources (diameter.peers, sources).
func TestSources(t *testing.T) {
	for name, test := range map[string]struct {
		sources []string
		want    uint32
	}{
		"none: any":                {nil, 2001},
		"its address":              {[]string{"192.0.2.1", "192.0.2.99"}, 2001},
		"its prefix":               {[]string{"192.0.2.0/24"}, 2001},
		"a stranger with its name": {[]string{"192.0.2.1", "2001:db8::/32"}, 3010},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := newNetwork()
				_, stop := net.run(t, listening("hss.example", addressA, diameter.Peer{Host: "scscf.example", Sources: test.sources}), nil)
				defer stop()

				r := net.dialRaw(t, "scscf.example", addressA)
				if got := resultCode(r.receive(257, false)); got != test.want {
					t.Errorf("CEA %d, want %d", got, test.want)
				}
				r.conn.Close()

				other := net.dialRaw(t, "other.example", addressA)
				if got := resultCode(other.receive(257, false)); got != 2001 {
					t.Errorf("another name: %d", got)
				}
				other.conn.Close()
			})
		})
	}
}
