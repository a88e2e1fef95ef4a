package main_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/test/postgres"
)

// TestTwoOCSsOnOneLedger: calls of one account at two OCSs that share PostgreSQL, each request sent to both at the same time. One
// of them serves it, the other gives the same answer, and nothing is paid or granted twice.
func TestTwoOCSsOnOneLedger(t *testing.T) {
	const calls, updates, balance = 8, 5, 2000

	dsn := "DIALTONE_OCS_DSN=" + postgres.Database(t)
	both := []*ocs{run(t, dsn), run(t, dsn)}
	both[0].provision(balance, perSecond)

	answered := make(chan error)
	var all sync.WaitGroup
	for call := range calls {
		all.Go(func() {
			session, out := fmt.Sprint("nf;", call), uint32(0)
			for number := range uint32(updates + 2) {
				used := min(out, 40)
				q := ccr(session, ro.Update, number, seconds(60), &used)
				switch number {
				case 0:
					q = ccr(session, ro.Initial, 0, seconds(60), nil)
				case updates + 1:
					q = ccr(session, ro.Terminate, number, nil, &used)
				}

				var answers [2]*credit.Answer
				var at sync.WaitGroup
				for i, o := range both {
					at.Go(func() { answers[i], _ = o.try(q) })
				}
				at.Wait()

				first, second := answers[0], answers[1]
				if first == nil || second == nil || first.Result != second.Result || granted(first) != granted(second) {
					answered <- fmt.Errorf("%s/%d: %+v and %+v", session, number, first, second)
					return
				}
				if out = granted(first); first.Result != ro.Success && first.Result != ro.CreditLimitReached {
					answered <- fmt.Errorf("%s/%d: %w", session, number, first.Result)
				}
			}
		})
	}
	go func() {
		all.Wait()
		close(answered)
	}()
	for err := range answered {
		t.Error(err)
	}

	var records []credit.CDR
	both[1].do("GET", "/cdrs", nil, &records)
	paid := int64(0)
	for _, r := range records {
		if r.Amount != int64(r.Billed) || r.Reserved != r.Amount+r.Returned {
			t.Errorf("record %+v", r)
		}
		paid += r.Amount
	}
	for _, o := range both {
		if got := o.account(); got != (state{balance - paid, 0}) || len(records) != calls {
			t.Errorf("%+v left of %d, %d paid for %d calls", got, balance, paid, len(records))
		}
	}

	// What one has, the other has: an account, a tariff, a blocked account.
	both[0].do("PATCH", "/accounts/alice", map[string]any{"blocked": true}, nil)
	if a := both[1].send(ccr("nf;blocked", ro.Initial, 0, seconds(1), nil)); a.Result != ro.EndUserServiceDenied {
		t.Errorf("%v, want 4010", a.Result)
	}
}

// TestKilledOnPostgres is TestKilledAtAnyTime on the other database: a call whose OCS dies between any two requests, and a session that
// nobody ends.
func TestKilledOnPostgres(t *testing.T) {
	o := run(t, "DIALTONE_OCS_DSN="+postgres.Database(t), "DIALTONE_OCS_CREDIT_VALIDITY=1s", "DIALTONE_OCS_CREDIT_SUPERVISION=1s")
	o.provision(1000, perSecond)
	o.send(ccr("nf;1", ro.Initial, 0, seconds(600), nil))
	o.kill()
	o.start()
	o.await("the reservation to come back", func() bool { return o.account() == state{1000, 0} })
}

// TestPostgresUnderAPITraffic: many CCRs are pending while the API is read and written, from the first request on, when the database has no
// prepared statement yet. Every CCR is served.
func TestPostgresUnderAPITraffic(t *testing.T) {
	const inFlight, rounds = 48, 3

	dsn := "DIALTONE_OCS_DSN=" + postgres.Database(t)
	for start := range rounds {
		o := run(t, dsn)
		if start == 0 {
			o.provision(1_000_000, perSecond)
		}

		o.await("the network function to be connected", func() bool { return o.node.Ready() == nil })

		var (
			traffic, calls sync.WaitGroup
			done           atomic.Bool
		)
		for _, request := range []struct {
			method, path string
			body         any
		}{
			{"GET", "/accounts", nil},
			{"GET", "/accounts/alice", nil},
			{"GET", "/sessions", nil},
			{"GET", "/cdrs?limit=1000", nil},
			{"GET", "/ledger", nil},
			{"GET", "/ledger/audit", nil},
			{"GET", "/tariffs", nil},
			{"GET", "/readyz", nil},
			{"POST", "/accounts/alice/top-up", map[string]any{"amount": 1}},
		} {
			traffic.Go(func() {
				for !done.Load() {
					if err := o.api.Do(t.Context(), request.method, request.path, request.body, nil); err != nil {
						t.Errorf("%s %s: %v", request.method, request.path, err)
						return
					}
				}
			})
		}

		for call := range inFlight {
			calls.Go(func() {
				session := fmt.Sprintf("nf;%d;%d", start, call)
				for number, q := range []*ro.CCR{
					ccr(session, ro.Initial, 0, seconds(60), nil),
					ccr(session, ro.Update, 1, seconds(60), seconds(30)),
					ccr(session, ro.Terminate, 2, nil, seconds(30)),
				} {
					answer, ok := o.try(q) // 5012 is what it says that has waited for the database in vain
					if !ok || answer.Result != ro.Success {
						t.Errorf("%s/%d: %+v", session, number, answer)
						return
					}
				}
			})
		}

		calls.Wait()
		done.Store(true)
		traffic.Wait()
		if s := o.account(); s.Reserved != 0 {
			t.Errorf("%d are reserved", s.Reserved)
		}
		o.kill()
	}
}
