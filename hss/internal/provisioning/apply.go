package provisioning

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/authentication"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// problem is what is wrong with a field of the request.
func problem(field, format string, arguments ...any) error {
	return &httpapi.Error{
		Status: http.StatusUnprocessableEntity, Title: "the request cannot be carried out",
		Detail: field + ": " + fmt.Sprintf(format, arguments...),
	}
}

// limits of one subscription: enough for a busy lab, small enough for one Diameter message.
const (
	maxPrivate = 16
	maxSets    = 16
	maxPublic  = 64
	maxText    = 255
)

// apply makes the subscription what the document says. What the document does not name is deleted; secrets it leaves out
// are kept.
func apply(tx *subscriber.Tx, s *subscriber.Subscription, d Subscriber) error {
	switch {
	case d.Name == "" || len(d.Name) > maxText || strings.ContainsAny(d.Name, "/?#\x00"):
		return problem("name", "%q is no name: up to %d characters without / ? #", d.Name, maxText)
	case len(d.PrivateIdentities) == 0 && !onlyServices(d):
		return problem("private_identities", "at least one is needed, except for services")
	case len(d.PrivateIdentities) > maxPrivate:
		return problem("private_identities", "%d are more than %d", len(d.PrivateIdentities), maxPrivate)
	case len(d.RegistrationSets) == 0 || len(d.RegistrationSets) > maxSets:
		return problem("registration_sets", "there must be 1 to %d, not %d", maxSets, len(d.RegistrationSets))
	}

	s.Name, s.Capabilities, s.Charging = d.Name, subscriber.Capabilities{}, subscriber.ChargingInformation{}
	if c := d.Capabilities; c != nil {
		s.Capabilities = subscriber.Capabilities{Mandatory: c.Mandatory, Optional: c.Optional, ServerNames: c.ServerNames}
	}

	if c := d.Charging; c != nil {
		s.Charging = subscriber.ChargingInformation{
			PrimaryEventChargingFunction: c.PrimaryEvent, SecondaryEventChargingFunction: c.SecondaryEvent,
			PrimaryChargingCollectionFunction: c.PrimaryCollection, SecondaryChargingCollectionFunction: c.SecondaryCollection,
		}
	}

	if err := applyPrivate(tx, s, d.PrivateIdentities); err != nil {
		return err
	}

	if err := applySets(tx, s, d.RegistrationSets); err != nil {
		return err
	}

	return associate(s, d.PrivateIdentities)
}

func onlyServices(d Subscriber) bool {
	return !slices.ContainsFunc(d.RegistrationSets, func(set RegistrationSet) bool {
		return slices.ContainsFunc(set.PublicIdentities, func(p PublicIdentity) bool { return kindOf(p) != subscriber.Service })
	})
}

func applyPrivate(tx *subscriber.Tx, s *subscriber.Subscription, documents []PrivateIdentity) error {
	var all []*subscriber.PrivateIdentity

	for i, d := range documents {
		at := fmt.Sprintf("private_identities[%d]", i)

		user, domain, _ := strings.Cut(d.Identity, "@")
		if user == "" || domain == "" || len(d.Identity) > maxText || strings.ContainsAny(d.Identity, " \t\r\n\x00<>\"") {
			return problem(at+".identity", "%q is not of the form user@realm", d.Identity)
		}

		if slices.ContainsFunc(all, func(p *subscriber.PrivateIdentity) bool { return p.Identity == d.Identity }) {
			return problem(at+".identity", "%s stands twice", d.Identity)
		}

		p := s.PrivateNamed(d.Identity)
		if p == nil {
			if d.Authentication == nil {
				return problem(at+".authentication", "a new private identity needs it")
			}

			p = &subscriber.PrivateIdentity{Identity: d.Identity}
		}

		if d.IMSI != "" {
			if err := digits(at+".imsi", d.IMSI, 6, 15); err != nil {
				return err
			}
		}

		p.IMSI, p.MSISDN, p.VisitedNetworks = d.IMSI, d.MSISDN, d.VisitedNetworks

		if d.Authentication != nil {
			if err := authenticate(tx, p, *d.Authentication); err != nil {
				return prefixed(at+".authentication", err)
			}
		}

		all = append(all, p)
	}

	s.Private = all

	return nil
}

// prefixed says of which part of the request a problem is.
func prefixed(at string, err error) error {
	var p *httpapi.Error
	if errors.As(err, &p) {
		return &httpapi.Error{Status: p.Status, Title: p.Title, Detail: at + "." + p.Detail}
	}

	return err
}

// authenticate sets how an identity is authenticated. Fields that are left out keep their value; the scheme and keys of
// another scheme do not survive a change of scheme.
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

// lengths takes what TUAK leaves to the operator.
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

// withoutValue keeps secrets out of messages: hex errors quote single characters only, but their number says enough.
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

