package credit

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// mscc is the part of a request about one service, in Multiple-Services-Credit-Control or for the session as a whole: the units requested,
// and those used.
type mscc struct {
	group       *uint32
	identifiers []uint32
	asked       bool   // a quota or a debit is requested
	wanted      []want // alternatives that may be granted; none: the OCS chooses
	reports     []ro.ServiceUnit
	spent       uint64 // minor units reported as used
	charge      Charge // of an event
}

// want is a requested amount; 0: the OCS chooses.
type want struct {
	unit   rating.Unit
	amount uint64
}

// msccs reads a request in either of its forms: with Multiple-Services-Credit-Control, one for each service, or with the units of the
// session as a whole (RFC 8506 §5.1.2).
func (s *Server) msccs(q *ro.CCR) ([]mscc, *refusal) {
	var all []mscc

	if len(q.MultipleServicesCreditControl) == 0 {
		asked := q.Type == ro.Event || q.RequestedServiceUnit != nil || len(q.UsedServiceUnits) > 0 || q.Type == ro.Initial && !perService(q)
		w := mscc{asked: asked, reports: q.UsedServiceUnits}

		if no := s.want(&w, q.RequestedServiceUnit); no != nil {
			return nil, no
		}

		all = append(all, w)
	}

	for i := range q.MultipleServicesCreditControl {
		service := &q.MultipleServicesCreditControl[i]
		at := slices.IndexFunc(all, func(w mscc) bool {
			return sameService(w.group, service.RatingGroup, w.identifiers, service.ServiceIdentifiers)
		})

		if at < 0 {
			at = len(all)
			all = append(all, mscc{group: service.RatingGroup, identifiers: service.ServiceIdentifiers})
		}

		w := &all[at]
		w.reports = append(w.reports, service.Used...)
		w.asked = w.asked || service.Requested != nil || q.Type == ro.Initial || q.Type == ro.Event

		if no := s.want(w, service.Requested); no != nil {
			return nil, no
		}
	}

	for i := range all {
		if no := s.countMoney(&all[i]); no != nil {
			return nil, no
		}
	}

	return all, nil
}

// perService reports whether a client requests each service separately: a CCR Initial without services requests none yet (RFC 8506 §5.1.2,
// §8.40).
func perService(q *ro.CCR) bool {
	const supported = 1 // MULTIPLE_SERVICES_SUPPORTED

	return q.MultipleServicesIndicator != nil && *q.MultipleServicesIndicator == supported
}

// sameService reports whether two services are the same. Service-Identifiers, if present, identify the service, even within one rating
// group (RFC 8506 §8.16); their order does not matter.
func sameService(group, otherGroup *uint32, identifiers, others []uint32) bool {
	if (group == nil) != (otherGroup == nil) || group != nil && *group != *otherGroup {
		return false
	}

	within := func(some, all []uint32) bool {
		return !slices.ContainsFunc(some, func(id uint32) bool { return !slices.Contains(all, id) })
	}

	return within(identifiers, others) && within(others, identifiers)
}

// want reads a Requested-Service-Unit. What the network function has rated itself comes last: the OCS's own price takes precedence.
func (s *Server) want(w *mscc, u *ro.ServiceUnit) *refusal {
	if u == nil {
		return nil
	}

	for _, unit := range measurable {
		if amount, present := measure(u, unit); present {
			w.wanted = append(w.wanted, want{unit, amount})
		}
	}

	if u.Money == nil {
		return nil
	}

	amount, err := s.minorUnits(u.Money)
	if err != nil {
		return &refusal{ro.InvalidAVPValue, err.Error(), &FailedAVP{RequestedServiceUnit: &ro.ServiceUnit{Money: u.Money}}}
	}

	w.wanted = append(w.wanted, want{rating.Money, uint64(amount)})

	return nil
}

// amount returns how many of this unit are requested; 0: the OCS chooses.
func (w *mscc) amount(unit rating.Unit) uint64 {
	for _, wanted := range w.wanted {
		if wanted.unit == unit {
			return wanted.amount
		}
	}

	return 0
}

// mayHave reports whether the service may be granted this unit.
func (w *mscc) mayHave(unit rating.Unit) bool {
	return len(w.wanted) == 0 || slices.ContainsFunc(w.wanted, func(wanted want) bool { return wanted.unit == unit })
}

// countMoney converts reported amounts of money to the ledger's unit.
func (s *Server) countMoney(w *mscc) *refusal {
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

	return nil
}

// measurable lists the units that a tariff can price.
var measurable = []rating.Unit{rating.Seconds, rating.Octets, rating.Events}

// candidates returns the units that the service may be charged in, the likeliest first: those requested, those reported, or all.
func (w *mscc) candidates(usual rating.Unit) (units []rating.Unit) {
	for _, wanted := range w.wanted {
		units = append(units, wanted.unit)
	}

	if len(units) > 0 {
		return units
	}

	for _, unit := range append(slices.Clone(measurable), rating.Money) {
		if w.used(unit) > 0 {
			units = append(units, unit)
		}
	}

	if len(units) > 0 {
		return units
	}

	return append([]rating.Unit{usual}, slices.DeleteFunc(slices.Clone(measurable), func(unit rating.Unit) bool { return unit == usual })...)
}

// used returns how many of this unit are reported.
func (w *mscc) used(unit rating.Unit) (sum uint64) {
	if unit == rating.Money {
		return w.spent
	}

	for i := range w.reports {
		amount, _ := measure(&w.reports[i], unit)
		sum = add(sum, amount)
	}

	return sum
}

// measured returns the reported unit, "" if none is.
func (w *mscc) measured() rating.Unit {
	for _, unit := range append(slices.Clone(measurable), rating.Money) {
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

// add returns the sum without overflow: no counter goes backwards.
func add(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return math.MaxUint64
	}

	return sum
}

// granted returns units as sent.
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

// key returns a readable name of a service.
func key(group *uint32, identifiers []uint32) string {
	var parts []string

	if group != nil {
		parts = append(parts, fmt.Sprint("rating group ", *group))
	}

	if len(identifiers) > 0 {
		parts = append(parts, "service "+strings.Trim(fmt.Sprint(identifiers), "[]"))
	}

	return strings.Join(parts, ", ")
}

// usualUnit returns the unit that a service is charged in by default.
func usualUnit(serviceContext string) rating.Unit {
	const packetSwitched = "32251@3gpp.org" // TS 32.251

	if strings.HasSuffix(serviceContext, packetSwitched) {
		return rating.Octets
	}

	return rating.Seconds
}

// usual returns the amount granted by default, by the plan or else as configured, and the maximum.
func (s *Server) usual(unit rating.Unit, t rating.Terms) (amount, most uint64) {
	switch unit {
	case rating.Seconds:
		amount, most = cmp.Or(t.Seconds, uint64(s.config.Quota.Seconds())), uint64(s.config.MaxQuota.Seconds())
	case rating.Octets:
		amount, most = cmp.Or(t.Octets, s.config.QuotaOctets), s.config.MaxQuotaOctets
	case rating.Money:
		amount, most = s.config.QuotaMoney, s.config.MaxQuotaMoney
	default:
		amount, most = cmp.Or(t.Events, s.config.QuotaEvents), s.config.MaxQuotaEvents
	}

	return amount, max(amount, most)
}
