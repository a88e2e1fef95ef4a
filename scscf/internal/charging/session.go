package charging

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

const reportTime = 10 * time.Second // for an update or the last report to be answered

// Session is one charging session (SCUR): reserved at the beginning, counted from the answer, settled at the end. Its events
// come from several goroutines; its requests go out one at a time, in the order of their numbers.
type Session struct {
	trigger *Trigger
	release func(why string, cause Cause) // ends the call on both sides

	settling bool // it was over when the process began: only its reports are left

	asking sync.Mutex // held while a CCR is on its way

	mu    sync.Mutex
	state state
	timer *time.Timer
}

// state is what outlives the process.
type state struct {
	Key      string        `json:"key"` // first Diameter Session-Id
	ID       string        `json:"id"`  // Diameter Session-Id
	Call     Call          `json:"call"`
	Number   uint32        `json:"number"` // of the last CCR
	Answered time.Time     `json:"answered,omitzero"`
	Reported uint32        `json:"reported"` // seconds that the OCS has been told, or that went by while it had no session
	Quota    time.Duration `json:"quota"`    // granted and not yet reported, from the last report on
	Margin   time.Duration `json:"margin"`
	Validity time.Duration `json:"validity,omitempty"` // of the quota, from the last report on (RFC 8506 §8.33)
	Final    bool          `json:"final,omitempty"`    // the OCS said that this quota is the last
	Since    time.Time     `json:"since,omitzero"`     // of the last report, or the answer
	Open     *report       `json:"open,omitempty"`     // sent, and not known to have arrived: it is said again to the letter
	Last     *report       `json:"last,omitempty"`     // the session is over
	Free     bool          `json:"free,omitempty"`     // the OCS did not answer, and the call goes on all the same
	Begun    bool          `json:"begun,omitempty"`    // the OCS knows the session
	Handling string        `json:"handling,omitempty"` // what the OCS wants to become of the session without it
	Exact    bool          `json:"exact,omitempty"`    // the margin is the OCS's threshold (TS 32.299 §7.1.16)
	Granted  time.Time     `json:"granted,omitzero"`   // when the quota came, from which its validity counts
	Server   server        `json:"server,omitzero"`    // the OCS that has the session
	Waived   bool          `json:"waived,omitempty"`   // the OCS wants no credit control of it (RFC 8506 §9.1)
}

// report is what a CCR other than the first one says. Said twice with its number it counts once: Session-Id and
// CC-Request-Number tell a duplicate (RFC 8506 §8.2).
type report struct {
	Number uint32 `json:"number"`
	Used   uint32 `json:"used"` // seconds
	Cause  Cause  `json:"cause,omitzero"`
}

