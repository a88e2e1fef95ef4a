package credit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/test/postgres"
)

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, f func(*testing.T, *bench)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, newBench(t, nil)) })
	t.Run("postgres", func(t *testing.T) { f(t, benchOn(t, postgres.Database(t), nil)) })
}

func asked(qs ...*ro.CCR) (all []*request) {
	for _, q := range qs {
		all = append(all, &request{q: q, deadline: time.Now().Add(patience), done: make(chan struct{})})
	}

	return all
}

// by returns a request of another account.
func by(account string, q *ro.CCR) *ro.CCR {
	q.Subscriptions[0].Data = account
	return q
}

// Requests of one transaction see each other, and a member that fails changes nothing: not for itself, and not for the others.
func TestBatchWithAFailingMember(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.tariff(t, perSecond())
		for _, name := range []string{"15550001", "15550003"} {
			b.account(t, name, 1000)
		}
		for _, q := range []*ro.CCR{
			ccr("good", ro.Initial, 0, service(1, 100, -1)), by("15550003", ccr("bad", ro.Initial, 0, service(1, 100, -1))),
		} {
			if a := b.send(t, q); a.Result != ro.Success {
				t.Fatal(told(a))
			}
		}
		// The ledger has lost what is reserved for one session: its report cannot be booked.
		lost := func(amount int64) {
			t.Helper()
			err := b.store.Update(t.Context(), func(tx ledger.Tx) error {
				return tx.Exec("UPDATE accounts SET balance = balance + ? WHERE name = '15550003' AND kind = ?", amount, ledger.Reserved).Error
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		lost(-100)

		all := asked(
			ccr("good", ro.Update, 1, service(1, 100, 40)),
			by("15550003", ccr("bad", ro.Update, 1, service(1, 100, 40))),
			ccr("new", ro.Initial, 0, service(1, 50, -1)),
			ccr("good", ro.Update, 1, service(1, 100, 40)), // the same again, within the transaction
			ccr("good", ro.Terminate, 2, service(1, -1, 10)),
			ccr("good", ro.Update, 3, service(1, 100, 40)),
		)
		b.serveAll(all)

		for i, want := range []string{"[2001,100]", "", "[2001,50]", "[2001,100]", "[2001]", "[5002]"} {
			switch one := all[i]; {
			case want == "" && (one.err == nil || !strings.Contains(one.err.Error(), "less than that reserved")):
				t.Errorf("the one that cannot be booked: %v, %v", one.answer, one.err)
			case want != "" && (one.err != nil || told(one.answer) != want):
				t.Errorf("%d: %v, want %s", i, one.err, want)
			}
		}
		if !all[3].again || all[0].again {
			t.Error("the repeated request is not known as such")
		}
		if got := b.money(t, "15550001"); got != (money{900, 50}) {
			t.Errorf("%+v", got)
		}
		if got := b.money(t, "15550003"); got != (money{900, 0}) {
			t.Errorf("of the other account something was moved: %+v", got)
		}

		lost(100)
		b.audited(t)
		if a := b.send(t, by("15550003", ccr("bad", ro.Update, 1, service(1, 100, 40)))); told(a) != "[2001,100]" {
			t.Errorf("booked in the end: %s", told(a))
		}
		if n := len(b.cdrs(t)); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}

// A procedure that panics ends where the handler recovers it, and the others of its transaction are served.
func TestBatchWithAPanic(t *testing.T) {
	b := newBench(t, nil)
	b.account(t, "15550001", 1000)
	b.tariff(t, perSecond())

	broken := ccr("broken", ro.Initial, 0)
	broken.MultipleServicesCreditControl, broken.ServiceInformation = nil, nil
	broken.Subscriptions = nil
	all := asked(ccr("a", ro.Initial, 0, service(1, 10, -1)), nil, ccr("b", ro.Initial, 0, service(1, 10, -1)))
	all[1].q = broken
	b.machine = nil // the machine of the whole server: every procedure panics
	b.serveAll(all)
	for i, one := range all {
		var p *panicked
		if !errors.As(one.err, &p) || !strings.Contains(p.Error(), "decide") {
			t.Errorf("%d: %v", i, one.err)
		}
	}
	b.machine = Machine

	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic ends unseen")
			}
		}()
		b.machine = nil
		_, _ = b.CreditControl(t.Context(), ccr("c", ro.Initial, 0, service(1, 10, -1)))
	}()
	b.machine = Machine

	if a := b.send(t, ccr("a", ro.Initial, 0, service(1, 10, -1))); told(a) != "[2001,10]" {
		t.Error(told(a))
	}
}

