package call

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// FuzzJournal: with any file a start does not fail, and each call that it restores can be ended on both sides.
func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"side":0,"public":"sip:a@b","contact":1,"dialog":{"call_id":"c","caller":{"target":"sip:a"},"callee":{"target":"sip:b"}}}`))
	f.Add([]byte(`{"side":7,"dialog":null,"further":[null]}`))
	f.Add([]byte(`{"side":1,"dialog":{"call_id":"c","caller":{"target":"sip:a"},"callee":{"target":"sip:b"}},"further":[null]}`))
	f.Add([]byte(`{}`))

	f.Fuzz(func(t *testing.T, line []byte) {
		directory := t.TempDir()

		entry, err := json.Marshal(map[string]any{"key": "k", "value": json.RawMessage(line)})
		if err != nil {
			return
		}

		if err := os.WriteFile(filepath.Join(directory, file), append(entry, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}

		table := New(Options{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
		if err := table.Restore(directory); err != nil {
			t.Fatal(err)
		}

		for _, c := range table.restored {
			if c.Side != Originating && c.Side != Terminating {
				t.Errorf("a call of side %d", c.Side)
			}

			for _, dialog := range append(c.further, c.dialog) {
				for _, to := range []sip.Side{sip.Caller, sip.Callee} {
					_, _ = dialog.Request(to, "BYE")
				}
			}
		}

		if err := table.Close(); err != nil {
			t.Error(err)
		}
	})
}
