package charging

import (
	"errors"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/verdict"
)

// outcome is the outcome of a CCR.
type outcome struct {
	kind    ro.RequestType
	answer  *ro.CCA
	refused *sip.Refusal
	err     error
}

// signal classifies an outcome while the service lasts; goesOn is CONTINUE (RFC 8506 §8.14).
func (o outcome) signal(goesOn bool) Signal {
	switch {
	case o.err != nil && goesOn:
		return UnansweredContinue
	case o.err != nil && undelivered(o.err):
		return Undelivered
	case o.err != nil:
		return Unanswered
	case o.refused != nil && errors.Is(o.refused, ro.UnknownSessionID) && o.kind == ro.Update && goesOn:
		return SessionUnknown
	case o.refused != nil:
		return AnswerFailed
	}

	switch waived, held := free(o.answer); {
	case waived && held:
		return ServiceNotApplicable
	case waived:
		return NotApplicable
	case grantedSeconds(o.answer) == 0:
		return NoUnits
	default:
		return Granted
	}
}

// reported classifies an outcome once the service has ended: it only matters whether the OCS has taken the report. A refusal has taken
// it, too.
func (o outcome) reported(repeat bool) Signal {
	switch {
	case o.err == nil:
		return ReportTaken
	case repeat:
		return ReportUnanswered
	default:
		return ReportLapsed
	}
}

// no returns the caller's refusal if the service is refused or ended because of the outcome, and the cause for the OCS.
func (o outcome) no() (refused *sip.Refusal, cause Cause) {
	switch {
	case o.err != nil:
		refused = silent(o.err)
		return refused, Unspecified.Because(refused.Reasons[0].String())
	case o.refused != nil:
		return o.refused, creditUsedUp
	default:
		return verdict.Diameter(402, ro.CreditLimitReached, "the OCS grants no time"), creditUsedUp
	}
}

// undelivered reports whether nobody has worked on a request, or it was never sent.
func undelivered(err error) bool {
	var result diameter.Result
	return errors.As(err, &result) && result.Code/1000 == 3
}
