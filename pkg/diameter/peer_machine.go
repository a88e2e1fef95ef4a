package diameter

import "github.com/dialtone-ims/dialtone/pkg/fsm"

// peerState is a state of a peer in RFC 6733 §5.6. I is the connection that this node opened, R the one that the peer did.
type peerState string

const (
	peerClosed           peerState = "Closed"
	peerWaitConnAck      peerState = "Wait-Conn-Ack"
	peerWaitICEA         peerState = "Wait-I-CEA"
	peerWaitConnAckElect peerState = "Wait-Conn-Ack/Elect"
	peerWaitReturns      peerState = "Wait-Returns"
	peerROpen            peerState = "R-Open"
	peerIOpen            peerState = "I-Open"
	peerClosing          peerState = "Closing"
)

// String returns the state's name in the RFC.
func (s peerState) String() string { return string(s) }

type peerEvent string

const (
	eventStart    peerEvent = "Start"
	eventConnAck  peerEvent = "I-Rcv-Conn-Ack"
	eventConnNack peerEvent = "I-Rcv-Conn-Nack"
	eventConnCER  peerEvent = "R-Conn-CER"
	eventReplaced peerEvent = "R-Conn-CER, and the open connection is dead"
	eventCEA      peerEvent = "I-Rcv-CEA"
	eventNonCEA   peerEvent = "I-Rcv-Non-CEA" // or a CEA that refuses
	eventElected  peerEvent = "Win-Election"
	eventIDisc    peerEvent = "I-Peer-Disc"
	eventRDisc    peerEvent = "R-Peer-Disc"
	eventDPR      peerEvent = "Rcv-DPR"
	eventDPA      peerEvent = "Rcv-DPA"
	eventTimeout  peerEvent = "Timeout"
	eventStop     peerEvent = "Stop"
)

// String returns the event's name in the RFC.
func (e peerEvent) String() string { return string(e) }

type peerAction string

const (
	doConnect  peerAction = "I-Snd-Conn-Req"
	doSendCER  peerAction = "I-Snd-CER"
	doAccept   peerAction = "R-Accept"
	doReject   peerAction = "R-Reject"
	doQuestion peerAction = "ask the open connection"
	doElect    peerAction = "Elect"
	doSendCEA  peerAction = "R-Snd-CEA"
	doOpenI    peerAction = "Process-CEA" // and open the initiator connection
	doOpenR    peerAction = "open R"
	doIDisc    peerAction = "I-Disc"
	doRDisc    peerAction = "R-Disc"
	doCleanup  peerAction = "Cleanup" // Error is the same
	doSendDPR  peerAction = "Snd-DPR"
	doSendDPA  peerAction = "Snd-DPA"
	doFarewell peerAction = "Disc after what is in work"
)

// String returns the action's name in the RFC.
func (a peerAction) String() string { return string(a) }

func onPeer(from peerState, on peerEvent, to peerState, do ...peerAction) fsm.Row[peerState, peerEvent, peerAction] {
	return fsm.On("§5.6", from, on, to, do...)
}

// beyond returns a row that the RFC does not have.
func beyond(from peerState, on peerEvent, to peerState, do ...peerAction) fsm.Row[peerState, peerEvent, peerAction] {
	return fsm.On("beyond §5.6", from, on, to, do...)
}

