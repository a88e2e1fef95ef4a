package diameter

// watchdogState is how far a peer is trusted (RFC 3539 §3.4.1). It outlives connections: a peer that was lost has to earn
// its way back.
type watchdogState string

const (
	watchdogInitial watchdogState = "INITIAL"
	watchdogOkay    watchdogState = "OKAY"
	watchdogSuspect watchdogState = "SUSPECT"
	watchdogReopen  watchdogState = "REOPEN"
	watchdogDown    watchdogState = "DOWN"
)

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

type watchdogRow = transition[watchdogState, watchdogEvent, watchdogAction]

func onWatchdog(from watchdogState, on watchdogEvent, to watchdogState, do ...watchdogAction) watchdogRow {
	return watchdogRow{from, on, to, do}
}

// watchdogMachine is the table of RFC 3539 Appendix A with two differences. AttemptOpen is the dialling loop's, which has
// its own pauses. And no message is thrown away in REOPEN: a peer that was restarted knows nothing of our doubts and may
// send requests at once.
var watchdogMachine = newMachine(
	onWatchdog(watchdogOkay, watchdogDWA, watchdogOkay),
	onWatchdog(watchdogOkay, watchdogThirdDWA, watchdogOkay),
	onWatchdog(watchdogOkay, watchdogOther, watchdogOkay),
	onWatchdog(watchdogSuspect, watchdogDWA, watchdogOkay, doFailback),
	onWatchdog(watchdogSuspect, watchdogThirdDWA, watchdogOkay, doFailback),
	onWatchdog(watchdogSuspect, watchdogOther, watchdogOkay, doFailback),
	onWatchdog(watchdogReopen, watchdogThirdDWA, watchdogOkay, doCountDWA, doFailback),
	onWatchdog(watchdogReopen, watchdogDWA, watchdogReopen, doCountDWA),
	onWatchdog(watchdogReopen, watchdogOther, watchdogReopen),

	onWatchdog(watchdogOkay, watchdogQuiet, watchdogOkay, doSendDWR),
	onWatchdog(watchdogOkay, watchdogPending, watchdogSuspect, doFailover),
	onWatchdog(watchdogOkay, watchdogGivenUp, watchdogSuspect, doFailover),
	onWatchdog(watchdogSuspect, watchdogQuiet, watchdogDown, doCloseConnection),
	onWatchdog(watchdogSuspect, watchdogPending, watchdogDown, doCloseConnection),
	onWatchdog(watchdogSuspect, watchdogGivenUp, watchdogDown, doCloseConnection),
	onWatchdog(watchdogReopen, watchdogQuiet, watchdogReopen, doSendDWR),
	onWatchdog(watchdogReopen, watchdogPending, watchdogReopen, doDisgraceDWA),
	onWatchdog(watchdogReopen, watchdogGivenUp, watchdogDown, doCloseConnection),

	onWatchdog(watchdogInitial, watchdogConnectionUp, watchdogOkay),
	onWatchdog(watchdogDown, watchdogConnectionUp, watchdogReopen, doResetDWA, doSendDWR),
	onWatchdog(watchdogOkay, watchdogConnectionDown, watchdogDown),
	onWatchdog(watchdogSuspect, watchdogConnectionDown, watchdogDown),
	onWatchdog(watchdogReopen, watchdogConnectionDown, watchdogDown),

	// Who takes a proper leave has not failed, and begins anew.
	onWatchdog(watchdogOkay, watchdogLeave, watchdogInitial),
	onWatchdog(watchdogSuspect, watchdogLeave, watchdogInitial),
	onWatchdog(watchdogReopen, watchdogLeave, watchdogInitial),
)

// watchdog is the machine's memory for one peer.
type watchdog struct {
	state   watchdogState
	pending bool // a DWR is out
	numDWA  int
}

func newWatchdog() watchdog { return watchdog{state: watchdogInitial} }

// expired classifies the end of Tw.
func (w *watchdog) expired() watchdogEvent {
	switch {
	case !w.pending:
		return watchdogQuiet
	case w.state == watchdogReopen && w.numDWA == -1:
		return watchdogGivenUp
	default:
		return watchdogPending
	}
}

// answered classifies a DWA.
func (w *watchdog) answered() watchdogEvent {
	if w.state == watchdogReopen && w.numDWA == 2 {
		return watchdogThirdDWA
	}

	return watchdogDWA
}

// step changes the memory and says what remains to be done to the connection.
func (w *watchdog) step(event watchdogEvent) []watchdogAction {
	row, found := watchdogMachine.step(w.state, event)
	if !found {
		return nil
	}

	w.state = row.to

	switch event {
	case watchdogDWA, watchdogThirdDWA, watchdogConnectionUp, watchdogConnectionDown, watchdogLeave:
		w.pending = false
	}

	var remaining []watchdogAction

	for _, action := range row.do {
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
