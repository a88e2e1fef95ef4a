package charging

import (
	"errors"
	"fmt"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// Refused is a session that may not begin, and the SIP status that says so.
type Refused struct {
	Status  int
	Reason  string // of a Reason header
	text    string // the same in words
	unknown bool   // the OCS has no such session
}

// silent is the refusal when the OCS says nothing, or that it cannot do it: then its code is in the reason.
func silent(err error) *Refused {
	code, text := diameter.UnableToDeliver.Code, "the OCS does not answer"

	var result diameter.Result
	if errors.As(err, &result) && !errors.Is(err, diameter.ErrUnroutable) {
		code, text = result.Code, "the OCS could not serve the request"
	}

	return &Refused{Status: 503, Reason: fmt.Sprintf(`Diameter;cause=%d;text=%q`, code, text), text: text}
}

func (r *Refused) Error() string { return r.Reason }

// refusal maps what the OCS says (RFC 8506 §9) to what the caller hears (TS 32.260 §5.2.2): no money is 402.
func refusal(result diameter.Result) *Refused {
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

	return &Refused{
		Status: status, Reason: fmt.Sprintf(`Diameter;cause=%d;text=%q`, result.Code, text), text: text, unknown: result == ro.UnknownSessionID,
	}
}
