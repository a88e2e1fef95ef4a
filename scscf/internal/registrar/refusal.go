package registrar

import (
	"errors"
	"fmt"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/verdict"
)

// meaning is the meaning of a Cx result for the handset.
type meaning struct {
	status    int
	diagnosis string
}

// multimediaAuthResults are the results of a MAA without a vector (TS 24.229 §5.4.1.2.1, TS 29.228 §6.3.1).
var multimediaAuthResults = map[diameter.Result]meaning{
	cx.ErrorUserUnknown:            {403, "the HSS does not know this private or public identity"},
	cx.ErrorIdentitiesDontMatch:    {403, "the public identity does not belong to the private identity in the HSS"},
	cx.ErrorAuthSchemeNotSupported: {403, "the HSS does not have the authentication scheme that was asked for"},
	cx.AuthorizationRejected:       {403, "the HSS does not authorise this user"},
}

// serverAssignmentResults are the results of a SAA without a profile (TS 24.229 §5.4.1.2.2, TS 29.228 §6.1.2.1).
var serverAssignmentResults = map[diameter.Result]meaning{
	cx.ErrorUserUnknown:               {403, "the HSS does not know this private or public identity"},
	cx.ErrorIdentitiesDontMatch:       {403, "the public identity does not belong to the private identity in the HSS"},
	cx.ErrorIdentityAlreadyRegistered: {403, "another S-CSCF serves the user; the HSS gives the user to no other one while that is so"},
	cx.ErrorInAssignmentType:          {403, "the HSS does not take this kind of assignment for the user as it is now"},
	cx.ErrorIdentityNotRegistered:     {403, "the HSS has no registration of this identity"},
	cx.AuthorizationRejected:          {403, "the HSS does not authorise this user"},
	cx.ErrorTooMuchData:               {500, "the profile is larger than was allowed"},
}

// result maps a Cx result other than success. A fault of the HSS never becomes a verdict on the user.
func result(command string, results map[diameter.Result]meaning, r diameter.Result, text string) *sip.Refusal {
	v, known := results[r]

	switch {
	case known:
	case r.Vendor == 0 && r.Code/1000 == 3:
		v = meaning{504, "the HSS could not be reached through the Diameter network"}
	case r.Vendor == 0 && r.Code/1000 == 4:
		v = meaning{504, "the HSS has a passing trouble"}
	default:
		v = meaning{500, "the HSS could not comply"}
	}

	if text != "" {
		v.diagnosis += " (" + text + ")"
	}

	return verdict.Diameter(v.status, r, fmt.Sprintf("%s was answered %d: %s", command, r.Code, v.diagnosis))
}

// unanswered maps a Cx request without an answer to 504, so that the I-CSCF or P-CSCF can tell it from a decision of the HSS.
func unanswered(command string, err error) *sip.Refusal {
	switch {
	case errors.Is(err, diameter.ErrTooLarge):
		return sip.Refuse(513, "the identities or credentials are longer than the HSS can be asked about").Because(err)
	case errors.Is(err, diameter.ErrUnroutable):
		return verdict.Diameter(504, diameter.UnableToDeliver, command+" could not be sent: no connection to the HSS is up").Because(err)
	default:
		return verdict.Diameter(504, diameter.UnableToDeliver, command+" got no answer from the HSS").Because(err)
	}
}
