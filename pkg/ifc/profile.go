// Package ifc is the service profile of TS 29.228 annex B and E, and the initial filter criteria in it (TS 23.218 §5.2,
// TS 29.228 annex F): read once, compiled once, asked for every request. Pure functions and data.
package ifc

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
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
	BarringIndication int                `xml:"BarringIndication,omitempty"` // 1: barred
	Identity          string             `xml:"Identity"`
	Extension         *IdentityExtension `xml:"Extension"`
}

// Barred identities may be registered, and nothing else.
func (p PublicIdentity) Barred() bool { return p.BarringIndication == 1 }

// IdentityExtension tells kinds of identities apart.
type IdentityExtension struct {
	IdentityType       int    `xml:"IdentityType"`
	WildcardedIdentity string `xml:"Extension>Extension>WildcardedIMPU,omitempty"`
	DisplayName        string `xml:"Extension>DisplayName,omitempty"`
}

// CoreNetworkServices limits the media of a session.
type CoreNetworkServices struct {
	SubscribedMediaProfileID *int `xml:"SubscribedMediaProfileId"`
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

// TriggerPoint is a Boolean expression over service point triggers.
type TriggerPoint struct {
	ConditionTypeCNF *int  `xml:"ConditionTypeCNF"` // 1: OR inside a group, AND across; 0: AND inside, OR across
	ConditionTypeDNF *int  `xml:"ConditionTypeDNF"` // in no schema, and in the field all the same: CNF the other way round
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
	ConditionNegated   int                 `xml:"ConditionNegated"`
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

const (
	maxDocument = 1 << 20 // octets
	maxDepth    = 32
	maxCriteria = 1000
	maxTriggers = 1000
)

var errDocument = errors.New("ifc: the service profile cannot be read")

// Parse reads a document, with a namespace or without. Entities, deep nesting and sizes that no subscriber has are refused.
func Parse(document []byte) (*Subscription, error) {
	if len(document) > maxDocument {
		return nil, fmt.Errorf("%w: %d octets", errDocument, len(document))
	}

	if err := shallow(document); err != nil {
		return nil, err
	}

	s := new(Subscription)
	if err := xml.Unmarshal(document, s); err != nil {
		return nil, fmt.Errorf("%w: %w", errDocument, err)
	}

	return s, s.check()
}

func shallow(document []byte) error {
	decoder := xml.NewDecoder(bytes.NewReader(document))

	for depth := 0; ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}

		if err != nil {
			return fmt.Errorf("%w: %w", errDocument, err)
		}

		switch token.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return fmt.Errorf("%w: more than %d elements deep", errDocument, maxDepth)
			}
		case xml.EndElement:
			depth--
		case xml.Directive:
			return fmt.Errorf("%w: it has a document type", errDocument)
		}
	}
}

func (s *Subscription) check() error {
	if len(s.ServiceProfiles) == 0 {
		return fmt.Errorf("%w: no ServiceProfile", errDocument)
	}

	criteria := 0

	for _, p := range s.ServiceProfiles {
		if len(p.PublicIdentities) == 0 {
			return fmt.Errorf("%w: a ServiceProfile without PublicIdentity", errDocument)
		}

		for _, identity := range p.PublicIdentities {
			if identity.Identity == "" {
				return fmt.Errorf("%w: an empty Identity", errDocument)
			}
		}

		if criteria += len(p.InitialFilterCriteria); criteria > maxCriteria {
			return fmt.Errorf("%w: more than %d criteria", errDocument, maxCriteria)
		}
	}

	return nil
}

// Marshal writes the document in the order of the schema.
func (s *Subscription) Marshal() ([]byte, error) {
	body, err := xml.MarshalIndent(s, "", " ")
	if err != nil {
		return nil, fmt.Errorf("ifc: %w", err)
	}

	return append([]byte(xml.Header), body...), nil
}
