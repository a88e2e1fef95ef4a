// Package userdata writes the service profile that the HSS downloads to the S-CSCF (TS 29.228 annex B, annex E).
package userdata

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// The types of annex E's schema, as far as this HSS has the data. Elements that later releases added are nested in one
// Extension per release.
type imsSubscription struct {
	XMLName   xml.Name         `xml:"IMSSubscription"`
	PrivateID string           `xml:"PrivateID"`
	Profiles  []serviceProfile `xml:"ServiceProfile"`
}

type serviceProfile struct {
	PublicIdentities []publicIdentity   `xml:"PublicIdentity"`
	Authorization    *authorization     `xml:"CoreNetworkServicesAuthorization,omitempty"`
	FilterCriteria   []rawElement       `xml:"InitialFilterCriteria"`
	Extension        *profileExtensions `xml:"Extension,omitempty"`
}

type authorization struct {
	SubscribedMediaProfile int `xml:"SubscribedMediaProfileId"`
}

type profileExtensions struct {
	SharedSets []int `xml:"SharedIFCSetID"`
}

type rawElement struct {
	Inner string `xml:",innerxml"`
}

type publicIdentity struct {
	Barring   int                `xml:"BarringIndication"`
	Identity  string             `xml:"Identity"`
	Extension identityExtension1 `xml:"Extension"`
}

type identityExtension1 struct {
	IdentityType  int                 `xml:"IdentityType"`
	WildcardedPSI string              `xml:"WildcardedPSI,omitempty"`
	Extension     *identityExtension2 `xml:"Extension,omitempty"`
}

type identityExtension2 struct {
	DisplayName string              `xml:"DisplayName,omitempty"`
	AliasGroup  string              `xml:"AliasIdentityGroupID,omitempty"`
	Extension   *identityExtension3 `xml:"Extension,omitempty"`
}

type identityExtension3 struct {
	WildcardedIMPU string `xml:"WildcardedIMPU"`
}

// Values of IdentityType (annex B.2.1).
const (
	publicUserIdentity   = 0
	distinctService      = 1
	wildcardedService    = 2
	wildcardedPublicUser = 4
)

// Shared are the shared iFC sets by number.
type Shared map[int]*subscriber.SharedFilterCriteria

// Document is the User-Data of one implicit registration set: a ServiceProfile for each profile that its identities have.
// asked is the identity that the S-CSCF asked about; it stands for the wildcard that it matches. What it gets depends on its
// features: one that knows shared iFC sets gets their numbers, another one their criteria; one that knows aliases, their groups.
func Document(private string, set *subscriber.RegistrationSet, asked string, shared Shared, features uint32) ([]byte, error) {
	knowsShared := features&cx.FeatureSharedSets != 0
	document := imsSubscription{PrivateID: private}

	for _, id := range order(set) {
		var profile serviceProfile

		for _, p := range set.Public {
			if p.ProfileID != id {
				continue
			}

			profile.PublicIdentities = append(profile.PublicIdentities, identity(p, asked, features))

			if len(profile.PublicIdentities) == 1 && p.Profile != nil {
				if err := profile.services(p.Profile, shared, knowsShared); err != nil {
					return nil, fmt.Errorf("service profile %s: %w", p.Profile.Name, err)
				}
			}
		}

		document.Profiles = append(document.Profiles, profile)
	}

	body, err := xml.MarshalIndent(document, "", " ")
	if err != nil {
		return nil, fmt.Errorf("user data: %w", err)
	}

	return append([]byte(xml.Header), append(body, '\n')...), nil
}

// order lists the profiles of a set. The one of the default identity comes first, so that the default is the first identity
// of the document that is not barred.
func order(set *subscriber.RegistrationSet) []uint64 {
	var ids []uint64

	if i := slices.IndexFunc(set.Public, func(p *subscriber.PublicIdentity) bool { return !p.Barred }); i >= 0 {
		ids = append(ids, set.Public[i].ProfileID)
	}

	for _, p := range set.Public {
		if !slices.Contains(ids, p.ProfileID) {
			ids = append(ids, p.ProfileID)
		}
	}

	return ids
}

