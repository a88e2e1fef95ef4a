package provisioning

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/userdata"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

// FilterCriteria is an initial filter criterion (TS 29.228 annex B.2.2, annex C). Lower priorities come first.
type FilterCriteria struct {
	XMLName xml.Name `xml:"InitialFilterCriteria" json:"-"`

	Priority    int               `xml:"Priority"             json:"priority"`
	Trigger     *TriggerPoint     `xml:"TriggerPoint"         json:"trigger,omitempty"` // none: always
	Server      ApplicationServer `xml:"ApplicationServer"    json:"application_server"`
	ProfilePart *int              `xml:"ProfilePartIndicator" json:"profile_part,omitempty"` // 0 registered, 1 unregistered; both unless given
}

// TriggerPoint is a condition over service points.
type TriggerPoint struct {
	CNF    int                   `xml:"ConditionTypeCNF" json:"cnf"` // 1: OR within a group, AND across; 0: the opposite
	DNF    *int                  `xml:"ConditionTypeDNF" json:"-"`   // in no schema, but in the field: CNF the other way round
	Points []ServicePointTrigger `xml:"SPT"              json:"service_points"`
}

// ServicePointTrigger looks at one property of a request. Exactly one of the properties is given.
type ServicePointTrigger struct {
	Negated int   `xml:"ConditionNegated" json:"negated,omitempty"`
	Groups  []int `xml:"Group"            json:"groups"`

	RequestURI string       `xml:"RequestURI,omitempty" json:"request_uri,omitempty"`
	Method     string       `xml:"Method,omitempty"     json:"method,omitempty"`
	Header     *HeaderMatch `xml:"SIPHeader"            json:"sip_header,omitempty"`
	// 0 originating, 1 terminating registered, 2 terminating unregistered, 3 originating unregistered, 4 originating CDIV
	SessionCase        *int                `xml:"SessionCase"          json:"session_case,omitempty"`
	SessionDescription *SessionDescription `xml:"SessionDescription"   json:"session_description,omitempty"`
	Extension          *TriggerExtension   `xml:"Extension"            json:"extension,omitempty"`
}

// HeaderMatch wants a header whose name, and content if one is given, match extended regular expressions.
type HeaderMatch struct {
	Header  string `xml:"Header"            json:"header"`
	Content string `xml:"Content,omitempty" json:"content,omitempty"`
}

// SessionDescription wants a line of the SDP.
type SessionDescription struct {
	Line    string `xml:"Line"              json:"line"`
	Content string `xml:"Content,omitempty" json:"content,omitempty"`
}

// TriggerExtension narrows a REGISTER: 0 initial registration, 1 re-registration, 2 de-registration.
type TriggerExtension struct {
	RegistrationTypes []int `xml:"RegistrationType" json:"registration_types"`
}

// ApplicationServer is whom the request is sent to.
type ApplicationServer struct {
	ServerName string `xml:"ServerName"            json:"server_name"`
	// 0 the session continues, 1 it ends, when the server fails
	DefaultHandling int                `xml:"DefaultHandling"       json:"default_handling"`
	ServiceInfo     string             `xml:"ServiceInfo,omitempty" json:"service_info,omitempty"`
	Extension       *ServerInformation `xml:"Extension"             json:"extension,omitempty"`
}

// ServerInformation says what the body of a third-party registration carries.
type ServerInformation struct {
	IncludeRegisterRequest  *struct{} `xml:"IncludeRegisterRequest"  json:"include_register_request,omitempty"`
	IncludeRegisterResponse *struct{} `xml:"IncludeRegisterResponse" json:"include_register_response,omitempty"`
}

const maxCriteria = 64

// encodeCriteria checks the criteria and writes them as the XML that the S-CSCF gets.
func encodeCriteria(field string, criteria []FilterCriteria) (string, error) {
	if len(criteria) > maxCriteria {
		return "", problem(field, "%d are more than %d", len(criteria), maxCriteria)
	}

	var text strings.Builder

	for i, c := range criteria {
		at := fmt.Sprintf("%s[%d]", field, i)
		if err := c.check(at); err != nil {
			return "", err
		}

		if slices.ContainsFunc(criteria[:i], func(other FilterCriteria) bool { return other.Priority == c.Priority }) {
			return "", problem(at+".priority", "%d stands twice: the order would be open", c.Priority)
		}

		c.XMLName = xml.Name{Local: "InitialFilterCriteria"}

		element, err := xml.MarshalIndent(c, "", " ")
		if err != nil {
			return "", fmt.Errorf("%s: %w", at, err)
		}

		text.Write(element)
		text.WriteByte('\n')
	}

	return text.String(), compiles(field, text.String())
}

// compiles lets the S-CSCF's own evaluator judge the criteria: bad expressions are refused here, not found at a call.
func compiles(field, criteria string) error {
	document := "<IMSSubscription><PrivateID>a@b</PrivateID><ServiceProfile><PublicIdentity><Identity>sip:a@b</Identity></PublicIdentity>" +
		criteria + "</ServiceProfile></IMSSubscription>"

	subscription, err := ifc.Parse([]byte(document))
	if err == nil {
		_, err = ifc.Compile(subscription.ServiceProfiles[0], nil)
	}

	if err != nil {
		return problem(field, "%v", err)
	}

	return nil
}

