package main_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/test/postgres"
)

// TestKilledInABatch: so many calls at once that transactions serve many requests, and the OCS killed in the middle of them. What was
// answered is as it was answered, to the request sent again after all, and everything is paid once.
func TestKilledInABatch(t *testing.T) {
	const calls, kills, each, balance = 120, 3, 4, 1_000_000

	for name, settings := range map[string]func(*testing.T) []string{
		"sqlite":   func(*testing.T) []string { return nil },
		"postgres": func(t *testing.T) []string { return []string{"DIALTONE_OCS_DSN=" + postgres.Database(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			o := run(t, settings(t)...)
			o.provision(balance, perSecond)

			requests := func(call int) [each]*ro.CCR {
				id := fmt.Sprint("s;", call)
				return [each]*ro.CCR{
					ccr(id, ro.Initial, 0, seconds(100), nil), ccr(id, ro.Update, 1, seconds(100), seconds(70)),
					ccr(id, ro.Update, 2, seconds(100), seconds(100)), ccr(id, ro.Terminate, 3, nil, seconds(30)),
				}
			}

			var (
				all     sync.WaitGroup
				answers [calls][each]*credit.Answer
				n       atomic.Int32
				next    = make(chan struct{}, kills)
			)
			for call := range calls {
				all.Go(func() {
					for i, q := range requests(call) {
						a, ok := o.try(q)
						if !ok || a.Result != ro.Success {
							t.Errorf("%s/%d: %v, %+v", q.SessionID, q.Number, ok, a)
							return
						}
						answers[call][i] = a
						if n.Add(1)%(calls*each/(kills+1)) == 0 {
							select {
							case next <- struct{}{}:
							default:
							}
						}
					}
				})
			}
			for range kills {
				<-next
				o.kill()
				o.start()
			}
			all.Wait()
			if t.Failed() {
				return
			}

			for call := range calls {
				for i, q := range requests(call) {
					if again := o.send(q); !cmp.Equal(again, answers[call][i]) {
						t.Errorf("%s/%d is answered differently\n%s", q.SessionID, q.Number, cmp.Diff(answers[call][i], again))
					}
				}
			}
			if got, want := o.account(), (state{balance - calls*200, 0}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
			var records []credit.CDR
			o.do("GET", "/cdrs?limit=1000", nil, &records)
			if len(records) != calls {
				t.Errorf("%d records of %d calls", len(records), calls)
			}
		})
	}
}
