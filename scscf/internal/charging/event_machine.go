package charging

import "github.com/dialtone-ims/dialtone/pkg/fsm"

const (
	eventTable = "RFC 8506 §7"    // CLIENT, EVENT-BASED
	eventFails = "RFC 8506 §6.5"  // failure procedure
	refund     = "RFC 8506 §6.4"  // refund
	reserving  = "TS 32.299 §6.3" // ECUR
)

// EventMachine is the client's side of a request that is charged by itself: debited at once and refunded (IEC, RFC 8506 §7), or reserved
// and reported (ECUR). A refund or report without an answer is buffered and sent again. After a restart the outcome of a request is
// unknown: a debit stays, a reservation is returned, and so is the charge for a request that had not gone on.
var EventMachine = fsm.New(
	fsm.On(eventTable, Idle, DebitRequested, PendingE, SendDebit),
	fsm.On(reserving, Idle, ReserveRequested, PendingI, SendReserve),

	fsm.On[State, Signal, Action](eventTable, PendingE, Granted, Debited),
	fsm.On[State, Signal, Action](eventTable, PendingE, NoUnits, Debited),
	fsm.On[State, Signal, Action](notApplicable, PendingE, NotApplicable, Idle),
	fsm.On[State, Signal, Action](notApplicable, PendingE, ServiceNotApplicable, Idle),
	fsm.On(eventTable, PendingE, AnswerFailed, Idle, RefuseService),
	fsm.On[State, Signal, Action](eventFails, PendingE, UnansweredContinue, Debited),          // it may have been debited
	fsm.On(eventFails, PendingE, Unanswered, Buffered, RefuseService, MakeRefund, PlanRepeat), // it may have been debited
	fsm.On(eventFails, PendingE, Undelivered, Idle, RefuseService),
	fsm.On(eventFails, PendingE, Restarted, Buffered, MakeRefund), // the request has not gone on

	fsm.On[State, Signal, Action](eventTable, Debited, Delivered, Idle),
	fsm.On(refund, Debited, NotDelivered, PendingR, MakeRefund, SendOwed),
	fsm.On[State, Signal, Action](refund, Debited, Restarted, Idle), // the request may have been delivered

	fsm.On[State, Signal, Action](reserving, PendingI, Granted, Held),
	fsm.On[State, Signal, Action](reserving, PendingI, NoUnits, Held),
	fsm.On[State, Signal, Action](notApplicable, PendingI, NotApplicable, Idle),
	fsm.On[State, Signal, Action](notApplicable, PendingI, ServiceNotApplicable, HeldFree),
	fsm.On(reserving, PendingI, AnswerFailed, Idle, RefuseService),
	fsm.On[State, Signal, Action](failure, PendingI, UnansweredContinue, Held), // it may have been reserved
	fsm.On(failure, PendingI, Unanswered, Buffered, RefuseService, MakeUnused, PlanRepeat),
	fsm.On(failure, PendingI, Undelivered, Idle, RefuseService),
	fsm.On(reserving, PendingI, Restarted, Buffered, MakeUnused),

	fsm.On(reserving, Held, Delivered, PendingT, MakeUsed, SendOwed),
	fsm.On(reserving, Held, NotDelivered, PendingT, MakeUnused, SendOwed),
	fsm.On(reserving, Held, Restarted, Buffered, MakeUnused),
	fsm.On(notApplicable, HeldFree, Delivered, PendingT, MakeUnused, SendOwed),
	fsm.On(notApplicable, HeldFree, NotDelivered, PendingT, MakeUnused, SendOwed),
	fsm.On(notApplicable, HeldFree, Restarted, Buffered, MakeUnused),

	fsm.On[State, Signal, Action](refund, PendingR, ReportTaken, Idle),
	fsm.On(eventFails, PendingR, ReportUnanswered, Buffered, PlanRepeat),
	fsm.On(eventFails, PendingR, ReportLapsed, Idle, GiveUpReport),
	fsm.On[State, Signal, Action](eventFails, PendingR, Restarted, Buffered),

	fsm.On[State, Signal, Action](reserving, PendingT, ReportTaken, Idle),
	fsm.On(duplicates, PendingT, ReportUnanswered, Buffered, PlanRepeat),
	fsm.On(duplicates, PendingT, ReportLapsed, Idle, GiveUpReport),
	fsm.On[State, Signal, Action](duplicates, PendingT, Restarted, Buffered),

	fsm.On(eventTable, Buffered, RepeatElapsed, PendingB, SendOwed),
	fsm.Ignore[Action](Buffered, Restarted, atRest),
	fsm.On(eventTable, Buffered, Resumed, PendingB, AllowRepeats, SendOwed),
	fsm.On[State, Signal, Action](eventTable, PendingB, ReportTaken, Idle),
	fsm.On(eventTable, PendingB, ReportUnanswered, Buffered, PlanRepeat),
	fsm.On(eventTable, PendingB, ReportLapsed, Idle, GiveUpReport),
	fsm.On[State, Signal, Action](eventTable, PendingB, Restarted, Buffered),
)
