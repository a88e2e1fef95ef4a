package registrar

import "github.com/dialtone-ims/dialtone/pkg/fsm"

// State is the state of one private identity's registration in one implicit registration set.
type State uint8

// The states of a registration.
const (
	NotRegistered State = iota
	Assigning           // it has no contact yet; a SAR is out
	Registered          // it has contacts
	Reassigning         // it has contacts; a SAR is out
	Releasing           // it has contacts, the last of which is to be removed; a SAR is out
)

// Event is an event of a registration: a classified REGISTER, an answer of the HSS, a timer, or an order of the network.
type Event uint8

const (
	Authenticated          Event = iota // the response to the challenge is right, and contacts are left or made
	AuthenticatedEnd                    // the response is right, and no contact is left
	Vouched                             // the P-CSCF has authenticated the REGISTER: no challenge; contacts are left or made
	VouchedEnd                          // the P-CSCF has authenticated the REGISTER; no contact is left
	Assigned                            // SAA: success
	AssignmentRefused                   // SAA with another result, or none
	ContactsUpdated                     // the contacts are what the REGISTER wants
	ContactsRefused                     // the contacts cannot be updated: profile unusable, no room
	Released                            // SAA to the de-registration, whatever its result, or none
	AuthenticationFailed                // the response is wrong or missing
	AuthenticationTimedOut              // the last challenge in flight has not been answered
	ContactLost                         // a contact expired, or its P-CSCF does not reach it; others are left
	LastContactLost
	NetworkEnd  // RTR: the HSS ends the registration
	OperatorEnd // the operator ends it, or an application server's default handling
)

// Action is one action of a row.
type Action uint8

const (
	AssignServer       Action = iota // SAR REGISTRATION
	ReassignServer                   // SAR RE_REGISTRATION, if the policy says so
	ReleaseServer                    // SAR USER_DEREGISTRATION, with STORE_SERVER_NAME if the policy says so
	ReleaseServerLater               // SAR TIMEOUT_DEREGISTRATION, unless the user has registered again by then
	TakeBack                         // SAR ADMINISTRATIVE_DEREGISTRATION
	UpdateContacts                   // the contacts change
	Accept                           // 200
	Refuse                           // the answer says what is wrong
	Forbid                           // 403: the authentication failed
	ReportAuthFailure                // SAR AUTHENTICATION_FAILURE
	ReportAuthTimeout                // SAR AUTHENTICATION_TIMEOUT
	Notify                           // third-party REGISTER (§5.4.1.7), NOTIFY of the reg event (§5.4.2.1.2)
)

