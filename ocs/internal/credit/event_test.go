package credit

import (
	"testing"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

func TestEvents(t *testing.T) {
	event := func(session string, action ro.RequestedAction, units *ro.ServiceUnit) *ro.CCR {
		q := ccr(session, ro.Event, 0)
		q.RequestedAction = &action
		q.RequestedServiceUnit = units
		q.ServiceInformation.IMS.EventType.SIPMethod = "MESSAGE"
		return q
	}
	messages := func(n uint64) *ro.ServiceUnit { return &ro.ServiceUnit{ServiceSpecificUnits: &n} }
	amount := func(digits int64, exponent int32, currency uint32) *ro.ServiceUnit {
		return &ro.ServiceUnit{Money: &ro.Money{Value: ro.UnitValue{Digits: digits, Exponent: &exponent}, Currency: &currency}}
	}

	for _, test := range []struct {
		name string
		q    *ro.CCR
		want uint32
		cost int64 // Cost-Information; -1 none
		then int64 // alice's balance, of 100
	}{
		{name: "RFC 8506 §6.3 direct debiting of one", q: event("s", ro.DirectDebiting, nil), want: 2001, cost: 10, then: 90},
		{name: "of three", q: event("s", ro.DirectDebiting, messages(3)), want: 2001, cost: 30, then: 70},
		{name: "of more than there is", q: event("s", ro.DirectDebiting, messages(11)), want: 4012, cost: -1, then: 100},
		{name: "of more than any account has", q: event("s", ro.DirectDebiting, messages(1<<63)), want: 4012, cost: -1, then: 100},
		{name: "of time", q: event("s", ro.DirectDebiting, &ro.ServiceUnit{Time: is(uint32(45))}), want: 2001, cost: 45, then: 55},
		{
			name: "of volume that has no price",
			q:    event("s", ro.DirectDebiting, &ro.ServiceUnit{TotalOctets: is(uint64(1))}),
			want: 5031,
			cost: -1,
			then: 100,
		},
		{name: "RFC 8506 §8.22 of money", q: event("s", ro.DirectDebiting, amount(25, -2, 978)), want: 2001, cost: 25, then: 75},
		{name: "of a whole euro", q: event("s", ro.DirectDebiting, amount(1, 0, 978)), want: 2001, cost: 100},
		{name: "of money with more digits than needed", q: event("s", ro.DirectDebiting, amount(2500, -4, 978)), want: 2001, cost: 25, then: 75},
		{name: "of less than a minor unit", q: event("s", ro.DirectDebiting, amount(25, -3, 978)), want: 5004, cost: -1, then: 100},
		{name: "of another currency", q: event("s", ro.DirectDebiting, amount(25, -2, 840)), want: 5004, cost: -1, then: 100},
		{name: "of less than nothing", q: event("s", ro.DirectDebiting, amount(-25, -2, 978)), want: 5004, cost: -1, then: 100},
		{name: "of absurd money", q: event("s", ro.DirectDebiting, amount(1, 2147483647, 978)), want: 5004, cost: -1, then: 100},
		{name: "RFC 8506 §6.4 refund of what nobody has debited", q: event("s", ro.RefundAccount, messages(2)), want: 5002, cost: -1, then: 100},
		{name: "RFC 8506 §6.1 price enquiry", q: event("s", ro.PriceEnquiry, messages(5)), want: 2001, cost: 50, then: 100},
		{name: "RFC 8506 §6.2 enough", q: event("s", ro.CheckBalance, messages(10)), want: 2001, cost: -1, then: 100},
		{name: "RFC 8506 §6.2 not enough", q: event("s", ro.CheckBalance, messages(11)), want: 2001, cost: -1, then: 100},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, nil)
			b.account(t, "15550001", 100)
			b.tariff(t, perSecond())

			a := b.send(t, test.q)
			if a.Result.Code != test.want {
				t.Errorf("%v (%s), want %d", a.Result, a.ErrorMessage, test.want)
			}
			if got := b.money(t, "15550001"); got != (money{test.then, 0}) {
				t.Errorf("%+v, want %d", got, test.then)
			}

			switch {
			case test.cost < 0 && a.CostInformation != nil:
				t.Errorf("Cost-Information %+v", a.CostInformation)
			case test.cost >= 0 && (a.CostInformation == nil || a.CostInformation.Value.Digits != test.cost ||
				*a.CostInformation.Value.Exponent != -2):
				t.Errorf("Cost-Information %+v, want %d", a.CostInformation, test.cost)
			}

			wanted := 0
			if moved := 100 - test.then; moved != 0 {
				wanted = 1
				if r := b.cdrs(t)[0]; r.Amount != moved || r.Kind != "message" || r.Called != "tel:+15550002" || r.ICID != "icid-1" {
					t.Errorf("record %+v", r)
				}
			}
			if records := b.cdrs(t); len(records) != wanted {
				t.Errorf("%d records, want %d", len(records), wanted)
			}
			if *test.q.RequestedAction == ro.CheckBalance {
				if enough := test.q.RequestedServiceUnit; a.CheckBalanceResult == nil ||
					(*a.CheckBalanceResult == 0) != (*enough.ServiceSpecificUnits <= 10) {
					t.Errorf("Check-Balance-Result %v", a.CheckBalanceResult)
				}
			}
		})
	}

	t.Run("RFC 8506 §8.41 Requested-Action is missing", func(t *testing.T) {
		b := newBench(t, nil)
		b.account(t, "15550001", 100)
		b.tariff(t, perSecond())
		if a := b.send(t, ccr("s", ro.Event, 0)); a.Result != ro.MissingAVP || a.Failed == nil || a.Failed.RequestedAction == nil {
			t.Errorf("%v %+v, want 5005 with an example", a.Result, a.Failed)
		}
	})

	t.Run("several services at once, each confirmed", func(t *testing.T) {
		b := newBench(t, nil)
		b.account(t, "15550001", 100)
		b.tariff(t, perSecond(), rating.Rate{RatingGroup: is(uint32(2)), EventPrice: is(int64(3))})
		q := event("s", ro.DirectDebiting, nil)
		for group := range uint32(2) {
			group++
			q.MultipleServicesCreditControl = append(
				q.MultipleServicesCreditControl,
				ro.MultipleServicesCreditControl{RatingGroup: &group, Requested: messages(2)},
			)
		}
		if a := b.send(t, q); told(a) != "[2001,2,2]" || b.money(t, "15550001").Balance != 100-20-6 {
			t.Errorf("%s %+v", told(a), b.money(t, "15550001"))
		}
	})
}
