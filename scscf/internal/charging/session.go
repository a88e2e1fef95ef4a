package charging

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

const reportTime = 10 * time.Second // for an update or the last report to be answered

// Session is one charging session (SCUR): reserved at the beginning, counted from the answer, settled at the end. Its events
// come from several goroutines; its requests go out one at a time, in the order of their numbers.
type Session struct {
	trigger *Trigger
	id      string
	call    Call
	release func(why string) // ends the call on both sides

	asking sync.Mutex // held while a CCR is on its way

	mu       sync.Mutex
	number   uint32
	answered time.Time
	reported uint32        // seconds told to the OCS so far
	quota    time.Duration // granted and not yet reported, from the last report on
	margin   time.Duration
	final    bool      // the OCS said that this quota is the last
	since    time.Time // of the last report, or the answer
	timer    *time.Timer
	over     bool
	free     bool // the OCS did not answer, and the call goes on all the same
}

// Begin reserves credit for a call that is about to go on. release is called, once, when the credit is used up or the OCS is
// lost and the configuration says so.
func (t *Trigger) Begin(ctx context.Context, call Call, release func(why string)) (*Session, *Refused) {
	s := &Session{trigger: t, id: t.newID(), call: call, release: release}
	q := t.request(s.id, ro.Initial, 0, &s.call)
	s.ask(q, nil)

	answer, refused, err := t.ask(ctx, q)
	if refused != nil {
		return nil, refused
	}

	if err != nil {
		if t.config.FailureHandling != Continue {
			return nil, &Refused{Status: 503, Reason: `Diameter;cause=3002;text="the OCS does not answer"`}
		}

		s.free = true
	} else if !s.grant(answer) {
		return nil, &Refused{Status: 402, Reason: `Diameter;cause=4012;text="the OCS grants no time"`}
	}

	t.sessions.Inc()

	return s, nil
}

// ask puts the quota request of this service into a CCR, with what was used if that is reported.
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

// grant takes the quota of an answer; false if there is none.
func (s *Session) grant(a *ro.CCA) bool {
	s.quota, s.final = 0, a.FinalUnitIndication != nil
	s.margin = s.trigger.config.UpdateMargin

	seconds := uint32(0)
	if a.GrantedServiceUnit != nil && a.GrantedServiceUnit.Time != nil {
		seconds = *a.GrantedServiceUnit.Time
	}

	for _, service := range a.MultipleServicesCreditControl {
		if service.Granted != nil && service.Granted.Time != nil {
			seconds = *service.Granted.Time
		}

		if service.TimeQuotaThreshold != nil {
			s.margin = time.Duration(*service.TimeQuotaThreshold) * time.Second
		}

		s.final = s.final || service.FinalUnitIndication != nil
	}

	s.quota = time.Duration(seconds) * time.Second

	return seconds > 0
}

// Answered begins the count. A call that is already over is not begun again.
func (s *Session) Answered(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.over || !s.answered.IsZero() {
		return
	}

	s.answered, s.since = at, at
	s.plan()
}

// plan sets the timer: to ask for more before the quota ends, or, when it is the last, to its end. Called with the lock held.
func (s *Session) plan() {
	if s.free || s.over {
		return
	}

	wait := s.quota
	if !s.final {
		wait -= min(s.margin, s.quota/2) // a small quota is asked for again half way
	}

	wait -= time.Since(s.since)
	if s.timer == nil {
		s.timer = time.AfterFunc(max(0, wait), s.due)
	} else {
		s.timer.Reset(max(0, wait))
	}
}

// due is the timer.
func (s *Session) due() {
	s.mu.Lock()
	final, over := s.final, s.over
	s.mu.Unlock()

	switch {
	case over:
	case final:
		s.release("the credit is used up")
	default:
		s.update()
	}
}

// update reports what was used and asks for more. The release that may come of it asks for itself, and so comes behind it.
func (s *Session) update() {
	if why := s.renew(); why != "" {
		s.release(why)
	}
}

// renew sends a CCR Update; what it returns is why the call must end.
func (s *Session) renew() (release string) {
	s.asking.Lock()
	defer s.asking.Unlock()

	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return ""
	}

	s.number++
	at := time.Now()
	used := s.used(at, math.Floor)
	q := s.trigger.request(s.id, ro.Update, s.number, &s.call)
	s.ask(q, &used)
	s.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()

	answer, refused, err := s.trigger.ask(ctx, q)

	s.mu.Lock()
	defer s.mu.Unlock()

	if s.over {
		return ""
	}

	if err == nil { // a refusal has taken the report, too
		s.reported += used
		s.since = s.answered.Add(time.Duration(s.reported) * time.Second)
	}

	switch {
	case err != nil && s.trigger.config.FailureHandling == Continue:
		s.free = true
	case err != nil:
		return "the OCS does not answer"
	case refused != nil:
		return refused.Reason
	case !s.grant(answer):
		return "the OCS grants no more time"
	default:
		s.plan()
	}

	return ""
}

// used is the whole seconds since the last report. No clock that goes backwards makes it negative. Called with the lock held.
func (s *Session) used(at time.Time, round func(float64) float64) uint32 {
	if s.answered.IsZero() {
		return 0
	}

	total := max(0, round(at.Sub(s.answered).Seconds()))
	if total <= float64(s.reported) {
		return 0
	}

	return uint32(min(total, math.MaxUint32)) - s.reported
}

// End settles the session: the seconds that were used, rounded up, and whatever was reserved beyond them is given back. It may
// be called more than once; the first counts.
func (s *Session) End() {
	at := time.Now()

	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}

	s.over = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()

	s.trigger.sessions.Dec()

	s.asking.Lock() // behind an update that is on its way
	defer s.asking.Unlock()

	s.mu.Lock()
	s.number++
	used := s.used(at, math.Ceil)

	if granted := uint32(s.quota / time.Second); !s.free && s.final && used > granted { // rounding must not pass the last quota
		used = granted
	}

	q := s.trigger.request(s.id, ro.Terminate, s.number, &s.call)
	s.ask(q, &used)
	s.mu.Unlock()

	logout := uint32(1) // DIAMETER_LOGOUT
	q.TerminationCause = &logout

	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()

	if _, _, err := s.trigger.ask(ctx, q); err != nil {
		s.trigger.log.Error("the last report of a session is lost; the OCS closes it after its supervision time", "session", s.id, "used_seconds", used)
	}
}

// Used is the seconds since the answer.
func (s *Session) Used() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.reported + s.used(time.Now(), math.Ceil)
}
