package diameter_test

import (
	"context"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// TestReadyNamesTheMissingPeers: each application names the peers that it misses, and no others: as configured, or as they were when
// connected.
func TestReadyNamesTheMissingPeers(t *testing.T) {
	for name, configured := range map[string]bool{"by what they said": false, "by what is configured": true} {
		t.Run(name, func(t *testing.T) {
			serve := func(host string, application diameter.Application) (peer diameter.Peer, leave func()) {
				n, err := diameter.New(server(host), []diameter.Application{application}, diameter.Options{})
				if err != nil {
					t.Fatal(err)
				}

				peer = diameter.Peer{Host: host, Address: n.Addresses()[0].String()}
				if configured {
					peer.Applications = []uint32{application.ID}
				}

				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- n.Run(ctx) }()

				return peer, func() {
					cancel()
					if err := <-done; err != nil {
						t.Error(err)
					}
				}
			}

			hss, hssLeaves := serve("hss.example", cx.Application)
			ocs, ocsLeaves := serve("ocs.example", ro.Application)
			n, err := diameter.New(
				client("scscf.example", hss, ocs), []diameter.Application{cx.Application, ro.Application}, diameter.Options{},
			)
			if err != nil {
				t.Fatal(err)
			}

			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- n.Run(ctx) }()
			defer func() {
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}()

			says := func(want string) {
				t.Helper()
				await(t, want, func() bool { err := n.Ready(); return err != nil && err.Error() == want })
			}
			const noHSS = "no Diameter peer for Cx is connected: hss.example"
			const noOCS = "no Diameter peer for Ro is connected: ocs.example"

			await(t, "both", func() bool { return n.Ready() == nil })
			ocsLeaves()
			says(noOCS)
			hssLeaves()
			says(noHSS + "; " + noOCS)
		})
	}
}