func applySets(tx *subscriber.Tx, s *subscriber.Subscription, documents []RegistrationSet) error {
	var (
		all      []*subscriber.RegistrationSet
		seen     = map[string]bool{}
		profiles = map[string]*subscriber.ServiceProfile{}
	)

	existing := map[string]*subscriber.PublicIdentity{}
	for _, set := range s.Sets {
		for _, p := range set.Public {
			existing[p.Identity] = p
		}
	}

	for i, d := range documents {
		at := fmt.Sprintf("registration_sets[%d]", i)

		switch {
		case d.Number < 1 || d.Number > 1<<16:
			return problem(at+".number", "%d is not 1 to 65536", d.Number)
		case slices.ContainsFunc(all, func(set *subscriber.RegistrationSet) bool { return set.Number == d.Number }):
			return problem(at+".number", "%d stands twice", d.Number)
		case len(d.PublicIdentities) == 0 || len(d.PublicIdentities) > maxPublic:
			return problem(at+".public_identities", "there must be 1 to %d, not %d", maxPublic, len(d.PublicIdentities))
		}

		set := s.SetNumbered(d.Number)
		if set == nil {
			set = &subscriber.RegistrationSet{Number: d.Number}
		}

		set.Public, set.LooseRoute = nil, d.LooseRoute

		for j, public := range d.PublicIdentities {
			at := fmt.Sprintf("%s.public_identities[%d]", at, j)

			p, err := applyPublic(tx, existing[public.Identity], public, profiles)
			if err != nil {
				return prefixed(at, err)
			}

			if seen[p.Identity] {
				return problem(at+".identity", "%s stands twice", p.Identity)
			}

			seen[p.Identity] = true
			set.Public = append(set.Public, p)
		}

		if err := aliases(set, at); err != nil {
			return err
		}

		all = append(all, set)
	}

	s.Sets = all

	return nil
}

// aliases refuses identities that cannot be each other's aliases: these have the same services (TS 29.228 annex B.2.1).
func aliases(set *subscriber.RegistrationSet, at string) error {
	profiles := map[string]uint64{}

	for j, p := range set.Public {
		if p.AliasGroup == "" {
			continue
		}

		if profile, found := profiles[p.AliasGroup]; found && profile != p.ProfileID {
			return problem(fmt.Sprintf("%s.public_identities[%d].alias_group", at, j), "aliases have the same service profile")
		}

		profiles[p.AliasGroup] = p.ProfileID
	}

	return nil
}

func applyPublic(
	tx *subscriber.Tx,
	p *subscriber.PublicIdentity,
	d PublicIdentity,
	profiles map[string]*subscriber.ServiceProfile,
) (*subscriber.PublicIdentity, error) {
	identity, err := canonical(d.Identity)

	switch {
	case err != nil:
		return nil, err
	case kindOf(d) != subscriber.User && kindOf(d) != subscriber.Service:
		return nil, problem("kind", "%q is neither user nor service", d.Kind)
	case d.ApplicationServer != "" && kindOf(d) != subscriber.Service:
		return nil, problem("application_server", "only a service is routed to one directly")
	case len(d.DisplayName) > maxText:
		return nil, problem("display_name", "longer than %d characters", maxText)
	case len(d.AliasGroup) > maxText:
		return nil, problem("alias_group", "longer than %d characters", maxText)
	}

	if p == nil {
		p = new(subscriber.PublicIdentity)
	}

	p.Identity, p.Kind, p.DisplayName, p.Barred = identity, kindOf(d), d.DisplayName, d.Barred
	p.MayRegister = d.MayRegister == nil || *d.MayRegister
	p.AliasGroup, p.ApplicationServer = d.AliasGroup, d.ApplicationServer
	p.Wildcard = strings.Contains(identity, "!")
	p.ProfileID, p.Profile = 0, nil

	if p.Wildcard {
		if err := subscriber.CheckWildcard(identity); err != nil {
			return nil, problem("identity", "%s: %v", identity, err)
		}
	}

	if d.ServiceProfile == "" {
		return p, nil
	}

	profile := profiles[d.ServiceProfile]
	if profile == nil {
		profile, err = tx.Profile(d.ServiceProfile)

		switch {
		case errors.Is(err, subscriber.ErrNotFound):
			return nil, problem("service_profile", "there is no service profile %q", d.ServiceProfile)
		case err != nil:
			return nil, err
		}

		profiles[d.ServiceProfile] = profile
	}

	p.ProfileID, p.Profile = profile.ID, profile

	return p, nil
}

// canonical refuses what is no public identity (TS 23.003 §13.4) and gives it the form in which CSCFs ask for it.
func canonical(identity string) (string, error) {
	if len(identity) > maxText || strings.ContainsAny(identity, " \t\r\n\x00<>\"") {
		return "", problem("identity", "%q is no sip: or tel: URI", identity)
	}

	if strings.Contains(identity, "!") {
		if !strings.HasPrefix(identity, "sip:") && !strings.HasPrefix(identity, "tel:") {
			return "", problem("identity", "%q is no sip: or tel: URI", identity)
		}

		return identity, nil
	}

	plain, err := ims.CanonicalIdentity(identity)

	switch {
	case err != nil || strings.HasPrefix(identity, "sips:"):
		return "", problem("identity", "%q is no sip: or tel: URI", identity)
	case strings.ContainsAny(identity, ";?"):
		return "", problem("identity", "%q has parameters, which identities do not have", identity)
	case strings.HasPrefix(plain, "tel:") && !strings.HasPrefix(plain, "tel:+"):
		return "", problem("identity", "%q is no international number: tel:+…", identity)
	default:
		return plain, nil
	}
}

// associate lets each private identity use its sets, keeping the state of pairs that stay.
func associate(s *subscriber.Subscription, documents []PrivateIdentity) error {
	for i, d := range documents {
		for _, number := range d.RegistrationSets {
			if s.SetNumbered(number) == nil {
				return problem(fmt.Sprintf("private_identities[%d].registration_sets", i), "there is no set %d", number)
			}
		}
	}

	for _, set := range s.Sets {
		var kept []*subscriber.Registration

		for i, d := range documents {
			if len(d.RegistrationSets) > 0 && !slices.Contains(d.RegistrationSets, set.Number) {
				continue
			}

			r := set.Registration(s.Private[i])
			if r == nil {
				r = &subscriber.Registration{Private: s.Private[i]}
			}

			kept = append(kept, r)
		}

		set.Registrations = kept
	}

	return nil
}
