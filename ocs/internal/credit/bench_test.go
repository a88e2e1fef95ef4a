package credit

import (
	"fmt"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// BenchmarkCall is a call of three requests, each on disk when it is answered.
func BenchmarkCall(b *testing.B) {
	s := newBench(b, nil)
	s.account(b, "15550001", 1<<50)
	s.tariff(b, perSecond())

	for i := 0; b.Loop(); i++ {
		id := fmt.Sprint("s;", i)
		for _, q := range []*ro.CCR{
			ccr(id, ro.Initial, 0, service(1, 60, -1)), ccr(id, ro.Update, 1, service(1, 60, 50)), ccr(id, ro.Terminate, 2, service(1, -1, 30)),
		} {
			if a, err := s.CreditControl(b.Context(), q); err != nil || a.Result != ro.Success {
				b.Fatal(a, err)
			}
		}
	}
}

// BenchmarkBatch is 32 calls at once: three transactions serve their requests, 32 in each.
func BenchmarkBatch(b *testing.B) {
	const calls, accounts = 32, 1000

	s := newBench(b, nil)
	for i := range accounts {
		s.account(b, fmt.Sprint(15550000+i), 1<<40)
	}
	s.tariff(b, perSecond())

	for i := 0; b.Loop(); i++ {
		for number, q := range []*ro.CCR{
			ccr("", ro.Initial, 0, service(1, 60, -1)), ccr("", ro.Update, 1, service(1, 60, 50)), ccr("", ro.Terminate, 2, service(1, -1, 30)),
		} {
			var all []*ro.CCR
			for call := range calls {
				one := *q
				one.SessionID = fmt.Sprint("scscf.ims.mnc001.mcc001.3gppnetwork.org;", i, ";", call)
				one.Subscriptions = []ro.SubscriptionID{{Type: ro.E164, Data: fmt.Sprint(15550000 + (i*calls+call)*7919%accounts)}}
				all = append(all, &one)
			}
			batch := asked(all...)
			s.serveAll(batch)
			for _, one := range batch {
				if one.err != nil || one.answer.Result != ro.Success {
					b.Fatal(number, one.answer, one.err)
				}
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*calls*3), "µs/CCR")
}
