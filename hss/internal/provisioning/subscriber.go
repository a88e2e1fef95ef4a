// Package provisioning is the HTTP API that creates, reads, changes and deletes subscribers and service profiles.
package provisioning

import (
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
)

// Subscriber is an IMS subscription as the API shows it. In a POST, imsi (or user) and authentication are enough: the identities that the
// specification derives from them are created. A PUT gives the identities themselves.
type Subscriber struct {
	Name              string             `json:"name"`
	PrivateIdentities []PrivateIdentity  `json:"private_identities"`
	RegistrationSets  []RegistrationSet  `json:"registration_sets"`
	Capabilities      *Capabilities      `json:"capabilities,omitempty"`
	Charging          *Charging          `json:"charging,omitempty"`
	Registration      *RegistrationState `json:"registration,omitempty"` // read only
	Warnings          []string           `json:"warnings,omitempty"`     // read only: what is probably a mistake
}

// NewSubscriber is the body of a POST.
type NewSubscriber struct {
	Name           string         `json:"name,omitempty"` // the IMSI or the user unless given
	IMSI           string         `json:"imsi,omitempty"`
	MSISDN         string         `json:"msisdn,omitempty"`
	User           string         `json:"user,omitempty"` // of a subscriber without a SIM: user@domain
	DisplayName    string         `json:"display_name,omitempty"`
	ServiceProfile string         `json:"service_profile,omitempty"` // "default" unless given
	Authentication Authentication `json:"authentication"`

	VisitedNetworks []string        `json:"visited_networks,omitempty"`
	EPS             *subscriber.EPS `json:"eps,omitempty"` // what an MME is told; as the settings say for all unless given
	Capabilities    *Capabilities   `json:"capabilities,omitempty"`
	Charging        *Charging       `json:"charging,omitempty"`

	PrivateIdentities []PrivateIdentity `json:"private_identities,omitempty"` // instead of imsi, msisdn, user and authentication
	RegistrationSets  []RegistrationSet `json:"registration_sets,omitempty"`
}

// PrivateIdentity is an IMPI. Secrets are never shown, only their kind; a PUT may omit authentication to keep it.
type PrivateIdentity struct {
	Identity         string          `json:"identity"`
	IMSI             string          `json:"imsi,omitempty"`
	MSISDN           string          `json:"msisdn,omitempty"`
	Authentication   *Authentication `json:"authentication,omitempty"`
	VisitedNetworks  []string        `json:"visited_networks,omitempty"`
	RegistrationSets []int           `json:"registration_sets,omitempty"` // those it may use; all unless given
	EPS              *subscriber.EPS `json:"eps,omitempty"`               // what an MME is told; as the settings say for all unless given
	MME              *Location       `json:"mme,omitempty"`               // read only: where the SIM is attached
	AAA              *AAAServer      `json:"aaa,omitempty"`               // read only: where it is registered through an ePDG

	Gateways []subscriber.PGW `json:"gateways,omitempty"` // read only: the PDN gateways of APNs, as MME and AAA server have reported them
}

// Location is the MME that serves a SIM.
type Location struct {
	DiameterHost  string    `json:"diameter_host"`
	DiameterRealm string    `json:"diameter_realm"`
	PLMN          string    `json:"plmn"` // MCC-MNC
	IMEI          string    `json:"imei,omitempty"`
	Since         time.Time `json:"since"`            // of the last update
	Purged        bool      `json:"purged,omitempty"` // the MME has forgotten the SIM
}

// AAAServer is the 3GPP AAA server at which a SIM is registered.
type AAAServer struct {
	DiameterHost  string    `json:"diameter_host"`
	DiameterRealm string    `json:"diameter_realm"`
	Since         time.Time `json:"since"`
}

// Authentication is how a private identity proves itself. Octets are hexadecimal.
type Authentication struct {
	Scheme    subscriber.Scheme       `json:"scheme,omitempty"`    // "aka" unless a password is given
	Algorithm subscriber.Algorithm    `json:"algorithm,omitempty"` // milenage, tuak; md5, sha-256
	K         string                  `json:"k,omitempty"`
	OP        string                  `json:"op,omitempty"`
	OPc       string                  `json:"opc,omitempty"`
	Entered   subscriber.OperatorForm `json:"entered,omitempty"` // read only: which of op and opc was given
	AMF       string                  `json:"amf,omitempty"`     // "8000" unless given
	SQN       string                  `json:"sqn,omitempty"`     // the last one used
	RES       int                     `json:"res,omitempty"`     // octets of RES; of TUAK, 8 unless given
	Keccak    int                     `json:"keccak,omitempty"`  // iterations; of TUAK, 1 unless given
	Password  string                  `json:"password,omitempty"`
}

// RegistrationSet is an implicit registration set.
type RegistrationSet struct {
	Number           int              `json:"number"`
	LooseRoute       bool             `json:"loose_route,omitempty"` // Loose-Route-Indication
	PublicIdentities []PublicIdentity `json:"public_identities"`
}

// PublicIdentity is an IMPU or a public service identity.
type PublicIdentity struct {
	Identity          string          `json:"identity"`
	Kind              subscriber.Kind `json:"kind,omitempty"` // "user" unless given
	DisplayName       string          `json:"display_name,omitempty"`
	Barred            bool            `json:"barred"`
	MayRegister       *bool           `json:"may_register,omitempty"` // true unless given
	ServiceProfile    string          `json:"service_profile,omitempty"`
	AliasGroup        string          `json:"alias_group,omitempty"` // aliases of each other have the same one
	ApplicationServer string          `json:"application_server,omitempty"`
}

