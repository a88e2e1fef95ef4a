// Package ifc is the service profile of TS 29.228 annex B and E, and the initial filter criteria in it (TS 23.218 §5.2,
// TS 29.228 annex F): read once, compiled once, asked for every request. Pure functions and data.
package ifc

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// Subscription is the IMSSubscription document that travels in User-Data.
type Subscription struct {
	XMLName         xml.Name         `xml:"IMSSubscription"`
	PrivateID       string           `xml:"PrivateID"`
	ServiceProfiles []ServiceProfile `xml:"ServiceProfile"`
}

// ServiceProfile is what some public identities of the subscription are served by.
type ServiceProfile struct {
	PublicIdentities      []PublicIdentity         `xml:"PublicIdentity"`
	CoreNetworkServices   *CoreNetworkServices     `xml:"CoreNetworkServicesAuthorization"`
	InitialFilterCriteria []InitialFilterCriterion `xml:"InitialFilterCriteria"`
	Extension             *ProfileExtension        `xml:"Extension"`
}

// PublicIdentity is one public user identity.
type PublicIdentity struct {
	BarringIndication Bool               `xml:"BarringIndication,omitempty"` // 1: barred
	Identity          string             `xml:"Identity"`
	Extension         *IdentityExtension `xml:"Extension"`
}

// Barred identities may be registered, and nothing else.
func (p PublicIdentity) Barred() bool { return p.BarringIndication == 1 }

// Wildcard is the expression that a wildcarded public user or service identity is known by (TS 23.003 §13.4A, §13.5), or "".
func (p PublicIdentity) Wildcard() string {
	if p.Extension == nil {
		return ""
	}

	if w := strings.TrimSpace(p.Extension.WildcardedIdentity); w != "" {
		return w
	}

	return strings.TrimSpace(p.Extension.WildcardedPSI)
}

// IdentityExtension tells kinds of identities apart. Annex E nests one Extension in the other, one for each time that the
// schema grew.
type IdentityExtension struct {
	IdentityType         int    `xml:"IdentityType"`
	WildcardedPSI        string `xml:"WildcardedPSI,omitempty"`
	DisplayName          string `xml:"Extension>DisplayName,omitempty"`
	AliasIdentityGroup   string `xml:"Extension>AliasIdentityGroupID,omitempty"`
	WildcardedIdentity   string `xml:"Extension>Extension>WildcardedIMPU,omitempty"`
	ServicePriorityLevel *int   `xml:"Extension>Extension>ServicePriorityLevel,omitempty"`
	MaxRegistrations     *int   `xml:"Extension>Extension>Extension>Extension>MaxNumOfAllowedSimultRegistrations,omitempty"`
}

// MarshalXML writes no Extension that would hold nothing, as the tags alone would.
func (e IdentityExtension) MarshalXML(encoder *xml.Encoder, start xml.StartElement) error {
	type fifth struct {
		MaxRegistrations *int `xml:"MaxNumOfAllowedSimultRegistrations"`
	}

	type fourth struct {
		Extension *fifth `xml:"Extension"`
	}

	type third struct {
		WildcardedIdentity   string  `xml:"WildcardedIMPU,omitempty"`
		ServicePriorityLevel *int    `xml:"ServicePriorityLevel"`
		Extension            *fourth `xml:"Extension"`
	}

	type second struct {
		DisplayName        string `xml:"DisplayName,omitempty"`
		AliasIdentityGroup string `xml:"AliasIdentityGroupID,omitempty"`
		Extension          *third `xml:"Extension"`
	}

	inner := third{WildcardedIdentity: e.WildcardedIdentity, ServicePriorityLevel: e.ServicePriorityLevel}
	if e.MaxRegistrations != nil {
		inner.Extension = &fourth{Extension: &fifth{MaxRegistrations: e.MaxRegistrations}}
	}

	middle := second{DisplayName: e.DisplayName, AliasIdentityGroup: e.AliasIdentityGroup}
	if inner != (third{}) {
		middle.Extension = &inner
	}

	first := struct {
		IdentityType  int     `xml:"IdentityType"`
		WildcardedPSI string  `xml:"WildcardedPSI,omitempty"`
		Extension     *second `xml:"Extension"`
	}{IdentityType: e.IdentityType, WildcardedPSI: e.WildcardedPSI}

	if middle != (second{}) {
		first.Extension = &middle
	}

	return encoder.EncodeElement(first, start)
}

// Values of IdentityType (TS 29.228 annex B.2.1).
const (
	PublicUserIdentity           = 0
	DistinctPSI                  = 1
	WildcardedPSI                = 2
	WildcardedPublicUserIdentity = 4
)

