package bearer

import (
	"fmt"
	"slices"
)

// State is the state of a session at the PCRF or PCF.
type State uint8

// States.
const (
	Idle        State = iota // not begun
	Asked                    // the first request is on its way
	Granted                  // the session exists
	Updating                 // a change is pending
	ClosingNew               // the first request is pending, and the call leg has ended
	ClosingHeld              // a change is pending, and the call leg has ended
	Ending                   // its end is pending
	Owed                     // its end got no answer: repeated later
	Ended                    // ended, or never granted
)

var stateNames = [...]string{
	Idle: "Idle", Asked: "Asked", Granted: "Granted", Updating: "Updating", ClosingNew: "ClosingNew", ClosingHeld: "ClosingHeld",
	Ending: "Ending", Owed: "Owed", Ended: "Ended",
}

func (s State) String() string { return nameOf(stateNames[:], int(s)) }

// MarshalText returns the name of the state.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText parses the name of a state.
func (s *State) UnmarshalText(text []byte) error {
	at := slices.Index(stateNames[:], string(text))
	if at < 0 {
		return fmt.Errorf("bearer: no state is called %q", text)
	}

	*s = State(at)

	return nil
}

// Signal is an event of a session.
type Signal uint8

// Signals: the call leg, the answers, the orders of the PCRF or PCF, the timer.
const (
	NeedsCame      Signal = iota // an SDP answer says what the leg needs
	LegOver                      // the call leg has ended
	Agreed                       // the request is granted
	AgreedStale                  // the request is granted, and the needs have changed meanwhile
	RefusedBy                    // the request is refused
	SessionUnknown               // the session to change is not known any more
	Unanswered                   // no answer came
	Undelivered                  // the request was not processed
	Aborted                      // ASR, or the notification that the session is terminated
	BearerLost                   // RAR, or the notification that bearers are lost or released
	EndTaken                     // the end of the session is answered
	EndUnanswered                // the end is not answered, and may be repeated
	EndLapsed                    // the end is not answered, and the time for repeating it is over
	RepeatElapsed                // timer: repeat the end; after a restart, at once
)

var signalNames = [...]string{
	NeedsCame: "NeedsCame", LegOver: "LegOver", Agreed: "Agreed", AgreedStale: "AgreedStale", RefusedBy: "RefusedBy",
	SessionUnknown: "SessionUnknown", Unanswered: "Unanswered", Undelivered: "Undelivered", Aborted: "Aborted",
	BearerLost: "BearerLost", EndTaken: "EndTaken", EndUnanswered: "EndUnanswered", EndLapsed: "EndLapsed",
	RepeatElapsed: "RepeatElapsed",
}

func (s Signal) String() string { return nameOf(signalNames[:], int(s)) }

// Action is one action of a row.
type Action uint8

// Actions.
const (
	NoteNeeds   Action = iota // these are the needs from now on
	SendRequest               // AAR, or POST or PATCH of the session, with all needs
	TakeGrant                 // the session's authority, and the access network if stated
	TellOutcome               // those who wait for the request get its outcome
	TellLoss                  // the call leg is told that its bearers are lost
	AskAnew                   // the call leg requests what it had before, in another session
	SendEnd                   // STR, or the deletion of the session
	PlanRepeat                // timer until the end is repeated
	Comply                    // RAA or ASA with success; without it 5002 is answered
	GiveUpEnd                 // nobody took the end: logged
)

var actionNames = [...]string{
	NoteNeeds: "NoteNeeds", SendRequest: "SendRequest", TakeGrant: "TakeGrant", TellOutcome: "TellOutcome", TellLoss: "TellLoss",
	AskAnew: "AskAnew", SendEnd: "SendEnd", PlanRepeat: "PlanRepeat", Comply: "Comply", GiveUpEnd: "GiveUpEnd",
}

func (a Action) String() string { return nameOf(actionNames[:], int(a)) }

func nameOf(names []string, at int) string {
	if at < len(names) {
		return names[at]
	}

	return "unknown"
}
