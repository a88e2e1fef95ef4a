package call

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
)

// Release ends the call on both sides: because credit is used up, or a party is gone.
func (c *Call) Release(why string, cause charging.Cause) {
	status := 402
	if cause == charging.Unspecified {
		status = 408
	}

	c.releaseAs(status, why, cause)
}

// releaseAs ends the call on both sides (TS 24.229 §5.4.5.1): each party gets a BYE in the name of the other or, while it rings, the
// callee a CANCEL and the caller a 480. status is that of their Reason.
func (c *Call) releaseAs(status int, why string, cause charging.Cause) {
	t := c.table

	reason := sip.Refuse(status, why)
	if own, err := sip.ParseReason(cause.Reason); err == nil {
		reason.Reasons = []sip.Reason{own}
	}

	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}

	c.ended, c.released = true, reason
	dialogs, rings, charge := slices.Clone(c.further), c.invite != nil, c.charge

	if c.dialog != nil {
		dialogs = append(dialogs, c.dialog)
	}

	c.stop()
	c.mu.Unlock()

	t.log.Info("call released by the S-CSCF", "impu", c.Public, "cause", why)
	t.outcomes.WithLabelValues(c.Side.String(), "BYE", "released").Inc()

	if rings && c.tx != nil {
		c.tx.Withdraw(reason.Reasons[0].Header())
	}

	var group sync.WaitGroup

	for _, dialog := range dialogs {
		group.Go(func() { c.hangUp(dialog, reason) })
	}

	if charge != nil {
		charge.End(cause.Because(reason.Reasons[0].String()))
	}

	t.forget(c)
	group.Wait()
}

// Withdrawn returns why the call was ended from here while it rang; nil: it was not.
func (c *Call) Withdrawn() *sip.Refusal {
	if c == nil {
		return nil
	}

	c.mu.Lock()
	defer c.mu.Unlock()

	if c.released == nil {
		return nil
	}

	return &sip.Refusal{Status: 480, Reasons: c.released.Reasons}
}

const releaseTime = 40 * time.Second // longer than the timers of a BYE

// hangUp sends a BYE to both sides, each in the name of the other (§5.4.5.1.2).
func (c *Call) hangUp(dialog *sip.ProxyDialog, why *sip.Refusal) {
	ctx, cancel := context.WithTimeout(c.table.ctx, releaseTime)
	defer cancel()

	var group sync.WaitGroup

	for _, to := range []sip.Side{sip.Caller, sip.Callee} {
		group.Go(func() { c.table.bye(ctx, dialog, to, why.Reasons...) })
	}

	group.Wait()
}

func (t *Table) bye(ctx context.Context, dialog *sip.ProxyDialog, to sip.Side, why ...sip.Reason) {
	bye, err := dialog.Request(to, "BYE")
	if err != nil {
		t.log.Error("BYE cannot be made", "call_id", dialog.CallID, "cause", err)
		return
	}

	sip.SetReasons(bye, why...)

	response, err := t.stack.Do(ctx, bye, stack.Destination{Endpoint: t.endpoint})
	if err != nil || !response.IsSuccess() && response.StatusCode != 481 {
		status := 0
		if response != nil {
			status = response.StatusCode
		}

		t.log.Warn("BYE was not taken", "call_id", dialog.CallID, "status", status, "cause", err)
	}
}
