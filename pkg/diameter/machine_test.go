package diameter

import (
	"slices"
	"testing"
)

// Every pair of state and event has a verdict: a row of the table, or a reason why it cannot matter.
func TestPeerMachineIsComplete(t *testing.T) {
	states := []peerState{peerClosed, peerWaitConnAck, peerWaitICEA, peerWaitConnAckElect, peerWaitReturns, peerROpen, peerIOpen, peerClosing}
	connecting := []peerState{peerWaitConnAck, peerWaitConnAckElect}
	ignored := map[peerEvent][]peerState{
		eventStart: {
			peerWaitConnAck,
			peerWaitICEA,
			peerWaitConnAckElect,
			peerWaitReturns,
			peerROpen,
			peerIOpen,
			peerClosing,
		}, // connecting or connected
		eventConnAck: {
			peerClosed,
			peerWaitICEA,
			peerWaitReturns,
			peerROpen,
			peerIOpen,
			peerClosing,
		}, // stopped while dialling
		eventConnNack: {peerClosed, peerWaitICEA, peerWaitReturns, peerROpen, peerIOpen, peerClosing},
		eventReplaced: {
			peerClosed,
			peerWaitConnAck,
			peerWaitICEA,
			peerWaitConnAckElect,
			peerWaitReturns,
			peerClosing,
		}, // only where a connection is open
		eventCEA:    append([]peerState{peerClosed, peerROpen, peerIOpen, peerClosing}, connecting...), // no CER is out
		eventNonCEA: append([]peerState{peerClosed, peerROpen, peerIOpen, peerClosing}, connecting...),
		eventElected: {
			peerClosed,
			peerWaitConnAck,
			peerWaitICEA,
			peerWaitConnAckElect,
			peerROpen,
			peerIOpen,
			peerClosing,
		}, // comes from Elect alone
		eventIDisc: {
			peerClosed,
			peerWaitConnAck,
			peerWaitConnAckElect,
			peerROpen,
		}, // no initiator connection
		eventRDisc: {
			peerClosed,
			peerWaitConnAck,
			peerWaitICEA,
			peerIOpen,
		}, // no responder connection
		eventDPR: append([]peerState{peerClosed, peerWaitICEA, peerWaitReturns}, connecting...),                       // not open
		eventDPA: append([]peerState{peerClosed, peerWaitICEA, peerWaitReturns, peerROpen, peerIOpen}, connecting...), // not asked for
		eventTimeout: {
			peerClosed,
			peerROpen,
			peerIOpen,
		}, // nothing is waited for; the watchdog's are its own
		eventStop: {peerClosed, peerClosing}, // done
	}
	events := []peerEvent{
		eventStart, eventConnAck, eventConnNack, eventConnCER, eventReplaced, eventCEA, eventNonCEA, eventElected,
		eventIDisc, eventRDisc, eventDPR, eventDPA, eventTimeout, eventStop,
	}

	for _, event := range events {
		for _, state := range states {
			_, found := peerMachine.step(state, event)
			if passed := slices.Contains(ignored[event], state); found == passed {
				t.Errorf("%s in %s: row %v, ignored %v", event, state, found, passed)
			}
		}
	}
}

// The connections that each state has are those that the rows leave there.
func TestPeerMachineKeepsItsConnections(t *testing.T) {
	type slots struct{ initiator, responder bool }

	has := map[peerState][]slots{
		peerClosed:           {{}},
		peerWaitConnAck:      {{}},
		peerWaitICEA:         {{true, false}},
		peerWaitConnAckElect: {{false, true}},
		peerWaitReturns:      {{true, true}},
		peerROpen:            {{false, true}},
		peerIOpen:            {{true, false}},
		peerClosing:          {{true, false}, {false, true}},
	}

	for at, row := range peerMachine {
		for _, before := range has[at.state] {
			after := before

			if at.state == peerClosing && (at.event == eventIDisc && !before.initiator || at.event == eventRDisc && !before.responder) {
				continue // cannot happen
			}

			for _, action := range row.do {
				switch action {
				case doSendCER:
					after.initiator = true
				case doAccept:
					after.responder = true
				case doIDisc:
					after.initiator = false
				case doRDisc:
					after.responder = false
				case doCleanup, doFarewell:
					after = slots{}
				}
			}

			if slices.Contains(row.do, doElect) || slices.Contains(has[row.to], after) {
				continue
			}

			t.Errorf("%s in %s leads to %s with %+v", at.event, at.state, row.to, after)
		}
	}
}

func TestTwoRowsForOneSituationPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("two rows for one situation were taken")
		}
	}()

	newMachine(onPeer(peerClosed, eventStart, peerWaitConnAck), onPeer(peerClosed, eventStart, peerClosed))
}

