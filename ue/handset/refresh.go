package handset

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// refresh refreshes the session by an UPDATE at half of the interval in a 2xx, if that makes the caller the refresher (RFC 4028 §10). A
// failed refresh ends the call.
func (c *Call) refresh(r *sip.Response) {
	text, params := sip.ValueParams(r, "Session-Expires")
	refresher, _ := params.Get("refresher")
	seconds := sip.Seconds(text, 0)

	if seconds == 0 || !strings.EqualFold(refresher, "uac") {
		return
	}

	half := time.NewTimer(time.Duration(seconds) * time.Second / 2)
	defer half.Stop()

	select {
	case <-c.ended:
		return
	case <-c.handset.gone:
		return
	case <-half.C:
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seconds)*time.Second/2)
	defer cancel()

	update, err := c.dialog.NewRequest("UPDATE")
	if err != nil {
		return
	}

	sip.Set(update, "Contact", c.handset.contactHeader())
	sip.Set(update, "Supported", "timer")
	sip.Set(update, "Session-Expires", fmt.Sprintf("%d;refresher=uac", seconds))

	answer, err := c.handset.stack.Do(ctx, update, c.handset.towards())

	select {
	case <-c.ended:
	default:
		if err != nil || answer.StatusCode == 408 || answer.StatusCode == 481 {
			_ = c.HangUp(ctx)
			return
		}

		go c.refresh(answer)
	}
}
