package stack

import (
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Cancel asks the other side to end an INVITE (RFC 3261 §9.1): at once if a provisional response has come, else when one comes. The final
// response then comes as any other. An INVITE that still waits for its connection is over at once. why are header fields of the CANCEL,
// such as Reason (RFC 3326).
func (tx *ClientTransaction) Cancel(why ...sip.Header) {
	tx.mu.Lock()
	defer tx.mu.Unlock()

	if tx.method != "INVITE" || tx.state != proceeding || tx.cancel {
		return
	}

	if tx.withdraw != nil {
		tx.over(errWithdrawn)
		return
	}

	tx.cancel, tx.why = true, why

	// §9.1: a transaction that does not end within 64*T1 after CANCEL is over.
	tx.deadline = time.Now().Add(64 * tx.flow.Endpoint.timers.T1)
	if tx.interval == 0 {
		tx.arm(time.Until(tx.deadline))
	}

	if tx.answered {
		tx.stack.running.Go(tx.sendCancel)
	}
}

func (tx *ClientTransaction) sendCancel() {
	tx.mu.Lock()
	if tx.request == nil {
		tx.mu.Unlock()
		return
	}

	cancel := newCancel(tx.request, tx.why)
	tx.mu.Unlock()

	if _, err := tx.stack.startClient(tx.stack.ctx, cancel, serialise(cancel), tx.flow, unheeded{}); err != nil {
		tx.stack.log.Warn("CANCEL could not be sent", "destination", tx.flow.Remote.String(), "cause", err)
	}
}