func identity(p *subscriber.PublicIdentity, asked string, features uint32) publicIdentity {
	element := publicIdentity{Identity: p.Identity}
	if p.Barred {
		element.Barring = 1
	}

	second := identityExtension2{DisplayName: p.DisplayName}
	if features&cx.FeatureAliases != 0 {
		second.AliasGroup = p.AliasGroup
	}

	if p.Wildcard && p.Matches(asked) {
		element.Identity = asked
	}

	switch {
	case p.Kind == subscriber.Service && p.Wildcard:
		element.Extension.IdentityType = wildcardedService
		element.Extension.WildcardedPSI = p.Identity
	case p.Kind == subscriber.Service:
		element.Extension.IdentityType = distinctService
	case p.Wildcard:
		element.Extension.IdentityType = wildcardedPublicUser
		second.Extension = &identityExtension3{WildcardedIMPU: p.Identity}
	default:
		element.Extension.IdentityType = publicUserIdentity
	}

	if second != (identityExtension2{}) {
		element.Extension.Extension = &second
	}

	return element
}

func (s *serviceProfile) services(p *subscriber.ServiceProfile, shared Shared, knowsShared bool) error {
	if p.SubscribedMediaProfile != nil {
		s.Authorization = &authorization{*p.SubscribedMediaProfile}
	}

	criteria, err := Criteria(p.FilterCriteria)
	if err != nil {
		return err
	}

	if knowsShared && len(p.SharedSets) > 0 {
		s.Extension = &profileExtensions{p.SharedSets}
	}

	for _, number := range p.SharedSets {
		if knowsShared {
			break
		}

		set := shared[number]
		if set == nil {
			return fmt.Errorf("shared iFC set %d is not defined, and the S-CSCF does not know shared sets", number)
		}

		more, err := Criteria(set.FilterCriteria)
		if err != nil {
			return fmt.Errorf("shared iFC set %d: %w", number, err)
		}

		criteria = append(criteria, more...)
	}

	for _, c := range criteria {
		s.FilterCriteria = append(s.FilterCriteria, rawElement{c.Inner})
	}

	return nil
}

// Criterion is one InitialFilterCriteria element.
type Criterion struct {
	Inner string // its content, XML
	Part  *int   // ProfilePartIndicator: 0 registered, 1 unregistered, nil both (annex B.2.2)
	Cases []sessionCase
}

type sessionCase struct {
	Case    int `xml:"SessionCase"`
	Negated int `xml:"ConditionNegated"`
}

// Criteria splits a run of InitialFilterCriteria elements.
func Criteria(text string) ([]Criterion, error) {
	var document struct {
		Criteria []struct {
			Inner   string `xml:",innerxml"`
			Part    *int   `xml:"ProfilePartIndicator"`
			Trigger struct {
				SPTs []struct {
					Negated int  `xml:"ConditionNegated"`
					Case    *int `xml:"SessionCase"`
				} `xml:"SPT"`
			} `xml:"TriggerPoint"`
		} `xml:"InitialFilterCriteria"`
	}

	decoder := xml.NewDecoder(strings.NewReader("<criteria>" + text + "</criteria>"))
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("initial filter criteria: %w", err)
	}

	criteria := make([]Criterion, len(document.Criteria))

	for i, c := range document.Criteria {
		criteria[i] = Criterion{Inner: c.Inner, Part: c.Part}

		for _, spt := range c.Trigger.SPTs {
			if spt.Case != nil {
				criteria[i].Cases = append(criteria[i].Cases, sessionCase{*spt.Case, spt.Negated})
			}
		}
	}

	return criteria, nil
}

const (
	registeredPart          = 0
	terminatingUnregistered = 2
)

// ForUnregistered tells that some criterion can apply to a session towards a user who is not registered: it is of the part
// for unregistered users or of the common one, and no session case in it excludes case 2 (TS 29.228 §6.1.4.1 step 3).
func ForUnregistered(criteria []Criterion) bool {
	return slices.ContainsFunc(criteria, func(c Criterion) bool {
		if c.Part != nil && *c.Part == registeredPart {
			return false
		}

		return len(c.Cases) == 0 || slices.ContainsFunc(c.Cases, func(s sessionCase) bool {
			return (s.Case == terminatingUnregistered) != (s.Negated == 1)
		})
	})
}
