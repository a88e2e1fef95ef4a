// Package verdict translates errors and Diameter results into the status and Reason of the response to a SIP request.
package verdict

import (
	"errors"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Of returns the refusal of a request that an error ends: the error's own, or 480.
func Of(err error) *sip.Refusal {
	var own *sip.Refusal
	if errors.As(err, &own) {
		return own
	}

	return sip.Refuse(480, err.Error())
}

// Diameter returns a refusal whose reason is a Diameter result (TS 24.229 §7.2A.18), so that the true cause shows in the handset's trace.
func Diameter(status int, result diameter.Result, text string) *sip.Refusal {
	return &sip.Refusal{
		Status: status, Cause: result,
		Reasons: []sip.Reason{{Protocol: sip.ProtocolDiameter, Cause: int(result.Code), Text: text}},
	}
}
