package credit

import (
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// CC-Session-Failover (RFC 8506 §8.4): a session may continue at another OCS only if there can be one with the same ledger.
func TestSessionFailover(t *testing.T) {
	for _, shared := range []bool{false, true} {
		b := newBench(t, nil)
		b.shared = shared
		b.tariff(t, perSecond())
		b.account(t, "15550001", 1000)

		for number, kind := range []ro.RequestType{ro.Initial, ro.Update, ro.Terminate} {
			wanted := int64(60)
			if kind == ro.Terminate {
				wanted = 0
			}
			q := ccr("s", kind, uint32(number), service(100, wanted, 0))
			a := b.send(t, q)
			supported := a.SessionFailover != nil && *a.SessionFailover == 1
			if want := shared && kind != ro.Terminate; supported != want || !a.Result.Successful() {
				t.Errorf("shared %v, CCR type %d: %v, failover supported: %v, want %v", shared, kind, a.Result, supported, want)
			}
		}
	}
}
