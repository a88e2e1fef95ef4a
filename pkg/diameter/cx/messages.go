package cx

import (
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

// RequestHeader has the AVPs of every Cx request (TS 29.229 §6.1). Call fills those that the caller leaves empty: Session-Id,
// Origin-Host, Origin-Realm, Destination-Realm, Vendor-Specific-Application-Id, Auth-Session-State.
type RequestHeader struct {
	diameter.RequestHeader
	SupportedFeatures []SupportedFeatures `avp:"Supported-Features"`
}

// AnswerHeader has the AVPs of every Cx answer. The Result is a Result-Code when its Vendor is 0 and an Experimental-Result otherwise.
type AnswerHeader struct {
	diameter.AnswerHeader
	SupportedFeatures []SupportedFeatures `avp:"Supported-Features"`
}

// UAR is User-Authorization-Request, code 300 (TS 29.228 §6.1.1).
type UAR struct {
	RequestHeader
	UserName       string                `avp:"User-Name,required"`
	PublicIdentity string                `avp:"Public-Identity,required"`
	VisitedNetwork string                `avp:"Visited-Network-Identifier,required"`
	Type           UserAuthorizationType `avp:"User-Authorization-Type"`
	Flags          UARFlags              `avp:"UAR-Flags"`
}

// UAA is User-Authorization-Answer.
type UAA struct {
	AnswerHeader
	ServerName   string        `avp:"Server-Name"`
	Capabilities *Capabilities `avp:"Server-Capabilities"`
}

// SAR is Server-Assignment-Request, code 301 (TS 29.228 §6.1.2).
type SAR struct {
	RequestHeader
	UserName                 string                   `avp:"User-Name"`
	PublicIdentities         []string                 `avp:"Public-Identity"`
	WildcardedPublicIdentity string                   `avp:"Wildcarded-Public-Identity"`
	ServerName               string                   `avp:"Server-Name,required"`
	Type                     ServerAssignmentType     `avp:"Server-Assignment-Type,required"`
	DataAlreadyAvailable     UserDataAlreadyAvailable `avp:"User-Data-Already-Available,required"`
	RestorationInfo          *SCSCFRestorationInfo    `avp:"SCSCF-Restoration-Info"`
	MultipleRegistration     *uint32                  `avp:"Multiple-Registration-Indication"`
	SessionPriority          *uint32                  `avp:"Session-Priority"` // 0 is the highest
	Flags                    uint32                   `avp:"SAR-Flags"`        // TS 29.229 §6.3.63
}

// SAA is Server-Assignment-Answer.
type SAA struct {
	AnswerHeader
	UserName             string                `avp:"User-Name"`
	UserData             []byte                `avp:"User-Data"` // service profile XML, TS 29.228 annex B
	ChargingInformation  *ChargingInformation  `avp:"Charging-Information"`
	AssociatedIdentities *AssociatedIdentities `avp:"Associated-Identities"`
	LooseRoute           *uint32               `avp:"Loose-Route-Indication"`

	RestorationInfo                []SCSCFRestorationInfo `avp:"SCSCF-Restoration-Info"`
	AssociatedRegisteredIdentities *AssociatedIdentities  `avp:"Associated-Registered-Identities"`
	ServerName                     string                 `avp:"Server-Name"`
	WildcardedPublicIdentity       string                 `avp:"Wildcarded-Public-Identity"`
	PrivilegedSender               *uint32                `avp:"Priviledged-Sender-Indication"`
}

// LIR is Location-Info-Request, code 302 (TS 29.228 §6.1.4).
type LIR struct {
	RequestHeader
	OriginatingRequest *uint32                `avp:"Originating-Request"` // 0 ORIGINATING
	PublicIdentity     string                 `avp:"Public-Identity,required"`
	Type               *UserAuthorizationType `avp:"User-Authorization-Type"`
	SessionPriority    *uint32                `avp:"Session-Priority"` // 0 is the highest
}

// LIA is Location-Info-Answer.
type LIA struct {
	AnswerHeader
	ServerName               string        `avp:"Server-Name"`
	Capabilities             *Capabilities `avp:"Server-Capabilities"`
	WildcardedPublicIdentity string        `avp:"Wildcarded-Public-Identity"`
	Flags                    uint32        `avp:"LIA-Flags"` // TS 29.229 §6.3.59
}

// MAR is Multimedia-Auth-Request, code 303 (TS 29.228 §6.3).
type MAR struct {
	RequestHeader
	UserName            string       `avp:"User-Name,required"`
	PublicIdentity      string       `avp:"Public-Identity,required"`
	AuthDataItem        AuthDataItem `avp:"SIP-Auth-Data-Item,required"`
	NumberOfAuthVectors uint32       `avp:"SIP-Number-Auth-Items,required"`
	ServerName          string       `avp:"Server-Name,required"`
}

// MAA is Multimedia-Auth-Answer.
type MAA struct {
	AnswerHeader
	UserName            string         `avp:"User-Name"`
	PublicIdentity      string         `avp:"Public-Identity"`
	NumberOfAuthVectors uint32         `avp:"SIP-Number-Auth-Items"`
	AuthDataItems       []AuthDataItem `avp:"SIP-Auth-Data-Item"`
}

// RTR is Registration-Termination-Request, code 304, from the HSS to the S-CSCF (TS 29.228 §6.1.3).
type RTR struct {
	RequestHeader
	UserName             string                `avp:"User-Name,required"`
	AssociatedIdentities *AssociatedIdentities `avp:"Associated-Identities"`
	PublicIdentities     []string              `avp:"Public-Identity"`
	Reason               DeregistrationReason  `avp:"Deregistration-Reason,required"`
	Flags                uint32                `avp:"RTR-Flags"` // TS 29.229 §6.3.69
}

// RTA is Registration-Termination-Answer.
type RTA struct {
	AnswerHeader
	AssociatedIdentities *AssociatedIdentities   `avp:"Associated-Identities"`
	Emergency            []EmergencyRegisteredID `avp:"Identity-with-Emergency-Registration"` // not deregistered
}

// EmergencyRegisteredID is Identity-with-Emergency-Registration (TS 29.229 §6.3.57).
type EmergencyRegisteredID struct {
	UserName       string `avp:"User-Name,required"`
	PublicIdentity string `avp:"Public-Identity,required"`
}

// PPR is Push-Profile-Request, code 305, from the HSS to the S-CSCF (TS 29.228 §6.2).
type PPR struct {
	RequestHeader
	UserName            string               `avp:"User-Name,required"`
	UserData            []byte               `avp:"User-Data"`
	ChargingInformation *ChargingInformation `avp:"Charging-Information"`
}

// PPA is Push-Profile-Answer.
type PPA struct{ AnswerHeader }

// Capabilities is Server-Capabilities: what an S-CSCF must be able to do, and what it should.
type Capabilities struct {
	Mandatory   []uint32 `avp:"Mandatory-Capability"`
	Optional    []uint32 `avp:"Optional-Capability"`
	ServerNames []string `avp:"Server-Name"`
}

// AuthDataItem is SIP-Auth-Data-Item (TS 29.229 §6.3.13): one AKA vector or one set of digest data.
// AKA: Authenticate = RAND||AUTN, Authorization = XRES; in a MAR that resynchronises, Authorization = RAND||AUTS.
type AuthDataItem struct {
	ItemNumber         *uint32             `avp:"SIP-Item-Number"`
	Scheme             string              `avp:"SIP-Authentication-Scheme"`
	Authenticate       []byte              `avp:"SIP-Authenticate"`
	Authorization      []byte              `avp:"SIP-Authorization"`
	Context            []byte              `avp:"SIP-Authentication-Context"`
	ConfidentialityKey []byte              `avp:"Confidentiality-Key"`
	IntegrityKey       []byte              `avp:"Integrity-Key"`
	Digest             *DigestAuthenticate `avp:"SIP-Digest-Authenticate"`
	LineIdentifiers    [][]byte            `avp:"Line-Identifier"`
}

// DigestAuthenticate is SIP-Digest-Authenticate (TS 29.229 §6.3.36).
type DigestAuthenticate struct {
	Realm     string `avp:"Digest-Realm,required"`
	Algorithm string `avp:"Digest-Algorithm"`
	QoP       string `avp:"Digest-QoP,required"`
	HA1       string `avp:"Digest-HA1,required"`

	AlternateAlgorithm string `avp:"Alternate-Digest-Algorithm"`
	AlternateHA1       string `avp:"Alternate-Digest-HA1"`
}

// ChargingInformation names the charging functions of a user (TS 29.229 §6.3.19).
type ChargingInformation struct {
	PrimaryEventChargingFunction        string `avp:"Primary-Event-Charging-Function-Name"`
	SecondaryEventChargingFunction      string `avp:"Secondary-Event-Charging-Function-Name"`
	PrimaryChargingCollectionFunction   string `avp:"Primary-Charging-Collection-Function-Name"`
	SecondaryChargingCollectionFunction string `avp:"Secondary-Charging-Collection-Function-Name"`
}

// AssociatedIdentities lists further private identities of one IMS subscription.
type AssociatedIdentities struct {
	UserNames []string `avp:"User-Name"`
}

// DeregistrationReason says why the HSS ends a registration (TS 29.229 §6.3.16).
type DeregistrationReason struct {
	Code ReasonCode `avp:"Reason-Code,required"`
	Info string     `avp:"Reason-Info"`
}

// Features returns the features that the sender has.
func (h *RequestHeader) Features() []SupportedFeatures { return h.SupportedFeatures }

// Announce sets the features that the answer was made with.
func (h *AnswerHeader) Announce(features []SupportedFeatures) { h.SupportedFeatures = features }

// SupportedFeatures is one feature list (TS 29.229 §6.3.29).
type SupportedFeatures struct {
	VendorID      uint32 `avp:"Vendor-Id,required"`
	FeatureListID uint32 `avp:"Feature-List-ID,required"`
	FeatureList   uint32 `avp:"Feature-List,required"`
	Mandatory     bool   `avp:",mandatory"` // in a request: a receiver without all of them must refuse it
}

// SCSCFRestorationInfo is kept by the HSS for an S-CSCF that restarts (TS 29.229 §6.3.46).
type SCSCFRestorationInfo struct {
	UserName            string            `avp:"User-Name,required"`
	Info                []RestorationInfo `avp:"Restoration-Info"`
	RegistrationTimeOut time.Time         `avp:"Registration-Time-Out"`
	Scheme              string            `avp:"SIP-Authentication-Scheme"`
}

// RestorationInfo is one registered contact (TS 29.229 §6.3.52).
type RestorationInfo struct {
	Path              []byte            `avp:"Path,required"`
	Contact           []byte            `avp:"Contact,required"`
	InitialCSeq       *uint32           `avp:"Initial-CSeq-Sequence-Number"`
	CallID            []byte            `avp:"Call-ID-SIP-Header"`
	Subscription      *SubscriptionInfo `avp:"Subscription-Info"`
	PCSCFSubscription *SubscriptionInfo `avp:"P-CSCF-Subscription-Info"`
}

// SubscriptionInfo is the dialog of a subscription to the registration (TS 29.229 §6.3.49, §6.3.70).
type SubscriptionInfo struct {
	CallID      []byte `avp:"Call-ID-SIP-Header,required"`
	From        []byte `avp:"From-SIP-Header,required"`
	To          []byte `avp:"To-SIP-Header,required"`
	RecordRoute []byte `avp:"Record-Route,required"`
	Contact     []byte `avp:"Contact,required"`
}

// FailedAVP is the AVP at fault in a Cx request: a copy of it, or an example of a missing one (RFC 6733 §7.5). Its fields are pointers,
// so that an empty value is sent, too.
type FailedAVP struct {
	UserName            *string       `avp:"User-Name"`
	PublicIdentity      *string       `avp:"Public-Identity"`
	NumberOfAuthVectors *uint32       `avp:"SIP-Number-Auth-Items"`
	AuthDataItem        *AuthDataItem `avp:"SIP-Auth-Data-Item"`
	OriginatingRequest  *uint32       `avp:"Originating-Request"`
}
