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
