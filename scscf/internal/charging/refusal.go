package charging

import (
	"errors"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/verdict"
)

// silent returns the refusal when the OCS does not answer, or cannot serve the request: then its result is in the reason.
func silent(err error) *sip.Refusal {
	var result diameter.Result
	if errors.As(err, &result) && !errors.Is(err, diameter.ErrUnroutable) {
		return verdict.Diameter(503, result, "the OCS could not serve the request")
	}

	return verdict.Diameter(503, diameter.UnableToDeliver, "the OCS does not answer").Because(err)
}

// refusal maps a result of the OCS (RFC 8506 §9) to the caller's refusal (TS 32.260 §5.2.2): no credit is 402.
func refusal(result diameter.Result) *sip.Refusal {
	status, text := 403, "the OCS refuses the service"

	switch result {
	case ro.CreditLimitReached:
		status, text = 402, "the account has not enough credit"
	case ro.EndUserServiceDenied:
		status, text = 402, "the account may not use the service"
	case ro.UserUnknown:
		status, text = 402, "the OCS has no account for the user"
	case ro.RatingFailed:
		status, text = 500, "the OCS has no price for the called number"
	case ro.UnknownSessionID:
		text = "the OCS has no such session any more"
	}

	return verdict.Diameter(status, result, text)
}
