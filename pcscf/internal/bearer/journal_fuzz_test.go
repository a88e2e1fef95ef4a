package bearer

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// nobody is a PCRF that cannot be reached at first.
type nobody struct{ ended []string }

func (*nobody) NewID() string { return "new" }
func (*nobody) Ask(context.Context, *Request) (*Grant, error) {
	return nil, errors.New("the PCRF is away")
}

func (n *nobody) End(_ context.Context, h Handle) error {
	if n.ended = append(n.ended, h.ID); len(n.ended) == 1 {
		return errors.New("the PCRF is away")
	}

	return nil
}

// Whatever the file contains, a start does not fail, and restored sessions are ended at the PCRF.
func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"id":"s1","server":"pcrf","classes":["AQ=="],"key":"k","leg":{},"began":"2026-01-01T00:00:00Z","state":"Granted"}`))
	f.Add([]byte(`{"key":"k","state":"Owed"}`))
	f.Add([]byte(`{"key":"other","state":"Owed"}`))
	f.Add([]byte(`{"key":"k","state":"Ended"}`))

	f.Fuzz(func(t *testing.T, line []byte) {
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return
		}

		synctest.Test(t, func(t *testing.T) {
			authority := &nobody{}
			b := New(authority, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
			b.restore(&disk{kept: map[string][]byte{}}, map[string]record{"k": r})

			taken := len(b.open)

			b.Resume()
			time.Sleep(time.Hour)
			synctest.Wait()

			if len(b.open) != 0 || len(authority.ended) != 2*taken {
				t.Errorf("%d sessions: %d are left, %d STRs", taken, len(b.open), len(authority.ended))
			}

			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}
