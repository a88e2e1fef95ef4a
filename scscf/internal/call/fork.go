package call

import (
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// maxFurther is how many callees a call may have besides the one that it is charged for.
const maxFurther = 16

// forked records the dialog of a further 2xx (RFC 3261 §13.2.2.4). The caller keeps one callee and hangs up the others; a further one
// that it keeps lasts no longer than the charging, which follows the first. If the call has ended, or has too many callees, the further
// one is released. Called with the lock held.
func (c *Call) forked(r *sip.Response) {
	dialog, err := c.dialog.Fork(r, c.records)
	if err != nil {
		c.table.log.Warn("a further callee cannot be released from here", "impu", c.Public, "cause", err)
		return
	}

	if c.ended || len(c.further) >= maxFurther {
		c.table.log.Warn(
			"a further callee has answered a call that is over or has too many, and is released",
			"impu", c.Public,
			"call_id", dialog.CallID,
		)
		time.AfterFunc(lateBye, func() { c.hangUp(dialog, errCallEnded) })

		return
	}

	c.further = append(c.further, dialog)
	c.keep()
}

var errCallEnded = sip.Refuse(480, "the call has ended")
