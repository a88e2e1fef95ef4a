package credit

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// wish is what a request says of one service: the units that it wants, and those that were used.
type wish struct {
	key         string
	group       *uint32
	identifiers []uint32
	asked       bool        // for a quota, or for a debit
	unit        rating.Unit // "" leaves it to the OCS
	amount      uint64      // 0 leaves it to the OCS
	money       *ro.Money
	reports     []ro.ServiceUnit
	spent       uint64 // minor units that are reported as used
}

// wishes reads a request in both of its forms: with Multiple-Services-Credit-Control, one for each service, or with the units of
// the session as a whole (RFC 8506 §5.1.2).
func (s *Server) wishes(q *ro.CCR) ([]wish, *refusal) {
	all := read(q)

	for i := range all {
		if no := s.countMoney(&all[i], q.Type); no != nil {
			return nil, no
		}
	}

	return all, nil
}

// countMoney brings amounts of money to what the ledger counts in. Those of an event are its price, and counted there.
func (s *Server) countMoney(w *wish, kind ro.RequestType) *refusal {
	for i := range w.reports {
		if w.reports[i].Money == nil {
			continue
		}

		amount, err := s.minorUnits(w.reports[i].Money)
		if err != nil {
			return &refusal{ro.InvalidAVPValue, err.Error(), &FailedAVP{UsedServiceUnit: &ro.ServiceUnit{Money: w.reports[i].Money}}}
		}

		w.spent = add(w.spent, uint64(amount))
	}

	if w.money == nil || w.unit != "" || kind == ro.Event {
		return nil
	}

	amount, err := s.minorUnits(w.money)
	if err != nil {
		return &refusal{ro.InvalidAVPValue, err.Error(), &FailedAVP{RequestedServiceUnit: &ro.ServiceUnit{Money: w.money}}}
	}

	w.unit, w.amount = rating.Money, uint64(amount)

	return nil
}

func read(q *ro.CCR) []wish {
	if len(q.MultipleServicesCreditControl) == 0 {
		w := wish{reports: q.UsedServiceUnits}
		w.ask(q.RequestedServiceUnit, q.Type == ro.Initial || q.Type == ro.Event || q.RequestedServiceUnit != nil || len(q.UsedServiceUnits) > 0)

		return []wish{w}
	}

	var all []wish

	for _, service := range q.MultipleServicesCreditControl {
		key := key(service.RatingGroup, service.ServiceIdentifiers)
		at := slices.IndexFunc(all, func(w wish) bool { return w.key == key })

		if at < 0 {
			at = len(all)
			all = append(all, wish{key: key, group: service.RatingGroup, identifiers: service.ServiceIdentifiers})
		}

		w := &all[at]
		w.reports = append(w.reports, service.Used...)

		if service.Requested != nil || q.Type == ro.Initial || q.Type == ro.Event {
			w.ask(service.Requested, true)
		}
	}

	return all
}

func (w *wish) ask(u *ro.ServiceUnit, asked bool) {
	w.asked = w.asked || asked
	if u == nil {
		return
	}

	w.money = u.Money

	for _, unit := range []rating.Unit{rating.Seconds, rating.Octets, rating.Events} {
		if amount, present := measure(u, unit); present {
			w.unit, w.amount = unit, amount
			return
		}
	}
}

// used is how many of this unit are reported. Other units of the same use are not counted.
func (w *wish) used(unit rating.Unit) (sum uint64) {
	if unit == rating.Money {
		return w.spent
	}

	for i := range w.reports {
		amount, _ := measure(&w.reports[i], unit)
		sum = add(sum, amount)
	}

	return sum
}

// measured is the unit that is reported, "" if none is.
func (w *wish) measured() rating.Unit {
	for _, unit := range []rating.Unit{rating.Seconds, rating.Octets, rating.Events, rating.Money} {
		if w.used(unit) > 0 {
			return unit
		}
	}

	return ""
}

func measure(u *ro.ServiceUnit, unit rating.Unit) (amount uint64, present bool) {
	switch {
	case unit == rating.Seconds && u.Time != nil:
		return uint64(*u.Time), true
	case unit == rating.Events && u.ServiceSpecificUnits != nil:
		return *u.ServiceSpecificUnits, true
	case unit == rating.Octets && u.TotalOctets != nil:
		return *u.TotalOctets, true
	case unit == rating.Octets && (u.InputOctets != nil || u.OutputOctets != nil):
		for _, part := range []*uint64{u.InputOctets, u.OutputOctets} {
			if part != nil {
				amount = add(amount, *part)
			}
		}

		return amount, true
	default:
		return 0, false
	}
}

// add does not overflow: no counter goes backwards.
func add(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return math.MaxUint64
	}

	return sum
}

// granted is units as they are sent.
func (s *Server) granted(unit rating.Unit, amount uint64) *ro.ServiceUnit {
	switch unit {
	case rating.Money:
		return &ro.ServiceUnit{Money: &ro.Money{Value: s.money(int64(amount)), Currency: &s.config.Currency}}
	case rating.Seconds:
		seconds := uint32(min(amount, math.MaxUint32))
		return &ro.ServiceUnit{Time: &seconds}
	case rating.Octets:
		return &ro.ServiceUnit{TotalOctets: &amount}
	default:
		return &ro.ServiceUnit{ServiceSpecificUnits: &amount}
	}
}

// key tells the services of a session apart: by rating group, else by service identifiers (RFC 8506 §5.1.2).
func key(group *uint32, identifiers []uint32) string {
	switch {
	case group != nil:
		return fmt.Sprint("rating group ", *group)
	case len(identifiers) > 0:
		return "service " + strings.Trim(fmt.Sprint(identifiers), "[]")
	default:
		return ""
	}
}

// usual is the unit and the amount that are granted when the request leaves them to the OCS, and the most that is.
func (s *Server) usual(unit rating.Unit, serviceContext string) (rating.Unit, uint64, uint64) {
	const packetSwitched = "32251@3gpp.org" // TS 32.251

	if unit == "" {
		unit = rating.Seconds
		if strings.HasSuffix(serviceContext, packetSwitched) {
			unit = rating.Octets
		}
	}

	switch unit {
	case rating.Seconds:
		return unit, uint64(s.config.Quota.Seconds()), uint64(s.config.MaxQuota.Seconds())
	case rating.Octets:
		return unit, s.config.QuotaOctets, s.config.MaxQuotaOctets
	case rating.Money:
		return unit, s.config.QuotaMoney, s.config.MaxQuotaMoney
	default:
		return unit, s.config.QuotaEvents, s.config.MaxQuotaEvents
	}
}
