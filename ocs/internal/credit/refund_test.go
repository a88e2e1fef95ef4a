package credit

import (
	"testing"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// from returns the request as that of another network function.
func from(q *ro.CCR, host, realm string) *ro.CCR {
	q.OriginHost, q.OriginRealm = host, realm
	return q
}

// RFC 8506 §6.4: a debit can be refunded once, to the account debited, by the network function that debited it.
func TestRefunds(t *testing.T) {
	action := func(session string, number uint32, action ro.RequestedAction, n uint64) *ro.CCR {
		q := from(ccr(session, ro.Event, number), "a.example", "example")
		q.RequestedAction = &action
		if n > 0 {
			q.RequestedServiceUnit = &ro.ServiceUnit{ServiceSpecificUnits: &n}
		}
		return q
	}
	debit := func(session string, number uint32, n uint64) *ro.CCR {
		return action(session, number, ro.DirectDebiting, n)
	}
	refund := func(session string, number uint32, n uint64) *ro.CCR {
		return action(session, number, ro.RefundAccount, n)
	}
	correlated := func(q *ro.CCR) *ro.CCR {
		q.CorrelationID = []byte{0, 1, 0xFF}
		return q
	}
	of := func(q *ro.CCR, payer string) *ro.CCR {
		q.Subscriptions[0].Data = payer
		return q
	}

	for name, steps := range map[string][]step{
		"all of it, by no units": {
			{debit("s", 0, 3), "[2001,3]", money{70, 0}},
			{refund("s", 1, 0), "[2001]", money{100, 0}},
			{refund("s", 2, 0), "[2001]", money{100, 0}},
		},
		"in parts, and no more than that": {
			{debit("s", 0, 3), "[2001,3]", money{70, 0}},
			{refund("s", 1, 2), "[2001]", money{90, 0}},
			{refund("s", 2, 2), "[5004]", money{90, 0}},
			{refund("s", 3, 1), "[2001]", money{100, 0}},
			{refund("s", 4, 1), "[5004]", money{100, 0}},
		},
		"nothing was debited": {{refund("s", 0, 1), "[5002]", money{100, 0}}},
		"by another session":  {{debit("s", 0, 1), "[2001,1]", money{90, 0}}, {refund("t", 0, 1), "[5002]", money{90, 0}}},
		"that is correlated": {
			{correlated(debit("s", 0, 1)), "[2001,1]", money{90, 0}},
			{correlated(refund("t", 0, 1)), "[2001]", money{100, 0}},
			{refund("s", 1, 1), "[5004]", money{100, 0}},
		},
		"to another account": {
			{debit("s", 0, 1), "[2001,1]", money{90, 0}},
			{of(refund("s", 1, 1), "15550009"), "[5002]", money{90, 0}},
		},
		"by another network function": {
			{debit("s", 0, 1), "[2001,1]", money{90, 0}},
			{from(refund("s", 1, 1), "b.example", "example"), "[5002]", money{90, 0}},
		},
		"several debits of one session": {
			{debit("s", 0, 1), "[2001,1]", money{90, 0}}, {debit("s", 1, 2), "[2001,2]", money{70, 0}}, {refund("s", 2, 3), "[2001]", money{100, 0}},
		},
		"of a session that has ended": {
			{from(ccr("s", ro.Initial, 0, service(1, 50, -1)), "a.example", "example"), "[2001,50]", money{50, 50}},
			{from(ccr("s", ro.Terminate, 1, service(1, -1, 30)), "a.example", "example"), "[2001]", money{70, 0}},
			{refund("s", 2, 0), "[2001]", money{100, 0}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.account(t, "15550001", 100)
			b.account(t, "15550009", 0)
			b.tariff(t, perSecond())
			b.play(t, steps)
			b.audited(t)
		})
	}

	t.Run("of what was free", func(t *testing.T) {
		b := newBench(t, nil)
		b.account(t, "15550001", 100)
		b.tariff(t, rating.Rate{EventPrice: is(int64(0))})
		b.play(t, []step{{debit("s", 0, 1), "[2001,1]", money{100, 0}}, {refund("s", 1, 1), "[2001]", money{100, 0}}})
	})

	t.Run("at the price that it was debited for, also to an account that is blocked since", func(t *testing.T) {
		b := newBench(t, nil)
		b.account(t, "15550001", 100)
		b.tariff(t, perSecond())
		b.play(t, []step{{debit("s", 0, 2), "[2001,2]", money{80, 0}}})
		b.tariff(t, rating.Rate{EventPrice: is(int64(1))})
		if err := b.store.Change(t.Context(), "15550001", ledger.Change{Blocked: is(true)}); err != nil {
			t.Fatal(err)
		}
		b.play(t, []step{{refund("s", 1, 1), "[2001]", money{90, 0}}})
		if r := b.cdrs(t)[1]; r.Refunds != "s" || r.Amount != -10 || r.Events != 1 {
			t.Errorf("%+v", r)
		}
	})
}

// A session belongs to its network function: no other one reports for it, ends it, gets its answers, or obstructs it.
func TestSessionsBelongToTheirNetworkFunction(t *testing.T) {
	for _, owner := range []string{ownerHost, ownerRealm} {
		t.Run(owner, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.SessionOwner = owner })
			b.account(t, "15550001", 1000)
			b.tariff(t, perSecond())

			own := func(q *ro.CCR) *ro.CCR { return from(q, "A.example", "example") }
			other := func(q *ro.CCR) *ro.CCR { return from(q, "b.example", "example") }
			strange := func(q *ro.CCR) *ro.CCR { return from(q, "x.test", "test") }
			refuse := func(number uint32, kind ro.RequestType) {
				t.Helper()
				before := b.money(t, "15550001")
				for _, q := range []*ro.CCR{strange(ccr("s", kind, number, service(1, -1, 1))), other(ccr("s", kind, number, service(1, -1, 1)))} {
					if owner == ownerRealm && q.OriginRealm == "example" {
						continue
					}
					a, err := b.CreditControl(t.Context(), q)
					if err != nil || a.Result != ro.AuthorizationRejected || b.money(t, "15550001") != before {
						t.Errorf("%s/%d of %s: %+v %v, %+v", eventOf(kind), number, q.OriginHost, a, err, b.money(t, "15550001"))
					}
				}
			}

			b.play(t, []step{{own(ccr("s", ro.Initial, 0, service(1, 100, -1))), "[2001,100]", money{900, 100}}})
			refuse(0, ro.Initial)
			refuse(1, ro.Update)
			b.play(t, []step{{from(ccr("s", ro.Update, 1, service(1, 100, 50)), "a.EXAMPLE", "Example"), "[2001,100]", money{850, 100}}})
			refuse(1, ro.Update)
			refuse(2, ro.Terminate)
			b.play(t, []step{{own(ccr("s", ro.Terminate, 2, service(1, -1, 50))), "[2001]", money{900, 0}}})
			refuse(2, ro.Terminate)
			b.play(t, []step{{own(ccr("s", ro.Terminate, 2, service(1, -1, 50))), "[2001]", money{900, 0}}}) // the same answer still

			// A stranger that is first is not in the way either.
			b.play(t, []step{
				{strange(ccr("t", ro.Terminate, 1)), "[5002]", money{900, 0}},
				{own(ccr("t", ro.Initial, 0, service(1, 100, -1))), "[2001,100]", money{800, 100}},
				{own(ccr("t", ro.Terminate, 1, service(1, -1, 50))), "[2001]", money{850, 0}},
			})
			if got := b.counted(t, "dialtone_ocs_foreign_requests_total"); got < 4 || len(b.said("another's session")) != int(got) {
				t.Errorf("%v counted, %d logged", got, len(b.said("another's session")))
			}
			if owner == ownerRealm {
				b.play(t, []step{
					{own(ccr("u", ro.Initial, 0, service(1, 100, -1))), "[2001,100]", money{750, 100}},
					{other(ccr("u", ro.Terminate, 1, service(1, -1, 50))), "[2001]", money{800, 0}},
				})
			}
		})
	}
	c := DefaultConfig()
	if c.SessionOwner = "any"; c.Validate() == nil {
		t.Error("session_owner any is accepted")
	}
}
