package diameter

import (
	"slices"
	"testing"
)

// TestPeerMachineIsComplete: every pair of state and event has a verdict: a row of the table, or a reason why it cannot matter.
func TestPeerMachineIsComplete(t *testing.T) {
	states := []peerState{
		peerClosed,
		peerWaitConnAck,
		peerWaitICEA,
		peerWaitConnAckElect,
		peerWaitReturns,
		peerROpen,
		peerIOpen,
		peerClosing,
	}
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
			peerWaitConnAck, // the attempt has a deadline of its own
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
			_, found := peerMachine.Step(state, event)
			if passed := slices.Contains(ignored[event], state); found == passed {
				t.Errorf("%s in %s: row %v, ignored %v", event, state, found, passed)
			}
		}
	}
}

// TestPeerMachineKeepsItsConnections: the connections in each state are those that the rows leave there.
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

	for _, row := range peerMachine.Rows() {
		for _, before := range has[row.From] {
			after := before

			if row.From == peerClosing && (row.Event == eventIDisc && !before.initiator || row.Event == eventRDisc && !before.responder) {
				continue // cannot happen
			}

			for _, action := range row.Do {
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

			if slices.Contains(row.Do, doElect) || slices.Contains(has[row.To], after) {
				continue
			}

			t.Errorf("%s in %s leads to %s with %+v", row.Event, row.From, row.To, after)
		}
	}
}

// TestWatchdog: the rows of RFC 3539 Appendix A, one by one.
func TestWatchdog(t *testing.T) {
	tests := []struct {
		name  string
		from  watchdog
		event func(*watchdog) watchdogEvent
		to    watchdog
		do    []watchdogAction
	}{
		{name: "INITIAL, connection up", from: watching(watchdogInitial, false, 0), event: up, to: watching(watchdogOkay, false, 0)},
		{
			name:  "DOWN, connection up: three DWAs are wanted",
			from:  watching(watchdogDown, false, 3),
			event: up,
			to:    watching(watchdogReopen, true, 0),
			do:    []watchdogAction{doSendDWR},
		},
		{name: "OKAY, DWA", from: watching(watchdogOkay, true, 0), event: (*watchdog).answered, to: watching(watchdogOkay, false, 0)},
		{
			name:  "SUSPECT, DWA",
			from:  watching(watchdogSuspect, true, 0),
			event: (*watchdog).answered,
			to:    watching(watchdogOkay, false, 0),
			do:    []watchdogAction{doFailback},
		},
		{
			name:  "SUSPECT, other",
			from:  watching(watchdogSuspect, true, 0),
			event: other,
			to:    watching(watchdogOkay, true, 0),
			do:    []watchdogAction{doFailback},
		},
		{
			name:  "REOPEN, first DWA",
			from:  watching(watchdogReopen, true, 0),
			event: (*watchdog).answered,
			to:    watching(watchdogReopen, false, 1),
		},
		{
			name:  "REOPEN, second DWA",
			from:  watching(watchdogReopen, true, 1),
			event: (*watchdog).answered,
			to:    watching(watchdogReopen, false, 2),
		},
		{
			name:  "REOPEN, third DWA",
			from:  watching(watchdogReopen, true, 2),
			event: (*watchdog).answered,
			to:    watching(watchdogOkay, false, 3),
			do:    []watchdogAction{doFailback},
		},
		{name: "REOPEN, other", from: watching(watchdogReopen, true, 1), event: other, to: watching(watchdogReopen, true, 1)},
		{
			name:  "OKAY, timer, no DWR out",
			from:  watching(watchdogOkay, false, 0),
			event: (*watchdog).expired,
			to:    watching(watchdogOkay, true, 0),
			do:    []watchdogAction{doSendDWR},
		},
		{
			name:  "OKAY, timer, DWR out",
			from:  watching(watchdogOkay, true, 0),
			event: (*watchdog).expired,
			to:    watching(watchdogSuspect, true, 0),
			do:    []watchdogAction{doFailover},
		},
		{
			name:  "SUSPECT, timer",
			from:  watching(watchdogSuspect, true, 0),
			event: (*watchdog).expired,
			to:    watching(watchdogDown, true, 0),
			do:    []watchdogAction{doCloseConnection},
		},
		{
			name:  "REOPEN, timer, no DWR out",
			from:  watching(watchdogReopen, false, 1),
			event: (*watchdog).expired,
			to:    watching(watchdogReopen, true, 1),
			do:    []watchdogAction{doSendDWR},
		},
		{
			name:  "REOPEN, timer, DWR out",
			from:  watching(watchdogReopen, true, 1),
			event: (*watchdog).expired,
			to:    watching(watchdogReopen, true, -1),
		},
		{
			name:  "REOPEN, timer again, DWR out",
			from:  watching(watchdogReopen, true, -1),
			event: (*watchdog).expired,
			to:    watching(watchdogDown, true, -1),
			do:    []watchdogAction{doCloseConnection},
		},
		{name: "OKAY, connection down", from: watching(watchdogOkay, true, 0), event: down, to: watching(watchdogDown, false, 0)},
		{name: "SUSPECT, connection down", from: watching(watchdogSuspect, true, 0), event: down, to: watching(watchdogDown, false, 0)},
		{name: "REOPEN, connection down", from: watching(watchdogReopen, true, 1), event: down, to: watching(watchdogDown, false, 1)},
		{
			name:  "DOWN, DWA: too late",
			from:  watching(watchdogDown, false, 0),
			event: (*watchdog).answered,
			to:    watching(watchdogDown, false, 0),
		},
		{
			name:  "OKAY, DPR: nothing has failed",
			from:  watching(watchdogOkay, true, 0),
			event: leave,
			to:    watching(watchdogInitial, false, 0),
		},
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

func watching(state watchdogState, pending bool, numDWA int) watchdog {
	return watchdog{run: watchdogMachine.Start(state), pending: pending, numDWA: numDWA}
}
