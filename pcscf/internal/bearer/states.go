package bearer

import (
	"fmt"
	"slices"
)

// State is where a session at the PCRF or PCF stands.
type State uint8

// States.
const (
	Idle        State = iota // not begun
	Asked                    // the first request is on its way
	Granted                  // the session is there
	Updating                 // a request that changes it is on its way
	ClosingNew               // the first request is on its way, and the call leg is over
	ClosingHeld              // a request that changes the session is on its way, and the call leg is over
	Ending                   // its end is on its way
	Owed                     // nobody has heard of its end: said again later
	Ended                    // over, or never granted
)

var stateNames = [...]string{
	Idle: "Idle", Asked: "Asked", Granted: "Granted", Updating: "Updating", ClosingNew: "ClosingNew", ClosingHeld: "ClosingHeld",
	Ending: "Ending", Owed: "Owed", Ended: "Ended",
}

func (s State) String() string { return nameOf(stateNames[:], int(s)) }

// MarshalText writes a state by its name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name of a state.
func (s *State) UnmarshalText(text []byte) error {
	at := slices.Index(stateNames[:], string(text))
	if at < 0 {
		return fmt.Errorf("bearer: no state is called %q", text)
	}

	*s = State(at)

	return nil
}

// Signal is what happens to a session.
type Signal uint8

// Signals: the call leg, the answers, the orders of the PCRF or PCF, the timer.
const (
	NeedsCame      Signal = iota // an SDP answer says what the leg needs
	LegOver                      // the call leg has ended
	Agreed                       // the request is granted
	AgreedStale                  // it is, and the needs have changed meanwhile
	RefusedBy                    // the request is refused
	SessionUnknown               // the session that should be changed is not known any more
	Unanswered                   // no answer came
	Undelivered                  // nobody has worked on the request
	Aborted                      // ASR, or the notification that the session is terminated
	BearerLost                   // RAR, or the notification that bearers are lost or released
	EndTaken                     // the end of the session is answered
	EndUnanswered                // it is not, and may be said again
	EndLapsed                    // it is not, and the time for that is over
	RepeatElapsed                // timer: say the end again; after a restart, at once
)

var signalNames = [...]string{
	NeedsCame: "NeedsCame", LegOver: "LegOver", Agreed: "Agreed", AgreedStale: "AgreedStale", RefusedBy: "RefusedBy",
	SessionUnknown: "SessionUnknown", Unanswered: "Unanswered", Undelivered: "Undelivered", Aborted: "Aborted",
	BearerLost: "BearerLost", EndTaken: "EndTaken", EndUnanswered: "EndUnanswered", EndLapsed: "EndLapsed",
	RepeatElapsed: "RepeatElapsed",
}

func (s Signal) String() string { return nameOf(signalNames[:], int(s)) }

// Action is one thing that is done.
type Action uint8

// Actions.
const (
	NoteNeeds   Action = iota // these are the needs from now on
	SendRequest               // AAR, or POST or PATCH of the session, with all the needs
	TakeGrant                 // whose session it is, and what was said of the access
	TellOutcome               // whoever waits for the request hears what came of it
	TellLoss                  // the call leg hears that its bearers are lost
	AskAnew                   // the call leg asks for what it had before, in another session
	SendEnd                   // STR, or the deletion of the session
	PlanRepeat                // timer until the end is said again
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
