package registrar

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Refusal is how a request ends that the S-CSCF does not accept: the SIP answer, and in Diagnosis one sentence that a lab
// builder can act on.
type Refusal struct {
	Status    int
	Reason    string // Reason header field value (RFC 3326), or ""
	Headers   []sip.Header
	Diagnosis string
	Err       error // what is behind it, or nil
}

// Error is the sentence.
func (r *Refusal) Error() string {
	if r.Err != nil {
		return r.Diagnosis + ": " + r.Err.Error()
	}

	return r.Diagnosis
}

// Unwrap gives what is behind it.
func (r *Refusal) Unwrap() error { return r.Err }

func refuse(status int, diagnosis string, headers ...sip.Header) *Refusal {
	return &Refusal{Status: status, Diagnosis: diagnosis, Headers: headers, Reason: reason("SIP", status, diagnosis)}
}

// reason is a Reason header field value. The protocol "DIAMETER" is of TS 24.229 §7.2A.18.
func reason(protocol string, cause int, text string) string {
	text = strings.Map(func(c rune) rune {
		if c == '"' || c == '\\' || c < ' ' {
			return '\''
		}

		return c
	}, text)

	return fmt.Sprintf(`%s;cause=%d;text="%s"`, protocol, cause, text)
}

// verdict is what one Cx result means to the handset.
type verdict struct {
	status    int
	diagnosis string
}

// multimediaAuthVerdicts are the results of a MAA that challenges nobody (TS 24.229 §5.4.1.2.1, TS 29.228 §6.3.1).
var multimediaAuthVerdicts = map[diameter.Result]verdict{
	cx.ErrorUserUnknown:            {403, "the HSS does not know this private or public identity"},
	cx.ErrorIdentitiesDontMatch:    {403, "the public identity does not belong to the private identity in the HSS"},
	cx.ErrorAuthSchemeNotSupported: {403, "the HSS does not have the authentication scheme that was asked for"},
	cx.AuthorizationRejected:       {403, "the HSS does not authorise this user"},
}

// serverAssignmentVerdicts are the results of a SAA without a profile (TS 24.229 §5.4.1.2.2, TS 29.228 §6.1.2.1).
var serverAssignmentVerdicts = map[diameter.Result]verdict{
	cx.ErrorUserUnknown:               {403, "the HSS does not know this private or public identity"},
	cx.ErrorIdentitiesDontMatch:       {403, "the public identity does not belong to the private identity in the HSS"},
	cx.ErrorIdentityAlreadyRegistered: {403, "another S-CSCF serves the user; the HSS gives the user to no other one while that is so"},
	cx.ErrorInAssignmentType:          {403, "the HSS does not take this kind of assignment for the user as it is now"},
	cx.ErrorIdentityNotRegistered:     {403, "the HSS has no registration of this identity"},
	cx.AuthorizationRejected:          {403, "the HSS does not authorise this user"},
	cx.ErrorTooMuchData:               {500, "the profile is larger than was allowed"},
}

// result maps a Cx result that is no success. One that says that the HSS is ill never becomes a word about the user.
func result(command string, verdicts map[diameter.Result]verdict, r diameter.Result, text string) *Refusal {
	v, known := verdicts[r]

	switch {
	case known:
	case r.Vendor == 0 && r.Code/1000 == 3:
		v = verdict{504, "the HSS could not be reached through the Diameter network"}
	case r.Vendor == 0 && r.Code/1000 == 4:
		v = verdict{504, "the HSS has a passing trouble"}
	default:
		v = verdict{500, "the HSS could not comply"}
	}

	if text != "" {
		v.diagnosis += " (" + text + ")"
	}

	diagnosis := fmt.Sprintf("%s was answered %d: %s", command, r.Code, v.diagnosis)

	return &Refusal{Status: v.status, Diagnosis: diagnosis, Reason: reason("DIAMETER", int(r.Code), diagnosis), Err: r}
}

// unanswered maps a Cx request that got no answer: 504, so that the I-CSCF or P-CSCF may tell it from a word of the HSS.
func unanswered(command string, err error) *Refusal {
	diagnosis, cause := command+" got no answer from the HSS", diameter.UnableToDeliver.Code

	if errors.Is(err, diameter.ErrTooLarge) {
		diagnosis = "the identities or credentials are longer than the HSS can be asked about"
		return &Refusal{Status: 513, Diagnosis: diagnosis, Reason: reason("SIP", 513, diagnosis), Err: err}
	}

	if errors.Is(err, diameter.ErrUnroutable) {
		diagnosis = command + " could not be sent: no connection to the HSS is up"
	}

	return &Refusal{Status: 504, Diagnosis: diagnosis, Reason: reason("DIAMETER", int(cause), diagnosis), Err: err}
}
