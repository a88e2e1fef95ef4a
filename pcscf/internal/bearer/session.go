package bearer

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pkg/fsm"
)

const (
	requestTime = 10 * time.Second // for a request to be answered, wherever it is sent
	firstRepeat = 30 * time.Second // until an unanswered end is repeated; doubled each time
	lastRepeat  = time.Hour        // at most
	repeats     = 24 * time.Hour   // how long an end is repeated
)

// Loss describes to a call leg how its bearers were lost.
type Loss struct {
	Late       bool     // never granted: the refusal came when nobody waited for it any more
	All        bool     // the session has ended; else some or all of its flows are without a bearer
	Why        string   // in the words of the PCRF or PCF
	Components []uint32 // those affected; none: all
}

// session is one session at the authority. Every event is a step of Machine; requests are sent one at a time.
type session struct {
	bearers *Bearers
	lost    func(Loss) // nil: restored after a restart, and not adopted
	anew    func(s *session, had []media.Component)

	mu         sync.Mutex
	machine    fsm.Instance[State, Signal, Action]
	record     record
	needs      []media.Component
	sent       []media.Component // what was requested last
	held       []media.Component // what is granted; nil: not known
	had        []media.Component // what was granted last, in this session or the one before; nil: nothing yet
	forgotten  bool              // the authority does not know it any more
	followed   bool              // another session requests what this one had
	generation int               // of the needs
	asked      int               // the generation that was requested last
	waiting    []waiter
	busy       time.Time // the end is not sent before
	until      time.Time // the end is repeated until then
	pause      time.Duration
	timer      *time.Timer
	timers     uint64 // timers set so far: a replaced one does nothing
}

// record is a session as saved in the journal.
type record struct {
	Handle

	Key    string    `json:"key"` // its first ID, and its key in the journal
	Leg    Leg       `json:"leg"`
	Began  time.Time `json:"began"`
	Access string    `json:"access,omitempty"`
	State  State     `json:"state"`
}

// waiter waits for the outcome of a request.
type waiter struct {
	generation int
	heard      chan error // nil: granted
}

// input is what a signal brings.
type input struct {
	needs []media.Component
	grant *Grant
	err   error
	loss  Loss
	busy  time.Duration // how long the authority is busy with the session
}

// effects is what a step does outside the session.
type effects struct {
	request *Request
	end     *Handle
	loss    *Loss
	anew    []media.Component
	comply  bool
}

// need requests what the leg needs, and returns the channel of the outcome.
func (s *session) need(components []media.Component) <-chan error {
	heard := make(chan error, 1)

	s.mu.Lock()
	due := s.move(NeedsCame, input{needs: components})
	s.waiting = append(s.waiting, waiter{s.generation, heard})

	if state := s.machine.State(); state != Asked && state != Updating {
		s.tell(ErrOver, s.generation)
	}
	s.mu.Unlock()

	s.start(due)

	return heard
}

// holds reports whether these needs are granted and no others requested.
func (s *session) holds(components []media.Component) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.machine.State() == Granted && reflect.DeepEqual(s.held, components)
}

// over reports whether nothing more can be requested in the session.
func (s *session) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	return !slices.Contains([]State{Idle, Asked, Granted, Updating}, s.machine.State())
}

// left returns what the leg had in a session that the authority has forgotten; nil: nothing, or another session has been requested for it.
func (s *session) left() []media.Component {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.followed || !s.forgotten {
		return nil
	}

	return s.had
}

// keeps reports whether the leg has bearers for these needs although a change was refused: those that it requests anew.
func (s *session) keeps(components []media.Component) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.followed && media.Covers(s.had, components)
}

// isFollowed reports whether another session requests what this one had.
func (s *session) isFollowed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.followed
}

// happen handles a signal from outside, and reports whether an order is complied with.
func (s *session) happen(signal Signal, in input) bool {
	s.mu.Lock()
	due := s.move(signal, in)
	s.mu.Unlock()

	s.start(due)

	return due.comply
}

// start carries out the effects of a step.
func (s *session) start(due effects) {
	if due.loss != nil && s.lost != nil {
		s.bearers.Go(func() { s.lost(*due.loss) })
	}

	s.follow(due)

	if due.request != nil || due.end != nil {
		s.bearers.Go(func() { s.talk(due) })
	}
}

// follow makes the leg request anew what a session had before its change was refused.
func (s *session) follow(due effects) {
	if due.anew != nil && s.anew != nil {
		s.bearers.Go(func() { s.anew(s, due.anew) })
	}
}

