package ifc

import (
	"encoding/json"
	"fmt"
	"strings"
)

// InitialFilterCriterion selects the requests that go to an application server, and its place in the order (TS 29.228 annex B.2.2). In XML
// it is an element of the service profile, in JSON part of the HSS's provisioning API.
type InitialFilterCriterion struct {
	Priority          int               `xml:"Priority"             json:"priority"`           // lower ones come first
	TriggerPoint      *TriggerPoint     `xml:"TriggerPoint"         json:"trigger,omitempty"`  // none: every request
	ApplicationServer ApplicationServer `xml:"ApplicationServer"    json:"application_server"` //
	// ProfilePartIndicator is 0 for registered, 1 for unregistered; none: both.
	ProfilePartIndicator *int      `xml:"ProfilePartIndicator" json:"profile_part,omitempty"`
	Others               []Element `xml:",any"                 json:"-"`
}

// ApplicationServer is where a matching request goes.
type ApplicationServer struct {
	ServerName      string           `xml:"ServerName"            json:"server_name"`
	DefaultHandling int              `xml:"DefaultHandling"       json:"default_handling"` // 0 SESSION_CONTINUED, 1 SESSION_TERMINATED
	ServiceInfo     string           `xml:"ServiceInfo,omitempty" json:"service_info,omitempty"`
	Extension       *ServerExtension `xml:"Extension"             json:"extension,omitempty"`
	Others          []Element        `xml:",any"                  json:"-"`
}

// ServerExtension sets the content of a third-party REGISTER.
type ServerExtension struct {
	IncludeRegisterRequest  *struct{} `xml:"IncludeRegisterRequest"  json:"include_register_request,omitempty"`
	IncludeRegisterResponse *struct{} `xml:"IncludeRegisterResponse" json:"include_register_response,omitempty"`
	Others                  []Element `xml:",any"                    json:"-"`
}

// Bool is 0 or 1, in XML also false or true.
type Bool int

// UnmarshalText parses the text of an element.
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

// UnmarshalJSON parses any number; validation, which can name the place, checks its value.
func (b *Bool) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, (*int)(b)) }

// TriggerPoint is a Boolean expression over service point triggers.
type TriggerPoint struct {
	// ConditionTypeCNF 1: OR inside a group, AND across; 0: AND inside, OR across.
	ConditionTypeCNF *Bool `xml:"ConditionTypeCNF" json:"cnf" jsonschema:"nullable"`
	// ConditionTypeDNF is in no schema, but occurs in the field: read as CNF.
	ConditionTypeDNF *Bool     `xml:"ConditionTypeDNF" json:"-"`
	SPTs             []SPT     `xml:"SPT"              json:"service_points"` //
	Others           []Element `xml:",any"             json:"-"`
}

func (t *TriggerPoint) cnf() bool {
	if t.ConditionTypeCNF != nil {
		return *t.ConditionTypeCNF == 1
	}

	return t.ConditionTypeDNF == nil || *t.ConditionTypeDNF == 0
}

// normalise converts the condition type to the schema's form.
func (t *TriggerPoint) normalise() {
	if t == nil {
		return
	}

	form := Bool(0)
	if t.cnf() {
		form = 1
	}

	t.ConditionTypeCNF, t.ConditionTypeDNF = &form, nil
}

// SPT is one service point trigger: exactly one of its kinds is set.
type SPT struct {
	ConditionNegated   Bool                `xml:"ConditionNegated"   json:"negated,omitempty"`
	Groups             []int               `xml:"Group"              json:"groups"`
	RequestURI         *string             `xml:"RequestURI"         json:"request_uri,omitempty"`
	Method             *string             `xml:"Method"             json:"method,omitempty"`
	SIPHeader          *HeaderTrigger      `xml:"SIPHeader"          json:"sip_header,omitempty"`
	SessionCase        *SessionCase        `xml:"SessionCase"        json:"session_case,omitempty"`
	SessionDescription *DescriptionTrigger `xml:"SessionDescription" json:"session_description,omitempty"`
	Extension          *TriggerExtension   `xml:"Extension"          json:"extension,omitempty"`
	Others             []Element           `xml:",any"               json:"-"`
}

// HeaderTrigger matches a header, with a value that matches Content if that is given.
type HeaderTrigger struct {
	Header  string    `xml:"Header"  json:"header"`
	Content *string   `xml:"Content" json:"content,omitempty"`
	Others  []Element `xml:",any"    json:"-"`
}

// DescriptionTrigger matches a line of the SDP, with content that matches if that is given.
type DescriptionTrigger struct {
	Line    string    `xml:"Line"    json:"line"`
	Content *string   `xml:"Content" json:"content,omitempty"`
	Others  []Element `xml:",any"    json:"-"`
}

// TriggerExtension restricts a REGISTER trigger.
type TriggerExtension struct {
	RegistrationTypes []RegistrationType `xml:"RegistrationType" json:"registration_types"`
	Others            []Element          `xml:",any"             json:"-"`
}

// SessionCase is the side that a request is on (TS 29.228 annex F).
type SessionCase int

// The session cases of TS 29.228 annex F.
const (
	Originating SessionCase = iota
	TerminatingRegistered
	TerminatingUnregistered
	OriginatingUnregistered
	OriginatingCDIV
)

// RegistrationType is the kind of a REGISTER.
type RegistrationType int

// The kinds of a REGISTER.
const (
	InitialRegistration RegistrationType = iota
	ReRegistration
	DeRegistration
)
