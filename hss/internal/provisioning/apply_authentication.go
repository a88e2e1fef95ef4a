package provisioning

import (
	"encoding/hex"
	"errors"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/authentication"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
)

// authenticate sets how an identity is authenticated. Omitted fields keep their value; the keys of another scheme are dropped.
func authenticate(tx *subscriber.Tx, p *subscriber.PrivateIdentity, a Authentication) error {
	scheme := a.Scheme
	if scheme == "" {
		switch {
		case a.Password != "":
			scheme = subscriber.SIPDigest
		case a.K != "" || p.Scheme == "":
			scheme = subscriber.AKA
		default:
			scheme = p.Scheme
		}
	}

	secrets, err := tx.Secrets(p)
	if err != nil {
		return err
	}

	if scheme != p.Scheme {
		secrets, p.Algorithm, p.Operator, p.AMF, p.RES, p.Keccak = subscriber.Secrets{}, "", "", "", 0, 0
	}

	p.Scheme = scheme

	switch scheme {
	case subscriber.AKA:
		err = authenticateAKA(p, &secrets, a)
	case subscriber.SIPDigest:
		err = authenticateDigest(p, &secrets, a)
	default:
		err = problem("scheme", "%q is neither aka nor sip-digest", scheme)
	}

	if err != nil {
		return err
	}

	tx.SetSecrets(p, secrets)

	if a.SQN != "" {
		return setSQN(tx, p, a.SQN)
	}

	return nil
}

func authenticateAKA(p *subscriber.PrivateIdentity, secrets *subscriber.Secrets, a Authentication) error {
	if a.Password != "" {
		return problem("password", "a SIM has none")
	}

	if a.Algorithm != "" {
		p.Algorithm = a.Algorithm
	}

	if p.Algorithm == "" {
		p.Algorithm = subscriber.Milenage
	}

	if err := lengths(p, a); err != nil {
		return err
	}

	k, err := octets("k", a.K, secrets.K)
	if err != nil {
		return err
	}

	op, opErr := octets("op", a.OP, secrets.OP)
	opc, opcErr := octets("opc", a.OPc, secrets.OPc)

	switch {
	case k == nil:
		return problem("k", "the key of the SIM is needed")
	case a.OP != "" && a.OPc != "":
		return problem("op", "OP and OPc are two forms of the same: give the one that came with the SIM")
	case opErr != nil || opcErr != nil:
		return errors.Join(opErr, opcErr)
	case a.OPc != "":
		p.Operator, op = subscriber.EnteredOPc, nil
	case a.OP != "" || p.Operator == subscriber.EnteredOP && op != nil:
		if opc, err = authentication.DeriveOPc(p.Algorithm, k, op, p.Keccak); err != nil {
			return problem("op", "%v", err)
		}

		p.Operator = subscriber.EnteredOP
	case opc == nil:
		return problem("opc", "OP or OPc is needed")
	}

	if err := authentication.CheckKeys(p.Algorithm, k, opc); err != nil {
		return problem("k", "%v", err)
	}

	if a.AMF != "" {
		p.AMF = strings.ToLower(a.AMF)
	} else if p.AMF == "" {
		p.AMF = "8000" // TS 33.401 annex H: the separation bit does not harm IMS
	}

	if _, err := authentication.AMF(p.AMF); err != nil {
		return problem("amf", "%v", err)
	}

	*secrets = subscriber.Secrets{K: k, OP: op, OPc: opc}

	return nil
}

// lengths sets the values that TUAK leaves to the operator.
func lengths(p *subscriber.PrivateIdentity, a Authentication) error {
	if a.RES != 0 {
		p.RES = a.RES
	}

	if a.Keccak != 0 {
		p.Keccak = a.Keccak
	}

	if p.Algorithm != subscriber.TUAK {
		if a.RES != 0 || a.Keccak != 0 {
			return problem("res", "only TUAK has a choice of lengths and iterations")
		}

		p.RES, p.Keccak = 0, 0
	}

	if err := authentication.CheckLengths(p.RES, p.Keccak); err != nil {
		return problem("res", "%v", err)
	}

	return nil
}

func authenticateDigest(p *subscriber.PrivateIdentity, secrets *subscriber.Secrets, a Authentication) error {
	if a.K != "" || a.OP != "" || a.OPc != "" {
		return problem("k", "a SIP Digest user has a password and no keys")
	}

	if a.Algorithm != "" {
		p.Algorithm = a.Algorithm
	}

	if p.Algorithm == "" {
		p.Algorithm = authentication.MD5
	}

	if p.Algorithm != authentication.MD5 && p.Algorithm != authentication.SHA256 {
		return problem("algorithm", "%q is neither md5 nor sha-256", p.Algorithm)
	}

	if a.Password != "" {
		secrets.Password = []byte(a.Password)
	}

	if len(secrets.Password) == 0 {
		return problem("password", "it is needed")
	}

	return nil
}

func octets(field, text string, present []byte) ([]byte, error) {
	if text == "" {
		return present, nil
	}

	b, err := hex.DecodeString(text)
	if err != nil {
		return nil, problem(field, "not hexadecimal: %v", withoutValue(err))
	}

	return b, nil
}

// withoutValue returns an error that does not quote the secret: hex errors quote single characters only, but those reveal enough.
func withoutValue(err error) string {
	if errors.Is(err, hex.ErrLength) {
		return "an odd number of digits"
	}

	return "a character that is no digit"
}

func setSQN(tx *subscriber.Tx, p *subscriber.PrivateIdentity, text string) error {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 6 {
		return problem("sqn", "%q is not 12 hexadecimal digits", text)
	}

	var sqn uint64
	for _, octet := range b {
		sqn = sqn<<8 | uint64(octet)
	}

	p.SQN = sqn
	if p.ID == 0 {
		return nil // saved with the rest
	}

	return tx.SetSQN(p, sqn)
}
