package bearer

import "github.com/dialtone-ims/dialtone/pkg/fsm"

const (
	provision   = "TS 29.214 §4.4.1" // initial provisioning of session information
	modify      = "TS 29.214 §4.4.2" // modification
	terminate   = "TS 29.214 §4.4.4" // AF session termination
	abort       = "TS 29.214 §4.4.6.1"
	lost        = "TS 29.214 §4.4.6.2"
	unknown     = "RFC 6733 §8.8"
	wasRefused  = "what is refused is not there"
	onlyLast    = "the call leg is over"
	onlyFirst   = "the first end counts"
	isOver      = "the session is over"
	stillThere  = "beyond TS 29.214" // the effect of an unanswered update is unknown; the session is ended later
	failedEnds  = "beyond TS 29.214" // some PCRFs forget a session when they refuse its change, and keep its bearers
	toldEarlier = "beyond TS 29.214" // a RAR may overtake the answer
)

// Machine is the state machine of one session at the PCRF or PCF; a call leg has one at a time. One request is pending at a time; every
// session that may exist is ended by one STR or deletion, which is repeated until it is answered.
var Machine = fsm.New(
	fsm.On(provision, Idle, NeedsCame, Asked, NoteNeeds, SendRequest),

	fsm.On(provision, Asked, Agreed, Granted, TakeGrant, TellOutcome),
	fsm.On(modify, Asked, AgreedStale, Updating, TakeGrant, TellOutcome, SendRequest),
	fsm.On(provision, Asked, RefusedBy, Ended, AskAnew, TellOutcome),
	fsm.On(provision, Asked, Undelivered, Ended, TellOutcome),
	fsm.On(terminate, Asked, Unanswered, Ending, TellOutcome, SendEnd),
	fsm.On(modify, Asked, NeedsCame, Asked, NoteNeeds),
	fsm.On[State, Signal, Action](terminate, Asked, LegOver, ClosingNew),
	fsm.On(abort, Asked, Aborted, ClosingNew, Comply, TellLoss),
	fsm.On(toldEarlier, Asked, BearerLost, Asked, Comply, TellLoss),

	fsm.On(modify, Granted, NeedsCame, Updating, NoteNeeds, SendRequest),
	fsm.On(terminate, Granted, LegOver, Ending, SendEnd),
	fsm.On(abort, Granted, Aborted, Ending, Comply, TellLoss, SendEnd),
	fsm.On(lost, Granted, BearerLost, Granted, Comply, TellLoss),

	fsm.On(modify, Updating, Agreed, Granted, TakeGrant, TellOutcome),
	fsm.On(modify, Updating, AgreedStale, Updating, TakeGrant, TellOutcome, SendRequest),
	fsm.On(failedEnds, Updating, RefusedBy, Ending, AskAnew, TellOutcome, SendEnd),
	fsm.On(unknown, Updating, SessionUnknown, Ended, TellOutcome),
	fsm.On(stillThere, Updating, Undelivered, Granted, TellOutcome),
	fsm.On(stillThere, Updating, Unanswered, Granted, TellOutcome),
	fsm.On(modify, Updating, NeedsCame, Updating, NoteNeeds),
	fsm.On[State, Signal, Action](terminate, Updating, LegOver, ClosingHeld),
	fsm.On(abort, Updating, Aborted, ClosingHeld, Comply, TellLoss),
	fsm.On(lost, Updating, BearerLost, Updating, Comply, TellLoss),

	fsm.On(terminate, ClosingNew, Agreed, Ending, TakeGrant, TellOutcome, SendEnd),
	fsm.On(provision, ClosingNew, RefusedBy, Ended, TellOutcome),
	fsm.On(provision, ClosingNew, Undelivered, Ended, TellOutcome),
	fsm.On(terminate, ClosingNew, Unanswered, Ending, TellOutcome, SendEnd),
	fsm.Ignore[Action](ClosingNew, NeedsCame, onlyLast),
	fsm.Ignore[Action](ClosingNew, LegOver, onlyFirst),
	fsm.On(abort, ClosingNew, Aborted, ClosingNew, Comply),
	fsm.On(lost, ClosingNew, BearerLost, ClosingNew, Comply),

	fsm.On(terminate, ClosingHeld, Agreed, Ending, TakeGrant, TellOutcome, SendEnd),
	fsm.On(terminate, ClosingHeld, RefusedBy, Ending, TellOutcome, SendEnd),
	fsm.On(unknown, ClosingHeld, SessionUnknown, Ended, TellOutcome),
	fsm.On(terminate, ClosingHeld, Undelivered, Ending, TellOutcome, SendEnd),
	fsm.On(terminate, ClosingHeld, Unanswered, Ending, TellOutcome, SendEnd),
	fsm.Ignore[Action](ClosingHeld, NeedsCame, onlyLast),
	fsm.Ignore[Action](ClosingHeld, LegOver, onlyFirst),
	fsm.On(abort, ClosingHeld, Aborted, ClosingHeld, Comply),
	fsm.On(lost, ClosingHeld, BearerLost, ClosingHeld, Comply),

	fsm.On[State, Signal, Action](terminate, Ending, EndTaken, Ended),
	fsm.On(terminate, Ending, EndUnanswered, Owed, PlanRepeat),
	fsm.On(terminate, Ending, EndLapsed, Ended, GiveUpEnd),
	fsm.Ignore[Action](Ending, NeedsCame, isOver),
	fsm.Ignore[Action](Ending, LegOver, onlyFirst),
	fsm.On(abort, Ending, Aborted, Ending, Comply),
	fsm.On(lost, Ending, BearerLost, Ending, Comply),

	fsm.On(terminate, Owed, RepeatElapsed, Ending, SendEnd),
	fsm.Ignore[Action](Owed, NeedsCame, isOver),
	fsm.Ignore[Action](Owed, LegOver, onlyFirst),
	fsm.On(abort, Owed, Aborted, Owed, Comply),
	fsm.On(lost, Owed, BearerLost, Owed, Comply),

	fsm.Ignore[Action](Ended, NeedsCame, isOver),
	fsm.Ignore[Action](Ended, LegOver, wasRefused),
	fsm.Ignore[Action](Ended, Aborted, isOver),
	fsm.Ignore[Action](Ended, BearerLost, isOver),
)