// Machine is the state machine of the registration of one private identity in one implicit registration set (TS 24.229 §5.4.1). A
// failed re-registration leaves the registration as it was. Contacts may end while a SAR is in flight.
var Machine = fsm.New(
	fsm.On("§5.4.1.2.2", NotRegistered, Authenticated, Assigning, AssignServer),
	fsm.On("§5.4.1.1", NotRegistered, Vouched, Assigning, AssignServer),
	fsm.On("§5.4.1.4", NotRegistered, AuthenticatedEnd, NotRegistered, ReleaseServer),
	fsm.On("§5.4.1.4", NotRegistered, Released, NotRegistered, Accept),
	fsm.On("§5.4.1.4", NotRegistered, VouchedEnd, NotRegistered, Accept),
	fsm.On("§5.4.1.2.3A, §5.4.1.2.3B", NotRegistered, AuthenticationFailed, NotRegistered, ReportAuthFailure, Forbid),
	fsm.On("§5.4.1.2.3, TS 29.228 §6.1.2", NotRegistered, AuthenticationTimedOut, NotRegistered, ReportAuthTimeout),

	fsm.On("§5.4.1.2.2", Assigning, Assigned, Assigning, UpdateContacts),
	fsm.On("§5.4.1.2.2", Assigning, AssignmentRefused, NotRegistered, Refuse),
	fsm.On("§5.4.1.2.2F", Assigning, ContactsUpdated, Registered, Accept, Notify),
	fsm.On("TS 29.228 §6.1.2", Assigning, ContactsRefused, NotRegistered, TakeBack, Refuse),

	fsm.On("§5.4.1.2.2", Registered, Authenticated, Reassigning, ReassignServer),
	fsm.On("§5.4.1.2.2", Registered, Vouched, Reassigning, ReassignServer),
	fsm.On("§5.4.1.4", Registered, AuthenticatedEnd, Releasing, ReleaseServer),
	fsm.On("§5.4.1.4", Registered, VouchedEnd, Releasing, ReleaseServer),
	fsm.On("§5.4.1.2.3A, §5.4.1.2.3B", Registered, AuthenticationFailed, Registered, Forbid),
	fsm.Ignore[Action](Registered, AuthenticationTimedOut, "the registration stays until its contacts expire"),
	fsm.On("§5.4.1.5", Registered, ContactLost, Registered, Notify),
	fsm.On("§5.4.1.5", Registered, LastContactLost, NotRegistered, ReleaseServerLater, Notify),
	fsm.On("§5.4.1.5, TS 29.228 §6.1.3", Registered, NetworkEnd, NotRegistered, Notify),
	fsm.On("§5.4.1.5, TS 29.228 §6.1.2", Registered, OperatorEnd, NotRegistered, Notify, TakeBack),

	fsm.On("§5.4.1.2.2", Reassigning, Assigned, Reassigning, UpdateContacts),
	fsm.On("§5.4.1.2.2", Reassigning, AssignmentRefused, Registered, Refuse),
	fsm.On("§5.4.1.2.2F", Reassigning, ContactsUpdated, Registered, Accept, Notify),
	fsm.On("§5.4.1.2.2", Reassigning, ContactsRefused, Registered, Refuse),
	fsm.On("§5.4.1.5", Reassigning, ContactLost, Reassigning, Notify),
	fsm.On("§5.4.1.5", Reassigning, LastContactLost, Assigning, ReleaseServerLater, Notify),
	fsm.On("§5.4.1.5, TS 29.228 §6.1.3", Reassigning, NetworkEnd, Assigning, Notify),
	fsm.On("§5.4.1.5, TS 29.228 §6.1.2", Reassigning, OperatorEnd, Assigning, Notify, TakeBack),

	fsm.On("§5.4.1.4", Releasing, Released, Releasing, UpdateContacts),
	fsm.On("§5.4.1.4", Releasing, ContactsUpdated, NotRegistered, Accept, Notify),
	fsm.On("§5.4.1.5", Releasing, ContactLost, Releasing, Notify),
	fsm.On("§5.4.1.5", Releasing, LastContactLost, NotRegistered, Notify),
	fsm.On("§5.4.1.5, TS 29.228 §6.1.3", Releasing, NetworkEnd, NotRegistered, Notify),
	fsm.On("§5.4.1.5, TS 29.228 §6.1.2", Releasing, OperatorEnd, NotRegistered, Notify),
)

var stateNames = [...]string{"NotRegistered", "Assigning", "Registered", "Reassigning", "Releasing"}

// String returns the state's name.
func (s State) String() string { return stateNames[s] }

var eventNames = [...]string{
	"Authenticated", "AuthenticatedEnd", "Vouched", "VouchedEnd", "Assigned", "AssignmentRefused", "ContactsUpdated", "ContactsRefused",
	"Released", "AuthenticationFailed", "AuthenticationTimedOut", "ContactLost", "LastContactLost", "NetworkEnd", "OperatorEnd",
}

// String returns the event's name.
func (e Event) String() string { return eventNames[e] }

var actionNames = [...]string{
	"AssignServer", "ReassignServer", "ReleaseServer", "ReleaseServerLater", "TakeBack", "UpdateContacts", "Accept", "Refuse", "Forbid",
	"ReportAuthFailure", "ReportAuthTimeout", "Notify",
}

// String returns the action's name.
func (a Action) String() string { return actionNames[a] }