func (c FilterCriteria) check(at string) error {
	switch {
	case c.Priority < 0:
		return problem(at+".priority", "%d is negative", c.Priority)
	case !strings.HasPrefix(c.Server.ServerName, "sip:") && !strings.HasPrefix(c.Server.ServerName, "sips:"):
		return problem(at+".application_server.server_name", "%q is no SIP URI", c.Server.ServerName)
	case c.Server.DefaultHandling != 0 && c.Server.DefaultHandling != 1:
		return problem(at+".application_server.default_handling", "%d is neither 0 nor 1", c.Server.DefaultHandling)
	case c.ProfilePart != nil && *c.ProfilePart != 0 && *c.ProfilePart != 1:
		return problem(at+".profile_part", "%d is neither 0 nor 1", *c.ProfilePart)
	case c.Trigger == nil:
		return nil
	case c.Trigger.CNF != 0 && c.Trigger.CNF != 1:
		return problem(at+".trigger.cnf", "%d is neither 0 nor 1", c.Trigger.CNF)
	case len(c.Trigger.Points) == 0:
		return problem(at+".trigger.service_points", "there is none; leave the trigger out for always")
	}

	for i, point := range c.Trigger.Points {
		if err := point.check(fmt.Sprintf("%s.trigger.service_points[%d]", at, i)); err != nil {
			return err
		}
	}

	return nil
}

func (p ServicePointTrigger) check(at string) error {
	given := 0

	for _, present := range []bool{p.RequestURI != "", p.Method != "", p.Header != nil, p.SessionCase != nil, p.SessionDescription != nil} {
		if present {
			given++
		}
	}

	switch {
	case given != 1:
		return problem(at, "one of request_uri, method, sip_header, session_case and session_description must be given, not %d", given)
	case len(p.Groups) == 0:
		return problem(at+".groups", "a service point belongs to a group at least")
	case p.Negated != 0 && p.Negated != 1:
		return problem(at+".negated", "%d is neither 0 nor 1", p.Negated)
	case p.SessionCase != nil && (*p.SessionCase < 0 || *p.SessionCase > 4):
		return problem(at+".session_case", "%d is not 0 to 4", *p.SessionCase)
	case p.Extension != nil && slices.ContainsFunc(p.Extension.RegistrationTypes, func(t int) bool { return t < 0 || t > 2 }):
		return problem(at+".extension.registration_types", "one is not 0 to 2")
	default:
		return nil
	}
}

// decodeCriteria reads the criteria of the store as structures.
func decodeCriteria(text string) ([]FilterCriteria, error) {
	var document struct {
		Criteria []FilterCriteria `xml:"InitialFilterCriteria"`
	}

	if err := xml.Unmarshal([]byte("<criteria>"+text+"</criteria>"), &document); err != nil {
		return nil, fmt.Errorf("initial filter criteria: %w", err)
	}

	for i := range document.Criteria {
		if trigger := document.Criteria[i].Trigger; trigger != nil && trigger.DNF != nil {
			trigger.CNF, trigger.DNF = 1-*trigger.DNF, nil
		}
	}

	return document.Criteria, nil
}

// criteriaOf takes the InitialFilterCriteria elements out of an XML document: a ServiceProfile, an IMSSubscription, or
// nothing but criteria. What this HSS does not know of them stays as it is.
func criteriaOf(document string) (string, []int, error) {
	decoder := xml.NewDecoder(strings.NewReader(document))

	var (
		text   strings.Builder
		shared []int
		count  int
	)

	for {
		token, err := decoder.Token()
		if token == nil {
			if err != nil && err.Error() != "EOF" {
				return "", nil, problem("xml", "%v", err)
			}

			return text.String(), shared, checkCriteria(text.String())
		}

		if err != nil {
			return "", nil, problem("xml", "%v", err)
		}

		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}

		switch element.Name.Local {
		case "InitialFilterCriteria":
			var raw struct {
				Inner string `xml:",innerxml"`
			}
			if err := decoder.DecodeElement(&raw, &element); err != nil {
				return "", nil, problem("xml", "%v", err)
			}

			if count++; count > maxCriteria {
				return "", nil, problem("xml", "there are more than %d criteria", maxCriteria)
			}

			criterion, err := bare(raw.Inner)
			if err != nil {
				return "", nil, err
			}

			text.WriteString(criterion)
		case "SharedIFCSetID":
			var number int
			if err := decoder.DecodeElement(&number, &element); err != nil {
				return "", nil, problem("xml", "SharedIFCSetID: %v", err)
			}

			shared = append(shared, number)
		case "PublicIdentity", "PrivateID":
			if err := decoder.Skip(); err != nil {
				return "", nil, problem("xml", "%v", err)
			}
		}
	}
}

var prefixes = regexp.MustCompile(`</?[\pL_][\pL\pN._-]*:`)

// bare is a criterion by itself. Prefixes that the document around it has declared would mean nothing in the User-Data, so
// that elements with prefixes are written anew without them.
func bare(inner string) (string, error) {
	element := "<InitialFilterCriteria>" + inner + "</InitialFilterCriteria>\n"
	if !prefixes.MatchString(inner) {
		return element, nil
	}

	criteria, err := decodeCriteria(element)
	if err != nil {
		return "", problem("xml", "%v", err)
	}

	return encodeCriteria("xml", criteria)
}

// checkCriteria holds criteria given as XML to the same rules as those given as JSON.
func checkCriteria(text string) error {
	criteria, err := decodeCriteria(text)
	if err != nil {
		return problem("xml", "%v", err)
	}

	if _, err := encodeCriteria("xml", criteria); err != nil {
		return err
	}

	return compiles("xml", text)
}

// unregisteredServices tells whether criteria apply to a callee who is not registered.
func unregisteredServices(text string) (bool, error) {
	criteria, err := userdata.Criteria(text)
	if err != nil {
		return false, err
	}

	return userdata.ForUnregistered(criteria), nil
}
