package client

import (
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/results"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/timeline"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// session is one credit-control session, or the one request of an event.
type session struct {
	client *Client
	want   Wanted
	row    results.Session
	begun  time.Time
	use    usage

	number    uint32 // of the next request
	pending   *request
	update    bool   // the OCS wants an Update when the pending request is answered
	opened    bool   // the OCS has granted something
	ceiling   uint64 // what may be used in all by the present grant
	threshold uint64 // so much before it, more is asked for
	sent      uint64 // units in the reports so far
	shot      uint64 // units counted as overshoot are up to here
	final     bool   // the grant is the last one
	denied    bool   // there was no credit at the last request
	free      bool   // credit control is given up: the service goes on without
	serving   bool   // the service may be given: granted, or without an answer by the failure handling
	over      bool   // the service has ended
	closing   bool   // the Terminate is under way
	noCredit  bool

	changed *uint64   // what was used until the tariff changed, if that was since the last report
	change  time.Time // when it did

	answered time.Time     // the use began; the session, before
	since    time.Time     // the grant was asked for
	parts    []rating.Part // reported, as they are priced

	mark    time.Time // idle units are counted until here
	idle    float64   // units idle at the mark
	stalled time.Time // data waits since then

	answering, ending, asking, exhausting, validity, trying, changing, vanishing *timeline.Event
}

// proceed begins the service: the called party is rung, data flow.
func (s *session) proceed() {
	if s.serving {
		return
	}

	s.serving = true

	if s.want.Kind == scenario.Data {
		s.run()
		return
	}

	s.answering = s.client.timeline.After(s.want.Ringing, func() {
		if !s.want.Answered {
			s.stop(results.Unanswered)
			return
		}

		s.run()
	})
}

// run starts the use.
func (s *session) run() {
	now := s.client.timeline.Now()
	s.accrue()

	if !s.stalled.IsZero() {
		s.row.Stalled += now.Sub(s.stalled).Seconds()
		s.stalled = time.Time{}
	}

	if s.use.before == 0 && !s.use.running {
		s.answered = now
	}

	s.use.start(now)
	s.ending = s.client.timeline.After(s.use.total-s.use.active(now), func() { s.stop(results.Completed) })
	s.watch()
}

// watch plans when more is asked for, and when the grant is used up.
func (s *session) watch() {
	t := s.client.timeline
	t.Cancel(s.asking)
	t.Cancel(s.exhausting)

	if !s.use.running || s.free || s.over {
		return
	}

	now := t.Now()
	s.exhausting = t.After(max(0, s.use.until(now, s.ceiling)), s.exhausted)

	if s.pending == nil && !s.final && s.threshold > 0 {
		s.asking = t.After(max(0, s.use.until(now, s.ceiling-s.threshold)), func() {
			if s.pending == nil {
				s.report(ro.ReasonThreshold)
			}
		})
	}
}

// exhausted is called at the end of the grant. While an answer is awaited, Tx decides how long a call goes on (RFC 8506 §7, PendingU); data
// wait.
func (s *session) exhausted() {
	now := s.client.timeline.Now()
	s.accrue()

	switch {
	case s.final && s.pending == nil:
		s.noCredit = true
		s.stop(results.Cut)

		return
	case s.pending == nil:
		s.report(ro.ReasonQuotaExhausted)
	}

	if s.want.Kind == scenario.Data && s.pending != nil && !s.pending.failed && !s.over {
		s.client.timeline.Cancel(s.ending)
		s.use.stop(now)
		s.stalled = now
	}
}

// accrue counts what was granted and not used since the last time, and what was used beyond the grant.
func (s *session) accrue() {
	now := s.client.timeline.Now()
	used := s.use.units(now)

	left := 0.0
	if s.opened && !s.free && !s.over && s.ceiling > used {
		left = float64(s.ceiling - used)
	}

	if s.opened && !s.free && !s.over {
		span := now.Sub(s.mark).Seconds()
		s.row.Open += span
		s.row.Idle += span * (s.idle + left) / 2
	}

	s.mark, s.idle = now, left

	if from := max(s.ceiling, s.shot); used > from {
		s.row.Overshoot += used - from
		s.shot = used
	}
}

// stop ends the service. The Terminate follows when no other request is under way.
func (s *session) stop(outcome results.Outcome) {
	if s.over {
		return
	}

	t := s.client.timeline
	s.accrue()
	s.use.stop(t.Now())

	if !s.stalled.IsZero() {
		s.row.Stalled += t.Now().Sub(s.stalled).Seconds()
	}

	s.over = true
	s.row.Outcome, s.row.Lasted = outcome, t.Now().Sub(s.begun).Seconds()

	for _, e := range []*timeline.Event{s.answering, s.ending, s.asking, s.exhausting, s.validity, s.changing, s.vanishing} {
		t.Cancel(e)
	}

	switch {
	case s.free:
		s.finish()
	case s.pending == nil:
		s.terminate()
	}
}

// vanish ends the session for the network function alone: it says nothing any more.
func (s *session) vanish() {
	if s.over {
		return
	}

	s.accrue()
	s.free = true
	s.client.timeline.Cancel(s.trying)
	s.pending = nil
	s.stop(results.Vanished)
}

// finish gives the session away.
func (s *session) finish() {
	if s.client.sessions[s.want.ID] != s {
		return
	}

	delete(s.client.sessions, s.want.ID)
	s.client.timeline.Cancel(s.trying)

	now := s.client.timeline.Now()
	s.row.Used = s.use.units(now)

	if s.want.Kind == scenario.Message && (s.row.Outcome == results.Completed) {
		s.row.Used = s.want.Amount
	}

	if s.row.Lasted == 0 {
		s.row.Lasted = now.Sub(s.begun).Seconds()
	}

	if s.divide(s.row.Used); s.row.Used > 0 {
		s.row.Value = s.client.price(&s.want, s.begun, s.parts)
	}

	s.client.ended(&s.row, s.begun, s.noCredit)
}

func (s *session) reauthorise() {
	switch {
	case s.over || s.free:
	case s.pending != nil:
		s.update = true
	default:
		s.report(ro.ReasonForcedReauthorisation)
	}
}
