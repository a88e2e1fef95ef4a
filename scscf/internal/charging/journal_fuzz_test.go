package charging

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// away is an OCS that cannot be reached.
type away struct{}

func (away) CreditControl(context.Context, *ro.CCR) (*ro.CCA, error) {
	return nil, errors.New("the OCS is away")
}

// FuzzJournal: with any files a start neither fails nor sends an impossible request; what it restores is settled or given up in the end.
func FuzzJournal(f *testing.F) {
	for _, lines := range [][2]string{
		{`{"key":"k","id":"k","state":"Open","answered":"2026-01-01T00:00:00Z","quota":60000000000}`, `{"id":"k","state":"PendingE"}`},
		{`{"key":"k","id":"k","state":"OwedT","last":{"number":2,"used":7}}`, `{"id":"k","state":"Buffered","owed":{"refund":true}}`},
		{`{"key":"k","id":"k","state":"OwedT"}`, `{"id":"k","state":"Buffered"}`},
		{`{"key":"k","state":"PendingU","update":{"number":4294967295,"used":4294967295},"quota":-1,"margin":-1,"validity":-1}`, `{"id":"k"}`},
	} {
		f.Add([]byte(lines[0]), []byte(lines[1]))
	}

	f.Fuzz(func(t *testing.T, session, event []byte) {
		var (
			k kept
			e keptEvent
		)

		sessions, events := map[string]kept{}, map[string]keptEvent{}

		if json.Unmarshal(session, &k) == nil {
			sessions["k"] = k
		}

		if json.Unmarshal(event, &e) == nil {
			events["k"] = e
		}

		synctest.Test(t, func(t *testing.T) {
			c := Config{
				FailureHandling: Terminate, UpdateMargin: 10 * time.Second, Resume: 30 * time.Second, Settle: 2 * time.Minute, Events: Reserved,
				Enabled: true, ServiceContextID: ro.ServiceContextIMS, Realm: "r",
			}
			trigger := New(c, Options{
				OCS: away{}, NewSessionID: func() string { return "new" }, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
			})
			trigger.restore(newDisk[kept](), sessions)
			trigger.restoreEvents(newDisk[keptEvent](), events)

			if taken, found := trigger.Restored("k", func(string, Cause) {}); found && len(session)%2 == 0 {
				defer taken.End(Cause{})
			}

			trigger.Resume(t.Context(), func(context.Context) {})
			time.Sleep(time.Hour)

			if err := trigger.Close(); err != nil {
				t.Error(err)
			}

			synctest.Wait()
		})
	})
}
