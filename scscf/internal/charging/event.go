package charging

import (
	"context"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Event is a request that is charged by itself. Whatever happens to it is a step of EventMachine.
type Event struct {
	trigger *Trigger
	id      string
	call    Call

	mu      sync.Mutex
	machine fsm.Instance[State, Signal, Action]
	at      server
	owed    *debt
	until   time.Time // what is owed is sent again until then
}

// debt is a request that the OCS has to take: a refund, or the report that ends a reservation.
type debt struct {
	refund bool
	used   uint64
	cause  Cause
}

// Event charges one request: with a reservation, or at once. The event that it returns is settled by End; nil: there is nothing to
// settle.
func (t *Trigger) Event(ctx context.Context, call Call) (*Event, *sip.Refusal) {
	if refused := call.tooLong(); refused != nil {
		return nil, refused
	}

	e := &Event{trigger: t, id: t.newID(), call: call, machine: t.events.Start(Idle)}

	if refused := e.talk(ctx, e.step(t.asked(), input{now: time.Now()})); refused != nil {
		return nil, refused
	}

	if e.settled() {
		return nil, nil
	}

	return e, nil
}

// asked is how events are charged.
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

// talk does what a step wants done. refused is the OCS's no to the request.
func (e *Event) talk(ctx context.Context, todo effects) (refused *sip.Refusal) {
	for todo.request != nil {
		o := outcome{kind: todo.request.Type}
		asking, cancel := context.WithTimeout(ctx, requestTime)
		o.answer, o.refused, o.err = e.trigger.ask(asking, todo.request, todo.at)

		cancel()

		if todo = e.answered(o); todo.refused != nil {
			refused = todo.refused
		}
	}

	return refused
}

// answered steps with what came of a request.
func (e *Event) answered(o outcome) effects {
	e.mu.Lock()
	defer e.mu.Unlock()

	t, now := e.trigger, time.Now()

	if e.owed != nil {
		if o.refused != nil && e.owed.used == 0 {
			t.log.Warn("the OCS did not take back the charge of a message that nobody got", "session_id", e.id, "cause", o.refused)
		}

		return e.move(o.reported(!now.Add(settleAgain).After(e.until)), input{now: now})
	}

	in := input{now: now, cause: Internal}

	if o.answer != nil {
		e.at = serverOf(o.answer)
	} else {
		in.refused, _ = o.no()
	}

	return e.move(o.signal(t.config.FailureHandling == Continue), in)
}

func (e *Event) step(signal Signal, in input) effects {
	e.mu.Lock()
	defer e.mu.Unlock()

	return e.move(signal, in)
}

// move takes the row of a signal and does its actions. Called with the lock held.
func (e *Event) move(signal Signal, in input) (todo effects) {
	t, before := e.trigger, e.machine.State()

	actions, ok := e.machine.Step(signal)
	if !ok {
		t.unexpected.Inc()
		t.log.Error("something happened to a charged event that cannot happen there", "session_id", e.id, "state", before, "event", signal)

		return effects{}
	}

	for _, action := range actions {
		e.do(action, in, &todo)
	}

	if after := e.machine.State(); before == PendingE && after == Debited || before == PendingI && after == Held {
		t.log.Info("event charged", "session_id", e.id, "impi", e.call.Private, "call_id", e.call.CallID, "icid", e.call.ICID)
	}

	if was, is := e.open(before), e.open(e.machine.State()); is && !was {
		t.sessions.Inc()
	} else if was && !is {
		t.sessions.Dec()
	}

	return todo
}

// open reports whether an event has something to settle.
func (e *Event) open(state State) bool {
	return state != Idle && state != PendingE && state != PendingI
}

// do is one action of a row. Called with the lock held.
func (e *Event) do(action Action, in input, todo *effects) {
	switch action {
	case SendDebit:
		todo.request = e.first(ro.Event)
	case SendReserve:
		todo.request = e.first(ro.Initial)
	case RefuseService:
		todo.refused = in.refused
	case MakeRefund:
		e.owe(debt{refund: true, cause: in.cause}, in.now)
	case MakeUsed:
		e.owe(debt{used: 1, cause: in.cause}, in.now)
	case MakeUnused:
		e.owe(debt{cause: in.cause}, in.now)
	case SendOwed:
		if e.owed != nil {
			todo.request, todo.at = e.last(*e.owed), e.at
		}
	case PlanRepeat:
		time.AfterFunc(settleAgain, func() {
			_ = e.talk(context.Background(), e.step(RepeatElapsed, input{now: time.Now()}))
		})
	case GiveUpReport:
		e.trigger.log.Error("the report of an event is lost; the OCS returns what it reserved after its supervision time",
			"session_id", e.id, "owed", e.owed)
	default: // those of a session
		e.trigger.log.Error("an action that a charged event does not have", "session_id", e.id, "action", action)
	}
}

func (e *Event) owe(d debt, now time.Time) { e.owed, e.until = &d, now.Add(e.trigger.config.Settle) }

// first is the CCR before the request goes on.
func (e *Event) first(kind ro.RequestType) *ro.CCR {
	q, one := e.request(kind, 0), uint64(1)
	q.MultipleServicesCreditControl[0].Requested = &ro.ServiceUnit{ServiceSpecificUnits: &one}

	if kind == ro.Event {
		direct := ro.DirectDebiting
		q.RequestedAction = &direct
	}

	return q
}

// last is the CCR that settles a debt.
func (e *Event) last(d debt) *ro.CCR {
	var q *ro.CCR

	if d.refund {
		action, one := ro.RefundAccount, uint64(1)
		q = e.request(ro.Event, 1)
		q.RequestedAction = &action
		q.MultipleServicesCreditControl[0].Requested = &ro.ServiceUnit{ServiceSpecificUnits: &one}
	} else {
		logout := uint32(1) // DIAMETER_LOGOUT
		q = e.request(ro.Terminate, 1)
		q.TerminationCause = &logout
		q.MultipleServicesCreditControl[0].Used = []ro.ServiceUnit{{ServiceSpecificUnits: &d.used}}
	}

	d.cause.tell(q)

	return q
}

// request begins a CCR of the event; it has the one service.
func (e *Event) request(kind ro.RequestType, number uint32) *ro.CCR {
	group := e.trigger.config.RatingGroup
	q := e.trigger.request(e.id, kind, number, &e.call, e.call.event(), e.at)
	q.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{{RatingGroup: &group}}

	return q
}