// The rows of RFC 3539 Appendix A, one by one.
func TestWatchdog(t *testing.T) {
	tests := []struct {
		name  string
		from  watchdog
		event func(*watchdog) watchdogEvent
		to    watchdog
		do    []watchdogAction
	}{
		{"INITIAL, connection up", watchdog{watchdogInitial, false, 0}, up, watchdog{watchdogOkay, false, 0}, nil},
		{
			"DOWN, connection up: three DWAs are wanted",
			watchdog{watchdogDown, false, 3},
			up,
			watchdog{watchdogReopen, true, 0},
			[]watchdogAction{doSendDWR},
		},
		{"OKAY, DWA", watchdog{watchdogOkay, true, 0}, (*watchdog).answered, watchdog{watchdogOkay, false, 0}, nil},
		{"OKAY, other: the DWA is still out", watchdog{watchdogOkay, true, 0}, other, watchdog{watchdogOkay, true, 0}, nil},
		{
			"SUSPECT, DWA",
			watchdog{watchdogSuspect, true, 0},
			(*watchdog).answered,
			watchdog{watchdogOkay, false, 0},
			[]watchdogAction{doFailback},
		},
		{"SUSPECT, other", watchdog{watchdogSuspect, true, 0}, other, watchdog{watchdogOkay, true, 0}, []watchdogAction{doFailback}},
		{"REOPEN, first DWA", watchdog{watchdogReopen, true, 0}, (*watchdog).answered, watchdog{watchdogReopen, false, 1}, nil},
		{"REOPEN, second DWA", watchdog{watchdogReopen, true, 1}, (*watchdog).answered, watchdog{watchdogReopen, false, 2}, nil},
		{
			"REOPEN, third DWA",
			watchdog{watchdogReopen, true, 2},
			(*watchdog).answered,
			watchdog{watchdogOkay, false, 3},
			[]watchdogAction{doFailback},
		},
		{"REOPEN, other", watchdog{watchdogReopen, true, 1}, other, watchdog{watchdogReopen, true, 1}, nil},
		{
			"OKAY, timer, no DWR out",
			watchdog{watchdogOkay, false, 0},
			(*watchdog).expired,
			watchdog{watchdogOkay, true, 0},
			[]watchdogAction{doSendDWR},
		},
		{
			"OKAY, timer, DWR out",
			watchdog{watchdogOkay, true, 0},
			(*watchdog).expired,
			watchdog{watchdogSuspect, true, 0},
			[]watchdogAction{doFailover},
		},
		{
			"SUSPECT, timer",
			watchdog{watchdogSuspect, true, 0},
			(*watchdog).expired,
			watchdog{watchdogDown, true, 0},
			[]watchdogAction{doCloseConnection},
		},
		{
			"REOPEN, timer, no DWR out",
			watchdog{watchdogReopen, false, 1},
			(*watchdog).expired,
			watchdog{watchdogReopen, true, 1},
			[]watchdogAction{doSendDWR},
		},
		{"REOPEN, timer, DWR out", watchdog{watchdogReopen, true, 1}, (*watchdog).expired, watchdog{watchdogReopen, true, -1}, nil},
		{
			"REOPEN, timer again, DWR out",
			watchdog{watchdogReopen, true, -1},
			(*watchdog).expired,
			watchdog{watchdogDown, true, -1},
			[]watchdogAction{doCloseConnection},
		},
		{"OKAY, connection down", watchdog{watchdogOkay, true, 0}, down, watchdog{watchdogDown, false, 0}, nil},
		{"SUSPECT, connection down", watchdog{watchdogSuspect, true, 0}, down, watchdog{watchdogDown, false, 0}, nil},
		{"REOPEN, connection down", watchdog{watchdogReopen, true, 1}, down, watchdog{watchdogDown, false, 1}, nil},
		{"DOWN, DWA: too late", watchdog{watchdogDown, false, 0}, (*watchdog).answered, watchdog{watchdogDown, false, 0}, nil},
		{"OKAY, DPR: nothing has failed", watchdog{watchdogOkay, true, 0}, leave, watchdog{watchdogInitial, false, 0}, nil},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := test.from
			do := w.step(test.event(&w))

			if w != test.to || !slices.Equal(do, test.do) {
				t.Errorf("got %+v %v, want %+v %v", w, do, test.to, test.do)
			}
		})
	}
}

func up(*watchdog) watchdogEvent    { return watchdogConnectionUp }
func down(*watchdog) watchdogEvent  { return watchdogConnectionDown }
func other(*watchdog) watchdogEvent { return watchdogOther }
func leave(*watchdog) watchdogEvent { return watchdogLeave }
