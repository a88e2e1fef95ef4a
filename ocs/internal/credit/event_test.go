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
		{"RFC 8506 §6.3 direct debiting of one", event("s", ro.DirectDebiting, nil), 2001, 10, 90},
		{"of three", event("s", ro.DirectDebiting, messages(3)), 2001, 30, 70},
		{"of more than there is", event("s", ro.DirectDebiting, messages(11)), 4012, -1, 100},
		{"of more than any account has", event("s", ro.DirectDebiting, messages(1<<63)), 4012, -1, 100},
		{"of time", event("s", ro.DirectDebiting, &ro.ServiceUnit{Time: is(uint32(45))}), 2001, 45, 55},
		{"of volume that has no price", event("s", ro.DirectDebiting, &ro.ServiceUnit{TotalOctets: is(uint64(1))}), 5031, -1, 100},
		{"RFC 8506 §8.22 of money", event("s", ro.DirectDebiting, amount(25, -2, 978)), 2001, 25, 75},
		{"of a whole euro", event("s", ro.DirectDebiting, amount(1, 0, 978)), 2001, 100, 0},
		{"of money with more digits than needed", event("s", ro.DirectDebiting, amount(2500, -4, 978)), 2001, 25, 75},
		{"of less than a minor unit", event("s", ro.DirectDebiting, amount(25, -3, 978)), 5004, -1, 100},
		{"of another currency", event("s", ro.DirectDebiting, amount(25, -2, 840)), 5004, -1, 100},
		{"of less than nothing", event("s", ro.DirectDebiting, amount(-25, -2, 978)), 5004, -1, 100},
		{"of absurd money", event("s", ro.DirectDebiting, amount(1, 2147483647, 978)), 5004, -1, 100},
		{"RFC 8506 §6.4 refund of what nobody has debited", event("s", ro.RefundAccount, messages(2)), 5002, -1, 100},
		{"RFC 8506 §6.1 price enquiry", event("s", ro.PriceEnquiry, messages(5)), 2001, 50, 100},
		{"RFC 8506 §6.2 enough", event("s", ro.CheckBalance, messages(10)), 2001, -1, 100},
		{"RFC 8506 §6.2 not enough", event("s", ro.CheckBalance, messages(11)), 2001, -1, 100},
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
			case test.cost >= 0 && (a.CostInformation == nil || a.CostInformation.Value.Digits != test.cost || *a.CostInformation.Value.Exponent != -2):
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