// Begin reserves credit for a call that is about to go on. release is called, once, when the credit is used up or the OCS is
// lost and the configuration says so.
func (t *Trigger) Begin(ctx context.Context, call Call, release func(why string, cause Cause)) (*Session, *Refused) {
	if refused := call.tooLong(); refused != nil {
		return nil, refused
	}

	id := t.newID()
	s := &Session{trigger: t, release: release, state: state{Key: id, ID: id, Call: call}}

	answer, refused, err := t.ask(ctx, s.initial(), server{})
	if refused != nil {
		return nil, refused
	}

	switch {
	case err != nil && t.config.FailureHandling != Continue:
		s.undo(err)
		return nil, silent(err)
	case err != nil:
		s.state.Free = true
	case s.waive(answer):
	default:
		if s.state.Begun = true; !s.grant(answer) {
			return nil, &Refused{Status: 402, Reason: `Diameter;cause=4012;text="the OCS grants no time"`}
		}
	}

	t.add(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep()
	s.plan()

	return s, nil
}

// undo gives back what the OCS may have reserved by a CCR Initial whose answer did not come.
func (s *Session) undo(err error) {
	var result diameter.Result
	if errors.As(err, &result) && result.Code/1000 == 3 { // nobody has worked on it, or it was never sent
		return
	}

	s.state.Number, s.state.Last = 1, &report{Number: 1, Cause: Internal}
	s.trigger.add(s)
	s.mu.Lock()
	s.keep()
	s.mu.Unlock()
	s.later(time.Now().Add(s.trigger.config.Settle))
}

// Key names the session for as long as it lasts. It is its first Diameter Session-Id; another one follows if the OCS has
// forgotten the session.
func (s *Session) Key() string { return s.state.Key }

// initial is the CCR that opens the session.
func (s *Session) initial() *ro.CCR {
	q := s.trigger.request(s.state.ID, ro.Initial, 0, &s.state.Call, s.state.Call.event(), server{})
	s.ask(q, nil)

	return q
}

// request is the CCR of a report.
func (s *Session) request(kind ro.RequestType, r report) *ro.CCR {
	q := s.trigger.request(s.state.ID, kind, r.Number, &s.state.Call, s.cause(kind, r), s.state.Server)
	s.ask(q, &r.Used)

	if kind == ro.Terminate {
		logout := uint32(1) // DIAMETER_LOGOUT
		q.TerminationCause = &logout
		r.Cause.tell(q)
	}

	return q
}

// cause is the SIP request that made a report. An update has none: it is the quota that asks for it.
func (s *Session) cause(kind ro.RequestType, r report) *ro.EventType {
	const cancelled = 487

	switch {
	case kind != ro.Terminate:
		return nil
	case !s.state.Answered.IsZero():
		return &ro.EventType{SIPMethod: "BYE"}
	case r.Cause.Code == cancelled:
		return &ro.EventType{SIPMethod: "CANCEL"}
	default:
		return s.state.Call.event()
	}
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

// waive is true for an answer that grants the service without credit control (RFC 8506 §7, §9.1). Nothing is asked for or reported
// from then on; the OCS keeps the session only if the answer was for the one service in it.
func (s *Session) waive(a *ro.CCA) bool {
	waived, held := free(a)
	if waived {
		s.state.Waived, s.state.Free, s.state.Begun, s.state.Server = true, false, held, serverOf(a)
		s.trigger.log.Info("the OCS wants no credit control of a session", "session", s.state.ID)
	}

	return waived
}

// grant takes the quota of an answer; false if there is none.
func (s *Session) grant(a *ro.CCA) bool {
	st := &s.state
	s.obey(a)
	st.Server, st.Granted, st.Exact = serverOf(a), time.Now(), false
	st.Quota, st.Validity, st.Final = 0, 0, a.FinalUnitIndication != nil
	st.Margin = s.trigger.config.UpdateMargin

	seconds := uint32(0)
	if a.GrantedServiceUnit != nil && a.GrantedServiceUnit.Time != nil {
		seconds = *a.GrantedServiceUnit.Time
	}

	if a.ValidityTime != nil {
		st.Validity = time.Duration(*a.ValidityTime) * time.Second
	}

	for _, service := range a.MultipleServicesCreditControl {
		if service.Granted != nil && service.Granted.Time != nil {
			seconds = *service.Granted.Time
		}

		if service.TimeQuotaThreshold != nil {
			st.Margin, st.Exact = time.Duration(*service.TimeQuotaThreshold)*time.Second, true
		}

		if service.ValidityTime != nil {
			st.Validity = time.Duration(*service.ValidityTime) * time.Second
		}

		st.Final = st.Final || service.FinalUnitIndication != nil
	}

	st.Quota = time.Duration(seconds) * time.Second

	return seconds > 0
}

// obey takes the failure handling that the OCS wants, which comes before the configured one (RFC 8506 §8.14).
func (s *Session) obey(a *ro.CCA) {
	if wanted := a.CreditControlFailureHandling; wanted != nil {
		switch *wanted {
		case ro.FailureTerminate:
			s.state.Handling = Terminate
		case ro.FailureContinue:
			s.state.Handling = Continue
		case ro.FailureRetryAndTerminate:
			s.state.Handling = Retry
		}
	}
}

func (s *Session) continues() bool {
	if s.state.Handling != "" {
		return s.state.Handling == Continue
	}

	return s.trigger.config.FailureHandling == Continue
}

// Answered begins the count. A call that is already over is not begun again.
func (s *Session) Answered(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.state.Last != nil || !s.state.Answered.IsZero() {
		return
	}

	s.state.Answered, s.state.Since = at, at
	s.keep()
	s.plan()
}

// leastQuota is how much of a quota is used before more is asked for, however large a threshold the OCS wants.
const leastQuota = time.Second

// plan sets the timer: to ask for more before the quota ends, to its end when it is the last, or to look for the OCS again.
// Called with the lock held.
func (s *Session) plan() {
	st := &s.state

	var wait time.Duration

	switch {
	case st.Last != nil, st.Waived:
		return
	case st.Free && s.trigger.config.Resume > 0:
		wait = s.trigger.config.Resume
	case st.Free, st.Answered.IsZero() && st.Validity == 0:
		return
	case st.Answered.IsZero():
		wait = st.Validity - time.Since(st.Granted)
	default:
		wait = st.Quota

		switch {
		case st.Final:
		case st.Exact:
			wait = max(st.Quota-st.Margin, min(leastQuota, st.Quota))
		default:
			wait -= min(st.Margin, st.Quota/2) // a small quota is asked for again half way
		}

		wait -= time.Since(st.Since)

		if st.Validity > 0 { // of the last units, too
			wait = min(wait, st.Validity-time.Since(st.Granted))
		}
	}

	if s.timer == nil {
		s.timer = time.AfterFunc(max(0, wait), s.due)
	} else {
		s.timer.Reset(max(0, wait))
	}
}

// due is the timer.
func (s *Session) due() {
	s.mu.Lock()
	st := &s.state
	over, usedUp := st.Last != nil, st.Final && !st.Free && !st.Answered.IsZero() && time.Since(st.Since) >= st.Quota
	s.mu.Unlock()

	switch {
	case over:
	case usedUp:
		s.release("the credit is used up", CreditUsedUp)
	default:
		s.update()
	}
}

// update reports what was used and asks for more. The release that may come of it asks for itself, and so comes behind it.
func (s *Session) update() {
	if why, cause := s.renew(); why != "" {
		s.release(why, cause)
	}
}

// renew sends a CCR Update, or, when the OCS has no such session, a CCR Initial for the rest of the call; what it returns is
// why the call must end.
func (s *Session) renew() (release string, cause Cause) {
	s.asking.Lock()
	defer s.asking.Unlock()

	again := false // the OCS has forgotten the session

	for {
		q := s.next(again)
		if q == nil {
			return "", Normal
		}

		ctx, cancel := context.WithTimeout(context.Background(), reportTime)
		answer, refused, err := s.trigger.ask(ctx, q, s.at())

		cancel()

		if again = refused != nil && refused.unknown && q.Type == ro.Update && s.mayGoOn(); again {
			continue
		}

		return s.renewed(q.Type, answer, refused, err)
	}
}

func (s *Session) mayGoOn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.continues()
}

// next is the request to send; nil when the session is over.
func (s *Session) next(anew bool) *ro.CCR {
	s.mu.Lock()
	defer s.mu.Unlock()

	st := &s.state

	switch {
	case st.Last != nil, st.Waived && !st.Begun:
		return nil
	case anew || !st.Begun:
		old := st.ID

		if lost := s.used(time.Now(), math.Floor); lost > 0 { // nobody to report them to
			st.Reported += lost
			st.Since = st.Answered.Add(time.Duration(st.Reported) * time.Second)
			s.trigger.uncharged.Add(float64(lost))
			s.trigger.log.Warn("seconds of a call stay free: the OCS had no session for them", "session", st.ID, "seconds", lost)
		}

		st.ID, st.Number, st.Open, st.Begun, st.Server = s.trigger.newID(), 0, nil, false, server{}
		s.trigger.rename(old, s)
		s.keep()

		return s.initial()
	case st.Open == nil:
		st.Number++
		st.Open = &report{Number: st.Number, Used: s.used(time.Now(), math.Floor)}
		s.keep()
	}

	return s.request(ro.Update, *st.Open)
}

// renewed takes the outcome of what next made.
func (s *Session) renewed(kind ro.RequestType, answer *ro.CCA, refused *Refused, err error) (release string, cause Cause) {
	s.mu.Lock()
	defer s.mu.Unlock()

	st := &s.state

	if err == nil { // a refusal has taken the report, too
		s.taken()
	}

	if st.Last != nil {
		return "", Normal
	}

	defer s.keep()

	switch {
	case err != nil && s.continues():
		st.Free = true
		s.plan()
	case err != nil:
		no := silent(err)
		return no.text, Unspecified.Because(no.Reason)
	case s.waived(answer):
	case refused != nil:
		return refused.text, CreditUsedUp
	case !s.grant(answer):
		return "the OCS grants no more time", CreditUsedUp
	default:
		if st.Free {
			s.trigger.log.Info("the OCS is back; the call is charged again", "session", st.ID, "request", kind)
		}

		st.Free, st.Begun = false, true
		s.plan()
	}

	return "", Normal
}

// waived is waive for the answer to an update. What was granted free is not charged if the OCS wants credit control after all.
func (s *Session) waived(answer *ro.CCA) bool {
	if answer == nil {
		return false
	}

	if s.waive(answer) {
		return true
	}

	if st := &s.state; st.Waived {
		st.Waived = false

		if !st.Answered.IsZero() {
			st.Reported = uint32(max(0, time.Since(st.Answered)/time.Second))
			st.Since = st.Answered.Add(time.Duration(st.Reported) * time.Second)
		}
	}

	return false
}

// at is the OCS that has the session.
func (s *Session) at() server {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.state.Server
}

// taken counts the open report as told. Called with the lock held.
func (s *Session) taken() {
	st := &s.state
	if st.Open == nil {
		return
	}

	st.Reported += st.Open.Used
	st.Open = nil

	if !st.Answered.IsZero() {
		st.Since = st.Answered.Add(time.Duration(st.Reported) * time.Second)
	}
}

// used is the whole seconds since the last report. No clock that goes backwards makes it negative. Called with the lock held.
func (s *Session) used(at time.Time, round func(float64) float64) uint32 {
	if s.state.Answered.IsZero() || s.state.Waived {
		return 0
	}

	total := max(0, round(at.Sub(s.state.Answered).Seconds()))
	if total <= float64(s.state.Reported) {
		return 0
	}

	return uint32(min(total, math.MaxUint32)) - s.state.Reported
}

// End settles the session: the seconds that were used, rounded up, and whatever was reserved beyond them is given back. It may
// be called more than once; the first counts.
func (s *Session) End(cause Cause) {
	at := time.Now()

	s.mu.Lock()
	if s.state.Last != nil {
		s.mu.Unlock()
		return
	}

	s.state.Last = &report{Cause: cause} // no update begins any more
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()

	s.asking.Lock() // behind an update that is on its way
	defer s.asking.Unlock()

	s.mu.Lock()
	st := &s.state
	open := uint32(0)

	if st.Open != nil {
		open = st.Open.Used
	}

	used := s.used(at, math.Ceil)
	used -= min(used, open) // those are in the report that goes before

	if granted := uint32(st.Quota / time.Second); !st.Free && st.Final && used > granted { // rounding must not pass the last quota
		used = granted
	}

	st.Number++
	st.Last.Number, st.Last.Used = st.Number, used
	s.keep()
	s.mu.Unlock()

	s.settle(time.Now().Add(s.trigger.config.Settle))
}

// settle says the open report, if there is one, and the last. What the OCS does not take now it is told again later: what was
// used is not lost with an answer.
func (s *Session) settle(until time.Time) {
	s.mu.Lock()
	st := s.state
	s.mu.Unlock()

	if st.Waived && !st.Begun { // the OCS has no such session
		s.trigger.remove(s)
		return
	}

	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()

	if st.Open != nil {
		if _, _, err := s.trigger.ask(ctx, s.request(ro.Update, *st.Open), st.Server); err != nil {
			s.later(until)
			return
		}

		s.mu.Lock()
		s.taken()
		s.keep()
		s.mu.Unlock()
	}

	if _, _, err := s.trigger.ask(ctx, s.request(ro.Terminate, *st.Last), st.Server); err != nil {
		s.later(until)
		return
	}

	s.trigger.remove(s)
}

// settleAgain is how long after a report that got no answer it is said once more.
const settleAgain = 30 * time.Second

func (s *Session) later(until time.Time) {
	if time.Now().Add(settleAgain).After(until) || s.trigger.full() {
		s.trigger.log.Error("the last report of a session is lost; the OCS closes it after its supervision time",
			"session", s.state.ID, "used_seconds", s.state.Last.Used)
		s.trigger.remove(s)

		return
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	s.timer = time.AfterFunc(settleAgain, func() { s.settle(until) })
}
