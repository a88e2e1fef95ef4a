package authentication

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
	"github.com/dialtone-ims/dialtone/pkg/diameter/swx"
)

// Vectors makes one AKA vector for each sequence number, numbered in the order of use (TS 29.229 §6.3.13). The scheme says by which
// algorithm the handset is to answer; the vector is the same.
func Vectors(p *subscriber.PrivateIdentity, secrets subscriber.Secrets, scheme string, numbers []uint64) ([]cx.AuthDataItem, error) {
	made, err := vectors(p, secrets, numbers, func(amf [2]byte) [2]byte { return amf })
	if err != nil {
		return nil, err
	}

	items := make([]cx.AuthDataItem, len(made))

	for i, v := range made {
		number := uint32(i + 1)
		items[i] = cx.AuthDataItem{
			ItemNumber:         &number,
			Scheme:             scheme,
			Authenticate:       append(v.RAND[:], v.AUTN[:]...),
			Authorization:      v.XRES,
			ConfidentialityKey: v.CK[:],
			IntegrityKey:       v.IK[:],
		}
	}

	return items, nil
}

// EUTRANVectors makes vectors for an MME of a network, each with the separation bit and a KASME of that network (TS 33.401 §6.1.2),
// numbered in the order of use if there are several (TS 29.272 §7.3.20).
func EUTRANVectors(p *subscriber.PrivateIdentity, secrets subscriber.Secrets, plmn [3]byte, numbers []uint64) ([]s6a.EUTRANVector, error) {
	made, err := vectors(p, secrets, numbers, aka.Separated)
	if err != nil {
		return nil, err
	}

	all := make([]s6a.EUTRANVector, len(made))

	for i, v := range made {
		kasme := v.KASME(plmn)
		all[i] = s6a.EUTRANVector{RAND: v.RAND[:], XRES: v.XRES, AUTN: v.AUTN[:], KASME: kasme[:]}

		if len(made) > 1 {
			number := uint32(i + 1)
			all[i].ItemNumber = &number
		}
	}

	return all, nil
}

// EAPVectors makes vectors for EAP-AKA or, with the name of an access network, for EAP-AKA', with the separation bit and keys of that
// network (TS 33.402 §6.2). They are numbered in the order of use.
func EAPVectors(p *subscriber.PrivateIdentity, secrets subscriber.Secrets, network string, numbers []uint64) ([]swx.AuthDataItem, error) {
	scheme, field := swx.SchemeEAPAKA, func(amf [2]byte) [2]byte { return amf }
	if network != "" {
		scheme, field = swx.SchemeEAPAKAPrime, aka.Separated
	}

	made, err := vectors(p, secrets, numbers, field)
	if err != nil {
		return nil, err
	}

	items := make([]swx.AuthDataItem, len(made))

	for i, v := range made {
		ck, ik := v.CK, v.IK
		if network != "" {
			ck, ik = v.Prime(network)
		}

		number := uint32(i + 1)
		items[i] = swx.AuthDataItem{
			ItemNumber: &number, Scheme: scheme, Authenticate: append(v.RAND[:], v.AUTN[:]...), Authorization: v.XRES,
			ConfidentialityKey: ck[:], IntegrityKey: ik[:],
		}
	}

	return items, nil
}

// vectors makes one vector for each number. field maps the provisioned AMF to that of the vectors.
func vectors(
	p *subscriber.PrivateIdentity,
	secrets subscriber.Secrets,
	numbers []uint64,
	field func([2]byte) [2]byte,
) ([]aka.Vector, error) {
	a, err := algorithm(p, secrets)
	if err != nil {
		return nil, err
	}

	amf, err := AMF(p.AMF)
	if err != nil {
		return nil, fmt.Errorf("keys of %s: %w", p.Identity, err)
	}

	made := make([]aka.Vector, len(numbers))

	for i, sqn := range numbers {
		var challenge [16]byte
		_, _ = rand.Read(challenge[:]) // never fails (crypto/rand)

		made[i] = aka.Generate(a, challenge, aka.SQN(sqn), field(amf))
	}

	return made, nil
}

// AUTSLength is the length of a request to resynchronise: RAND||AUTS (TS 29.228 §6.3, TS 29.272 §7.3.15).
const AUTSLength = 16 + 14

// resynchronise returns the SIM's sequence number from RAND||AUTS (TS 33.102 §6.3.5). aka.ErrMACS means that the SIM has other keys.
func resynchronise(p *subscriber.PrivateIdentity, secrets subscriber.Secrets, authorization []byte) (uint64, error) {
	a, err := algorithm(p, secrets)
	if err != nil {
		return 0, err
	}

	sqn, err := aka.Resynchronise(a, [16]byte(authorization[:16]), [14]byte(authorization[16:AUTSLength]))

	return uint64(sqn), err
}

const (
	indBits = 5
	delta   = 1 << 28 // TS 33.102 annex C.2.1: the largest step that a SIM accepts
)

// inRange reports whether a SIM at sim would accept the number after ours, so that ours need not be set back (TS 33.102 §6.3.5 step 2,
// annex C.2).
func inRange(ours, sim uint64) bool {
	next, last := ours>>indBits+1, sim>>indBits

	return next > last && next-last <= delta
}

// Digest returns what the S-CSCF needs to check a password (TS 29.229 §6.3.36): H(A1) of RFC 2617 §3.2.2.2 or RFC 7616 §3.4.2.
func Digest(p *subscriber.PrivateIdentity, secrets subscriber.Secrets, realm string) (cx.AuthDataItem, error) {
	if secrets.Password == nil {
		return cx.AuthDataItem{}, fmt.Errorf("%s has no password", p.Identity)
	}

	name, ha1 := "MD5", ""
	a1 := append([]byte(p.Identity+":"+realm+":"), secrets.Password...)

	if p.Algorithm == SHA256 {
		sum := sha256.Sum256(a1)
		name, ha1 = "SHA-256", hex.EncodeToString(sum[:])
	} else {
		sum := md5.Sum(a1)
		ha1 = hex.EncodeToString(sum[:])
	}

	return cx.AuthDataItem{
		Scheme: cx.SchemeSIPDigest,
		Digest: &cx.DigestAuthenticate{Realm: realm, Algorithm: name, QoP: "auth", HA1: ha1},
	}, nil
}

// The algorithms of SIP Digest (RFC 8760).
const (
	MD5    subscriber.Algorithm = "md5"
	SHA256 subscriber.Algorithm = "sha-256"
)
