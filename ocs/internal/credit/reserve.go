package credit

import (
	"cmp"
	"slices"

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
		return w.addQuota(mscc, w.plan.Meter(rating.Service{}, rating.Money))
	}

	meter, no := s.meter(w.plan, units, s.serviceOf(w, mscc), w.at, w.session.Called)
	if no != nil {
		w.unrated++
		return nil, no, nil
	}

	return w.addQuota(mscc, meter)
}

func (w *exchange) addQuota(mscc *mscc, meter *rating.Meter) (*Quota, *refusal, error) {
	if len(w.session.Services) >= maxQuotas {
		return nil, &refusal{ro.RatingFailed, "the session has too many services", &FailedAVP{RatingGroup: mscc.group}}, nil
	}

	quota := &Quota{
		Key: key(mscc.group, mscc.identifiers), RatingGroup: mscc.group, Identifiers: mscc.identifiers,
		Unit: meter.Unit(), Service: meter.Service(), meter: meter,
	}
	w.session.Services = append(w.session.Services, quota)

	return quota, nil, nil
}

// reserve makes the next quota of each service that requests one: what it requests, or the configured amount, or what the account affords,
// which is then the last (RFC 8506 §5.6).
func (s *Server) reserve(w *exchange) error {
	if err := s.meters(w); err != nil {
		return err
	}

	final, _ := s.terms(w.plan)

	var (
		grants []grant
		wishes []*wish
	)

	for i := range w.msccs {
		mscc := &w.msccs[i]
		if !mscc.asked {
			continue
		}

		quota, no, err := s.quotaOf(w, mscc)
		if err != nil {
			return err
		}

		if no == nil && w.purse.Account.Blocked { // since the session began
			no = &refusal{ro.EndUserServiceDenied, "the account is blocked", nil}
		}

		if no == nil {
			wishes = append(wishes, s.wish(w, mscc, quota))
		}

		grants = append(grants, grant{mscc: mscc, quota: quota, refusal: no})
	}

	w.grant(wishes)

	for i := range grants {
		if g := &grants[i]; g.refusal == nil {
			g.refusal = g.quota.without(final)
		}
	}

	for _, g := range grants {
		w.markLast(g)
	}

	w.session.total()
	w.answer = s.answer(w, grants, indication(final))
	s.tellBalance(w, w.plan)
	w.tellFailure()

	if len(grants) > 0 { // else it stays as after the reports
		w.session.Exhausted = w.answer.Result == ro.CreditLimitReached
	}

	return nil
}

// tellFailure says what the network function does if the OCS does not answer, if the plan has a word on it (RFC 8506 §8.14).
func (w *exchange) tellFailure() {
	t := w.plan.Quota
	if t == nil || !w.answer.Result.Successful() {
		return
	}

	if handling, stated := map[string]ro.FailureHandling{
		"terminate": ro.FailureTerminate, "continue": ro.FailureContinue, "retry": ro.FailureRetryAndTerminate,
	}[t.Failure]; stated {
		w.answer.CreditControlFailureHandling = &handling
	}
}

// without marks a service that got no units: it is refused, or redirected or restricted at once (RFC 8506 §5.6.2, §5.6.3).
func (q *Quota) without(final *rating.FinalUnit) *refusal {
	switch {
	case q.Granted > 0:
		return nil
	case final.Action != rating.Terminate:
		q.Final = true
		return nil
	default:
		q.Refused = true
		return &refusal{ro.CreditLimitReached, "the account has not enough credit", nil}
	}
}

// markLast marks a grant as the last: once all services of the request have theirs, not one more unit can be paid (RFC 8506 §5.6). Units
// that are charged together are not the last while some of them are left.
func (w *exchange) markLast(g grant) {
	q := g.quota
	if g.refusal != nil || q.Granted == 0 {
		return
	}

	if q.meter.Affordable(q.meter.Add(slices.Clone(q.Parts), q.Since, q.Granted), q.after(), 1, max(0, w.purse.Account.Balance)) == 0 {
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

	for _, g := range grants {
		var service ro.MultipleServicesCreditControl

		result := ro.Success.Code
		if g.refusal != nil {
			result = g.refusal.result.Code
		} else {
			validity := s.validity(g.quota)
			service.ValidityTime = &validity

			if g.quota.Granted > 0 {
				service.Granted = s.granted(g.quota.Unit, g.quota.Granted)

				if g.quota.Change != nil { // the price changes within the units (RFC 8506 §5.2, §8.20)
					service.Granted.TariffTimeChange = *g.quota.Change
				}
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

		if g.refusal == nil {
			s.setThreshold(&service, g.quota)
		}

		a.MultipleServicesCreditControl = append(a.MultipleServicesCreditControl, service)
	}

	return a
}

// validity returns the Validity-Time of units, in seconds.
func (s *Server) validity(q *Quota) uint32 {
	return cmp.Or(q.meter.Terms(q.Since).Validity, uint32(s.config.Validity.Seconds()))
}

// setThreshold sets when to request more, before the units end, and when units that are not used are to be given back (TS 32.299 §7.2). The
// last units have no threshold: nothing follows them.
func (s *Server) setThreshold(service *ro.MultipleServicesCreditControl, q *Quota) {
	t := q.meter.Terms(q.Since)
	seconds := cmp.Or(t.Threshold, uint32(s.config.Threshold.Seconds()))
	octets := cmp.Or(t.ThresholdOctets, s.config.ThresholdOctets)

	if t.Holding > 0 && q.Granted > 0 {
		service.QuotaHoldingTime = &t.Holding
	}

	switch {
	case q.Final:
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
