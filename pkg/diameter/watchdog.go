package diameter

import "github.com/dialtone-ims/dialtone/pkg/fsm"

// watchdogState is how far a peer is trusted (RFC 3539 §3.4.1). It outlives connections: a peer that was lost has to earn its way back.
type watchdogState string

const (
	watchdogInitial watchdogState = "INITIAL"
	watchdogOkay    watchdogState = "OKAY"
	watchdogSuspect watchdogState = "SUSPECT"
	watchdogReopen  watchdogState = "REOPEN"
	watchdogDown    watchdogState = "DOWN"
)

// String returns the state's name in the RFC.
func (s watchdogState) String() string { return string(s) }

type watchdogEvent string

const (
	watchdogConnectionUp   watchdogEvent = "Connection up"
	watchdogConnectionDown watchdogEvent = "Connection down"
	watchdogLeave          watchdogEvent = "DPR or DPA" // an orderly end
	watchdogDWA            watchdogEvent = "Receive DWA"
	watchdogThirdDWA       watchdogEvent = "Receive DWA & NumDWA == 2"
	watchdogOther          watchdogEvent = "Receive non-DWA"
	watchdogQuiet          watchdogEvent = "Timer expires & !Pending"
	watchdogPending        watchdogEvent = "Timer expires & Pending"
	watchdogGivenUp        watchdogEvent = "Timer expires & Pending & NumDWA == -1"
)

// String returns the event's name in the RFC.
func (e watchdogEvent) String() string { return string(e) }

type watchdogAction string

const (
	doSendDWR         watchdogAction = "SendWatchdog"
	doFailover        watchdogAction = "Failover"
	doFailback        watchdogAction = "Failback"
	doCloseConnection watchdogAction = "CloseConnection"
	doCountDWA        watchdogAction = "NumDWA++"
	doResetDWA        watchdogAction = "NumDWA = 0"
	doDisgraceDWA     watchdogAction = "NumDWA = -1"
)

// String returns the action's name in the RFC.
func (a watchdogAction) String() string { return string(a) }

func onWatchdog(
	from watchdogState, on watchdogEvent, to watchdogState, do ...watchdogAction,
) fsm.Row[watchdogState, watchdogEvent, watchdogAction] {
	return fsm.On("RFC 3539 A", from, on, to, do...)
}

// watchdogMachine is the table of RFC 3539 Appendix A with two differences. AttemptOpen belongs to the dialling loop, which has its own
// pauses. And no message is thrown away in REOPEN: a restarted peer knows nothing of our doubts and may send requests at once. While a
// peer is OKAY, messages other than DWAs need no step: only their time is recorded. NumDWA counts in REOPEN alone, and a DWR is always
// out in SUSPECT.
var watchdogMachine = fsm.New(
	onWatchdog(watchdogOkay, watchdogDWA, watchdogOkay),
	onWatchdog(watchdogSuspect, watchdogDWA, watchdogOkay, doFailback),
	onWatchdog(watchdogSuspect, watchdogOther, watchdogOkay, doFailback),
	onWatchdog(watchdogReopen, watchdogThirdDWA, watchdogOkay, doCountDWA, doFailback),
	onWatchdog(watchdogReopen, watchdogDWA, watchdogReopen, doCountDWA),
	onWatchdog(watchdogReopen, watchdogOther, watchdogReopen),

	onWatchdog(watchdogOkay, watchdogQuiet, watchdogOkay, doSendDWR),
	onWatchdog(watchdogOkay, watchdogPending, watchdogSuspect, doFailover),
	onWatchdog(watchdogSuspect, watchdogPending, watchdogDown, doCloseConnection),
	onWatchdog(watchdogReopen, watchdogQuiet, watchdogReopen, doSendDWR),
	onWatchdog(watchdogReopen, watchdogPending, watchdogReopen, doDisgraceDWA),
	onWatchdog(watchdogReopen, watchdogGivenUp, watchdogDown, doCloseConnection),

	onWatchdog(watchdogInitial, watchdogConnectionUp, watchdogOkay),
	onWatchdog(watchdogDown, watchdogConnectionUp, watchdogReopen, doResetDWA, doSendDWR),
	onWatchdog(watchdogOkay, watchdogConnectionDown, watchdogDown),
	onWatchdog(watchdogSuspect, watchdogConnectionDown, watchdogDown),
	onWatchdog(watchdogReopen, watchdogConnectionDown, watchdogDown),

	// A peer that leaves properly has not failed, and begins anew.
	fsm.On[watchdogState, watchdogEvent, watchdogAction]("beyond RFC 3539", watchdogOkay, watchdogLeave, watchdogInitial),
	fsm.On[watchdogState, watchdogEvent, watchdogAction]("beyond RFC 3539", watchdogSuspect, watchdogLeave, watchdogInitial),
	fsm.On[watchdogState, watchdogEvent, watchdogAction]("beyond RFC 3539", watchdogReopen, watchdogLeave, watchdogInitial),
)

// watchdog is the machine's memory for one peer.
type watchdog struct {
	run     fsm.Instance[watchdogState, watchdogEvent, watchdogAction]
	pending bool // a DWR is out
	numDWA  int
}

// expired classifies the end of Tw.
func (w *watchdog) expired() watchdogEvent {
	switch {
	case !w.pending:
		return watchdogQuiet
	case w.run.State() == watchdogReopen && w.numDWA == -1:
		return watchdogGivenUp
	default:
		return watchdogPending
	}
}

// answered classifies a DWA.
func (w *watchdog) answered() watchdogEvent {
	if w.run.State() == watchdogReopen && w.numDWA == 2 {
		return watchdogThirdDWA
	}

	return watchdogDWA
}

// step changes the memory and returns what remains to be done to the connection.
func (w *watchdog) step(event watchdogEvent) []watchdogAction {
	actions, found := w.run.Step(event)
	if !found {
		return nil
	}

	switch event {
	case watchdogDWA, watchdogThirdDWA, watchdogConnectionUp, watchdogConnectionDown, watchdogLeave:
		w.pending = false
	}

	var remaining []watchdogAction

	for _, action := range actions {
		switch action {
		case doCountDWA:
			w.numDWA++
		case doResetDWA:
			w.numDWA = 0
		case doDisgraceDWA:
			w.numDWA = -1
		case doSendDWR:
			w.pending = true
			remaining = append(remaining, action)
		default:
			remaining = append(remaining, action)
		}
	}

	return remaining
}
