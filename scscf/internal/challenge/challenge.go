// Package challenge creates the S-CSCF's challenges (401, TS 24.229 §5.4.1.2.1) and verifies the answers, for Digest AKA and SIP Digest.
package challenge

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
)

// Challenge is one challenge. Its nonce is good for one answer.
type Challenge struct {
	Nonce     string
	Algorithm string
	Realm     string
	QoP       []string
	AKA       bool

	opaque   string
	password []byte // AKA: the password of the handset's answer
	ha1      string // SIP Digest
	ik, ck   []byte
}

// Terms are the operator's settings for challenges.
type Terms struct {
	HomeDomain string
	Realm      string   // of AKA; empty: the home domain
	QoP        []string // of AKA; empty: none is offered
}

// New returns a challenge from the AKA vector or digest data that the HSS sent (TS 29.229 §6.3.13).
func New(a *cx.MAA, terms Terms) (*Challenge, error) {
	if len(a.AuthDataItems) == 0 {
		return nil, errors.New("the MAA has no SIP-Auth-Data-Item")
	}

	item := &a.AuthDataItems[0]
	for i := range a.AuthDataItems { // the lowest number first (TS 29.228 §6.3.1)
		if n, best := a.AuthDataItems[i].ItemNumber, item.ItemNumber; n != nil && best != nil && *n < *best {
			item = &a.AuthDataItems[i]
		}
	}

	if item.Digest != nil {
		return digestChallenge(item.Digest, terms.HomeDomain)
	}

	algorithm := digest.AKAv1MD5

	switch {
	case slices.Contains(cx.SchemesOfAKA, item.Scheme):
		algorithm = strings.TrimPrefix(item.Scheme, "Digest-")
	case item.Scheme != "" && !strings.HasPrefix(item.Scheme, "Digest-AKAv1"):
		return nil, errors.New("the HSS chose the authentication scheme " + item.Scheme + ", which the S-CSCF does not have")
	}

	if len(item.Authenticate) != 32 || len(item.Authorization) < 4 || len(item.Authorization) > 16 {
		return nil, errors.New("SIP-Authenticate is not RAND and AUTN, or SIP-Authorization is no XRES")
	}

	ch := &Challenge{
		Nonce: digest.AKANonce([16]byte(item.Authenticate), [16]byte(item.Authenticate[16:])), Algorithm: algorithm, Realm: terms.Realm,
		QoP: terms.QoP, AKA: true, password: item.Authorization, ik: item.IntegrityKey, ck: item.ConfidentialityKey,
	}

	if ch.Realm == "" {
		ch.Realm = terms.HomeDomain
	}

	if algorithm == digest.AKAv1MD5 { // the keys are for IPsec alone, and may be missing
		return ch, nil
	}

	if len(ch.ik) != 16 || len(ch.ck) != 16 {
		return nil, errors.New("the MAA has no Integrity-Key or Confidentiality-Key, of which " + algorithm + " makes its password")
	}

	var err error
	ch.password, err = digest.AKAPassword(algorithm, item.Authorization, [16]byte(ch.ik), [16]byte(ch.ck))

	return ch, err
}

func digestChallenge(d *cx.DigestAuthenticate, homeDomain string) (*Challenge, error) {
	ch := &Challenge{Nonce: newNonce(), Algorithm: d.Algorithm, Realm: d.Realm, ha1: d.HA1, opaque: newNonce()}

	switch strings.ToUpper(d.Algorithm) {
	case "":
		ch.Algorithm = digest.MD5
	case "MD5", "SHA-256":
	default:
		return nil, errors.New("the HSS chose the digest algorithm " + d.Algorithm + ", which the S-CSCF does not have")
	}

	if ch.ha1 == "" {
		return nil, errors.New("the MAA has no Digest-HA1")
	}

	if ch.Realm == "" {
		ch.Realm = homeDomain
	}

	ch.QoP = grammar.AppendList(nil, d.QoP)

	return ch, nil
}

func newNonce() string {
	var b [18]byte
	rand.Read(b[:]) // never fails

	return base64.StdEncoding.EncodeToString(b[:])
}

// Header returns the value of WWW-Authenticate. It has IK and CK for the P-CSCF, which removes them (TS 24.229 §5.4.1.2.1).
func (ch *Challenge) Header(stale bool) string {
	return digest.Challenge{
		Realm: ch.Realm, Nonce: ch.Nonce, Opaque: ch.opaque, Algorithm: ch.Algorithm, QoP: ch.QoP, Stale: stale,
		IK: hex.EncodeToString(ch.ik), CK: hex.EncodeToString(ch.ck),
	}.String()
}

var errTerms = errors.New("realm, algorithm or qop are not those of the challenge")

// Offers reports whether a handset may answer with this qop. It may always leave it out (RFC 2617 §3.2.2).
func (ch *Challenge) Offers(qop string) bool {
	return qop == "" || len(ch.QoP) == 0 ||
		slices.ContainsFunc(ch.QoP, func(offered string) bool { return strings.EqualFold(offered, qop) })
}

// Verify checks the answer to the challenge, given by the credentials of a request with this method and body.
func (ch *Challenge) Verify(c digest.Credentials, method string, body []byte) error {
	if c.Realm != ch.Realm || c.Algorithm != "" && !strings.EqualFold(c.Algorithm, ch.Algorithm) || !ch.Offers(c.QoP) {
		return errTerms
	}

	c.Algorithm = ch.Algorithm // a handset may leave it out

	if ch.AKA {
		return c.Verify(ch.password, method, body)
	}

	return c.VerifyHA1(ch.ha1, method, body)
}

// Stale reports whether the answer would be right for the nonce that it names. If so, the handset need not ask for the password again
// (RFC 2617 §3.2.1). In AKA it is always false.
func (ch *Challenge) Stale(c digest.Credentials, method string, body []byte) bool {
	if ch.AKA {
		return false
	}

	old := *ch
	old.Nonce = c.Nonce

	return old.Verify(c, method, body) == nil
}

// RAND returns the RAND of an AKA challenge, for the resynchronisation of SQN (TS 33.102 §6.3.5).
func (ch *Challenge) RAND() ([16]byte, error) {
	rand, _, err := digest.ParseAKANonce(ch.Nonce)

	return rand, err
}
