package digest

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
)

// Errors of credentials that do not pass.
var (
	ErrResponse  = errors.New("the digest response is wrong")
	ErrMissing   = errors.New("a digest parameter is missing")
	ErrAlgorithm = errors.New("the digest algorithm is not supported")
)

// Credentials are an Authorization or Proxy-Authorization header field. IntegrityProtected says how the request reached the P-CSCF
// (TS 24.229 §7.2A.2). AUTS is in base64 (RFC 3310 §3.4).
type Credentials struct {
	Username           string
	Realm              string
	Nonce              string
	URI                string
	Response           string
	Algorithm          string
	CNonce             string
	Opaque             string
	QoP                string
	NonceCount         string
	AUTS               string
	IntegrityProtected string
}

// Offered returns the first value of Authorization with the Digest scheme, or "". Other schemes, such as Bearer, are ignored: a
// request that has no other is challenged (RFC 3261 §22.2).
func Offered(values []string) string {
	for _, v := range values {
		if scheme, _ := grammar.CutScheme(v); strings.EqualFold(scheme, "Digest") {
			return v
		}
	}

	return ""
}

// ParseCredentials parses credentials and ignores unknown parameters.
func ParseCredentials(header string) (Credentials, error) {
	p, err := parameters(header)
	if err != nil {
		return Credentials{}, err
	}

	return Credentials{
		Username: p["username"], Realm: p["realm"], Nonce: p["nonce"], URI: p["uri"], Response: p["response"],
		Algorithm: p["algorithm"], CNonce: p["cnonce"], Opaque: p["opaque"], QoP: p["qop"], NonceCount: p["nc"],
		AUTS: p["auts"], IntegrityProtected: p["integrity-protected"],
	}, nil
}

// String returns the header field. It has nonce and response even when they are empty, as in a first REGISTER (TS 24.229 §5.1.1.2).
func (c Credentials) String() string {
	var w writer

	w.alwaysQuoted("username", c.Username)
	w.alwaysQuoted("realm", c.Realm)
	w.alwaysQuoted("nonce", c.Nonce)
	w.alwaysQuoted("uri", c.URI)
	w.alwaysQuoted("response", c.Response)
	w.bare("algorithm", c.Algorithm)
	w.quoted("cnonce", c.CNonce)
	w.quoted("opaque", c.Opaque)
	w.bare("qop", c.QoP)
	w.bare("nc", c.NonceCount)
	w.quoted("auts", c.AUTS)
	w.quoted("integrity-protected", c.IntegrityProtected)

	return w.String()
}

// Verify checks the response against a password: XRES for AKA, an empty one for AKA with AUTS (RFC 3310 §3.4), the user's own for
// plain Digest. Method and body are those of the request.
func (c Credentials) Verify(password []byte, method string, body []byte) error {
	h, err := c.hash()
	if err != nil {
		return err
	}

	return c.verify(h, c.ha1(h, password), method, body)
}

// VerifyHA1 checks the response against H(A1) in hexadecimal, which the HSS sends instead of a password (TS 29.229 §6.3.41).
func (c Credentials) VerifyHA1(ha1, method string, body []byte) error {
	h, err := c.hash()
	if err != nil {
		return err
	}

	return c.verify(h, ha1, method, body)
}

func (c Credentials) verify(h func() hash.Hash, ha1, method string, body []byte) error {
	for _, needed := range [...][2]string{{"username", c.Username}, {"nonce", c.Nonce}, {"uri", c.URI}, {"response", c.Response}} {
		if needed[1] == "" {
			return fmt.Errorf("%w: %s", ErrMissing, needed[0])
		}
	}

	if c.QoP != "" && (c.CNonce == "" || c.NonceCount == "") {
		return fmt.Errorf("%w: cnonce or nc", ErrMissing)
	}

	want, err := c.response(h, ha1, method, body)
	if err != nil {
		return err
	}

	if subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(c.Response))) != 1 {
		return ErrResponse
	}

	return nil
}

func (c Credentials) hash() (func() hash.Hash, error) {
	switch strings.ToLower(c.Algorithm) {
	case "", "md5", "akav1-md5", "akav2-md5":
		return md5.New, nil
	case "sha-256", "akav2-sha-256":
		return sha256.New, nil
	case "sha-512-256":
		return sha512.New512_256, nil
	default:
		return nil, fmt.Errorf("%w: %s", ErrAlgorithm, c.Algorithm)
	}
}