// peerMachine is the table of RFC 6733 §5.6. Its rows for messages over an open connection, which neither change the state nor need the
// peer's lock, are in connection.dispatch. The rows after each blank line in a state are not in the RFC: they cover what it leaves open.
// In Wait-Conn-Ack there is no connection to clean up yet, and the attempt has a deadline that ends it as I-Rcv-Conn-Nack.
var peerMachine = fsm.New(
	onPeer(peerClosed, eventStart, peerWaitConnAck, doConnect),
	onPeer(peerClosed, eventConnCER, peerROpen, doAccept, doSendCEA, doOpenR),

	onPeer(peerWaitConnAck, eventConnAck, peerWaitICEA, doSendCER),
	onPeer(peerWaitConnAck, eventConnNack, peerClosed),
	onPeer(peerWaitConnAck, eventConnCER, peerWaitConnAckElect, doAccept),

	beyond(peerWaitConnAck, eventStop, peerClosed),

	onPeer(peerWaitICEA, eventCEA, peerIOpen, doOpenI),
	onPeer(peerWaitICEA, eventConnCER, peerWaitReturns, doAccept, doElect),
	onPeer(peerWaitICEA, eventIDisc, peerClosed, doIDisc),
	onPeer(peerWaitICEA, eventNonCEA, peerClosed, doCleanup),
	onPeer(peerWaitICEA, eventTimeout, peerClosed, doCleanup),

	beyond(peerWaitICEA, eventStop, peerClosed, doCleanup),

	onPeer(peerWaitConnAckElect, eventConnAck, peerWaitReturns, doSendCER, doElect),
	onPeer(peerWaitConnAckElect, eventConnNack, peerROpen, doSendCEA, doOpenR),
	onPeer(peerWaitConnAckElect, eventRDisc, peerWaitConnAck, doRDisc),
	onPeer(peerWaitConnAckElect, eventConnCER, peerWaitConnAckElect, doReject),
	onPeer(peerWaitConnAckElect, eventTimeout, peerClosed, doCleanup),

	beyond(peerWaitConnAckElect, eventStop, peerClosed, doCleanup),

	onPeer(peerWaitReturns, eventElected, peerROpen, doIDisc, doSendCEA, doOpenR),
	onPeer(peerWaitReturns, eventIDisc, peerROpen, doIDisc, doSendCEA, doOpenR),
	onPeer(peerWaitReturns, eventCEA, peerIOpen, doRDisc, doOpenI),
	onPeer(peerWaitReturns, eventRDisc, peerWaitICEA, doRDisc),
	onPeer(peerWaitReturns, eventConnCER, peerWaitReturns, doReject),
	onPeer(peerWaitReturns, eventTimeout, peerClosed, doCleanup),

	// Some peers send ELECTION_LOST in a CEA before they disconnect.
	beyond(peerWaitReturns, eventNonCEA, peerROpen, doIDisc, doSendCEA, doOpenR),
	beyond(peerWaitReturns, eventStop, peerClosed, doCleanup),

	beyond(peerROpen, eventConnCER, peerROpen, doQuestion),
	onPeer(peerROpen, eventStop, peerClosing, doSendDPR),
	onPeer(peerROpen, eventDPR, peerClosing, doSendDPA),
	onPeer(peerROpen, eventRDisc, peerClosed, doRDisc),

	// The RFC rejects the new connection at once (R-Reject). But a peer that connects again has most likely lost its first connection,
	// without this node hearing of it; the watchdog would see that only after two or three times Tw. So the open connection is tested,
	// and the new one rejected if the test is answered. A greater Origin-State-Id (§8.16) needs no test: the open connection is from
	// before the peer's restart.
	beyond(peerROpen, eventReplaced, peerROpen, doRDisc, doAccept, doSendCEA, doOpenR),

	beyond(peerIOpen, eventConnCER, peerIOpen, doQuestion),
	onPeer(peerIOpen, eventStop, peerClosing, doSendDPR),
	onPeer(peerIOpen, eventDPR, peerClosing, doSendDPA),
	onPeer(peerIOpen, eventIDisc, peerClosed, doIDisc),

	beyond(peerIOpen, eventReplaced, peerROpen, doIDisc, doAccept, doSendCEA, doOpenR),

	onPeer(peerClosing, eventDPA, peerClosed, doFarewell),
	onPeer(peerClosing, eventTimeout, peerClosed, doCleanup),
	onPeer(peerClosing, eventIDisc, peerClosed, doIDisc),
	onPeer(peerClosing, eventRDisc, peerClosed, doRDisc),

	beyond(peerClosing, eventDPR, peerClosing, doSendDPA), // both leave at once
	beyond(peerClosing, eventConnCER, peerClosing, doReject),
)
