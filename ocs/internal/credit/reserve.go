package credit

import (
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// refusal is why one service gets no units.
type refusal struct {
	result diameter.Result
	text   string
	failed *FailedAVP
}

// grant is the units of one service.
type grant struct {
	mscc    *mscc
	quota   *Quota
	refusal *refusal
}

// quotaOf finds the quota of a service, or begins one by the session's price list: in the unit that the rate prices, among those requested.
func (s *Server) quotaOf(w *exchange, mscc *mscc) (*Quota, *refusal, error) {
	if quota := w.session.quota(mscc.group, mscc.identifiers); quota != nil {
		if !mscc.mayHave(quota.Unit) {
			return quota, &refusal{ro.RatingFailed, "the service is charged in " + string(quota.Unit), nil}, nil
		}

		return quota, nil, nil
	}

	units := mscc.candidates(usualUnit(w.session.ServiceContext))
	if units[0] == rating.Money { // rated already
		return w.addQuota(mscc, rating.Money, &rating.Rate{})
	}

	tariff, err := s.tariffs.version(w.tx.DB, w.session.Tariff, w.session.TariffVersion)
	if err != nil {
		return nil, nil, err
	}

	rate, unit, no := s.rate(tariff, units, rating.Service{
		Number: s.config.Numbering.Normalise(w.session.Called), RatingGroup: mscc.group, Terminating: w.session.Terminating,
	}, w.session.Called)
	if no != nil {
		w.unrated++
		return nil, no, nil
	}

	return w.addQuota(mscc, unit, rate)
}

func (w *exchange) addQuota(mscc *mscc, unit rating.Unit, rate *rating.Rate) (*Quota, *refusal, error) {
	if len(w.session.Services) >= maxQuotas {
		return nil, &refusal{ro.RatingFailed, "the session has too many services", &FailedAVP{RatingGroup: mscc.group}}, nil
	}

	quota := &Quota{Key: key(mscc.group, mscc.identifiers), RatingGroup: mscc.group, Identifiers: mscc.identifiers, Unit: unit, Rate: *rate}
	w.session.Services = append(w.session.Services, quota)

	return quota, nil, nil
}

// rate finds the rate of a service, and the first of the units that it prices. Without a rate there is no service: a failed rating is not
// free (RFC 8506 §9.2).
func (s *Server) rate(
	tariff *rating.Tariff,
	units []rating.Unit,
	service rating.Service,
	called string,
) (*rating.Rate, rating.Unit, *refusal) {
	rate, err := tariff.Find(service)

	for _, unit := range units {
		if unit == rating.Money { // rated by the network function
			return &rating.Rate{}, unit, nil
		}

		if err == nil && rate.Prices(unit) {
			return &rate, unit, nil
		}
	}

	if err != nil {
		return nil, "", &refusal{ro.RatingFailed, err.Error(), &FailedAVP{CalledPartyAddress: called}}
	}

	return nil, "", &refusal{
		ro.RatingFailed, "tariff " + tariff.Name + " has no price for " + string(units[0]) + " to " + service.Number,
		&FailedAVP{RequestedServiceUnit: s.granted(units[0], 0)},
	}
}

// reserve makes the next quota of each service that requests one: what it requests, or the configured amount, or what the account affords,
// which is then the last (RFC 8506 §5.6).
func (s *Server) reserve(w *exchange) error {
	tariff, err := s.tariffs.version(w.tx.DB, w.session.Tariff, w.session.TariffVersion)
	if err != nil {
		return err
	}

	final, _ := s.terms(tariff)

	var grants []grant

	for i := range w.msccs {
		if mscc := &w.msccs[i]; mscc.asked {
			g, err := s.reserveOne(w, mscc, final)
			if err != nil {
				return err
			}

			grants = append(grants, g)
		}
	}

	for _, g := range grants {
		w.markLast(g)
	}

	w.session.total()
	w.answer = s.answer(w, grants, indication(final))
	s.tellBalance(w, tariff)

	if len(grants) > 0 { // else it stays as after the reports
		w.session.Exhausted = w.answer.Result == ro.CreditLimitReached
	}

	return nil
}

func (s *Server) reserveOne(w *exchange, mscc *mscc, final *rating.FinalUnit) (grant, error) {
	quota, no, err := s.quotaOf(w, mscc)
	if err != nil || no != nil {
		return grant{mscc: mscc, quota: quota, refusal: no}, err
	}

	if w.purse.Account.Blocked { // since the session began
		return grant{mscc, quota, &refusal{ro.EndUserServiceDenied, "the account is blocked", nil}}, nil
	}

	amount, most := s.usual(quota.Unit)
	if wanted := mscc.amount(quota.Unit); wanted > 0 {
		amount = min(wanted, most)
	}

	units := quota.Rate.Affordable(quota.Unit, quota.Used, amount, max(0, w.purse.Account.Balance))
	if units == 0 && final.Action != rating.Terminate { // at once, without units (RFC 8506 §5.6.2, §5.6.3)
		quota.Granted, quota.Reserved, quota.Final = 0, 0, true
		return grant{mscc: mscc, quota: quota}, nil
	}

	if units == 0 {
		quota.Refused = true
		return grant{mscc, quota, &refusal{ro.CreditLimitReached, "the account has not enough credit", nil}}, nil
	}

	price := quota.Rate.Cost(quota.Unit, quota.Used+units) - quota.Rate.Cost(quota.Unit, quota.Used)

	w.posting.Move("reserve", w.purse.Account, w.purse.Reserved, price)

	quota.Granted, quota.Reserved, quota.Final = units, price, units < amount
	w.session.Reservations += price

	return grant{mscc: mscc, quota: quota}, nil
}

// markLast marks a grant as the last: once all services of the request have theirs, not one more unit can be paid (RFC 8506 §5.6). Units
// that are charged together are not the last while some of them are left.
func (w *exchange) markLast(g grant) {
	q := g.quota
	if g.refusal == nil && q.Granted > 0 && q.Rate.Affordable(q.Unit, add(q.Used, q.Granted), 1, max(0, w.purse.Account.Balance)) == 0 {
		q.Final = true
	}
}

// answer adds the grants to the answer, in the form of the request. If no service gets any units, the command's result says so, too.
func (s *Server) answer(w *exchange, grants []grant, final *ro.FinalUnitIndication) *Answer {
	a := accepted()

	if len(grants) > 0 && !anyGranted(grants) {
		no := grants[0].refusal
		a = refused(no.result, no.text, no.failed)
	}

	validity := uint32(s.config.Validity.Seconds())

	for _, g := range grants {
		var service ro.MultipleServicesCreditControl

		result := ro.Success.Code
		if g.refusal != nil {
			result = g.refusal.result.Code
		} else {
			service.ValidityTime = &validity

			if g.quota.Granted > 0 {
				service.Granted = s.granted(g.quota.Unit, g.quota.Granted)
			}

			if g.quota.Final {
				service.FinalUnitIndication = final
			}
		}

		if len(w.q.MultipleServicesCreditControl) == 0 {
			a.GrantedServiceUnit, a.ValidityTime, a.FinalUnitIndication = service.Granted, service.ValidityTime, service.FinalUnitIndication
			break
		}

		service.RatingGroup, service.ServiceIdentifiers, service.ResultCode = g.mscc.group, g.mscc.identifiers, &result

		if g.refusal == nil && !g.quota.Final {
			s.setThreshold(&service, g.quota)
		}

		a.MultipleServicesCreditControl = append(a.MultipleServicesCreditControl, service)
	}

	return a
}

// setThreshold sets when to request more, before the units end (TS 32.299 §7.2). The last units have no threshold: nothing follows them.
func (s *Server) setThreshold(service *ro.MultipleServicesCreditControl, q *Quota) {
	seconds, octets := uint32(s.config.Threshold.Seconds()), s.config.ThresholdOctets

	switch {
	case q.Unit == rating.Seconds && seconds > 0 && uint64(seconds) < q.Granted:
		service.TimeQuotaThreshold = &seconds
	case q.Unit == rating.Octets && octets > 0 && uint64(octets) < q.Granted:
		service.VolumeQuotaThreshold = &octets
	}
}

func anyGranted(grants []grant) bool {
	for _, g := range grants {
		if g.refusal == nil {
			return true
		}
	}

	return false
}
