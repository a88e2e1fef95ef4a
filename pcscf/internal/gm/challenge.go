package gm

import (
	"errors"
	"strings"

	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/agreement"

	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// challenged takes CK and IK out of a 401 (§5.2.2.2) and gives them to the protection of the access. A challenge that cannot be parsed is
// not forwarded, since it may contain keys.
func (p *Proxy) challenged(request *sip.Request, flow stack.Flow, r *sip.Response) {
	keys, err := takeKeys(r)
	if err != nil {
		p.log.Error("the core's challenge cannot be read", "source", flow.Remote.String(), "cause", err)
		unchallenged(r, "the core's challenge cannot be read")

		return
	}

	if err := p.security.Challenge(request, flow, r, keys); err != nil {
		p.log.Error("no security association for the handset", "source", flow.Remote.String(), "cause", err)
		unchallenged(r, "the security associations cannot be set up")

		return
	}

	if sip.Has(r, "Security-Server") {
		p.sayUnreachable(request, flow)
	}
}

// unchallenged turns a 401 that cannot be answered into a 500.
func unchallenged(r *sip.Response, why string) {
	sip.Remove(r, "WWW-Authenticate", "Proxy-Authenticate", "Security-Server")
	sip.Refuse(500, why).Replace(r)
}

// takeKeys removes the keys from every challenge of a response and returns the first ones found.
func takeKeys(r *sip.Response) (keys agreement.Keys, err error) {
	var fields []string

	sip.EachField(r, "WWW-Authenticate", func(field string) bool {
		var (
			rest  string
			found agreement.Keys
		)

		if rest, found, err = withoutKeys(field); err != nil {
			return false
		}

		if keys == (agreement.Keys{}) {
			keys = found
		}

		fields = append(fields, rest)

		return true
	})

	if err != nil {
		return agreement.Keys{}, err
	}

	if len(fields) == 0 {
		return agreement.Keys{}, errors.New("a 401 without WWW-Authenticate")
	}

	sip.Remove(r, "WWW-Authenticate")

	for _, field := range fields {
		sip.Add(r, "WWW-Authenticate", field)
	}

	return keys, nil
}

// withoutKeys returns a challenge without ck and ik. The header field is rewritten, since handsets do not answer one with remnants of
// removed parameters (open5gs#491); all other parameters stay to the letter, in their order.
func withoutKeys(field string) (rest string, keys agreement.Keys, err error) {
	challenge, err := digest.ParseChallenge(field) // refuses whatever two parsers could understand differently
	if err != nil {
		return "", agreement.Keys{}, err
	}

	_, list := grammar.CutScheme(field)

	var kept []string

	for p, err := range grammar.AuthParams(list) {
		switch name := strings.ToLower(p.Name); {
		case err != nil:
			return "", agreement.Keys{}, err
		case name != "ck" && name != "ik":
			kept = append(kept, p.String())
		}
	}

	return "Digest " + strings.Join(kept, ","), agreement.Keys{CK: challenge.CK, IK: challenge.IK}, nil
}
