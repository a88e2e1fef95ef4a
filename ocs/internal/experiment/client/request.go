package client

import (
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/results"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// request is one CCR until it is answered or given up.
type request struct {
	ccr      *ro.CCR
	first    time.Time
	attempts int
	failed   bool   // it was not answered in time at least once
	used     uint64 // units that it reports
}

// serviceContexts are the Service-Context-Ids (TS 32.299 §7.1.12).
var serviceContexts = map[string]string{
	scenario.Call: ro.ServiceContextIMS, scenario.Data: "32251@3gpp.org", scenario.Message: "32274@3gpp.org",
}

// report sends an Update.
func (s *session) report(why ro.ReportingReason) { s.send(ro.Update, why) }

// terminate sends the Terminate.
func (s *session) terminate() {
	s.closing = true
	s.send(ro.Terminate, ro.ReasonFinal)
}

// send makes a request and sends it.
func (s *session) send(kind ro.RequestType, why ro.ReportingReason) {
	now := s.client.timeline.Now()
	s.accrue()

	q := &ro.CCR{ServiceContextID: serviceContexts[s.want.Kind], Type: kind, Number: s.number, EventTimestamp: now}
	q.SessionID = s.want.ID
	q.Subscriptions = []ro.SubscriptionID{{Type: ro.E164, Data: strings.TrimPrefix(s.want.Number, "+")}}

	if s.want.Called != "" {
		role := ro.OriginatingRole
		q.ServiceInformation = &ro.ServiceInformation{IMS: &ro.IMSInformation{
			NodeFunctionality: ro.NodeSCSCF, RoleOfNode: &role, CalledPartyAddress: "tel:" + s.want.Called,
			CallingPartyAddresses: []string{"tel:" + s.want.Number},
		}}
	}

	s.number++
	s.pending = &request{ccr: q, first: now}
	s.update = false

	if kind == ro.Event {
		debit, units := ro.DirectDebiting, s.want.Amount
		q.RequestedAction = &debit
		q.RequestedServiceUnit = &ro.ServiceUnit{ServiceSpecificUnits: &units}
	} else {
		q.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{s.service(kind, why)}
	}

	s.try()
}

// service returns the Multiple-Services-Credit-Control of a request.
func (s *session) service(kind ro.RequestType, why ro.ReportingReason) ro.MultipleServicesCreditControl {
	service := ro.MultipleServicesCreditControl{RatingGroup: &s.want.RatingGroup}

	if kind != ro.Terminate {
		service.Requested = s.requested()
	}

	if kind == ro.Initial {
		return service
	}

	used := s.use.units(s.client.timeline.Now())
	s.pending.used = used - s.sent
	service.ReportingReasons = []ro.ReportingReason{why}

	s.divide(used)

	if s.changed != nil { // what was used before the tariff changed, and since (RFC 8506 §8.27)
		before, after := uint32(0), uint32(1)
		service.Used = []ro.ServiceUnit{
			s.units(*s.changed-s.sent, &before), s.units(used-*s.changed, &after),
		}
		s.row.Divided++
	} else {
		service.Used = []ro.ServiceUnit{s.units(used-s.sent, nil)}
	}

	s.sent, s.changed = used, nil

	return service
}

// divide notes the use since the last report as it is priced: seconds run with the clock from the answer, octets have the price of the time
// when they were granted, and those after a change that was announced the price of that time.
func (s *session) divide(used uint64) {
	add := func(at time.Time, units uint64) {
		if units > 0 {
			s.parts = append(s.parts, rating.Part{At: at, Units: units})
		}
	}

	switch {
	case s.want.Kind != scenario.Data:
		s.parts = nil
		add(s.answered, used)
	case s.changed != nil:
		add(s.since, *s.changed-s.sent)
		add(s.change, used-*s.changed)
	default:
		add(s.since, used-s.sent)
	}
}

func (s *session) units(n uint64, tariffChange *uint32) ro.ServiceUnit {
	unit := ro.ServiceUnit{TariffChangeUsage: tariffChange}

	if s.want.Kind == scenario.Data {
		unit.TotalOctets = &n
	} else {
		seconds := uint32(n)
		unit.Time = &seconds
	}

	return unit
}

func (s *session) requested() *ro.ServiceUnit {
	policy := s.client.policy

	switch {
	case s.want.Kind == scenario.Data && policy.RequestOctets > 0:
		return &ro.ServiceUnit{TotalOctets: &policy.RequestOctets}
	case s.want.Kind == scenario.Call && policy.Request > 0:
		seconds := uint32(policy.Request / time.Second)
		return &ro.ServiceUnit{Time: &seconds}
	default:
		return &ro.ServiceUnit{}
	}
}

// try sends the pending request once, or once more.
func (s *session) try() {
	r := s.pending
	r.attempts++
	s.row.Requests++

	if r.attempts > 1 {
		s.row.Repeats++
	}

	t := s.client.timeline
	t.Cancel(s.trying)
	s.trying = t.After(s.client.policy.Tx, func() {
		s.unanswered(r)

		if s.pending == r {
			s.try()
		}
	})

	s.client.link.send(r.ccr, func(a *ro.CCA, err error) {
		if s.pending != r { // it was answered already, or given up
			return
		}

		if err != nil || temporary(a.Result.Code) {
			s.notSent(r)
			return
		}

		s.client.answered(t.Now().Sub(r.first))
		t.Cancel(s.trying)
		s.accrue()
		s.pending = nil
		s.row.Reported += r.used
		s.row.Result = a.Result.Code

		switch r.ccr.Type {
		case ro.Event:
			s.eventAnswered(a)
		case ro.Terminate:
			s.terminated(a)
		default:
			s.unitsAnswered(r, a)
		}
	})
}

// notSent is a request that could not be sent, or came to an OCS that could not serve it: it is tried again after Tx.
func (s *session) notSent(r *request) {
	t := s.client.timeline
	t.Cancel(s.trying)
	s.unanswered(r)

	if s.pending == r {
		s.trying = t.After(s.client.policy.Tx, s.try)
	}
}

// temporary reports whether a result says that the OCS cannot serve now (RFC 8506 §5.7, RFC 6733 §7.1).
func temporary(result uint32) bool {
	const unableToDeliver, tooBusy, loopDetected, unableToComply = 3002, 3004, 3005, 5012

	return result == unableToDeliver || result == tooBusy || result == loopDetected || result == unableToComply
}

// unanswered is the failure handling (RFC 8506 §5.7, §7). The pending request stays if it is to be tried again.
func (s *session) unanswered(r *request) {
	policy := s.client.policy
	first := !r.failed
	r.failed = true

	if first && !s.over && r.ccr.Type != ro.Event {
		if policy.Failure == scenario.FailureTerminate {
			s.stop(results.Failed)
		} else {
			s.proceed()
			s.resume()
		}
	}

	limit := policy.Attempts

	switch {
	case s.over:
		limit = policy.ReportAttempts
	case policy.Failure == scenario.FailureTerminate:
		limit = 1
	}

	if r.attempts >= limit {
		s.giveUp(r)
	}
}

// resume lets data flow on that wait for an answer.
func (s *session) resume() {
	if !s.stalled.IsZero() && !s.over {
		s.run()
	}
}

func (s *session) giveUp(r *request) {
	s.pending = nil

	switch {
	case r.ccr.Type == ro.Event:
		s.row.Outcome = results.Failed
		if s.client.policy.Failure == scenario.FailureContinue {
			s.row.Outcome = results.Completed
		}

		s.finish()
	case r.ccr.Type == ro.Terminate:
		s.finish()
	case s.over:
		s.terminate()
	case s.client.policy.Failure == scenario.FailureContinue:
		s.accrue()
		s.free = true
		s.watch()
	default:
		s.stop(results.Failed)
	}
}
