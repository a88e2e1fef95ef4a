package credit

import (
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/fsm"
)

// State is that of a charging session.
type State string

const (
	Idle  State = "Idle"  // nothing is known of it
	Open  State = "Open"  // it has begun
	Ended State = "Ended" // it was terminated not long ago
)

func (s State) String() string { return string(s) }

// Event is what happens to a charging session: a CCR of a type, or the end of its supervision.
type Event string

const (
	Initial   Event = "CCR Initial"
	Update    Event = "CCR Update"
	Terminate Event = "CCR Terminate"
	OneTime   Event = "CCR Event"
	Silence   Event = "Tcc expired"
	ByHand    Event = "closed by hand"
)

func (e Event) String() string { return string(e) }

func eventOf(t ro.RequestType) Event {
	return map[ro.RequestType]Event{ro.Initial: Initial, ro.Update: Update, ro.Terminate: Terminate, ro.Event: OneTime}[t]
}

// Action is one step of serving an event.
type Action string

const (
	Begin         Action = "find payer and tariff"
	CheckNumber   Action = "check the request number"
	Debit         Action = "debit what was used, release the rest"
	ReleaseAll    Action = "release all"
	Reserve       Action = "reserve"
	Supervise     Action = "restart Tcc"
	Record        Action = "write the CDR"
	ChargeEvent   Action = "charge the event"
	RefuseUnknown Action = "5002"
	RefuseBegun   Action = "5004"
)

func (a Action) String() string { return string(a) }

// Machine is the credit-control server's session (RFC 8506 §7). A request that is refused leaves the state as it was. Two rows go
// beyond the RFC: an Update without credit keeps the session open, because network functions report in a Terminate what was used
// until they had released the call; and a Terminate that overtakes its Initial is remembered, so that the Initial reserves nothing.
var Machine = fsm.New(
	fsm.On("RFC 8506 §7", Idle, Initial, Open, Begin, Reserve, Supervise),
	fsm.On("RFC 8506 §7", Idle, OneTime, Idle, ChargeEvent),
	fsm.On("RFC 6733 §7.1.5", Idle, Update, Idle, RefuseUnknown),
	fsm.On("RFC 6733 §7.1.5", Idle, Terminate, Ended, RefuseUnknown),
	fsm.Ignore[Action](Idle, Silence, "there is nothing to release"),
	fsm.Ignore[Action](Idle, ByHand, "there is nothing to release"),
	fsm.On("RFC 6733 §7.1.5", Open, Initial, Open, RefuseBegun),
	fsm.On("RFC 8506 §7", Open, OneTime, Open, ChargeEvent),
	fsm.On("RFC 8506 §7", Open, Update, Open, CheckNumber, Debit, Reserve, Supervise),
	fsm.On("RFC 8506 §7", Open, Terminate, Ended, CheckNumber, Debit, ReleaseAll, Record),
	fsm.On("RFC 8506 §7", Open, Silence, Ended, ReleaseAll, Record),
	fsm.On("operator", Open, ByHand, Ended, ReleaseAll, Record),
	fsm.On("RFC 6733 §7.1.5", Ended, Initial, Ended, RefuseUnknown),
	fsm.On("RFC 6733 §7.1.5", Ended, Update, Ended, RefuseUnknown),
	fsm.On("RFC 6733 §7.1.5", Ended, Terminate, Ended, RefuseUnknown),
	fsm.On("RFC 8506 §7", Ended, OneTime, Ended, ChargeEvent),
	fsm.Ignore[Action](Ended, Silence, "all is released"),
	fsm.Ignore[Action](Ended, ByHand, "all is released"),
)