// A panic in what is done for all requests of a transaction is that of each of them, and the process goes on.
func TestPanicOutsideARequest(t *testing.T) {
	b := newBench(t, nil)
	b.account(t, "15550001", 1000)
	b.tariff(t, perSecond())

	whole := b.written
	b.written = nil
	all := asked(ccr("a", ro.Initial, 0, service(1, 10, -1)), ccr("b", ro.Initial, 0, service(1, 10, -1)))
	b.serveAll(all)

	for i, one := range all {
		var p *panicked
		if !errors.As(one.err, &p) || !strings.Contains(p.Error(), "foresee") {
			t.Errorf("%d: %v", i, one.err)
		}
	}

	b.written = whole
	if a := b.send(t, ccr("a", ro.Initial, 0, service(1, 10, -1))); told(a) != "[2001,10]" {
		t.Error(told(a))
	}
}

// Who waits is served in the order of arrival, and who gives up has changed nothing.
func TestQueue(t *testing.T) {
	var q queue

	all := asked(make([]*ro.CCR, together+3)...)
	for i, one := range all {
		if serves := q.join(one, 1); serves != (i == 0) {
			t.Errorf("%d: serves %v", i, serves)
		}
	}
	if !q.leave(all[1]) || q.leave(all[1]) {
		t.Error("who waits can leave once")
	}
	first, second := q.take(), q.take()
	if want := append(slices.Clone(all[:1]), all[2:together+1]...); !slices.Equal(first, want) || !slices.Equal(second, all[together+1:]) {
		t.Errorf("%d and %d are served", len(first), len(second))
	}
	if q.leave(all[0]) {
		t.Error("who is served cannot leave")
	}
	if q.take() != nil || !q.join(all[0], 1) {
		t.Error("when nobody waits, nobody serves")
	}
}

// A request that waits for its turn longer than its patience is answered so, and is not served later.
func TestPatience(t *testing.T) {
	b := newBench(t, nil)
	b.account(t, "15550001", 1000)
	b.tariff(t, perSecond())

	synctest.Test(t, func(t *testing.T) {
		held, free := make(chan struct{}), make(chan error, 1)
		go func() {
			free <- b.store.Update(context.Background(), func(ledger.Tx) error { <-held; return nil })
		}()
		synctest.Wait()

		answers := make(chan error, 2)
		for i := range cap(answers) {
			go func() {
				_, err := b.CreditControl(t.Context(), ccr(fmt.Sprint("s", i), ro.Initial, 0, service(1, 10, -1)))
				answers <- err
			}()
			synctest.Wait()
		}

		began := time.Now()
		for range cap(answers) {
			if err := <-answers; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
		}
		if waited := time.Since(began); waited != patience {
			t.Errorf("waited %v", waited)
		}
		close(held)
		if err := <-free; err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
	})

	if n := len(b.sessions(t)); n != 0 {
		t.Errorf("%d sessions have begun", n)
	}
}

// What is known from one transaction to the next is what the ledger says: whoever changes it, in this process or another.
func TestNothingStaleIsKnown(t *testing.T) {
	b := newBench(t, nil)
	b.account(t, "15550001", 1000)
	b.tariff(t, perSecond())
	b.play(t, []step{{ccr("s", ro.Initial, 0, service(1, 100, -1)), "[2001,100]", money{900, 100}}})

	if err := b.store.TopUp(t.Context(), "15550001", 50, "", ""); err != nil {
		t.Fatal(err)
	}
	b.play(t, []step{{ccr("s", ro.Update, 1, service(1, 1000, 100)), "[2001,950,\"final\"]", money{0, 950}}})

	file := ""
	if err := b.store.Read(t.Context()).Raw("SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&file).Error; err != nil {
		t.Fatal(err)
	}
	other, err := ledger.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.TopUp(t.Context(), "15550001", 7, "", ""); err != nil {
		t.Fatal(err)
	}
	b.play(t, []step{{ccr("s", ro.Update, 2, service(1, 1000, 950)), "[2001,7,\"final\"]", money{0, 7}}})

	blocked := true
	if err := other.Change(t.Context(), "15550001", ledger.Change{Blocked: &blocked}); err != nil {
		t.Fatal(err)
	}
	b.play(t, []step{{ccr("t", ro.Initial, 0, service(1, 10, -1)), "[4010]", money{0, 7}}})

	if _, err := b.Close(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	b.play(t, []step{{ccr("s", ro.Terminate, 3, service(1, -1, 5)), "[5002]", money{7, 0}}})

	dearer := perSecond()
	dearer.Price = 7
	b.tariff(t, dearer)
	blocked = false
	if err := b.store.Change(t.Context(), "15550001", ledger.Change{Blocked: &blocked}); err != nil {
		t.Fatal(err)
	}
	b.play(t, []step{{ccr("u", ro.Initial, 0, service(1, 10, -1)), "[2001,1,\"final\"]", money{0, 7}}})
	b.audited(t)
}