func sum(h func() hash.Hash, parts ...[]byte) string {
	state := h()

	for i, part := range parts {
		if i > 0 {
			state.Write([]byte{':'})
		}

		state.Write(part)
	}

	return hex.EncodeToString(state.Sum(nil))
}

func (c Credentials) ha1(h func() hash.Hash, password []byte) string {
	return sum(h, []byte(c.Username), []byte(c.Realm), password)
}

// response computes request-digest (RFC 2617 §3.2.2).
func (c Credentials) response(h func() hash.Hash, ha1, method string, body []byte) (string, error) {
	a2 := [][]byte{[]byte(method), []byte(c.URI)}

	switch strings.ToLower(c.QoP) {
	case "":
		return sum(h, []byte(ha1), []byte(c.Nonce), []byte(sum(h, a2...))), nil
	case "auth":
	case "auth-int":
		a2 = append(a2, []byte(sum(h, body)))
	default:
		return "", fmt.Errorf("%w: qop %s", ErrAlgorithm, c.QoP)
	}

	return sum(h, []byte(ha1), []byte(c.Nonce), []byte(c.NonceCount), []byte(c.CNonce), []byte(c.QoP), []byte(sum(h, a2...))), nil
}

// Answer computes the credentials for a challenge. It prefers auth to auth-int and ignores other qualities of protection. count is the
// number of times that this nonce has been used, including this one.
func Answer(
	ch Challenge,
	username string,
	password []byte,
	method, uri string,
	body []byte,
	count uint32,
	cnonce string,
) (Credentials, error) {
	c := Credentials{
		Username: username, Realm: ch.Realm, Nonce: ch.Nonce, URI: uri, Algorithm: ch.Algorithm, Opaque: ch.Opaque,
	}

	for _, qop := range []string{"auth-int", "auth"} {
		if slices.ContainsFunc(ch.QoP, func(offered string) bool { return strings.EqualFold(offered, qop) }) {
			c.QoP, c.CNonce = qop, cnonce
			c.NonceCount = strconv.FormatUint(1<<32|uint64(count), 16)[1:]
		}
	}

	h, err := c.hash()
	if err != nil {
		return Credentials{}, err
	}

	if c.Response, err = c.response(h, c.ha1(h, password), method, body); err != nil {
		return Credentials{}, err
	}

	return c, nil
}

// Count returns nc, the number of requests that the handset has sent with this nonce. A server that remembers it detects replays.
func (c Credentials) Count() (uint32, error) {
	n, err := strconv.ParseUint(c.NonceCount, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("%w: nc %q", errSyntax, c.NonceCount[:min(len(c.NonceCount), 20)])
	}

	return uint32(n), nil
}

// HA1 computes H(username:realm:password) in hexadecimal for this algorithm.
func HA1(algorithm, username, realm, password string) (string, error) {
	c := Credentials{Username: username, Realm: realm, Algorithm: algorithm}

	h, err := c.hash()
	if err != nil {
		return "", err
	}

	return c.ha1(h, []byte(password)), nil
}

// AKAAlgorithms are those of AKA.
var AKAAlgorithms = []string{AKAv1MD5, AKAv2MD5, AKAv2SHA256}

// AKAPassword returns the password for an AKA challenge: RES (RFC 3310 §3.3), or in version 2 PRF(RES || IK || CK) in base64
// (RFC 4169 §3), where PRF is HMAC with the hash of the algorithm.
func AKAPassword(algorithm string, res []byte, ik, ck [16]byte) ([]byte, error) {
	var h func() hash.Hash

	switch strings.ToLower(algorithm) {
	case "", "akav1-md5":
		return res, nil
	case "akav2-md5":
		h = md5.New
	case "akav2-sha-256":
		h = sha256.New
	default:
		return nil, fmt.Errorf("%w: %s", ErrAlgorithm, algorithm)
	}

	mac := hmac.New(h, slices.Concat(res, ik[:], ck[:]))
	mac.Write([]byte("http-digest-akav2-password"))

	return []byte(base64.StdEncoding.EncodeToString(mac.Sum(nil))), nil
}
