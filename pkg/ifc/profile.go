// Package ifc models the service profile of TS 29.228 annex B and E and the initial filter criteria in it (TS 23.218 §5.2, TS
// 29.228 annex F). Criteria are parsed once, compiled once, and evaluated for every request. Pure functions and data.
package ifc

import (
	"encoding/xml"
	"strings"
)

// Subscription is the IMSSubscription document in User-Data.
type Subscription struct {
	XMLName         xml.Name         `xml:"IMSSubscription"`
	PrivateID       string           `xml:"PrivateID"`
	ServiceProfiles []ServiceProfile `xml:"ServiceProfile"`
}

// ServiceProfile is the services of some public identities of the subscription.
type ServiceProfile struct {
	PublicIdentities      []PublicIdentity         `xml:"PublicIdentity"`
	CoreNetworkServices   *CoreNetworkServices     `xml:"CoreNetworkServicesAuthorization"`
	InitialFilterCriteria []InitialFilterCriterion `xml:"InitialFilterCriteria"`
	Extension             *ProfileExtension        `xml:"Extension"`
}

// PublicIdentity is one public user identity.
type PublicIdentity struct {
	BarringIndication Bool               `xml:"BarringIndication"` // 1: barred
	Identity          string             `xml:"Identity"`
	Extension         *IdentityExtension `xml:"Extension"`
}

// Barred reports whether an identity may be registered, but used for nothing else.
func (p PublicIdentity) Barred() bool { return p.BarringIndication == 1 }

// Wildcard returns the expression of a wildcarded public user or service identity (TS 23.003 §13.4A, §13.5), or "".
func (p PublicIdentity) Wildcard() string {
	if p.Extension == nil {
		return ""
	}

	if w := strings.TrimSpace(p.Extension.WildcardedIdentity); w != "" {
		return w
	}

	return strings.TrimSpace(p.Extension.WildcardedPSI)
}

// IdentityExtension distinguishes kinds of identities. Annex E nests one Extension in the other, one for each extension of the schema.
type IdentityExtension struct {
	IdentityType         int    `xml:"IdentityType"`
	WildcardedPSI        string `xml:"WildcardedPSI,omitempty"`
	DisplayName          string `xml:"Extension>DisplayName,omitempty"`
	AliasIdentityGroup   string `xml:"Extension>AliasIdentityGroupID,omitempty"`
	WildcardedIdentity   string `xml:"Extension>Extension>WildcardedIMPU,omitempty"`
	ServicePriorityLevel *int   `xml:"Extension>Extension>ServicePriorityLevel,omitempty"`
	MaxRegistrations     *int   `xml:"Extension>Extension>Extension>Extension>MaxNumOfAllowedSimultRegistrations,omitempty"`
}

// MarshalXML omits an Extension that would be empty.
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

// ProfileExtension refers to sets of criteria in the S-CSCF itself.
type ProfileExtension struct {
	SharedIFCSetIDs []int `xml:"SharedIFCSetID"`
}
