package digest

import (
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
)

// Algorithms of WWW-Authenticate.
const (
	AKAv1MD5 = "AKAv1-MD5" // RFC 3310
	AKAv2MD5 = "AKAv2-MD5" // RFC 4169

	AKAv2SHA256 = "AKAv2-SHA-256" // RFC 4169 with the hash of RFC 8760
	MD5         = "MD5"
	SHA256      = "SHA-256" // RFC 8760

	SHA512256 = "SHA-512-256" // RFC 8760
)

// Challenge is a WWW-Authenticate or Proxy-Authenticate header field. IK and CK, in hexadecimal, travel only between
// S-CSCF and P-CSCF (TS 24.229 §7.2A.1).
type Challenge struct {
	Realm     string
	Nonce     string
	Opaque    string
	Domain    string
	Algorithm string
	QoP       []string
	Stale     bool
	IK, CK    string
}

// ParseChallenge parses a challenge.
func ParseChallenge(header string) (Challenge, error) {
	p, err := parameters(header)
	if err != nil {
		return Challenge{}, err
	}

	return Challenge{
		Realm: p["realm"], Nonce: p["nonce"], Opaque: p["opaque"], Domain: p["domain"], Algorithm: p["algorithm"],
		QoP: grammar.AppendList(nil, p["qop"]), Stale: strings.EqualFold(p["stale"], "true"), IK: p["ik"], CK: p["ck"],
	}, nil
}

// String returns the header field. It is written anew, so that nothing is left of parameters that were removed.
func (c Challenge) String() string {
	var w writer

	w.alwaysQuoted("realm", c.Realm)
	w.alwaysQuoted("nonce", c.Nonce)
	w.quoted("domain", c.Domain)
	w.quoted("opaque", c.Opaque)

	if c.Stale {
		w.bare("stale", "true")
	}

	w.bare("algorithm", c.Algorithm)
	w.quoted("qop", strings.Join(c.QoP, ","))
	w.quoted("ck", c.CK)
	w.quoted("ik", c.IK)

	return w.String()
}
