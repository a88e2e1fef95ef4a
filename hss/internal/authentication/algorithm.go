// Package authentication is the authentication centre: it makes authentication vectors from the secrets of a private identity
// (TS 33.203 §6.1).
package authentication

import (
	"cmp"
	"encoding/hex"
	"fmt"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/aka"
)

// Lengths and iterations that TUAK leaves to the operator (TS 35.231 §5), for identities without their own; the values are those of the
// test SIMs on the market.
const (
	tuakRES        = 8 // octets
	tuakIterations = 1
)

// DeriveOPc computes what a SIM holds instead of the operator's OP (TS 35.206 §4.1) or TOP (TS 35.231 §6.2). keccak is
// TUAK's number of iterations, 0 for the usual one.
func DeriveOPc(algorithm subscriber.Algorithm, k, op []byte, keccak int) ([]byte, error) {
	if err := CheckKeys(algorithm, k, op); err != nil {
		return nil, err
	}

	if algorithm == subscriber.TUAK {
		topc := aka.TOPc(k, [32]byte(op), cmp.Or(keccak, tuakIterations))
		return topc[:], nil
	}

	opc := aka.OPc([16]byte(k), [16]byte(op))

	return opc[:], nil
}

// CheckKeys returns an error for keys whose length is not the algorithm's. variant is OP or OPc, which are equally long.
func CheckKeys(algorithm subscriber.Algorithm, k, variant []byte) error {
	switch algorithm {
	case subscriber.Milenage:
		if len(k) != 16 || len(variant) != 16 {
			return fmt.Errorf("algorithm Milenage has a K and an OP or OPc of 16 octets, not %d and %d", len(k), len(variant))
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

// maxIterations bounds what one vector may cost.
const maxIterations = 255

// CheckLengths returns an error for lengths of RES and numbers of iterations that TUAK does not have (TS 35.231 §5); 0 is the default. A
// vector's MAC-A and MAC-S are always 8 octets (TS 33.102 §6.3.2, §6.3.3), whatever else TUAK offers.
func CheckLengths(res, keccak int) error {
	switch {
	case res != 0 && res != 4 && res != 8 && res != 16 && res != 32:
		return fmt.Errorf("RES of TUAK has 4, 8, 16 or 32 octets, not %d", res)
	case keccak < 0 || keccak > maxIterations:
		return fmt.Errorf("TUAK iterates 1 to %d times, not %d", maxIterations, keccak)
	default:
		return nil
	}
}

func algorithm(p *subscriber.PrivateIdentity, secrets subscriber.Secrets) (aka.Algorithm, error) {
	if err := CheckKeys(p.Algorithm, secrets.K, secrets.OPc); err != nil {
		return nil, fmt.Errorf("keys of %s: %w", p.Identity, err)
	}

	if err := CheckLengths(p.RES, p.Keccak); err != nil {
		return nil, fmt.Errorf("keys of %s: %w", p.Identity, err)
	}

	if p.Algorithm == subscriber.TUAK {
		return aka.NewTUAK(secrets.K, [32]byte(secrets.OPc), cmp.Or(p.RES, tuakRES), cmp.Or(p.Keccak, tuakIterations)), nil
	}

	return aka.NewMilenage([16]byte(secrets.K), [16]byte(secrets.OPc)), nil
}

// AMF parses the authentication management field, four hexadecimal digits.
func AMF(text string) ([2]byte, error) {
	octets, err := hex.DecodeString(text)
	if err != nil || len(octets) != 2 {
		return [2]byte{}, fmt.Errorf("the AMF %q is not four hexadecimal digits", text)
	}

	return [2]byte(octets), nil
}