// CoreNetworkServices limits the media of a session.
type CoreNetworkServices struct {
	SubscribedMediaProfileID *int                          `xml:"SubscribedMediaProfileId"`
	Extension                *CoreNetworkServicesExtension `xml:"Extension"`
}

// CoreNetworkServicesExtension limits the IMS communication services.
type CoreNetworkServicesExtension struct {
	ServiceIDs []string `xml:"ListOfServiceIds>ServiceId"`
}

// ProfileExtension refers to sets of criteria that the S-CSCF has itself.
type ProfileExtension struct {
	SharedIFCSetIDs []int `xml:"SharedIFCSetID"`
}

// InitialFilterCriterion says which requests go to which application server, and when in the order.
type InitialFilterCriterion struct {
	Priority             int               `xml:"Priority"`
	TriggerPoint         *TriggerPoint     `xml:"TriggerPoint"` // none: every request
	ApplicationServer    ApplicationServer `xml:"ApplicationServer"`
	ProfilePartIndicator *int              `xml:"ProfilePartIndicator"` // 0 registered, 1 unregistered; none: both
}

// ApplicationServer is where a request goes that matches.
type ApplicationServer struct {
	ServerName      string           `xml:"ServerName"`
	DefaultHandling int              `xml:"DefaultHandling"` // 0 SESSION_CONTINUED, 1 SESSION_TERMINATED
	ServiceInfo     string           `xml:"ServiceInfo,omitempty"`
	Extension       *ServerExtension `xml:"Extension"`
}

// ServerExtension says what a third-party REGISTER carries.
type ServerExtension struct {
	IncludeRegisterRequest  *struct{} `xml:"IncludeRegisterRequest"`
	IncludeRegisterResponse *struct{} `xml:"IncludeRegisterResponse"`
}

// Bool is 0 or 1, and read also as false or true.
type Bool int

// UnmarshalText reads the text of an element.
func (b *Bool) UnmarshalText(text []byte) error {
	switch strings.ToLower(strings.TrimSpace(string(text))) {
	case "0", "false":
		*b = 0
	case "1", "true":
		*b = 1
	default:
		return fmt.Errorf("%q is neither 0 nor 1", clip(string(text)))
	}

	return nil
}

// TriggerPoint is a Boolean expression over service point triggers.
type TriggerPoint struct {
	ConditionTypeCNF *Bool `xml:"ConditionTypeCNF"` // 1: OR inside a group, AND across; 0: AND inside, OR across
	ConditionTypeDNF *Bool `xml:"ConditionTypeDNF"` // in no schema, and in the field all the same; Parse makes CNF of it
	SPTs             []SPT `xml:"SPT"`
}

func (t *TriggerPoint) cnf() bool {
	if t.ConditionTypeCNF != nil {
		return *t.ConditionTypeCNF == 1
	}

	return t.ConditionTypeDNF == nil || *t.ConditionTypeDNF == 0
}

// SPT is one service point trigger: exactly one of its kinds is there.
type SPT struct {
	ConditionNegated   Bool                `xml:"ConditionNegated"`
	Groups             []int               `xml:"Group"`
	RequestURI         *string             `xml:"RequestURI"`
	Method             *string             `xml:"Method"`
	SIPHeader          *HeaderTrigger      `xml:"SIPHeader"`
	SessionCase        *SessionCase        `xml:"SessionCase"`
	SessionDescription *DescriptionTrigger `xml:"SessionDescription"`
	Extension          *TriggerExtension   `xml:"Extension"`
}

// HeaderTrigger is a header that is there, with a value that matches Content if that is given.
type HeaderTrigger struct {
	Header  string  `xml:"Header"`
	Content *string `xml:"Content"`
}

// DescriptionTrigger is a line of the SDP, with content that matches if that is given.
type DescriptionTrigger struct {
	Line    string  `xml:"Line"`
	Content *string `xml:"Content"`
}

// TriggerExtension narrows a REGISTER trigger.
type TriggerExtension struct {
	RegistrationTypes []RegistrationType `xml:"RegistrationType"`
}

// SessionCase is the side that a request is on (TS 29.228 annex F).
type SessionCase int

const (
	Originating SessionCase = iota
	TerminatingRegistered
	TerminatingUnregistered
	OriginatingUnregistered
	OriginatingCDIV
)

// RegistrationType is the kind of a REGISTER.
type RegistrationType int

const (
	InitialRegistration RegistrationType = iota
	ReRegistration
	DeRegistration
)
