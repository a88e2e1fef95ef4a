package registrar

import "github.com/dialtone-ims/dialtone/pkg/fsm"

// Phase is where one private identity stands with one implicit registration set.
type Phase uint8

const (
	NotRegistered    Phase = iota
	AuthPending            // a 401 went out; reg-await-auth runs
	RegisteredPhase        // it has contacts
	Reauthenticating       // it has contacts, and a 401 went out
)

// Event is what a REGISTER turns out to be, or what else happens to a registration.
type Event uint8

const (
	Unprotected      Event = iota // nothing in it answers a challenge, and the P-CSCF does not vouch for it
	NonceUnknown                  // it answers a challenge that is not outstanding: late, or replayed
	ResponseRight                 // contacts are left or made
	ResponseRightEnd              // its last contact goes
	ResponseWrong
	ResponseEmpty // the SIM refused the network (TS 33.102 §6.3.3)
	ResponseAUTS
	Protected    // the P-CSCF vouches for it: refresh
	ProtectedEnd // and its last contact goes
	AwaitAuthExpired
	ContactsExpired
	NetworkEnd // RTR, or the operator
)

// Action is one thing that is done.
type Action uint8

const (
	RequestVector          Action = iota // MAR
	Resynchronise                        // MAR with RAND and AUTS
	SendChallenge                        // 401; reg-await-auth starts
	ChallengeAgain                       // as long as the policy's attempts last: MAR and 401, else what follows
	ReportAuthFailure                    // SAR AUTHENTICATION_FAILURE
	ReportAuthTimeout                    // SAR AUTHENTICATION_TIMEOUT
	Forbid                               // 403
	AssignServer                         // SAR REGISTRATION or RE_REGISTRATION
	ReleaseServer                        // SAR with a type of de-registration
	UpdateContacts                       // the contacts change
	Accept                               // 200
	TellApplicationServers               // third-party REGISTER (§5.4.1.7)
	TellWatchers                         // NOTIFY of the reg event (§5.4.2.1.2)
	RecordFailure                        // the log line and the counter
)

