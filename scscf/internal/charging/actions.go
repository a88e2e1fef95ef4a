package charging

import (
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// do carries out one action of a row. Called with the lock held.
func (s *Session) do(action Action, in input, due *effects) {
	t, c := s.trigger, &s.state

	switch action {
	case SendInitial:
		due.request = s.initial(in.now)
	case BeginAnew:
		s.beginAnew(in.now)
	case MakeReport:
		c.makeReport(in.now)
	case SendReport:
		if c.Update != nil {
			due.request, due.at = s.request(ro.Update, *c.Update, in.now), c.Server
			c.Update.Sent = true
		}
	case CountReport:
		c.countReport()
	case MakeLastReport:
		c.makeLastReport(in.now, in.cause)
		s.until = in.now.Add(t.config.Settle)
	case SendLastReport:
		if c.Last != nil {
			due.request, due.at = s.request(ro.Terminate, *c.Last, in.now), c.Server
			c.Last.Sent = true
		}
	case AllowRepeats:
		s.until = in.now.Add(t.config.Settle)
	case TakeQuota:
		s.takeQuota(in)
	case TakeServer:
		if in.answer != nil {
			c.Server = serverOf(in.answer)
		}
	case SkipSeconds:
		c.skip(in.now)
	case CountFromNow:
		c.Answered = in.now
	case PlanUpdate:
		if signal, at, never := c.ends(in.now); !never {
			s.set(signal, time.Until(at))
		}
	case PlanResume:
		if c.Away.IsZero() {
			c.Away = in.now
		}

		if t.config.Resume > 0 {
			s.set(ResumeElapsed, t.config.Resume)
		}
	case PlanRepeat:
		s.set(RepeatElapsed, settleAgain)
	case RefuseService:
		due.refused = in.refused
	case ReleaseService:
		due.release = &in
	case Comply:
		due.comply = true
	case GiveUpReport:
		if c.Last != nil {
			t.log.Error("the last report of a session is lost; the OCS closes it after its supervision time",
				"session_id", c.ID, "seconds", c.Last.Used)
		}
	default: // actions of an event
		t.log.Error("an action that a charging session does not have", "session_id", c.ID, "action", action)
	}
}

// takeQuota takes the units of an answer.
func (s *Session) takeQuota(in input) {
	if in.answer == nil {
		return
	}

	if away := s.state.Away; !away.IsZero() {
		s.trigger.log.Info("the OCS is back; the call is charged again", "session_id", s.state.ID, "duration", in.now.Sub(away))
	}

	s.state.take(in.answer, s.trigger.config.UpdateMargin, in.now)
}

// beginAnew gives the session another Session-Id. The seconds that no session covered are not reported.
func (s *Session) beginAnew(now time.Time) {
	t, old := s.trigger, s.state.ID

	if lost := s.state.beginAnew(t.newID(), now); lost > 0 {
		t.uncharged.Add(float64(lost))
		t.log.Warn("seconds of a call stay free: the OCS had no session for them", "session_id", old, "seconds", lost)
	}

	t.rename(old, s)
}

// initial returns the CCR that opens the session.
func (s *Session) initial(now time.Time) *ro.CCR {
	q := s.trigger.request(s.state.ID, ro.Initial, 0, &s.state.Call, s.state.Call.event(), server{})
	q.EventTimestamp = now
	s.ask(q, nil)

	return q
}

// request returns the CCR of a report.
func (s *Session) request(kind ro.RequestType, r report, now time.Time) *ro.CCR {
	q := s.trigger.request(s.state.ID, kind, r.Number, &s.state.Call, s.state.event(kind, r), s.state.Server)
	q.EventTimestamp = happened(r.At, now)
	s.ask(q, &r.Used)
	q.Retransmitted = r.Sent

	if kind == ro.Terminate {
		logout := uint32(1) // DIAMETER_LOGOUT
		q.TerminationCause = &logout
		r.Cause.tell(q)
	}

	return q
}

// ask adds the quota request of this service to a CCR, with the units used if they are reported.
func (s *Session) ask(q *ro.CCR, used *uint32) {
	multiple, group := uint32(1), s.trigger.config.RatingGroup
	q.MultipleServicesIndicator = &multiple
	service := ro.MultipleServicesCreditControl{RatingGroup: &group}

	if q.Type != ro.Terminate {
		service.Requested = &ro.ServiceUnit{}

		if wanted := uint32(s.trigger.config.RequestedTime / time.Second); wanted > 0 {
			service.Requested.Time = &wanted
		}
	}

	if used != nil {
		service.Used = []ro.ServiceUnit{{Time: used}}
	}

	q.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{service}
}
