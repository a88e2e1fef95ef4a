package diameter_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// TestRoutes: RFC 6733 §6.1.4 to §6.1.6, §2.7.
func TestRoutes(t *testing.T) {
	const none = ""

	tests := []struct {
		name        string
		routes      []diameter.Route
		host, realm string
		goesTo      string
	}{
		{name: "no route: a peer of the realm", realm: "example", goesTo: "a.example"},
		{name: "no route: no peer of the realm, any", realm: "elsewhere", goesTo: "a.example"},
		{
			name:   "Destination-Host is a peer",
			routes: []diameter.Route{{Peer: "a.example"}},
			host:   "b.example",
			realm:  "example",
			goesTo: "b.example",
		},
		{name: "Destination-Host is a peer, in other letters", host: "B.EXAMPLE", realm: "example", goesTo: "b.example"},
		{name: "Destination-Host is a configured peer that is down", host: "c.example", realm: "example", goesTo: none},
		{
			name:   "Destination-Host is no peer: by its realm",
			routes: []diameter.Route{{Realm: "example", Peer: "b.example"}},
			host:   "far.example",
			realm:  "example",
			goesTo: "b.example",
		},
		{
			name:   "the lower metric",
			routes: []diameter.Route{{Peer: "a.example", Metric: 9}, {Peer: "b.example", Metric: 3}},
			realm:  "example",
			goesTo: "b.example",
		},
		{
			name:   "the lower metric is down",
			routes: []diameter.Route{{Peer: "c.example", Metric: 1}, {Peer: "b.example", Metric: 3}},

			realm:  "example",
			goesTo: "b.example",
		},
		{
			name:   "another realm's route",
			routes: []diameter.Route{{Realm: "elsewhere", Peer: "b.example"}, {Realm: "*", Peer: "a.example", Metric: 5}},

			realm:  "Elsewhere",
			goesTo: "b.example",
		},
		{
			name:   "another application's route",
			routes: []diameter.Route{{Application: 4, Peer: "b.example"}, {Peer: "a.example", Metric: 5}},

			realm:  "example",
			goesTo: "a.example",
		},
		{name: "routes, and none for the realm", routes: []diameter.Route{{Realm: "elsewhere", Peer: "b.example"}}, realm: "third", goesTo: none},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := newNetwork()
				la, lb := net.mustListen(t, addressA), net.mustListen(t, addressB)
				c := dialling(
					"scscf.example",
					diameter.Peer{Host: "a.example", Address: addressA},
					diameter.Peer{Host: "b.example", Address: addressB},
					diameter.Peer{Host: "c.example"},
				)
				c.Routes = test.routes
				n, stop := net.run(t, c, nil)
				defer stop()

				peers := map[string]*rawPeer{"a.example": openRaw(t, "a.example", la), "b.example": openRaw(t, "b.example", lb)}

				for range 2 { // the second time it is remembered
					done := make(chan error, 1)
					go func() {
						q := &cx.LIR{PublicIdentity: "sip:a"}
						q.DestinationHost, q.DestinationRealm = test.host, test.realm
						_, err := diameter.Call[cx.LIA](t.Context(), n, q)
						done <- err
					}()

					if test.goesTo == none {
						if err := <-done; !errors.Is(err, diameter.ErrUnroutable) || !errors.Is(err, diameter.UnableToDeliver) {
							t.Errorf("got %v, want no route", err)
						}
						continue
					}

					r := peers[test.goesTo]
					r.answerLIR(r.receive(302, true), "sip:s")
					if err := <-done; err != nil {
						t.Error(err)
					}
				}

				for _, r := range peers {
					r.quiet()
					r.conn.Close()
				}
			})
		})
	}
}
