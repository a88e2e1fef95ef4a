package subscriber

import (
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ere"
)

// PrivateIdentity is an IMPI with what is needed to authenticate it.
type PrivateIdentity struct {
	ID             uint64 `gorm:"primaryKey"`
	SubscriptionID uint64 `gorm:"index;not null"`
	Identity       string `gorm:"uniqueIndex;not null"`
	IMSI           string `gorm:"index"`
	MSISDN         string `gorm:"index"`

	Scheme    Scheme       `gorm:"not null"`
	Algorithm Algorithm    // of an AKA identity
	Operator  OperatorForm // which of OP and OPc was entered
	AMF       string       // four hexadecimal digits
	RES       int          // octets of RES of the SIM's TUAK; 0: the default
	Keccak    int          // iterations of the SIM's TUAK; 0: the default
	SQN       uint64       // the last one used, SEQ||IND (TS 33.102 annex C); changed only by Store.NextSQN and SetSQN

	// Sealed by the vault; read with Store.Secrets.
	SealedK, SealedOP, SealedOPc, SealedPassword []byte

	VisitedNetworks []string `gorm:"serializer:json"` // where the user may roam; empty: everywhere

	EPS *EPS     `gorm:"column:eps;serializer:json"` // nil: the configured default
	MME Location `gorm:"embedded;embeddedPrefix:mme_"`

	AAA  AAAServer `gorm:"embedded;embeddedPrefix:aaa_"`
	PGWs []PGW     `gorm:"column:pgws;serializer:json"` // of APNs in use
}

// Scheme is how a private identity is authenticated.
type Scheme string

const (
	AKA       Scheme = "aka"        // Digest-AKAv1-MD5
	SIPDigest Scheme = "sip-digest" // a password
)

// Algorithm is the algorithm set of a SIM (TS 35.206, TS 35.231).
type Algorithm string

// The algorithm sets that the HSS supports.
const (
	Milenage Algorithm = "milenage"
	TUAK     Algorithm = "tuak"
)

// OperatorForm is the form in which the operator variant was entered. The two are easily confused (open5gs#337).
type OperatorForm string

// The two forms of the operator variant.
const (
	EnteredOP  OperatorForm = "op"
	EnteredOPc OperatorForm = "opc"
)

// MayRoam reports whether the user may be served in this visited network. A list entry "*.example.org" stands for every network
// below that name.
func (p *PrivateIdentity) MayRoam(visited string) bool {
	return len(p.VisitedNetworks) == 0 || slices.ContainsFunc(p.VisitedNetworks, func(allowed string) bool {
		if suffix, wild := strings.CutPrefix(allowed, "*"); wild {
			return strings.HasSuffix(strings.ToLower(visited), strings.ToLower(suffix))
		}

		return strings.EqualFold(visited, allowed)
	})
}

// PublicIdentity is an IMPU or a public service identity.
type PublicIdentity struct {
	ID             uint64 `gorm:"primaryKey"`
	SubscriptionID uint64 `gorm:"index;not null"`
	SetID          uint64 `gorm:"index;not null"`
	Position       int    // in its set; the first that is not barred is the default identity
	Identity       string `gorm:"uniqueIndex;not null"`

	Kind              Kind `gorm:"not null"`
	Wildcard          bool `gorm:"index"` // the identity holds a regular expression between exclamation marks (TS 23.003 §13.5)
	DisplayName       string
	Barred            bool // no sessions; registration with it still registers its set
	MayRegister       bool
	ProfileID         uint64 `gorm:"index"` // 0: no services
	AliasGroup        string // identities of a set with the same group are aliases of each other (TS 29.228 annex B.2.1); "": none
	ApplicationServer string // of a service identity that the I-CSCF routes to directly

	Profile *ServiceProfile `gorm:"-"`
}

// Kind distinguishes the identities of users from those of services.
type Kind string

// The two kinds of public identities.
const (
	User    Kind = "user"
	Service Kind = "service"
)

// Matches reports whether a wildcarded identity stands for this one (TS 23.003 §13.5).
func (p *PublicIdentity) Matches(identity string) bool {
	if !p.Wildcard {
		return p.Identity == identity
	}

	w, err := wildcard(p.Identity)

	return err == nil && w.Matches(identity)
}

// wildcard parses a wildcarded identity, as the S-CSCF does.
func wildcard(identity string) (*ere.Wildcard, error) {
	w, err := ere.ParseWildcard(identity)
	if err == nil && w == nil {
		err = errBadWildcard
	}

	return w, err
}

// State is the registration state of a public identity (TS 29.228 §6.1).
type State int

// The registration states of TS 29.228 §6.1.
const (
	NotRegistered State = iota
	Unregistered        // an S-CSCF keeps the profile for a user who is not registered
	Registered
)

func (s State) String() string {
	return [...]string{"not registered", "unregistered", "registered"}[s]
}

