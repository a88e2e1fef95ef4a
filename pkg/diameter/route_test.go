package diameter_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// RFC 6733 §6.1.4 to §6.1.6, §2.7.
func TestRoutes(t *testing.T) {
	const none = ""

	tests := []struct {
		name        string
		routes      []diameter.Route
		host, realm string
		goesTo      string
	}{
		{"no route: a peer of the realm", nil, "", "example", "a.example"},
		{"no route: no peer of the realm, any", nil, "", "elsewhere", "a.example"},
		{"Destination-Host is a peer", []diameter.Route{{Peer: "a.example"}}, "b.example", "example", "b.example"},
		{"Destination-Host is a peer, in other letters", nil, "B.EXAMPLE", "example", "b.example"},
		{"Destination-Host is a configured peer that is down", nil, "c.example", "example", none},
		{
			"Destination-Host is no peer: by its realm",
			[]diameter.Route{{Realm: "example", Peer: "b.example"}},
			"far.example",
			"example",
			"b.example",
		},
		{"the lower metric", []diameter.Route{{Peer: "a.example", Metric: 9}, {Peer: "b.example", Metric: 3}}, "", "example", "b.example"},
		{
			"the lower metric is down",
			[]diameter.Route{{Peer: "c.example", Metric: 1}, {Peer: "b.example", Metric: 3}},
			"",
			"example",
			"b.example",
		},
		{
			"another realm's route",
			[]diameter.Route{{Realm: "elsewhere", Peer: "b.example"}, {Realm: "*", Peer: "a.example", Metric: 5}},
			"",
			"Elsewhere",
			"b.example",
		},
		{
			"another application's route",
			[]diameter.Route{{Application: 4, Peer: "b.example"}, {Peer: "a.example", Metric: 5}},
			"",
			"example",
			"a.example",
		},
		{"routes, and none for the realm", []diameter.Route{{Realm: "elsewhere", Peer: "b.example"}}, "", "third", none},
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
