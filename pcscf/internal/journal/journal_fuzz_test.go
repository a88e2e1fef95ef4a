package journal

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/association"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// Whatever the file contains, a start does not fail, and restores nothing that could not be reached or has ended.
func FuzzOpen(f *testing.F) {
	until := time.Now().Add(time.Hour).Format(time.RFC3339)

	f.Add([]byte(`{"binding":{"token":"t","private":"p","contact":"sip:x","identities":["sip:a@b"],` +
		`"service_route":["<sip:s;lr>"],"expires":"` + until + `","endpoint":"Gm","transport":"UDP","remote":"192.0.2.9:5060"}}`))
	f.Add([]byte(`{"binding":{"token":"t","expires":"` + until + `","endpoint":"Gm","server":"none","transport":"TCP","remote":""}}`))
	f.Add([]byte(`{"set":{"set":{"ReqID":7,"PCSCF":"192.0.2.1","Ports":{"PCSCFClient":6100,"PCSCFServer":6110}},"private":"p",` +
		`"until":"` + until + `",` +
		`"security_client":"ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1;spi-s=2;port-c=3;port-s=4","security_server":"ipsec-3gpp;alg=x"}}`))
	f.Add([]byte(`{"binding":null,"set":{}}`))

	f.Fuzz(func(t *testing.T, line []byte) {
		entry, err := json.Marshal(map[string]any{"key": "k", "value": json.RawMessage(line)})
		if err != nil {
			return
		}

		directory, log := t.TempDir(), slog.New(slog.DiscardHandler)
		if err := os.WriteFile(filepath.Join(directory, file), append(entry, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}

		store, bindings, sets, err := Open(directory, log)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()

		endpoint := func(name, address string) stack.EndpointConfig {
			return stack.EndpointConfig{Name: name, Address: address, Transports: []string{"udp"}}
		}

		sip, err := stack.New(
			stack.DefaultConfig(endpoint("Gm", "192.0.2.1:5060"), endpoint("c", "192.0.2.1:6100"), endpoint("s", "192.0.2.1:6110")),
			nil, stack.Options{Network: memory.New()},
		)
		if err != nil {
			t.Fatal(err)
		}

		table := binding.NewTable(binding.Limits{Bindings: 10}, func(*binding.Binding) {}, nil)
		defer table.Close()

		for _, k := range bindings {
			b, err := k.Restore(sip.Endpoint)
			if err != nil {
				continue
			}

			if !b.Flow.Remote.IsValid() || b.Flow.Endpoint == nil || time.Until(b.Expires) <= 0 {
				t.Errorf("%+v", b)
			}

			if err := table.Restore(b); err != nil {
				t.Error(err)
			}
		}

		address := netip.MustParseAddr("192.0.2.1")
		associations := association.New(association.Settings{MaxSets: 10}, association.Options{
			Ports: &association.Ports{
				Clients: map[netip.Addr][]*stack.Endpoint{address: {sip.Endpoint("c")}},
				Servers: map[netip.Addr][]*stack.Endpoint{address: {sip.Endpoint("s")}},
			},
			Keep: store.Sets(), Log: log, Metrics: prometheus.NewRegistry(), FirstReqID: 1, LastReqID: 9,
		})

		if restored := associations.Restore(sets, func(ipsec.Set) bool { return true }); len(restored) > len(sets) {
			t.Errorf("%d sets of %d", len(restored), len(sets))
		}
	})
}
