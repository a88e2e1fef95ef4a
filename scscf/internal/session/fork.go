package session

import (
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// maxFurther is how many callees a call may have besides the one that it is charged for.
const maxFurther = 16

// fork is a further dialog of a call whose INVITE several callees have answered (RFC 3261 §13.2.2.4). The caller keeps one and hangs
// up the others; one that it keeps lasts no longer than the charging, which goes with the first.
type fork struct {
	call   *call
	dialog *sip.ProxyDialog
}

// forked notes the dialog of a further 2xx. If the call is over, or has too many of them, it is released. Called with the lock held.
func (c *call) forked(r *sip.Response) {
	dialog, err := c.dialog.Fork(r, c.records)
	if err != nil {
		c.server.Log.Warn("a further callee cannot be released from here", "user", c.public, "error", err)
		return
	}

	if c.ended || len(c.further) >= maxFurther {
		c.server.Log.Warn(
			"a further callee has answered a call that is over or has too many, and is released",
			"user",
			c.public,
			"call_id",
			dialog.CallID,
		)
		time.AfterFunc(lateBye, func() { c.hangUp(dialog, errCallEnded) })

		return
	}

	c.further = append(c.further, dialog)
	c.keep()
}

var errCallEnded = sip.Refuse(480, "the call has ended")

// forksOf are the further dialogs of calls that a request is in.
func forksOf(calls []*call, r *sip.Request) (forks []fork) {
	for _, c := range calls {
		c.mu.Lock()
		for _, dialog := range c.further {
			if dialog.Has(r) {
				forks = append(forks, fork{call: c, dialog: dialog})
			}
		}
		c.mu.Unlock()
	}

	return forks
}

// dialogOf is the further dialog that a request is in, else the first. Called with the lock held.
func (c *call) dialogOf(r *sip.Request) *sip.ProxyDialog {
	if at := slices.IndexFunc(c.further, func(d *sip.ProxyDialog) bool { return d.Has(r) }); at >= 0 {
		return c.further[at]
	}

	return c.dialog
}

// observe sees a request within the dialog.
func (f fork) observe(out *sip.Request) {
	f.call.mu.Lock()
	defer f.call.mu.Unlock()

	f.dialog.Observe(out)

	if !f.call.ended {
		f.call.keep()
	}
}

// answered sees the response to a request within the dialog.
func (f fork) answered(out *sip.Request, r *sip.Response) {
	f.call.mu.Lock()
	defer f.call.mu.Unlock()

	switch {
	case !r.IsSuccess() || f.call.ended:
		return
	case out.IsInvite() || out.Method == "UPDATE":
		f.dialog.Answered(out, r)
	case out.Method == "BYE" && f.dialog.Leads(out, f.call.server.Stack.Own): // what has not ended for sure ends with the call
		f.call.further = slices.DeleteFunc(f.call.further, func(d *sip.ProxyDialog) bool { return d == f.dialog })
	default:
		return
	}

	f.call.keep()
}
