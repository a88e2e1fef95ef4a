package session

import "github.com/dialtone-ims/dialtone/pkg/fsm"

// LegState is the state of an initial request on one leg: at an application server, or on the way to its target.
type LegState uint8

// States of a leg.
const (
	Evaluating       LegState = iota // the next filter criterion is looked for
	AtServer                         // at a server whose default handling is SESSION_CONTINUED
	AtRequiredServer                 // at a server whose default handling is SESSION_TERMINATED
	AtLiveServer                     // that server has handed the request back: its response stands
	GivenUp                          // the server was dead or cannot be addressed: the request went on without it, or ended
	TowardsTarget                    // originating: to the I-CSCF, or to another network
	BrokenOut                        // originating: to a BGCF, or its substitute
	TowardsUE                        // terminating: to the contacts of the user
)

var legStates = [...]string{
	Evaluating: "Evaluating", AtServer: "AtServer", AtRequiredServer: "AtRequiredServer", AtLiveServer: "AtLiveServer",
	GivenUp: "GivenUp", TowardsTarget: "TowardsTarget", BrokenOut: "BrokenOut", TowardsUE: "TowardsUE",
}

func (s LegState) String() string { return nameOf(legStates[:], int(s)) }

// LegEvent is something that happens to a request on a leg.
type LegEvent uint8

// Events of a leg.
const (
	CriterionMatched         LegEvent = iota // default handling SESSION_CONTINUED
	RequiredCriterionMatched                 // default handling SESSION_TERMINATED
	ServerUnusable                           // the criterion's server cannot be addressed; SESSION_CONTINUED
	RequiredServerUnusable                   // the same; SESSION_TERMINATED
	NoCriterionOriginating                   // no further criterion matches
	NoCriterionTerminating                   // likewise, for the called user
	RequestReturned                          // the request comes back with its original dialog identifier
	ServerDead                               // no response, 408 or 5xx, and no provisional response before it
	ServerFailed                             // the same after a provisional response
	NobodyHere                               // 404 or 604 of the I-CSCF: the HSS knows no user with this number
	NoBreakout                               // the same, and no route leads out of the network
	FlowFailed                               // 430 of a contact's P-CSCF
)

var legEvents = [...]string{
	CriterionMatched: "CriterionMatched", RequiredCriterionMatched: "RequiredCriterionMatched", ServerUnusable: "ServerUnusable",
	RequiredServerUnusable: "RequiredServerUnusable", NoCriterionOriginating: "NoCriterionOriginating",
	NoCriterionTerminating: "NoCriterionTerminating", RequestReturned: "RequestReturned", ServerDead: "ServerDead",
	ServerFailed: "ServerFailed", NobodyHere: "NobodyHere", NoBreakout: "NoBreakout", FlowFailed: "FlowFailed",
}

func (e LegEvent) String() string { return nameOf(legEvents[:], int(e)) }

// LegAction is one action of a row.
type LegAction uint8

// Actions.
const (
	RouteToServer LegAction = iota // to the server, with the original dialog identifier behind it
	NextCriterion                  // go on with the criteria behind this one; after a dead server on a leg of their own
	RefuseRequest                  // 500
	RouteToTarget                  // charge, and send it to the I-CSCF or another network
	RouteToUE                      // charge, and send it to the contacts
	GoOn                           // go on with the criteria behind this one for the returned request
	RefuseLate                     // 481: the request went on without the server
	BreakOut                       // to the route out of the network
	EndContact                     // the contact's registration ends
)

var legActions = [...]string{
	RouteToServer: "RouteToServer", NextCriterion: "NextCriterion", RefuseRequest: "RefuseRequest", RouteToTarget: "RouteToTarget",
	RouteToUE: "RouteToUE", GoOn: "GoOn", RefuseLate: "RefuseLate", BreakOut: "BreakOut", EndContact: "EndContact",
}

func (a LegAction) String() string { return nameOf(legActions[:], int(a)) }

func nameOf(names []string, at int) string {
	if at < len(names) {
		return names[at]
	}

	return "unknown"
}

const (
	criteria     = "TS 24.229 §5.4.3.2, §5.4.3.3" // filter criteria and default handling, of caller and called user
	originates   = "TS 24.229 §5.4.3.2"           // requests initiated by the served user
	terminates   = "TS 24.229 §5.4.3.3"           // requests terminated at the served user
	identifier   = "TS 24.229 §5.4.3.4"           // original dialog identifier
	flow         = "RFC 5626 §5.3.1"
	serverAnswer = "the server is alive: its answer is the answer"
)

// LegMachine is the way of an initial request through the application servers of its user and on to its target. Each server that it is
// sent to is a leg, and so is the rest of the way.
var LegMachine = fsm.New(
	fsm.On(criteria, Evaluating, CriterionMatched, AtServer, RouteToServer),
	fsm.On(criteria, Evaluating, RequiredCriterionMatched, AtRequiredServer, RouteToServer),
	fsm.On(criteria, Evaluating, ServerUnusable, Evaluating, NextCriterion),
	fsm.On(criteria, Evaluating, RequiredServerUnusable, GivenUp, RefuseRequest),
	fsm.On(originates, Evaluating, NoCriterionOriginating, TowardsTarget, RouteToTarget),
	fsm.On(terminates, Evaluating, NoCriterionTerminating, TowardsUE, RouteToUE),

	fsm.On(identifier, AtServer, RequestReturned, AtLiveServer, GoOn),
	fsm.On(criteria, AtServer, ServerDead, GivenUp, NextCriterion),
	fsm.Ignore[LegAction](AtServer, ServerFailed, serverAnswer),

	fsm.On(identifier, AtRequiredServer, RequestReturned, AtLiveServer, GoOn),
	fsm.On[LegState, LegEvent, LegAction](criteria, AtRequiredServer, ServerDead, GivenUp),
	fsm.Ignore[LegAction](AtRequiredServer, ServerFailed, serverAnswer),

	fsm.On(identifier, AtLiveServer, RequestReturned, AtLiveServer, GoOn),
	fsm.Ignore[LegAction](AtLiveServer, ServerDead, serverAnswer),
	fsm.Ignore[LegAction](AtLiveServer, ServerFailed, serverAnswer),

	fsm.On(identifier, GivenUp, RequestReturned, GivenUp, RefuseLate),

	fsm.On(originates, TowardsTarget, NobodyHere, BrokenOut, BreakOut),
	fsm.Ignore[LegAction](TowardsTarget, NoBreakout, "nobody has the number"),
	fsm.Ignore[LegAction](BrokenOut, NobodyHere, "the other network's answer is the answer"),
	fsm.On(flow, TowardsUE, FlowFailed, TowardsUE, EndContact),
)
