package registrar

import "github.com/dialtone-ims/dialtone/pkg/fsm"

// AuthenticationState is the state of an authentication.
type AuthenticationState uint8

// The states of an authentication.
const (
	Unchallenged    AuthenticationState = iota
	VectorRequested                     // a MAR is out
	Challenged                          // a 401 went out; reg-await-auth runs
	AuthenticationOver
)

// AuthenticationEvent is an event of an authentication: a classified REGISTER, an answer of the HSS, or a timer.
type AuthenticationEvent uint8

const (
	Unprotected       AuthenticationEvent = iota // nothing in the REGISTER answers a challenge, and the P-CSCF does not vouch for it
	NonceUnknown                                 // the REGISTER answers a challenge that is not in flight: late, or replayed
	VectorReceived                               // MAA with data for a challenge
	VectorMissing                                // MAA without such data, or none; or no room for a challenge
	ResponseRight                                //
	ResponseWrong                                // and the policy allows another attempt
	ResponseWrongLast                            // and the policy allows no other attempt
	ResponseEmpty                                // the SIM refused the network (TS 33.102 §6.3.3)
	ResponseAUTS                                 // the SIM's SQN is ahead
	ResponseAUTSLast                             // the same, for the last time that the policy accepts it
	AwaitAuthExpired                             // nothing came
	Withdrawn                                    // another challenge replaces it, or the HSS ends the registration
)

// AuthenticationAction is one action of a row.
type AuthenticationAction uint8

const (
	RequestVector AuthenticationAction = iota // MAR
	Resynchronise                             // MAR with RAND and AUTS
	SendChallenge                             // 401; reg-await-auth starts
	StopAwaitAuth                             // reg-await-auth
	RefuseVector                              // the answer says why there is no challenge
	Succeed                                   // Authenticated or AuthenticatedEnd for the registration
	Fail                                      // AuthenticationFailed for the registration
	RecordSilence                             // the log line and the counter
	TimeOut                                   // AuthenticationTimedOut for the registration, if no other challenge is out
)

// AuthenticationMachine is the state machine of one authentication (TS 24.229 §5.4.1.2), from the REGISTER that is challenged to the
// final answer. A private identity may have several at a time, with different Call-IDs.
var AuthenticationMachine = fsm.New(
	fsm.On("§5.4.1.2.1", Unchallenged, Unprotected, VectorRequested, RequestVector),
	fsm.On("§5.4.1.2.1", Unchallenged, NonceUnknown, VectorRequested, RequestVector),
	fsm.On("§5.4.1.2.1, TS 29.228 §6.3", VectorRequested, VectorReceived, Challenged, SendChallenge),
	fsm.On("§5.4.1.2.1, TS 29.228 §6.3", VectorRequested, VectorMissing, AuthenticationOver, RefuseVector),
	fsm.On("§5.4.1.2.2", Challenged, ResponseRight, AuthenticationOver, StopAwaitAuth, Succeed),
	fsm.On("§5.4.1.2.3A, §5.4.1.2.3B", Challenged, ResponseWrong, VectorRequested, StopAwaitAuth, RequestVector),
	fsm.On("§5.4.1.2.3A, §5.4.1.2.3B", Challenged, ResponseWrongLast, AuthenticationOver, StopAwaitAuth, Fail),
	fsm.On("§5.4.1.2.3A", Challenged, ResponseEmpty, AuthenticationOver, StopAwaitAuth, Fail),
	fsm.On("§5.4.1.2.3A, TS 33.102 §6.3.5", Challenged, ResponseAUTS, VectorRequested, StopAwaitAuth, Resynchronise),
	fsm.On("§5.4.1.2.3A", Challenged, ResponseAUTSLast, AuthenticationOver, StopAwaitAuth, Fail),
	fsm.On("§5.4.1.2.3, §7.8", Challenged, AwaitAuthExpired, AuthenticationOver, RecordSilence, TimeOut),
	fsm.On("§5.4.1.2.1, §5.4.1.5", Challenged, Withdrawn, AuthenticationOver, StopAwaitAuth),
)

var authenticationStateNames = [...]string{"Unchallenged", "VectorRequested", "Challenged", "Over"}

// String returns the state's name.
func (s AuthenticationState) String() string { return authenticationStateNames[s] }

var authenticationEventNames = [...]string{
	"Unprotected", "NonceUnknown", "VectorReceived", "VectorMissing", "ResponseRight", "ResponseWrong", "ResponseWrongLast", "ResponseEmpty",
	"ResponseAUTS", "ResponseAUTSLast", "AwaitAuthExpired", "Withdrawn",
}

// String returns the event's name.
func (e AuthenticationEvent) String() string { return authenticationEventNames[e] }

var authenticationActionNames = [...]string{
	"RequestVector", "Resynchronise", "SendChallenge", "StopAwaitAuth", "RefuseVector", "Succeed", "Fail", "RecordSilence", "TimeOut",
}

// String returns the action's name.
func (a AuthenticationAction) String() string { return authenticationActionNames[a] }
