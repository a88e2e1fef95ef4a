package credit

import (
	"fmt"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// What has ended is dropped at its age; what is open, and the accounts' balances, are not.
func TestOldRecordsAreForgotten(t *testing.T) {
	b := newBench(t, func(c *Config) { c.KeepCDRs, c.KeepLedger = 24*time.Hour, 48*time.Hour })
	b.account(t, "15550001", 1000)
	b.tariff(t, perSecond())
	b.play(t, []step{
		{ccr("s", ro.Initial, 0, service(1, 100, -1)), "[2001,100]", money{900, 100}},
		{ccr("s", ro.Terminate, 1, service(1, -1, 40)), "[2001]", money{960, 0}},
		{ccr("t", ro.Initial, 0, service(1, 100, -1)), "[2001,100]", money{860, 100}},
	})

	for _, at := range []struct {
		after     time.Duration
		cdrs      int
		movements int64
	}{
		{23 * time.Hour, 1, 5}, // top-up, two reservations, debit, release
		{25 * time.Hour, 0, 5},
		{49 * time.Hour, 0, 4}, // openings of the account, its reservation, revenue and cash
	} {
		if err := b.forget(t.Context(), time.Now().Add(at.after)); err != nil {
			t.Fatal(err)
		}
		if cdrs, movements := len(b.cdrs(t)), b.movements(t); cdrs != at.cdrs || movements != at.movements {
			t.Errorf("after %v: %d records and %d movements, want %d and %d", at.after, cdrs, movements, at.cdrs, at.movements)
		}
		b.audited(t)
	}

	b.play(t, []step{{ccr("t", ro.Terminate, 1, service(1, -1, 60)), "[2001]", money{900, 0}}})
	b.audited(t)

	for _, change := range []func(*Config){
		func(c *Config) { c.KeepCDRs = time.Hour }, func(c *Config) { c.KeepLedger = -1 },
	} {
		c := DefaultConfig()
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%v and %v are accepted", c.KeepCDRs, c.KeepLedger)
		}
	}
}

// Millions of answers are dropped in batches: requests are served in between.
func TestAnswersAreForgottenInBatches(t *testing.T) {
	const old = 20 * droppedAtOnce

	b := newBench(t, nil)
	b.account(t, "15550001", 1_000_000)
	b.tariff(t, perSecond())

	replies := make([]reply, old)
	for i := range replies {
		replies[i] = reply{
			Session: fmt.Sprint("old;", i),
			Type:    uint32(ro.Terminate),
			Number:  1,
			Answer:  "{}",
			At:      time.Now().UTC().Add(-24 * time.Hour),
		}
	}
	if err := b.store.Update(t.Context(), func(tx ledger.Tx) error { return tx.CreateInBatches(replies, 1000).Error }); err != nil {
		t.Fatal(err)
	}

	forgotten := make(chan error)
	go func() { forgotten <- b.forget(t.Context(), time.Now()) }()
	served := 0
	for done := false; !done; served++ {
		if a, err := b.CreditControl(t.Context(), ccr(fmt.Sprint("s;", served), ro.Initial, 0, service(1, 1, -1))); err != nil ||
			a.Result != ro.Success {
			t.Fatalf("%+v %v", a, err)
		}
		select {
		case err := <-forgotten:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		default:
		}
	}

	if served < 10 {
		t.Errorf("%d requests were served while %d answers were dropped", served, old)
	}
	var left int64
	if err := b.store.Read(t.Context()).Model(&reply{}).Count(&left).Error; err != nil || left != int64(served) {
		t.Errorf("%d answers left after %d requests: %v", left, served, err)
	}
}
