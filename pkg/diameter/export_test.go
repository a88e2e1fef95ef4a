package diameter

import (
	"github.com/fiorix/go-diameter/v4/diam"

	"github.com/dialtone-ims/dialtone/pkg/fsm"
)

// Attribute is an AVP of a dictionary, for the tests.
type Attribute struct {
	Name         string
	Code, Vendor uint32
	Flags        uint8
	Type         string
}

// Attributes returns the AVPs of an application's own dictionary.
func (d *Dictionary) Attributes(application uint32) (attributes []Attribute) {
	app, err := d.parser.App(application)
	if err != nil {
		panic(err)
	}

	for _, a := range app.AVP {
		attributes = append(attributes, Attribute{Name: a.Name, Code: a.Code, Vendor: a.VendorID, Flags: flags(a), Type: a.Data.TypeName})
	}

	return attributes
}

// Knows reports whether the dictionary has a command.
func (d *Dictionary) Knows(application, code uint32) bool {
	return d.commands[commandKey{application, code}]
}

// Serialize returns the octets that connections write.
func Serialize(m *Message) ([]byte, error) { return serialize(m) }

// Refuse answers a request with an error.
func (d *Dictionary) Refuse(request *Message, e *Error, origin Identity) *Message {
	return d.errorAnswer(request, e, origin)
}

// RefuseWire answers a request that cannot be decoded.
func (d *Dictionary) RefuseWire(w *WireError, origin Identity) *Message {
	return d.refuseWire(w, origin)
}

// Header is a Diameter header.
type Header = diam.Header

// BaseCommands returns an empty message of each command of a connection itself.
func BaseCommands() []Commander {
	return []Commander{
		new(capabilitiesRequest), new(capabilitiesAnswer), new(watchdogRequest), new(watchdogAnswer),
		new(disconnectRequest), new(disconnectAnswer),
	}
}

// Unrepeat removes an equal second identity.
func Unrepeat(m *Message) bool { return unrepeat(m) }

// The machines of a peer, for their transcripts.
type (
	PeerState      = peerState
	PeerEvent      = peerEvent
	PeerAction     = peerAction
	WatchdogState  = watchdogState
	WatchdogEvent  = watchdogEvent
	WatchdogAction = watchdogAction
)

// The tables that run.
var (
	PeerMachine     = peerMachine
	WatchdogMachine = watchdogMachine
)

// RunOn makes a node that does not run yet step other tables.
func (n *Node) RunOn(
	peers *fsm.Machine[PeerState, PeerEvent, PeerAction],
	watchdogs *fsm.Machine[WatchdogState, WatchdogEvent, WatchdogAction],
) {
	n.peerMachine, n.watchdogMachine = peers, watchdogs

	for _, p := range n.peers {
		p.run, p.watchdog.run = peers.Start(p.run.State()), watchdogs.Start(p.watchdog.run.State())
	}
}

// Text returns the AVPs of a message by their names.
func (d *Dictionary) Text(message []byte) string { return d.text(message) }
