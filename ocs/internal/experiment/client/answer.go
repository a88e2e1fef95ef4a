package client

import (
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/results"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// noCredit are the results that say that the payer has none.
func noCredit(result uint32) bool {
	return result == ro.CreditLimitReached.Code || result == ro.EndUserServiceDenied.Code
}

// unitsAnswered takes the answer to an Initial or an Update.
func (s *session) unitsAnswered(r *request, a *ro.CCA) {
	granted, service := a.GrantedServiceUnit, ro.MultipleServicesCreditControl{
		ValidityTime: a.ValidityTime, FinalUnitIndication: a.FinalUnitIndication,
	}

	if len(a.MultipleServicesCreditControl) > 0 {
		service = a.MultipleServicesCreditControl[0]
		granted = service.Granted

		if service.ValidityTime == nil {
			service.ValidityTime = a.ValidityTime
		}

		if service.ResultCode != nil && a.Result.Successful() {
			s.row.Result = *service.ResultCode
		}
	}

	if s.over { // what was granted goes back with the Terminate
		s.opened = s.opened || a.Result.Successful()
		s.afterEnd(r, a)

		return
	}

	switch result := s.row.Result; {
	case result == ro.CreditControlNotApplicable.Code:
		s.free = true
		s.proceed()
		s.resume()
		s.watch()
	case result/1000 != 2 || granted == nil || s.granted(granted) == 0:
		s.refused(r, a, result)
	default:
		s.grant(r, granted, &service)
	}
}

// afterEnd goes on when the service ended while the request was under way.
func (s *session) afterEnd(r *request, a *ro.CCA) {
	if r.ccr.Type == ro.Initial && !a.Result.Successful() { // there is no session
		s.finish()
		return
	}

	s.terminate()
}

func (s *session) refused(r *request, a *ro.CCA, result uint32) {
	s.denied = true
	s.noCredit = noCredit(result) || result/1000 == 2 // nothing was granted

	if r.ccr.Type == ro.Initial && !a.Result.Successful() {
		s.over = true
		s.row.Outcome = results.Refused
		s.client.timeline.Cancel(s.answering)
		s.client.timeline.Cancel(s.vanishing)
		s.use.stop(s.client.timeline.Now())
		s.finish()

		return
	}

	outcome := results.Cut

	switch {
	case r.ccr.Type == ro.Initial:
		s.opened = true
		outcome = results.Refused
	case result == ro.UnknownSessionID.Code: // the OCS has closed it: a Terminate would be refused, too
		outcome = results.Failed
		s.free = true
	}

	s.stop(outcome)
}

// grant takes a new quota: it counts from the report that it answers.
func (s *session) grant(r *request, granted *ro.ServiceUnit, service *ro.MultipleServicesCreditControl) {
	t := s.client.timeline
	s.opened, s.denied, s.final = true, false, service.FinalUnitIndication != nil

	units := s.granted(granted)
	s.ceiling, s.since = s.sent+units, r.first
	s.threshold = min(s.margin(service), units/2)
	s.accrue()

	t.Cancel(s.validity)

	if service.ValidityTime != nil {
		s.validity = t.After(time.Duration(*service.ValidityTime)*time.Second, func() {
			if s.pending == nil && !s.over {
				s.report(ro.ReasonValidityTime)
			}
		})
	}

	s.expectChange(granted.TariffTimeChange)
	s.proceed()

	if s.update {
		s.report(ro.ReasonForcedReauthorisation)
	}

	if s.stalled.IsZero() {
		s.watch()
	} else {
		s.run()
	}
}

// expectChange notes what is used when the tariff changes (RFC 8506 §8.20).
func (s *session) expectChange(at time.Time) {
	t := s.client.timeline
	t.Cancel(s.changing)

	if !at.After(t.Now()) {
		return
	}

	s.changing = t.At(at, func() {
		used := s.use.units(t.Now())
		s.changed, s.change = &used, at
	})
}

func (s *session) granted(unit *ro.ServiceUnit) uint64 {
	switch {
	case s.want.Kind == scenario.Data && unit.TotalOctets != nil:
		return *unit.TotalOctets
	case s.want.Kind == scenario.Call && unit.Time != nil:
		return uint64(*unit.Time)
	default:
		return 0
	}
}

// margin returns how much before the end of the grant more is asked for.
func (s *session) margin(service *ro.MultipleServicesCreditControl) uint64 {
	policy := s.client.policy

	switch {
	case s.want.Kind == scenario.Data && service.VolumeQuotaThreshold != nil:
		return uint64(*service.VolumeQuotaThreshold)
	case s.want.Kind == scenario.Data:
		return policy.MarginOctets
	case service.TimeQuotaThreshold != nil:
		return uint64(*service.TimeQuotaThreshold)
	default:
		return uint64(policy.Margin / time.Second)
	}
}

// terminated takes the answer to the Terminate.
func (s *session) terminated(a *ro.CCA) {
	if cost := a.CostInformation; cost != nil {
		charged := cost.Value.Digits // minor units: the OCS's own exponent
		s.row.Charged = &charged
	}

	s.finish()
}

// eventAnswered takes the answer to an Event.
func (s *session) eventAnswered(a *ro.CCA) {
	s.row.Outcome = results.Refused

	if a.Result.Successful() {
		s.row.Outcome, s.row.Reported = results.Completed, s.want.Amount
		if cost := a.CostInformation; cost != nil {
			charged := cost.Value.Digits
			s.row.Charged = &charged
		}
	} else {
		s.noCredit = noCredit(a.Result.Code)
	}

	s.over = true
	s.finish()
}
