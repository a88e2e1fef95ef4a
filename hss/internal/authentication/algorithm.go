// Package authentication is the authentication centre: from the secrets of a private identity to what the S-CSCF needs to
// authenticate it (TS 33.203 §6.1).
package authentication

import (
	"encoding/hex"
	"fmt"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/aka"
)

// TUAK leaves these to the operator (TS 35.231 §5); the values are those of the test SIMs on the market.
const (
	tuakRES        = 8 // octets
	tuakIterations = 1
)

// DeriveOPc computes what a SIM holds instead of the operator's OP (TS 35.206 §4.1) or TOP (TS 35.231 §6.2).
func DeriveOPc(algorithm subscriber.Algorithm, k, op []byte) ([]byte, error) {
	if err := CheckKeys(algorithm, k, op); err != nil {
		return nil, err
	}

	if algorithm == subscriber.TUAK {
		topc := aka.TOPc(k, [32]byte(op), tuakIterations)
		return topc[:], nil
	}

	opc := aka.OPc([16]byte(k), [16]byte(op))

	return opc[:], nil
}

// CheckKeys refuses keys of another length than the algorithm's. variant is OP or OPc, which are equally long.
func CheckKeys(algorithm subscriber.Algorithm, k, variant []byte) error {
	switch algorithm {
	case subscriber.Milenage:
		if len(k) != 16 || len(variant) != 16 {
			return fmt.Errorf("Milenage has a K and an OP or OPc of 16 octets, not %d and %d", len(k), len(variant))
		}
	case subscriber.TUAK:
		if len(k) != 16 && len(k) != 32 || len(variant) != 32 {
			return fmt.Errorf("TUAK has a K of 16 or 32 octets and a TOP or TOPc of 32, not %d and %d", len(k), len(variant))
		}
	default:
		return fmt.Errorf("%q is no algorithm: milenage or tuak", algorithm)
	}

	return nil
}

func algorithm(p *subscriber.PrivateIdentity, secrets subscriber.Secrets) (aka.Algorithm, error) {
	if err := CheckKeys(p.Algorithm, secrets.K, secrets.OPc); err != nil {
		return nil, fmt.Errorf("keys of %s: %w", p.Identity, err)
	}

	if p.Algorithm == subscriber.TUAK {
		return aka.NewTUAK(secrets.K, [32]byte(secrets.OPc), tuakRES, tuakIterations), nil
	}

	return aka.NewMilenage([16]byte(secrets.K), [16]byte(secrets.OPc)), nil
}

// AMF reads the authentication management field, four hexadecimal digits.
func AMF(text string) ([2]byte, error) {
	octets, err := hex.DecodeString(text)
	if err != nil || len(octets) != 2 {
		return [2]byte{}, fmt.Errorf("the AMF %q is not four hexadecimal digits", text)
	}

	return [2]byte(octets), nil
}
