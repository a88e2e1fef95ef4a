// Package subscriber stores the HSS's users: IMS subscriptions with their private and public identities, the service profiles, and where
// each user is registered (TS 23.228 §4.3.3, §4.3.5).
package subscriber

import "slices"

// Subscription is an IMS subscription: one or more private identities and the public identities that they share. All registered identities
// of a subscription are at one S-CSCF.
type Subscription struct {
	ID   uint64 `gorm:"primaryKey"`
	Name string `gorm:"uniqueIndex;not null"` // the operator's name for it; the IMSI unless another is given

	ServerName   string // SIP URI of the S-CSCF, or "" (TS 29.228 §6.7)
	ServerHost   string // its Diameter identity, to which RTR and PPR go
	PreviousHost string // Diameter identity of the S-CSCF that a MAR from another one replaced, until that one's SAR
	Features     uint32 // Cx features that the S-CSCF supports, too (TS 29.229 §7.1.1)

	Capabilities Capabilities        `gorm:"embedded;embeddedPrefix:capability_"`
	Charging     ChargingInformation `gorm:"embedded;embeddedPrefix:charging_"`

	Private []*PrivateIdentity `gorm:"-"`
	Sets    []*RegistrationSet `gorm:"-"`

	moved bool // the assignment differs from the stored one
}

// Capabilities is what an S-CSCF for this subscription must and should be able to do (TS 29.228 §6.7).
type Capabilities struct {
	Mandatory   []uint32 `gorm:"serializer:json"`
	Optional    []uint32 `gorm:"serializer:json"`
	ServerNames []string `gorm:"serializer:json"`
}

// ChargingInformation names the charging functions (TS 29.229 §6.3.19).
type ChargingInformation struct {
	PrimaryEventChargingFunction        string
	SecondaryEventChargingFunction      string
	PrimaryChargingCollectionFunction   string
	SecondaryChargingCollectionFunction string
}

// Assign records the S-CSCF that serves the subscription.
func (s *Subscription) Assign(server, host string) {
	if s.ServerName == server && s.ServerHost == host {
		return
	}

	s.ServerName, s.ServerHost, s.moved = server, host, true
}

// Reassign records another S-CSCF in place of the present one, which is kept until its registration has been ended (TS 29.228 §8.1.1). If
// both have one Diameter identity, there is nothing to end.
func (s *Subscription) Reassign(server, host string) {
	if s.ServerHost != "" && s.ServerHost != host && s.State() != NotRegistered {
		s.PreviousHost, s.moved = s.ServerHost, true
	}

	s.Assign(server, host)
}

// Announce records the features of the S-CSCF, which decide what a PPR contains.
func (s *Subscription) Announce(features uint32) {
	if s.Features != features {
		s.Features, s.moved = features, true
	}
}

// TakePrevious clears the S-CSCF that was replaced and returns its Diameter identity, or "".
func (s *Subscription) TakePrevious() string {
	host := s.PreviousHost
	if host != "" {
		s.PreviousHost, s.moved = "", true
	}

	return host
}

// Release clears the S-CSCF if it serves nothing of the subscription any more.
func (s *Subscription) Release() {
	if s.State() != NotRegistered {
		return
	}

	for _, set := range s.Sets {
		for _, r := range set.Registrations {
			if r.AuthPending {
				return
			}
		}
	}

	s.Assign("", "")
	s.TakePrevious()
}

// State returns the best state of its sets.
func (s *Subscription) State() State {
	best := NotRegistered
	for _, set := range s.Sets {
		best = max(best, set.State())
	}

	return best
}

// PrivateNamed finds a private identity of the subscription, or nil.
func (s *Subscription) PrivateNamed(identity string) *PrivateIdentity {
	for _, p := range s.Private {
		if p.Identity == identity {
			return p
		}
	}

	return nil
}

// SetNumbered finds an implicit registration set by its number, or nil.
func (s *Subscription) SetNumbered(number int) *RegistrationSet {
	for _, set := range s.Sets {
		if set.Number == number {
			return set
		}
	}

	return nil
}

// Find returns the public identity and the set it is in, or nils.
func (s *Subscription) Find(publicIdentity string) (*PublicIdentity, *RegistrationSet) {
	for _, set := range s.Sets {
		if p := set.find(publicIdentity); p != nil {
			return p, set
		}
	}

	return nil, nil
}

// Identities is what a Cx request names, as far as known.
type Identities struct {
	Subscription *Subscription    // of the private identity if there is one, else of the public identity
	Private      *PrivateIdentity // nil: not given or unknown
	Public       *PublicIdentity  // nil: not given or unknown
	Set          *RegistrationSet // of the public identity
}

// Match reports whether the private identity may use the public identity.
func (i Identities) Match() bool {
	return i.Private != nil && i.Set != nil && i.Set.Registration(i.Private) != nil
}

// Others lists the private identities of the subscription other than the one given, in their order.
func (s *Subscription) Others(than *PrivateIdentity) []string {
	var others []string
	for _, p := range s.Private {
		if p != than {
			others = append(others, p.Identity)
		}
	}

	return others
}

// Barred reports whether no session may be made with any identity of the set.
func (s *RegistrationSet) Barred() bool {
	return !slices.ContainsFunc(s.Public, func(p *PublicIdentity) bool { return !p.Barred })
}