// RegistrationSet is an implicit registration set: identities that are registered together (TS 23.228 §5.2.1a). An
// identity that is registered alone is a set of one.
type RegistrationSet struct {
	ID             uint64 `gorm:"primaryKey"`
	SubscriptionID uint64 `gorm:"uniqueIndex:set_number;not null"`
	Number         int    `gorm:"uniqueIndex:set_number;not null"`
	Unregistered   bool   // the S-CSCF keeps the profile although nobody is registered
	LooseRoute     bool   // the UE is to be reached by loose routing (TS 29.229 §6.3.45)

	Public        []*PublicIdentity `gorm:"-"`
	Registrations []*Registration   `gorm:"-"`

	changed bool
}

// Registration associates a private identity with a set, and is the state of that pair: a shared identity is registered as
// long as one private identity has it registered.
type Registration struct {
	PrivateID   uint64 `gorm:"primaryKey;autoIncrement:false"`
	SetID       uint64 `gorm:"primaryKey;autoIncrement:false;index"`
	Registered  bool
	AuthPending bool // vectors were sent and no SAR has come yet (TS 29.228 §6.3)
	Since       time.Time
	Restoration []byte // stored for the S-CSCF (TS 23.380 §4.2), JSON

	Private *PrivateIdentity `gorm:"-"`

	changed bool
}

// State returns the state of every identity of the set.
func (s *RegistrationSet) State() State {
	switch {
	case slices.ContainsFunc(s.Registrations, func(r *Registration) bool { return r.Registered }):
		return Registered
	case s.Unregistered:
		return Unregistered
	default:
		return NotRegistered
	}
}

// Registration returns the pair of the set and a private identity, or nil if that may not use the set.
func (s *RegistrationSet) Registration(p *PrivateIdentity) *Registration {
	for _, r := range s.Registrations {
		if r.Private == p {
			return r
		}
	}

	return nil
}

// find returns an identity of the set, or nil; wildcarded identities match what they stand for.
func (s *RegistrationSet) find(identity string) *PublicIdentity {
	for _, p := range s.Public {
		if p.Identity == identity {
			return p
		}
	}

	for _, p := range s.Public {
		if p.Matches(identity) {
			return p
		}
	}

	return nil
}

// AuthenticationBegun records that the private identity is being authenticated.
func (s *RegistrationSet) AuthenticationBegun(p *PrivateIdentity) {
	if r := s.Registration(p); !r.AuthPending {
		r.AuthPending, r.changed = true, true
	}
}

// AuthenticationOver records that the authentication has ended, either way.
func (s *RegistrationSet) AuthenticationOver(p *PrivateIdentity) {
	if r := s.Registration(p); r.AuthPending {
		r.AuthPending, r.changed = false, true
	}
}

// Register records that the private identity has registered the set.
func (s *RegistrationSet) Register(p *PrivateIdentity) {
	s.AuthenticationOver(p)

	if r := s.Registration(p); !r.Registered {
		r.Registered, r.Since, r.changed = true, time.Now().UTC().Truncate(time.Millisecond), true
	}

	s.setUnregistered(false)
}

// Restore stores what the S-CSCF would need to restore the registration after losing it.
func (s *RegistrationSet) Restore(p *PrivateIdentity, information []byte) {
	r := s.Registration(p)
	r.Restoration, r.changed = information, true
}

// Deregister records that the private identity is no longer registered with the set.
func (s *RegistrationSet) Deregister(p *PrivateIdentity) {
	if r := s.Registration(p); r != nil && (r.Registered || r.AuthPending) {
		r.Registered, r.AuthPending, r.Restoration, r.changed = false, false, nil, true
	}
}

// MarkUnregistered records that the S-CSCF holds the profile of the set although nobody is registered (the state Unregistered of TS
// 29.228).
func (s *RegistrationSet) MarkUnregistered() { s.setUnregistered(true) }

// MarkNotRegistered records that the S-CSCF does not hold the profile any more.
func (s *RegistrationSet) MarkNotRegistered() { s.setUnregistered(false) }

func (s *RegistrationSet) setUnregistered(unregistered bool) {
	if s.Unregistered != unregistered {
		s.Unregistered, s.changed = unregistered, true
	}
}

// ServiceProfile is a set of services that public identities share (TS 29.228 annex B).
type ServiceProfile struct {
	ID                     uint64 `gorm:"primaryKey"`
	Name                   string `gorm:"uniqueIndex;not null"`
	FilterCriteria         string // InitialFilterCriteria elements, XML
	SharedSets             []int  `gorm:"serializer:json"` // shared iFC sets, by number
	SubscribedMediaProfile *int   // of the core network service authorisation
	UnregisteredServices   bool   // some criterion applies to unregistered callees
}

// SharedFilterCriteria is a shared iFC set: criteria that the S-CSCF may hold itself (TS 29.228 annex B.2.2).
type SharedFilterCriteria struct {
	Number               int    `gorm:"primaryKey;autoIncrement:false"`
	FilterCriteria       string // InitialFilterCriteria elements, XML
	UnregisteredServices bool
}

// CheckWildcard returns an error for a wildcarded identity whose expression cannot be used.
func CheckWildcard(identity string) error {
	_, err := wildcard(identity)

	return err
}
