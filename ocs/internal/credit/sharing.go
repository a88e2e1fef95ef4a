package credit

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
)

// wish is a service that requests units, with what they cost.
type wish struct {
	quota    *Quota
	at       time.Time
	amount   uint64
	price    int64
	validity time.Duration
	share    int   // its place among those that want the same money
	budget   int64 // that it may spend
}

// wish returns what a service requests: that, or the usual amount.
func (s *Server) wish(w *exchange, mscc *mscc, quota *Quota) *wish {
	at := w.next(quota)
	terms := quota.meter.Terms(at)
	amount, most := s.usual(quota.Unit, terms)

	if wanted := mscc.amount(quota.Unit); wanted > 0 {
		amount = min(wanted, most)
	}

	quota.Granted, quota.Reserved, quota.Final = 0, 0, false

	quota.Since = at

	return &wish{
		quota: quota, at: at, amount: amount, price: quota.meter.Further(quota.Parts, at, amount), share: terms.Share,
		validity: time.Duration(s.validity(quota)) * time.Second,
	}
}

// grant reserves what the account affords of the wishes. What is left over because a part does not buy one more unit goes to those that got
// nothing, in their order.
func (w *exchange) grant(wishes []*wish) {
	order := slices.Clone(wishes)
	slices.SortStableFunc(order, func(a, b *wish) int { return cmp.Or(cmp.Compare(a.share, b.share), a.quota.compare(b.quota)) })

	divide(order, w.purse.Account.Balance)

	for _, one := range order {
		w.reserveUnits(one)
	}

	for _, one := range order {
		if one.quota.Granted == 0 {
			one.budget = max(0, w.purse.Account.Balance)
			w.reserveUnits(one)
		}
	}
}

func (w *exchange) reserveUnits(one *wish) {
	quota := one.quota

	units := quota.meter.Affordable(quota.Parts, one.at, one.amount, min(one.budget, max(0, w.purse.Account.Balance)))
	if units == 0 {
		return
	}

	price := quota.meter.Further(quota.Parts, one.at, units)
	w.posting.Move("reserve", w.purse.Account, w.purse.Reserved, price)

	quota.Granted, quota.Reserved, quota.Final = units, price, units < one.amount
	quota.Change = nil
	w.session.Reservations += price

	if border, is := quota.meter.Border(one.at); is && border.Before(one.end()) {
		quota.Change = &border
	}
}

// end returns how long the units may be used: seconds run with the clock, others as long as they are valid.
func (one *wish) end() time.Time {
	if one.quota.Unit == rating.Seconds {
		return one.quota.after()
	}

	return one.at.Add(one.validity)
}

// divide divides the money of the account among the services of one request, so that the order of its AVPs does not matter. They are in the
// order of the plan's share: the lower number comes first. Those with the same number get what they wish or, if there is not enough for
// all of them, a part of the money in proportion to what their wishes cost.
func divide(order []*wish, balance int64) {
	for len(order) > 0 {
		end := slices.IndexFunc(order, func(w *wish) bool { return w.share != order[0].share })
		if end < 0 {
			end = len(order)
		}

		balance -= share(order[:end], balance)
		order = order[end:]
	}
}

// share gives equal services their budgets, and returns the sum.
func share(equals []*wish, balance int64) (given int64) {
	balance = max(0, balance)
	total := int64(0)

	for _, w := range equals {
		total = min(total+min(w.price, rating.Unpayable), rating.Unpayable)
	}

	for _, w := range equals {
		w.budget = w.price

		if total > balance {
			high, low := bits.Mul64(uint64(balance), uint64(min(w.price, total)))
			part, _ := bits.Div64(high, low, uint64(total))
			w.budget = int64(part)
		}

		given += w.budget
	}

	return given
}

// compare orders services by rating group and identifiers.
func (q *Quota) compare(other *Quota) int {
	group := func(q *Quota) int64 {
		if q.RatingGroup == nil {
			return -1
		}

		return int64(*q.RatingGroup)
	}

	return cmp.Or(cmp.Compare(group(q), group(other)), slices.Compare(q.Identifiers, other.Identifiers))
}
