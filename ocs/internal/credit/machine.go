package credit

import (
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/fsm"
)

// State is the state of a charging session.
type State string

const (
	Idle  State = "Idle"  // nothing is known of the session
	Open  State = "Open"  // it has begun
	Ended State = "Ended" // it was terminated recently
)

func (s State) String() string { return string(s) }

// Event is an event of a charging session: a CCR of a type, a finding on the account, or the end of its supervision.
type Event string

// The events of a charging session.
const (
	Initial    Event = "CCR Initial"
	Update     Event = "CCR Update"
	Terminate  Event = "CCR Terminate"
	OneTime    Event = "CCR Event"
	OldNumber  Event = "CC-Request-Number goes back" // in an Update or a Terminate
	PayerFound Event = "payer and tariff found"
	Granted    Event = "units granted"
	Refused    Event = "refused" // no payer, no tariff, no price, no credit
	Silence    Event = "Tcc expired"
	ByHand     Event = "closed by hand"
)

func (e Event) String() string { return string(e) }

func eventOf(t ro.RequestType) Event {
	return map[ro.RequestType]Event{ro.Initial: Initial, ro.Update: Update, ro.Terminate: Terminate, ro.Event: OneTime}[t]
}

// Action is one step of serving an event.
type Action string

// The actions of a charging session.
const (
	Begin         Action = "find payer and tariff"
	TakeNumber    Action = "note the request number and who sent it"
	Debit         Action = "debit what was used, release the rest"
	ReleaseAll    Action = "release all"
	Reserve       Action = "reserve"
	Supervise     Action = "restart Tcc"
	Record        Action = "write the CDR"
	ChargeEvent   Action = "charge the event"
	RefuseUnknown Action = "5002"
	RefuseBegun   Action = "5004: the session has begun"
	RefuseNumber  Action = "5004: the number goes back"
)

func (a Action) String() string { return string(a) }

// Machine is the credit-control server's session (RFC 8506 §7). The state is written with the money: an open session has a row, an ended
// one is remembered with the answer to its Terminate. An event has a session of its own and leaves none. Two things go beyond the RFC: an
// Update without credit keeps the session open, because network functions report in a Terminate what was used until they had released the
// call; and a Terminate that overtakes its Initial is remembered, so that the Initial reserves nothing.
var Machine = fsm.New(
	fsm.On("RFC 8506 §7", Idle, Initial, Idle, Begin),
	fsm.On("RFC 8506 §7", Idle, PayerFound, Idle, Reserve),
	fsm.On("RFC 8506 §7", Idle, Granted, Open, Supervise),
	fsm.Ignore[Action](Idle, Refused, "the answer says why"),
	fsm.On("RFC 8506 §6, §7", Idle, OneTime, Idle, ChargeEvent),
	fsm.On("RFC 6733 §7.1.5", Idle, Update, Idle, RefuseUnknown),
	fsm.On("RFC 6733 §7.1.5", Idle, Terminate, Ended, RefuseUnknown),

	fsm.On("RFC 6733 §7.1.5", Open, Initial, Open, RefuseBegun),
	fsm.On("RFC 8506 §7", Open, Update, Open, TakeNumber, Debit, Reserve),
	fsm.On("RFC 8506 §7", Open, Granted, Open, Supervise),
	fsm.On("RFC 8506 §7", Open, Refused, Open, Supervise),
	fsm.On("RFC 8506 §8.2", Open, OldNumber, Open, RefuseNumber),
	fsm.On("RFC 8506 §7", Open, Terminate, Ended, TakeNumber, Debit, ReleaseAll, Record),
	fsm.On("RFC 8506 §7", Open, Silence, Idle, ReleaseAll, Record),
	fsm.On("operator", Open, ByHand, Idle, ReleaseAll, Record),

	fsm.On("RFC 6733 §7.1.5", Ended, Initial, Ended, RefuseUnknown),
	fsm.On("RFC 6733 §7.1.5", Ended, Update, Ended, RefuseUnknown),
	fsm.On("RFC 6733 §7.1.5", Ended, Terminate, Ended, RefuseUnknown),
)
