package charging

import (
	"context"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Session is one charging session (SCUR): reserved at the beginning, counted from the answer, settled at the end. Everything that happens
// to it is a step of Machine; its requests are sent one at a time, in the order of their numbers.
type Session struct {
	trigger *Trigger
	release func(why string, cause Cause) // ends the call on both sides; nil: the call has not come back after a restart

	mu      sync.Mutex
	machine fsm.Instance[State, Signal, Action]
	state   credit
	until   time.Time     // an unanswered last report is repeated until then
	timer   *time.Timer   // the timer in force
	timers  uint64        // timers set so far: a replaced one does nothing
	talking chan struct{} // closed when no request is in flight any more; nil: none is
}

const (
	requestTime = 10 * time.Second // for a request to be answered, wherever it is sent
	settleAgain = 30 * time.Second // until a last report that got no answer is sent once more
)

// input is the data of a signal.
type input struct {
	now     time.Time
	answer  *ro.CCA
	refused *sip.Refusal // the caller's refusal if the service is refused
	why     string       // of a release
	cause   Cause        // of a release, or of the end
}

// effects are the effects of a step outside the session.
type effects struct {
	request *ro.CCR
	at      server
	refused *sip.Refusal
	release *input // cause and text of the call's release, if any
	comply  bool   // with an order of the OCS
}

// Begin reserves credit for a call that is about to go on. release is called when the credit is used up, the OCS is lost, or the OCS ends
// the session; it may be called again until End.
func (t *Trigger) Begin(ctx context.Context, call Call, release func(why string, cause Cause)) (*Session, *sip.Refusal) {
	if refused := call.tooLong(); refused != nil {
		return nil, refused
	}

	id := t.newID()
	s := &Session{trigger: t, release: release, state: credit{Key: id, ID: id, Call: call}, machine: t.machine.Start(Idle)}

	if refused := s.talk(ctx, s.step(ServiceRequested, input{now: time.Now()})); refused != nil {
		return nil, refused
	}

	return s, nil
}

// Key returns the name of the session for as long as it lasts. It is its first Diameter Session-Id; another Session-Id follows if the OCS
// has forgotten the session.
func (s *Session) Key() string { return s.state.Key }

// Answered begins the count, unless the call is already over.
func (s *Session) Answered(at time.Time) {
	s.step(ServiceAnswered, input{now: at})
}

// End settles the session: the seconds used are rounded up, and units reserved beyond them are returned. It may be called more than once;
// the first call counts. It returns when the OCS has answered, or has failed to.
func (s *Session) End(cause Cause) { s.end(time.Now(), cause) }

func (s *Session) end(at time.Time, cause Cause) {
	_ = s.talk(context.Background(), s.step(ServiceTerminated, input{now: at, cause: cause}))

	s.mu.Lock()
	talking := s.talking
	s.mu.Unlock()

	if talking == nil {
		return
	}

	select { // a request in flight: the last report follows it
	case <-talking:
	case <-time.After(3 * requestTime):
	}
}

// talk carries out the effects of a step: it sends the request, and steps on with the outcome. refused is the OCS's refusal of the
// service.
func (s *Session) talk(ctx context.Context, due effects) (refused *sip.Refusal) {
	releases := []*input{due.release}

	for due.request != nil {
		o := outcome{kind: due.request.Type}
		asking, cancel := context.WithTimeout(ctx, requestTime)
		o.answer, o.refused, o.err = s.trigger.ask(asking, due.request, due.at)

		cancel()

		due = s.answered(o)
		releases = append(releases, due.release)

		if due.refused != nil {
			refused = due.refused
		}
	}

	for _, r := range releases {
		if r != nil && s.release != nil {
			s.release(r.why, r.cause)
		}
	}

	return refused
}

// answered steps with the outcome of a request.
func (s *Session) answered(o outcome) effects {
	s.mu.Lock()
	defer s.mu.Unlock()

	now := time.Now()

	if s.state.Last != nil {
		return s.move(o.reported(!now.Add(settleAgain).After(s.until) && !s.trigger.full()), input{now: now})
	}

	signal := o.signal(s.goesOn())
	in := input{now: now, answer: o.answer}

	if in.answer == nil || signal == NoUnits {
		in.refused, in.cause = o.no()

		if in.why = in.refused.Text(); signal == NoUnits {
			in.why = "the OCS grants no more time"
		}
	}

	if s.machine.State() == PendingI { // nobody has used anything: units that may be reserved are returned
		in.cause = internal

		if signal == Unanswered && s.trigger.full() { // too many wait for the OCS already: it closes the session by itself
			signal = Undelivered
		}
	}

	return s.move(signal, in)
}

func (s *Session) goesOn() bool {
	if s.state.Handling != "" {
		return s.state.Handling == Continue
	}

	return s.trigger.config.FailureHandling == Continue
}

// step takes one step of the machine.
func (s *Session) step(signal Signal, in input) effects {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.move(signal, in)
}

// move takes the row of a signal, carries out its actions, and writes the session before any of its effects happen. A timer lasts no
// longer than its state. Called with the lock held.
func (s *Session) move(signal Signal, in input) (due effects) {
	before := s.machine.State()

	actions, ok := s.machine.Step(signal)
	if !ok {
		s.trigger.unexpected.Inc()
		s.trigger.log.Error("something happened to a charging session that cannot happen there",
			"session_id", s.state.ID, "state", before, "event", signal)

		return effects{}
	}

	after := s.machine.State()
	if after != before {
		s.stop()
	}

	for _, action := range actions {
		s.do(action, in, &due)
	}

	s.logStep(before, after)
	s.keep(before, after)

	if due.request != nil && s.talking == nil {
		s.talking = make(chan struct{})
	}

	if answersRequest(signal) && due.request == nil && s.talking != nil {
		close(s.talking)
		s.talking = nil
	}

	return due
}

// answersRequest reports whether a signal is the outcome of a request.
func answersRequest(signal Signal) bool { return signal >= Granted && signal <= ReportLapsed }

// logStep logs the steps that matter to an operator.
func (s *Session) logStep(before, after State) {
	log, call := s.trigger.log, &s.state.Call

	switch {
	case after == before:
	case before == PendingI && after != Idle:
		log.Info("charging session begun", "session_id", s.state.ID, "impi", call.Private, "call_id", call.CallID, "icid", call.ICID)
	case after == Idle && before != PendingI:
		log.Info("charging session ended", "session_id", s.state.ID, "impi", call.Private, "call_id", call.CallID, "icid", call.ICID)
	}

	if after != before && (after == Waived || after == WaivedService) {
		log.Info("the OCS wants no credit control of a session", "session_id", s.state.ID)
	}
}

// stop stops the timer. Called with the lock held.
func (s *Session) stop() {
	s.timers++

	if s.timer != nil {
		s.timer.Stop()
	}
}

// set sets the timer. Called with the lock held.
func (s *Session) set(signal Signal, wait time.Duration) {
	s.stop()

	number := s.timers
	s.timer = s.trigger.after(max(0, wait), func() {
		s.mu.Lock()
		if s.timers != number {
			s.mu.Unlock()
			return
		}

		due := s.move(signal, input{now: time.Now(), why: "the credit is used up", cause: creditUsedUp})
		s.mu.Unlock()

		_ = s.talk(context.Background(), due)
	})
}
