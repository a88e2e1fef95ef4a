package call

import (
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TestByeEndsTheCallAtOnce: a call is over when its BYE has been read, before it goes on: a callee that answers after it is too late, and
// is released when the caller has had time to acknowledge it, not at once by the end of the call.
func TestByeEndsTheCallAtOnce(t *testing.T) {
	table := New(Options{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	request := func(method, from, to string) *sip.Request {
		r, err := sip.NewRequest(method, "sip:bob@ims.example")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sip.Complete(r, from, to, "call", 1); err != nil {
			t.Fatal(err)
		}
		sip.Add(r, "Contact", "<sip:alice@192.0.2.1>")
		return r
	}

	const caller, callee = "<sip:alice@ims.example>;tag=a", "<sip:bob@ims.example>"

	for range 100 {
		c := &Call{table: table, entry: randomEntries(), invite: request("INVITE", caller, callee)}
		ok := sip.NewResponse(c.invite, 200, "")
		ok.To().Params.Add("tag", "b")
		sip.Add(ok, "Contact", "<sip:bob@192.0.2.2>")
		sip.Add(ok, "Record-Route", "<sip:"+c.entry.token+"@192.0.2.3;lr>")

		dialog, err := sip.WatchDialog(c.invite, ok, c.records)
		if err != nil {
			t.Fatal(err)
		}
		c.dialog, c.invite = dialog, nil
		table.mu.Lock()
		table.calls[c.entry.token] = c
		table.mu.Unlock()

		m, _ := c.membership("", request("BYE", caller, callee+";tag=b"))
		(&Within{request: request("BYE", caller, callee+";tag=b"), calls: []membership{m}}).Passes()

		c.mu.Lock()
		ended := c.ended
		c.mu.Unlock()
		if !ended {
			t.Fatal("the call goes on while its BYE does")
		}
	}

	table.running.Wait()
	if n := table.Len(); n != 0 {
		t.Errorf("%d calls are left", n)
	}
}