// talk sends the request of a step, and steps on with its outcome.
func (s *session) talk(due effects) {
	for due.request != nil || due.end != nil {
		ctx, cancel := context.WithTimeout(s.bearers.context, requestTime)

		var (
			signal Signal
			in     input
			began  = time.Now()
		)

		if due.request != nil {
			in.grant, in.err = s.bearers.authority.Ask(ctx, due.request)
			signal = s.bearers.outcome(due.request, in.err, time.Since(began))
		} else {
			s.rest(ctx)
			in.err = s.bearers.authority.End(ctx, *due.end)
			signal = s.bearers.ended(in.err, time.Since(began))
		}

		cancel()

		if s.bearers.context.Err() != nil { // the process ends; what is on the disk is right
			s.forsake()
			return
		}

		s.mu.Lock()
		signal = s.refine(signal)
		s.forgotten = s.forgotten || signal == SessionUnknown
		due = s.move(signal, in)
		s.mu.Unlock()

		s.follow(due)
	}
}

// rest waits while the authority is busy with the session.
func (s *session) rest(ctx context.Context) {
	s.mu.Lock()
	wait := time.Until(s.busy)
	s.mu.Unlock()

	if wait <= 0 {
		return
	}

	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
}

// forsake ends all waits: no outcome will come.
func (s *session) forsake() {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.tell(ErrOver, s.generation)
}

// refine returns the precise signal in the session's current state. Called with the lock held.
func (s *session) refine(signal Signal) Signal {
	switch state := s.machine.State(); {
	case signal == Agreed && s.generation > s.asked && (state == Asked || state == Updating):
		return AgreedStale
	case signal == SessionUnknown && (state == Asked || state == ClosingNew):
		return RefusedBy
	case signal == EndUnanswered && !time.Now().Before(s.until):
		return EndLapsed
	default:
		return signal
	}
}

// move takes the row of a signal, does its actions, and saves the session before anything is sent or told. Called with the lock held.
func (s *session) move(signal Signal, in input) (due effects) {
	before := s.machine.State()

	actions, ok := s.machine.Step(signal)
	if !ok {
		s.bearers.unexpected.Inc()
		s.bearers.log.Error("something happened to a bearer session that cannot happen there",
			"session_id", s.record.ID, "state", before, "event", signal)

		return effects{}
	}

	if in.busy > 0 {
		s.busy = time.Now().Add(in.busy)
	}

	after := s.machine.State()
	if after != before {
		s.stop()
	}

	for _, action := range actions {
		s.do(action, in, &due)
	}

	s.keep(before, after)

	return due
}

// do is one action of a row. Called with the lock held.
func (s *session) do(action Action, in input, due *effects) {
	switch action {
	case NoteNeeds:
		s.needs = in.needs
		s.generation++
	case SendRequest:
		due.request = &Request{
			Handle: s.record.Handle, Leg: s.record.Leg, Update: s.machine.State() == Updating, Components: s.needs,
		}
		s.asked, s.sent, s.held = s.generation, s.needs, nil
	case TakeGrant:
		if in.grant != nil {
			s.record.Handle, s.record.Access = in.grant.Handle, in.grant.Access

			if in.grant.Place.Class != "" {
				s.bearers.locate(s, in.grant.Place)
			}
		}

		if s.asked == s.generation {
			s.held = s.needs
		}

		s.had = s.sent
	case TellOutcome:
		generation, err := s.outcome(in.err)
		s.tell(err, generation)
	case AskAnew:
		due.anew, s.followed = s.had, s.had != nil
	case TellLoss:
		due.loss = &in.loss
	case SendEnd:
		if s.until.IsZero() {
			s.until = time.Now().Add(repeats)
		}

		due.end = &s.record.Handle
	case PlanRepeat:
		s.pause = min(max(firstRepeat, 2*s.pause), lastRepeat)
		s.set(RepeatElapsed, s.pause)
	case Comply:
		due.comply = true
	case GiveUpEnd:
		s.bearers.log.Error("the end of a bearer session was never answered; the bearer lasts until the UE's connection ends",
			"session_id", s.record.ID, "call_id", s.record.Leg.Call)
	}
}

// outcome returns what waiters are told, and up to which generation of the needs: where the session continues, only those requested.
func (s *session) outcome(err error) (generation int, _ error) {
	switch state, before := s.machine.State(), s.record.State; {
	case before == ClosingNew || before == ClosingHeld:
		return s.generation, ErrOver
	case err != nil:
		return s.generation, err
	case state == Granted || state == Updating:
		return s.asked, nil
	default:
		return s.generation, ErrOver
	}
}

// tell gives the outcome to those who wait for a generation or an earlier one.
func (s *session) tell(err error, generation int) {
	s.waiting = slices.DeleteFunc(s.waiting, func(w waiter) bool {
		if w.generation > generation {
			return false
		}

		w.heard <- err

		return true
	})
}

// stop stops the timer. Called with the lock held.
func (s *session) stop() {
	s.timers++

	if s.timer != nil {
		s.timer.Stop()
	}
}

// set sets the timer. Called with the lock held.
func (s *session) set(signal Signal, wait time.Duration) {
	s.stop()

	number := s.timers
	s.timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		if s.timers != number {
			s.mu.Unlock()
			return
		}

		due := s.move(signal, input{})
		s.mu.Unlock()

		s.start(due)
	})
}
