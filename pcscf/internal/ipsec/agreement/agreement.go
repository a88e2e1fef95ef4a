// Package agreement implements the security mechanism agreement between handset and P-CSCF (RFC 3329, TS 33.203 §7.2, annex H), as
// decisions: what a request asks for, which algorithms both sides support, whether the handset repeats what it was told.
package agreement

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Option is the option tag of RFC 3329.
const Option = "sec-agree"

// Keys are CK and IK of a challenge, in hexadecimal as the S-CSCF sends them. They never leave the P-CSCF.
type Keys struct{ CK, IK string }

// maxMechanisms is how many alternatives are read; handsets send up to a dozen.
const maxMechanisms = 64

// Request is what a request states about security.
type Request struct {
	Demanded bool // Require or Proxy-Require has sec-agree: the handset insists on it
	Client   []ims.SecurityMechanism
	Verify   []ims.SecurityMechanism
}

// Offered reports whether the handset wants security associations.
func (r Request) Offered() bool { return len(r.Client) > 0 }

// Parse parses the security header fields of a request. The error states what cannot be parsed.
func Parse(r *sip.Request) (Request, error) {
	client, errClient := mechanisms(r, "security-client")
	verify, errVerify := mechanisms(r, "security-verify")

	return Request{
		Demanded: sip.HasToken(r, "Require", Option) || sip.HasToken(r, "Proxy-Require", Option),
		Client:   client, Verify: verify,
	}, errors.Join(errClient, errVerify)
}

func mechanisms(r *sip.Request, name string) ([]ims.SecurityMechanism, error) {
	var fields []string

	sip.EachField(r, name, func(value string) bool {
		fields = append(fields, value)
		return true
	})

	if len(fields) == 0 {
		return nil, nil
	}

	all, err := ims.ParseSecurity(fields...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}

	if len(all) > maxMechanisms {
		return nil, fmt.Errorf("%s has more than %d alternatives", name, maxMechanisms)
	}

	return all, nil
}

// Choice is the handset's mechanism that is used, and its suite.
type Choice struct {
	Suite     ipsec.Suite
	Mechanism ims.SecurityMechanism
}

// errNothingInCommon is returned for an offer without an algorithm that this side supports.
var errNothingInCommon = errors.New("no security mechanism in common")

// Choose returns the first of the P-CSCF's suites, in its own order, that the handset offers as well (TS 33.203 §7.2). The error lists what
// either side supports.
func Choose(own []ipsec.Suite, offer []ims.SecurityMechanism) (Choice, error) {
	for _, suite := range own {
		for _, m := range offer {
			if suiteOf(m) == suite && usable(m) == nil {
				return Choice{Suite: suite, Mechanism: m}, nil
			}
		}
	}

	return Choice{}, fmt.Errorf("%w: the handset offers %s; here is %s", errNothingInCommon, describe(offer), suites(own))
}

// suiteOf returns the pair of algorithms of a mechanism. aes-gcm includes integrity protection, whatever alg says.
func suiteOf(m ims.SecurityMechanism) ipsec.Suite {
	s := ipsec.Suite{Integrity: ipsec.Integrity(m.Algorithm), Encryption: ipsec.Encryption(m.EncryptionAlgorithm)}
	if s.Encryption == ipsec.AESGCM {
		s.Integrity = ipsec.NoIntegrity
	}

	return s
}

func usable(m ims.SecurityMechanism) error {
	if err := m.Usable(); err != nil {
		return err
	}

	if m.Mode != "trans" {
		return fmt.Errorf("mod is %q: only transport mode is here", m.Mode)
	}

	return nil
}

func describe(offer []ims.SecurityMechanism) string {
	var all []string

	for _, m := range offer {
		text := suiteOf(m).String()
		if m.Name != ims.IPsec3GPP {
			text = m.Name
		} else if err := usable(m); err != nil {
			text += " (" + err.Error() + ")"
		}

		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}

	const shown = 12
	if len(all) > shown {
		all = append(all[:shown], "and more")
	}

	return strings.Join(all, ", ")
}

func suites(all []ipsec.Suite) string {
	texts := make([]string, len(all))
	for i, s := range all {
		texts[i] = s.String()
	}

	return strings.Join(texts, ", ")
}

// Answer returns the Security-Server of a set of associations: the chosen suite alone, or all of the P-CSCF's in its order with falling q,
// the chosen one being the first that the handset supports as well (TS 33.203 §7.2, SM6).
func Answer(set ipsec.Set, others []ipsec.Suite) []ims.SecurityMechanism {
	list := []ipsec.Suite{set.Suite}
	if len(others) > 0 {
		list = others
	}

	answer := make([]ims.SecurityMechanism, len(list))

	for i, suite := range list {
		answer[i] = mechanism(suite, max(1, 100-i))
		answer[i].SPIClient, answer[i].SPIServer = set.SPIs.PCSCFClient, set.SPIs.PCSCFServer
		answer[i].PortClient, answer[i].PortServer = set.Ports.PCSCFClient, set.Ports.PCSCFServer
	}

	return answer
}

// Offers returns the Security-Server of a refusal: what this P-CSCF supports (RFC 3329 §2.3.1).
func Offers(own []ipsec.Suite) []ims.SecurityMechanism {
	offers := make([]ims.SecurityMechanism, len(own))
	for i, suite := range own {
		offers[i] = mechanism(suite, max(1, 100-i))
	}

	return offers
}

func mechanism(s ipsec.Suite, preference int) ims.SecurityMechanism {
	return ims.SecurityMechanism{
		Name: ims.IPsec3GPP, Preference: preference, Protocol: "esp", Mode: "trans",
		Algorithm: string(s.Integrity), EncryptionAlgorithm: string(s.Encryption),
	}
}