// Machine is the life of the registration of one private identity in one implicit registration set (TS 24.229 §5.4.1). A
// failed re-authentication leaves the registration as it was.
var Machine = fsm.New(
	fsm.On("§5.4.1.2.1", NotRegistered, Unprotected, AuthPending, RequestVector, SendChallenge),
	fsm.On("§5.4.1.2.1", NotRegistered, NonceUnknown, AuthPending, RequestVector, SendChallenge),
	fsm.On("§5.4.1.1", NotRegistered, Protected, RegisteredPhase, AssignServer, UpdateContacts, Accept, TellApplicationServers, TellWatchers),
	fsm.On("§5.4.1.4", NotRegistered, ProtectedEnd, NotRegistered, Accept),
	fsm.Ignore[Action](NotRegistered, ContactsExpired, "it has no contacts"),
	fsm.On("§5.4.1.5", NotRegistered, NetworkEnd, NotRegistered, UpdateContacts),

	fsm.On("§5.4.1.2.1", AuthPending, Unprotected, AuthPending, RequestVector, SendChallenge),
	fsm.On("§5.4.1.2.1", AuthPending, NonceUnknown, AuthPending, RequestVector, SendChallenge),
	fsm.On(
		"§5.4.1.2.2",
		AuthPending,
		ResponseRight,
		RegisteredPhase,
		AssignServer,
		UpdateContacts,
		Accept,
		TellApplicationServers,
		TellWatchers,
	),
	fsm.On("§5.4.1.4", AuthPending, ResponseRightEnd, NotRegistered, ReleaseServer, Accept),
	fsm.On("§5.4.1.2.3", AuthPending, ResponseWrong, NotRegistered, ChallengeAgain, ReportAuthFailure, Forbid, RecordFailure),
	fsm.On("§5.4.1.2.3", AuthPending, ResponseEmpty, NotRegistered, ReportAuthFailure, Forbid, RecordFailure),
	fsm.On("§5.4.1.2.3", AuthPending, ResponseAUTS, AuthPending, Resynchronise, SendChallenge),
	fsm.On("§5.4.1.1", AuthPending, Protected, RegisteredPhase, AssignServer, UpdateContacts, Accept, TellApplicationServers, TellWatchers),
	fsm.On("§5.4.1.4", AuthPending, ProtectedEnd, NotRegistered, ReleaseServer, Accept),
	fsm.On("§5.4.1.2.3", AuthPending, AwaitAuthExpired, NotRegistered, ReportAuthTimeout, RecordFailure),
	fsm.Ignore[Action](AuthPending, ContactsExpired, "it has no contacts"),
	fsm.On("§5.4.1.5", AuthPending, NetworkEnd, NotRegistered, UpdateContacts),

	fsm.On("§5.4.1.2.1", RegisteredPhase, Unprotected, Reauthenticating, RequestVector, SendChallenge),
	fsm.On("§5.4.1.2.1", RegisteredPhase, NonceUnknown, Reauthenticating, RequestVector, SendChallenge),
	fsm.On(
		"§5.4.1.2.2",
		RegisteredPhase,
		Protected,
		RegisteredPhase,
		AssignServer,
		UpdateContacts,
		Accept,
		TellApplicationServers,
		TellWatchers,
	),
	fsm.On(
		"§5.4.1.4",
		RegisteredPhase,
		ProtectedEnd,
		NotRegistered,
		ReleaseServer,
		UpdateContacts,
		Accept,
		TellApplicationServers,
		TellWatchers,
	),
	fsm.On("§5.4.1.5", RegisteredPhase, ContactsExpired, NotRegistered, UpdateContacts, ReleaseServer, TellApplicationServers, TellWatchers),
	fsm.On("§5.4.1.5", RegisteredPhase, NetworkEnd, NotRegistered, UpdateContacts, TellApplicationServers, TellWatchers),

	fsm.On("§5.4.1.2.1", Reauthenticating, Unprotected, Reauthenticating, RequestVector, SendChallenge),
	fsm.On("§5.4.1.2.1", Reauthenticating, NonceUnknown, Reauthenticating, RequestVector, SendChallenge),
	fsm.On(
		"§5.4.1.2.2",
		Reauthenticating,
		ResponseRight,
		RegisteredPhase,
		AssignServer,
		UpdateContacts,
		Accept,
		TellApplicationServers,
		TellWatchers,
	),
	fsm.On(
		"§5.4.1.4",
		Reauthenticating,
		ResponseRightEnd,
		NotRegistered,
		ReleaseServer,
		UpdateContacts,
		Accept,
		TellApplicationServers,
		TellWatchers,
	),
	fsm.On("§5.4.1.2.3", Reauthenticating, ResponseWrong, RegisteredPhase, ChallengeAgain, Forbid, RecordFailure),
	fsm.On("§5.4.1.2.3", Reauthenticating, ResponseEmpty, RegisteredPhase, Forbid, RecordFailure),
	fsm.On("§5.4.1.2.3", Reauthenticating, ResponseAUTS, Reauthenticating, Resynchronise, SendChallenge),
	fsm.On(
		"§5.4.1.2.2",
		Reauthenticating,
		Protected,
		Reauthenticating,
		AssignServer,
		UpdateContacts,
		Accept,
		TellApplicationServers,
		TellWatchers,
	),
	fsm.On(
		"§5.4.1.4",
		Reauthenticating,
		ProtectedEnd,
		NotRegistered,
		ReleaseServer,
		UpdateContacts,
		Accept,
		TellApplicationServers,
		TellWatchers,
	),
	fsm.On("§5.4.1.2.3", Reauthenticating, AwaitAuthExpired, RegisteredPhase, RecordFailure),
	fsm.On("§5.4.1.5", Reauthenticating, ContactsExpired, AuthPending, UpdateContacts, ReleaseServer, TellApplicationServers, TellWatchers),
	fsm.On("§5.4.1.5", Reauthenticating, NetworkEnd, NotRegistered, UpdateContacts, TellApplicationServers, TellWatchers),

	fsm.Ignore[Action](NotRegistered, ResponseRight, unmatched),
	fsm.Ignore[Action](NotRegistered, ResponseRightEnd, unmatched),
	fsm.Ignore[Action](NotRegistered, ResponseWrong, unmatched),
	fsm.Ignore[Action](NotRegistered, ResponseEmpty, unmatched),
	fsm.Ignore[Action](NotRegistered, ResponseAUTS, unmatched),
	fsm.Ignore[Action](NotRegistered, AwaitAuthExpired, unmatched),
	fsm.Ignore[Action](RegisteredPhase, ResponseRight, unmatched),
	fsm.Ignore[Action](RegisteredPhase, ResponseRightEnd, unmatched),
	fsm.Ignore[Action](RegisteredPhase, ResponseWrong, unmatched),
	fsm.Ignore[Action](RegisteredPhase, ResponseEmpty, unmatched),
	fsm.Ignore[Action](RegisteredPhase, ResponseAUTS, unmatched),
	fsm.Ignore[Action](RegisteredPhase, AwaitAuthExpired, unmatched),
)

const unmatched = "only an outstanding challenge makes this event"

var phaseNames = [...]string{"NotRegistered", "AuthPending", "Registered", "Reauthenticating"}

// String is the phase's name.
func (p Phase) String() string { return phaseNames[p] }

var eventNames = [...]string{
	"Unprotected", "NonceUnknown", "ResponseRight", "ResponseRightEnd", "ResponseWrong", "ResponseEmpty", "ResponseAUTS",
	"Protected", "ProtectedEnd", "AwaitAuthExpired", "ContactsExpired", "NetworkEnd",
}

// String is the event's name.
func (e Event) String() string { return eventNames[e] }

var actionNames = [...]string{
	"RequestVector", "Resynchronise", "SendChallenge", "ChallengeAgain", "ReportAuthFailure", "ReportAuthTimeout", "Forbid",
	"AssignServer", "ReleaseServer", "UpdateContacts", "Accept", "TellApplicationServers", "TellWatchers", "RecordFailure",
}

// String is the action's name.
func (a Action) String() string { return actionNames[a] }