// Capabilities are those that the S-CSCF must and should have, and S-CSCFs by name.
type Capabilities struct {
	Mandatory   []uint32 `json:"mandatory,omitempty"`
	Optional    []uint32 `json:"optional,omitempty"`
	ServerNames []string `json:"server_names,omitempty"`
}

// Charging names the charging functions as Diameter URIs.
type Charging struct {
	PrimaryEvent        string `json:"primary_event_charging_function,omitempty"`
	SecondaryEvent      string `json:"secondary_event_charging_function,omitempty"`
	PrimaryCollection   string `json:"primary_charging_collection_function,omitempty"`
	SecondaryCollection string `json:"secondary_charging_collection_function,omitempty"`
}

// RegistrationState is the registration state of a subscriber.
type RegistrationState struct {
	State        string     `json:"state"`
	ServerName   string     `json:"server_name,omitempty"`
	DiameterHost string     `json:"diameter_host,omitempty"`
	Sets         []SetState `json:"sets"`
}

// SetState is the state of one implicit registration set.
type SetState struct {
	Number            int         `json:"number"`
	State             string      `json:"state"`
	PrivateIdentities []PairState `json:"private_identities"`
}

// PairState is the state of a private identity in a set.
type PairState struct {
	Identity              string     `json:"identity"`
	Registered            bool       `json:"registered"`
	AuthenticationPending bool       `json:"authentication_pending"`
	Since                 *time.Time `json:"since,omitempty"`
}

// show returns the document of a subscription whose profiles are loaded.
func show(s *subscriber.Subscription) Subscriber {
	document := Subscriber{Name: s.Name, Registration: registration(s), PrivateIdentities: []PrivateIdentity{}}

	for _, p := range s.Private {
		document.PrivateIdentities = append(document.PrivateIdentities, PrivateIdentity{
			Identity: p.Identity, IMSI: p.IMSI, MSISDN: p.MSISDN, VisitedNetworks: p.VisitedNetworks,
			RegistrationSets: setsOf(s, p), EPS: p.EPS, MME: location(p), AAA: aaaServer(p), Gateways: p.PGWs,
			Authentication: &Authentication{
				Scheme:    p.Scheme,
				Algorithm: p.Algorithm,
				Entered:   p.Operator,
				AMF:       p.AMF,
				RES:       p.RES,
				Keccak:    p.Keccak,
			},
		})
	}

	for _, set := range s.Sets {
		shown := RegistrationSet{Number: set.Number, LooseRoute: set.LooseRoute}
		for _, p := range set.Public {
			shown.PublicIdentities = append(shown.PublicIdentities, showPublic(p))
		}

		document.RegistrationSets = append(document.RegistrationSets, shown)
	}

	if c := s.Capabilities; len(c.Mandatory)+len(c.Optional)+len(c.ServerNames) > 0 {
		document.Capabilities = &Capabilities{Mandatory: c.Mandatory, Optional: c.Optional, ServerNames: c.ServerNames}
	}

	if c := s.Charging; c != (subscriber.ChargingInformation{}) {
		document.Charging = &Charging{
			PrimaryEvent: c.PrimaryEventChargingFunction, SecondaryEvent: c.SecondaryEventChargingFunction,
			PrimaryCollection: c.PrimaryChargingCollectionFunction, SecondaryCollection: c.SecondaryChargingCollectionFunction,
		}
	}

	return document
}

func location(p *subscriber.PrivateIdentity) *Location {
	l := p.MME
	if l.Host == "" {
		return nil
	}

	return &Location{DiameterHost: l.Host, DiameterRealm: l.Realm, PLMN: l.PLMN, IMEI: l.IMEI, Since: l.Since, Purged: l.Purged}
}

func aaaServer(p *subscriber.PrivateIdentity) *AAAServer {
	if !p.AAA.Registered {
		return nil
	}

	return &AAAServer{DiameterHost: p.AAA.Host, DiameterRealm: p.AAA.Realm, Since: p.AAA.Since}
}

func showPublic(p *subscriber.PublicIdentity) PublicIdentity {
	shown := PublicIdentity{
		Identity: p.Identity, Kind: p.Kind, DisplayName: p.DisplayName, Barred: p.Barred, MayRegister: &p.MayRegister,
		AliasGroup: p.AliasGroup, ApplicationServer: p.ApplicationServer,
	}
	if p.Profile != nil {
		shown.ServiceProfile = p.Profile.Name
	}

	return shown
}

func setsOf(s *subscriber.Subscription, p *subscriber.PrivateIdentity) []int {
	var numbers []int
	for _, set := range s.Sets {
		if set.Registration(p) != nil {
			numbers = append(numbers, set.Number)
		}
	}

	return numbers
}

func registration(s *subscriber.Subscription) *RegistrationState {
	state := &RegistrationState{State: s.State().String(), ServerName: s.ServerName, DiameterHost: s.ServerHost}

	for _, set := range s.Sets {
		shown := SetState{Number: set.Number, State: set.State().String(), PrivateIdentities: []PairState{}}

		for _, r := range set.Registrations {
			pair := PairState{Identity: r.Private.Identity, Registered: r.Registered, AuthenticationPending: r.AuthPending}
			if r.Registered {
				pair.Since = &r.Since
			}

			shown.PrivateIdentities = append(shown.PrivateIdentities, pair)
		}

		state.Sets = append(state.Sets, shown)
	}

	return state
}
