package charging

import (
	"context"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Event is a request that is charged by itself. Everything that happens to it is a step of EventMachine.
type Event struct {
	trigger *Trigger

	mu      sync.Mutex
	machine fsm.Instance[State, Signal, Action]
	state   oneEvent
	until   time.Time   // owed requests are repeated until then
	timer   *time.Timer // fires at the next repeat
}

// oneEvent is the data of an event beside its State; both outlive the process.
type oneEvent struct {
	ID     string `json:"id"` // Diameter Session-Id
	Call   Call   `json:"call"`
	Server server `json:"server,omitzero"` // the OCS that has it
	Owed   *debt  `json:"owed,omitempty"`
}

// debt is a request that the OCS must take: a refund, or the report that ends a reservation.
type debt struct {
	Refund bool      `json:"refund,omitempty"`
	Used   uint64    `json:"used,omitempty"`
	At     time.Time `json:"at,omitzero"` // since when it is owed
	Cause  Cause     `json:"cause,omitzero"`
	Sent   bool      `json:"sent,omitempty"` // it may have arrived
}

// Event charges one request: with a reservation, or at once. The event that it returns is settled by End; nil: there is nothing to
// settle.
func (t *Trigger) Event(ctx context.Context, call Call) (*Event, *sip.Refusal) {
	if refused := call.tooLong(); refused != nil {
		return nil, refused
	}

	e := &Event{trigger: t, state: oneEvent{ID: t.newID(), Call: call}, machine: t.events.Start(Idle)}

	if refused := e.talk(ctx, e.step(t.asked(), input{now: time.Now()})); refused != nil {
		return nil, refused
	}

	if e.settled() {
		return nil, nil
	}

	return e, nil
}

// asked returns the signal that begins an event.
func (t *Trigger) asked() Signal {
	if t.config.Events == Immediate {
		return DebitRequested
	}

	return ReserveRequested
}

// End settles an event by the final response to its request.
func (e *Event) End(status int, reason string) {
	signal := NotDelivered
	if status/100 == 2 {
		signal = Delivered
	}

	_ = e.talk(context.Background(), e.step(signal, input{now: time.Now(), cause: Answered(status, reason)}))
}

func (e *Event) settled() bool {
	e.mu.Lock()
	defer e.mu.Unlock()

	return e.machine.State() == Idle
}

// talk carries out the effects of a step. refused is the OCS's refusal of the request.
func (e *Event) talk(ctx context.Context, due effects) (refused *sip.Refusal) {
	for due.request != nil {
		o := outcome{kind: due.request.Type}
		asking, cancel := context.WithTimeout(ctx, requestTime)
		o.answer, o.refused, o.err = e.trigger.ask(asking, due.request, due.at)

		cancel()

		if due = e.answered(o); due.refused != nil {
			refused = due.refused
		}
	}

	return refused
}

// answered steps with the outcome of a request.
func (e *Event) answered(o outcome) effects {
	e.mu.Lock()
	defer e.mu.Unlock()

	t, now := e.trigger, time.Now()

	if owed := e.state.Owed; owed != nil {
		if o.refused != nil && owed.Used == 0 {
			t.log.Warn("the OCS did not take back the charge of a message that nobody got", "session_id", e.state.ID, "cause", o.refused)
		}

		return e.move(o.reported(!now.Add(settleAgain).After(e.until) && !t.full()), input{now: now})
	}

	in := input{now: now, cause: internal}

	if o.answer != nil {
		e.state.Server = serverOf(o.answer)
	} else {
		in.refused, _ = o.no()
	}

	signal := o.signal(t.config.FailureHandling == Continue)
	if signal == Unanswered && t.full() { // too many wait for the OCS already
		signal = Undelivered
	}

	return e.move(signal, in)
}

func (e *Event) step(signal Signal, in input) effects {
	e.mu.Lock()
	defer e.mu.Unlock()

	return e.move(signal, in)
}

// move takes the row of a signal, carries out its actions, and writes the event before any of its effects happen. Called with the lock
// held.
func (e *Event) move(signal Signal, in input) (due effects) {
	t, before := e.trigger, e.machine.State()

	actions, ok := e.machine.Step(signal)
	if !ok {
		t.unexpected.Inc()
		t.log.Error("something happened to a charged event that cannot happen there",
			"session_id", e.state.ID, "state", before, "event", signal)

		return effects{}
	}

	for _, action := range actions {
		e.do(action, in, &due)
	}

	e.logStep(signal)
	e.keep(before, e.machine.State())

	return due
}

// logStep logs the steps that matter to an operator. Called with the lock held.
func (e *Event) logStep(signal Signal) {
	if signal == Granted || signal == NoUnits {
		call := &e.state.Call
		e.trigger.log.Info("event charged", "session_id", e.state.ID, "impi", call.Private, "call_id", call.CallID, "icid", call.ICID)
	}
}

// do carries out one action of a row. Called with the lock held.
func (e *Event) do(action Action, in input, due *effects) {
	switch action {
	case SendDebit:
		due.request = e.first(ro.Event, in.now)
	case SendReserve:
		due.request = e.first(ro.Initial, in.now)
	case RefuseService:
		due.refused = in.refused
	case MakeRefund:
		e.owe(debt{Refund: true, Cause: in.cause}, in.now)
	case MakeUsed:
		e.owe(debt{Used: 1, Cause: in.cause}, in.now)
	case MakeUnused:
		e.owe(debt{Cause: in.cause}, in.now)
	case AllowRepeats:
		e.until = in.now.Add(e.trigger.config.Settle)
	case SendOwed:
		if e.state.Owed != nil {
			due.request, due.at = e.last(*e.state.Owed, in.now), e.state.Server
			e.state.Owed.Sent = true
		}
	case PlanRepeat:
		e.timer = e.trigger.after(settleAgain, func() {
			_ = e.talk(context.Background(), e.step(RepeatElapsed, input{now: time.Now()}))
		})
	case GiveUpReport:
		e.trigger.log.Error("the report of an event is lost; the OCS returns what it reserved after its supervision time",
			"session_id", e.state.ID, "owed", e.state.Owed)
	default: // actions of a session
		e.trigger.log.Error("an action that a charged event does not have", "session_id", e.state.ID, "action", action)
	}
}

// stop stops the timer. Called with the lock held.
func (e *Event) stop() {
	if e.timer != nil {
		e.timer.Stop()
	}
}

func (e *Event) owe(d debt, now time.Time) {
	d.At = now
	e.state.Owed, e.until = &d, now.Add(e.trigger.config.Settle)
}

// first returns the CCR sent before the request goes on.
func (e *Event) first(kind ro.RequestType, now time.Time) *ro.CCR {
	q, one := e.request(kind, 0), uint64(1)
	q.EventTimestamp = now
	q.MultipleServicesCreditControl[0].Requested = &ro.ServiceUnit{ServiceSpecificUnits: &one}

	if kind == ro.Event {
		direct := ro.DirectDebiting
		q.RequestedAction = &direct
	}

	return q
}

// last returns the CCR that settles a debt.
func (e *Event) last(d debt, now time.Time) *ro.CCR {
	var q *ro.CCR

	if d.Refund {
		action, one := ro.RefundAccount, uint64(1)
		q = e.request(ro.Event, 1)
		q.RequestedAction = &action
		q.MultipleServicesCreditControl[0].Requested = &ro.ServiceUnit{ServiceSpecificUnits: &one}
	} else {
		logout := uint32(1) // DIAMETER_LOGOUT
		q = e.request(ro.Terminate, 1)
		q.TerminationCause = &logout
		q.MultipleServicesCreditControl[0].Used = []ro.ServiceUnit{{ServiceSpecificUnits: &d.Used}}
	}

	d.Cause.tell(q)
	q.EventTimestamp = happened(d.At, now)
	q.Retransmitted = d.Sent

	return q
}

// request returns a new CCR of the event, with its one service.
func (e *Event) request(kind ro.RequestType, number uint32) *ro.CCR {
	group := e.trigger.config.RatingGroup
	q := e.trigger.request(e.state.ID, kind, number, &e.state.Call, e.state.Call.event(), e.state.Server)
	q.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{{RatingGroup: &group}}

	return q
}
