package interrogation

import (
	"errors"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// refuse answers a request that goes to no S-CSCF. attributes identify its user, as far as known.
func (i *Interrogator) refuse(tx sip.Answering, refusal *sip.Refusal, attributes ...any) {
	sip.Refuser{Log: i.log, Count: i.counted}.Refuse(tx, "interrogation", refusal, attributes...)
}

func (i *Interrogator) counted(_, method string, status int) {
	i.outcomes.WithLabelValues(label.Method(method), label.Status(status)).Inc()
}

// early refuses requests while the I-CSCF has just started (RFC 3261 §21.5.4). A query without an answer later is a 480 (TS 24.229
// §5.3.1.3).
var early = sip.Refuse(503, "the I-CSCF has just started, and the HSS is not connected yet", sip.NewHeader("Retry-After", "5"))

// maxIdentity is the longest identity that the HSS is asked about, in octets.
const maxIdentity = 1 << 10

func tooLong(status int) *sip.Refusal {
	return sip.Refuse(status, "the identity is longer than the HSS can be asked about")
}

// because returns a refusal whose reason is a Diameter result (TS 24.229 §7.2A.18), so that the true cause shows in the handset's trace.
func because(status int, result diameter.Result, text string) *sip.Refusal {
	return &sip.Refusal{
		Status: status, Reasons: []sip.Reason{{Protocol: sip.ProtocolDiameter, Cause: int(result.Code), Text: text}},
	}
}

// unanswered returns the refusal when the query cannot be completed (TS 24.229 §5.3.1.3, §5.3.2.2).
func unanswered(err error) *sip.Refusal {
	if errors.Is(err, diameter.ErrTooLarge) {
		return tooLong(513)
	}

	result := diameter.UnableToDeliver

	var own diameter.Result
	if errors.As(err, &own) {
		result = own
	}

	return because(480, result, "the HSS did not answer: "+err.Error())
}

// query maps the results of one Cx command to the refusals of the request, as far as they end it.
type query struct {
	results   map[diameter.Result]verdict
	otherwise verdict
}

type verdict struct {
	status int
	text   string
}

// authorization has the results of a UAA that authorises nothing (TS 24.229 §5.3.1.2, §5.3.1.3).
var authorization = query{map[diameter.Result]verdict{
	cx.ErrorUserUnknown:           {403, "the HSS does not know this private or public identity"},
	cx.ErrorIdentitiesDontMatch:   {403, "the public identity does not belong to the private identity"},
	cx.ErrorRoamingNotAllowed:     {403, "the HSS does not allow roaming in the visited network"},
	cx.AuthorizationRejected:      {403, "all public identities of the set are barred, or the user may not register"},
	cx.ErrorIdentityNotRegistered: {403, "the identity to de-register is not registered"},
}, verdict{403, "the HSS refused the registration"}}

// location has the results of an LIA that names no S-CSCF (TS 24.229 §5.3.2.1, §5.3.2.2).
var location = query{map[diameter.Result]verdict{
	cx.ErrorUserUnknown:           {404, "the HSS does not know this public identity"},
	cx.ErrorIdentityNotRegistered: {480, "the public identity is not registered and has no services for that case"},
}, verdict{404, "the HSS refused the location query"}}

// refusal returns the refusal for a result. A result that reports a fault of the HSS never says anything about the user.
func (q query) refusal(result diameter.Result) *sip.Refusal {
	v, known := q.results[result]

	switch {
	case known:
	case result.Code/1000 == 3, result == cx.UnableToComply:
		v = verdict{480, "the HSS could not answer"}
	default:
		v = q.otherwise
	}

	return because(v.status, result, v.text)
}

// incapable returns the refusal when no S-CSCF has what the HSS asks for (TS 24.229 §5.3.1.3).
func incapable(result diameter.Result) *sip.Refusal {
	return because(600, result, "no configured S-CSCF has the mandatory capabilities of this user")
}
