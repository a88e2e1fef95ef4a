package interrogation

import (
	"errors"
	"fmt"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// Refusal is the SIP answer to a request that the HSS's answer ends here. Reason is a Reason header field value (RFC 3326,
// protocol "Diameter" of TS 24.229 §7.2A.18), so that the true cause reaches whoever looks at the handset's trace.
type Refusal struct {
	Status int
	Reason string
	Again  bool // later: with Retry-After
}

func refusal(status, cause int, text string) *Refusal {
	return &Refusal{Status: status, Reason: fmt.Sprintf(`Diameter;cause=%d;text=%q`, cause, text)}
}

// maxIdentity is how long a name may be that the HSS is asked about, in octets.
const maxIdentity = 1 << 10

func tooLong(status int) *Refusal {
	return &Refusal{Status: status, Reason: fmt.Sprintf(`SIP;cause=%d;text="the identity is longer than the HSS can be asked about"`, status)}
}

// noAnswer is the refusal when the query cannot be completed (TS 24.229 §5.3.1.3, §5.3.2.2).
func noAnswer(err error) *Refusal {
	if errors.Is(err, diameter.ErrTooLarge) {
		return tooLong(513)
	}

	var result diameter.Result
	if errors.As(err, &result) {
		return refusal(480, int(result.Code), "the HSS did not answer: "+err.Error())
	}

	return refusal(480, 3002, "the HSS did not answer: "+err.Error())
}

// registration maps the Result of a UAA that authorises nothing (TS 24.229 §5.3.1.2, §5.3.1.3).
func registration(result diameter.Result) *Refusal {
	switch result {
	case cx.ErrorUserUnknown:
		return refusal(403, 5001, "the HSS does not know this private or public identity")
	case cx.ErrorIdentitiesDontMatch:
		return refusal(403, 5002, "the public identity does not belong to the private identity")
	case cx.ErrorRoamingNotAllowed:
		return refusal(403, 5004, "the HSS does not allow roaming in the visited network")
	case cx.AuthorizationRejected:
		return refusal(403, 5003, "all public identities of the set are barred, or the user may not register")
	case cx.ErrorIdentityNotRegistered:
		return refusal(403, 5003, "the identity to de-register is not registered")
	}

	if result.Code/1000 == 3 || result == cx.UnableToComply { // the HSS is ill; the user is not unknown
		return refusal(480, int(result.Code), "the HSS could not answer")
	}

	return refusal(403, int(result.Code), "the HSS refused the registration")
}

// location maps the Result of an LIA that names no S-CSCF (TS 24.229 §5.3.2.1, §5.3.2.2).
func location(result diameter.Result) *Refusal {
	switch result {
	case cx.ErrorUserUnknown:
		return refusal(404, 5001, "the HSS does not know this public identity")
	case cx.ErrorIdentityNotRegistered:
		return refusal(480, 5003, "the public identity is not registered and has no services for that case")
	}

	if result.Code/1000 == 3 || result == cx.UnableToComply {
		return refusal(480, int(result.Code), "the HSS could not answer")
	}

	return refusal(404, int(result.Code), "the HSS refused the location query")
}
