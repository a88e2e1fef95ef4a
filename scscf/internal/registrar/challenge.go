package registrar

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/scscf/internal/schedule"
)

// challenge is one 401 that is not answered yet. Its nonce is good for one answer.
type challenge struct {
	registrar *Registrar
	await     schedule.Entry // timer reg-await-auth

	private, public string
	callID          string
	nonce           string
	opaque          string
	algorithm       string
	realm           string
	qop             []string
	aka             bool
	offered         bool   // security associations were, with it
	password        []byte // AKA: what the handset answers with
	ha1             string // SIP Digest
	ik, ck          []byte
	attempt         int // wrong responses before this one
	resynchronised  int // AUTS before this one
}

const perUser = 4 // challenges outstanding; another one takes the place of the oldest

// challenges are those outstanding. Everybody may make them come into being, so they are counted and they end.
type challenges struct {
	limit int

	mu      sync.Mutex
	byNonce map[string]*challenge
	byUser  map[string][]*challenge // private identity; the oldest first
}

func newChallenges(limit int) *challenges {
	return &challenges{limit: limit, byNonce: map[string]*challenge{}, byUser: map[string][]*challenge{}}
}

// add keeps a challenge. Those that it makes void are given back: of the same Call-ID, and the oldest of too many.
func (c *challenges) add(ch *challenge) (void []*challenge, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()

	own := c.byUser[ch.private]

	for _, other := range own {
		if other.callID == ch.callID {
			void = append(void, other)
		}
	}

	if len(void) == 0 && len(own) >= perUser {
		void = append(void, own[0])
	}

	for _, other := range void {
		c.drop(other)
	}

	if len(c.byNonce) >= c.limit {
		return void, false
	}

	c.byNonce[ch.nonce] = ch
	c.byUser[ch.private] = append(c.byUser[ch.private], ch)

	return void, true
}

// find is the challenge that a nonce is of, if it went to this user.
func (c *challenges) find(private, nonce string) *challenge {
	c.mu.Lock()
	defer c.mu.Unlock()

	if ch := c.byNonce[nonce]; ch != nil && ch.private == private {
		return ch
	}

	return nil
}

// take takes a challenge out; false when somebody else has.
func (c *challenges) take(ch *challenge) bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.byNonce[ch.nonce] != ch {
		return false
	}

	c.drop(ch)

	return true
}

func (c *challenges) drop(ch *challenge) {
	delete(c.byNonce, ch.nonce)

	left := slices.DeleteFunc(c.byUser[ch.private], func(other *challenge) bool { return other == ch })
	if len(left) == 0 {
		delete(c.byUser, ch.private)
	} else {
		c.byUser[ch.private] = left
	}
}

// pending tells whether a user owes an answer.
func (c *challenges) pending(private string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	return len(c.byUser[private]) > 0
}

func (c *challenges) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()

	return len(c.byNonce)
}

// newChallenge makes a challenge of what the HSS sent: an AKA vector, or digest data (TS 29.229 §6.3.13).
func newChallenge(a *cx.MAA, policy *Authentication, homeDomain string) (*challenge, error) {
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
		return digestChallenge(item.Digest, homeDomain)
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

	ch := &challenge{
		nonce: digest.AKANonce([16]byte(item.Authenticate), [16]byte(item.Authenticate[16:])), algorithm: algorithm, realm: policy.Realm,
		qop: policy.QoP, aka: true, password: item.Authorization, ik: item.IntegrityKey, ck: item.ConfidentialityKey,
	}

	if ch.realm == "" {
		ch.realm = homeDomain
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

func digestChallenge(d *cx.DigestAuthenticate, homeDomain string) (*challenge, error) {
	ch := &challenge{nonce: newNonce(), algorithm: d.Algorithm, realm: d.Realm, ha1: d.HA1, opaque: newNonce()}

	switch strings.ToUpper(d.Algorithm) {
	case "":
		ch.algorithm = digest.MD5
	case "MD5", "SHA-256":
	default:
		return nil, errors.New("the HSS chose the digest algorithm " + d.Algorithm + ", which the S-CSCF does not have")
	}

	if ch.ha1 == "" {
		return nil, errors.New("the MAA has no Digest-HA1")
	}

	if ch.realm == "" {
		ch.realm = homeDomain
	}

	for qop := range strings.SplitSeq(d.QoP, ",") {
		if qop = strings.TrimSpace(qop); qop != "" {
			ch.qop = append(ch.qop, qop)
		}
	}

	return ch, nil
}

func newNonce() string {
	var b [18]byte
	rand.Read(b[:]) // never fails

	return base64.StdEncoding.EncodeToString(b[:])
}

// header is the value of WWW-Authenticate. IK and CK are for the P-CSCF, which takes them out (TS 24.229 §5.4.1.2.1).
func (ch *challenge) header(stale bool) string {
	return digest.Challenge{
		Realm: ch.realm, Nonce: ch.nonce, Opaque: ch.opaque, Algorithm: ch.algorithm, QoP: ch.qop, Stale: stale,
		IK: hexOf(ch.ik), CK: hexOf(ch.ck),
	}.String()
}

var errRealm = errors.New("realm, algorithm or qop are not those of the challenge")

// offers tells whether a handset may answer with this qop. It may always leave it out (RFC 2617 §3.2.2).
func (ch *challenge) offers(qop string) bool {
	return qop == "" || len(ch.qop) == 0 || slices.ContainsFunc(ch.qop, func(offered string) bool { return strings.EqualFold(offered, qop) })
}

// check verifies the answer to the challenge.
func (ch *challenge) check(r *request) error {
	c := r.credentials

	if c.Realm != ch.realm || c.Algorithm != "" && !strings.EqualFold(c.Algorithm, ch.algorithm) {
		return errRealm
	}

	c.Algorithm = ch.algorithm // a handset may leave it out
	if !ch.offers(c.QoP) {
		return errRealm
	}

	if ch.aka {
		return c.Verify(ch.password, string(r.message.Method), r.message.Body())
	}

	return c.VerifyHA1(ch.ha1, string(r.message.Method), r.message.Body())
}

// Due is called by the schedule when reg-await-auth expires.
func (ch *challenge) Due(time.Time) { ch.registrar.awaitAuthExpired(ch) }
