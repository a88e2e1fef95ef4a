package registrar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// Policy is the operator's policy on registrations.
type Policy struct {
	// MinExpires and MaxExpires bound the time that a handset requests: less is answered 423, more is shortened. DefaultExpires is for a
	// REGISTER that gives no time.
	MinExpires     time.Duration `yaml:"min_expires"`
	MaxExpires     time.Duration `yaml:"max_expires"`
	DefaultExpires time.Duration `yaml:"default_expires"`
	// ExpiryGrace is how long a contact stays after it has expired, for a refresh that is on its way.
	ExpiryGrace time.Duration `yaml:"expiry_grace"`

	// MaxContacts is per implicit registration set. One more replaces the oldest of its private identity ("replace") or is answered 403
	// ("refuse").
	MaxContacts    int    `yaml:"max_contacts"`
	AtContactLimit string `yaml:"at_contact_limit"`

	// MaxRegistrations is how many implicit registration sets are served at the same time, MaxChallenges how many 401 may be
	// unanswered.
	MaxRegistrations int `yaml:"max_registrations"`
	MaxChallenges    int `yaml:"max_challenges"`

	// RequirePath answers 421 to a REGISTER without Path, from a handset that is not behind a P-CSCF.
	RequirePath bool `yaml:"require_path"`

	// AssignAtReRegistration sends a SAR RE_REGISTRATION at each re-registration (TS 29.228 §6.1.2).
	AssignAtReRegistration bool `yaml:"assign_at_re_registration"`
	// KeepProfile asks the HSS at de-registration to keep this S-CSCF, for services of the unregistered user: the SAR has
	// one of the types with STORE_SERVER_NAME.
	KeepProfile bool `yaml:"keep_profile"`
	// UnregisteredValidity is how long the profile of an unregistered user is kept.
	UnregisteredValidity time.Duration `yaml:"unregistered_validity"`

	Authentication Authentication `yaml:"authentication"`
	// ChargingFunctions go into P-Charging-Function-Addresses when the HSS names none.
	ChargingFunctions ChargingFunctions `yaml:"charging_functions"`
}

// Authentication is the operator's policy on authentication.
type Authentication struct {
	// Scheme is the authentication scheme that a MAR requests. "Unknown" lets the HSS decide; "Digest-AKAv1-MD5", "Digest-AKAv2-MD5",
	// "Digest-AKAv2-SHA-256" and "SIP Digest" request one.
	Scheme string `yaml:"scheme"`
	// AwaitAuth is the timer reg-await-auth (TS 24.229 §7.8): how long a handset may take to answer the 401.
	AwaitAuth time.Duration `yaml:"await_auth"`
	// QoP is offered in AKA challenges. If it is empty there is no qop parameter, which one chipset needs (open5gs#491).
	QoP []string `yaml:"qop"`
	// Realm of AKA challenges; empty: the home domain.
	Realm string `yaml:"realm"`
	// Attempts is the number of wrong responses until 403. With 1 the first is refused.
	Attempts int `yaml:"attempts"`
	// Resynchronisations is the number of consecutive AUTS that are accepted.
	Resynchronisations int `yaml:"resynchronisations"`
	// TrustRefresh lists values of integrity-protected with which a known contact is refreshed, or de-registered, without
	// a new challenge (TS 24.229 §5.4.1.2.2). TrustAlways lists those that need none at all, such as auth-done.
	TrustRefresh []string `yaml:"trust_refresh"`
	TrustAlways  []string `yaml:"trust_always"`
	// RefuseUnprotected rejects an answer to an AKA challenge that came outside the security associations that the P-CSCF offered: it has
	// integrity-protected=no, or the challenged REGISTER had it and the answer has no value that protects.
	RefuseUnprotected bool `yaml:"refuse_unprotected"`
	// RequireProtection accepts a response to a challenge only if it came over a security association or TLS. Off, a lab without IPsec
	// works.
	RequireProtection bool `yaml:"require_protection"`
}

// ChargingFunctions are Diameter URIs: ecf of the OCS, ccf of the collector.
type ChargingFunctions struct {
	ECF []string `yaml:"ecf"`
	CCF []string `yaml:"ccf"`
}

// DefaultPolicy returns a policy for a lab.
func DefaultPolicy() Policy {
	return Policy{
		MinExpires: time.Minute, MaxExpires: 2 * time.Hour, DefaultExpires: time.Hour, ExpiryGrace: 5 * time.Second,
		MaxContacts: 5, AtContactLimit: "replace", MaxRegistrations: 200_000, MaxChallenges: 50_000,
		AssignAtReRegistration: true, UnregisteredValidity: 10 * time.Minute,
		Authentication: Authentication{
			Scheme: "Unknown", AwaitAuth: 4 * time.Minute, QoP: []string{"auth"}, Attempts: 1, Resynchronisations: 2,
			TrustRefresh: []string{"yes", "tls-yes", "ip-assoc-yes"}, TrustAlways: []string{},
			RefuseUnprotected: true,
		},
		ChargingFunctions: ChargingFunctions{ECF: []string{}, CCF: []string{}},
	}
}

var protections = []string{"yes", "no", "tls-yes", "tls-pending", "tls-connected", "ip-assoc-yes", "ip-assoc-pending", "auth-done"}

// Validate returns an error that names the setting if the policy cannot work.
func (p *Policy) Validate() error {
	a := p.Authentication

	switch {
	case p.MinExpires < time.Second || p.MaxExpires < p.MinExpires || p.DefaultExpires < p.MinExpires || p.DefaultExpires > p.MaxExpires:
		return errors.New("registrar: min_expires must be at least 1s, and default_expires between it and max_expires")
	case p.ExpiryGrace < 0 || p.UnregisteredValidity < time.Second:
		return errors.New("registrar: expiry_grace must not be negative, unregistered_validity at least 1s")
	case p.MaxContacts < 1 || p.MaxRegistrations < 1 || p.MaxChallenges < 1:
		return errors.New("registrar: max_contacts, max_registrations and max_challenges must be positive")
	case p.AtContactLimit != "replace" && p.AtContactLimit != "refuse":
		return fmt.Errorf("registrar.at_contact_limit: %q is neither replace nor refuse", p.AtContactLimit)
	case !slices.Contains(slices.Concat([]string{cx.SchemeUnknown, cx.SchemeSIPDigest}, cx.SchemesOfAKA), a.Scheme):
		return fmt.Errorf("registrar.authentication.scheme: %q is none of Unknown, %s, SIP Digest", a.Scheme, strings.Join(cx.SchemesOfAKA, ", "))
	case a.AwaitAuth < time.Second || a.Attempts < 1 || a.Resynchronisations < 0:
		return errors.New("registrar.authentication: await_auth must be at least 1s, attempts positive, resynchronisations not negative")
	}

	if f := p.ChargingFunctions; len(f.ECF) > 2 || len(f.CCF) > 2 {
		return errors.New("registrar.charging_functions: a primary and a secondary of each, no more (RFC 7315 §5.5)")
	}

	for _, qop := range a.QoP {
		if qop != "auth" && qop != "auth-int" {
			return fmt.Errorf("registrar.authentication.qop: %q is neither auth nor auth-int", qop)
		}
	}

	for _, value := range slices.Concat(a.TrustRefresh, a.TrustAlways) {
		if !slices.Contains(protections, value) || value == "no" {
			return fmt.Errorf("registrar.authentication: %q is no value of integrity-protected that can be trusted", value)
		}
	}

	return nil
}
