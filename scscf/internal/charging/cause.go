package charging

import (
	"net/http"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// Cause says why a session or event is over.
type Cause struct {
	Code   int32  `json:"code,omitempty"`   // Cause-Code: values up to 0 are successes, from 1 on failures (TS 32.299 §7.2.35)
	Reason string `json:"reason,omitempty"` // Reason header field value of the BYE or the refusal
}

// Causes of TS 32.299 §7.2.35. Normal also stands for the end that the network makes by a BYE of its own.
var (
	Normal       = Cause{}
	Unspecified  = Cause{Code: 1}
	internal     = Cause{Code: 3}
	creditUsedUp = Normal
)

// Answered returns the cause for a final response: -1 for 200, the status itself for a failure, and its negative for another 2xx and for
// 3xx.
func Answered(status int, reason string) Cause {
	code := int32(status)

	switch {
	case status == http.StatusOK:
		code = -1
	case status < 400:
		code = -code
	}

	return Cause{Code: code, Reason: reason}
}

// Because returns the cause with the Reason header field value that came with it.
func (c Cause) Because(reason string) Cause {
	c.Reason = reason
	return c
}

const maxReason = 256 // octets of a Reason header field that are reported to the OCS

// tell adds the cause to a request.
func (c Cause) tell(q *ro.CCR) {
	code := c.Code
	q.ServiceInformation.IMS.CauseCode = &code

	if c.Reason != "" {
		reason := strings.ToValidUTF8(c.Reason, "?")
		q.ServiceInformation.IMS.ReasonHeaders = []string{strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")}
	}
}
