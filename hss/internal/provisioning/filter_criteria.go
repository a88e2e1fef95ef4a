package provisioning

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

const maxCriteria = 64

// encodeCriteria checks the criteria and returns them as the XML that the S-CSCF gets. The S-CSCF's own evaluator checks them as well: bad
// expressions are refused here, not found at a call.
func encodeCriteria(field string, criteria []ifc.InitialFilterCriterion) (string, error) {
	if len(criteria) > maxCriteria {
		return "", problem(field, "%d are more than %d", len(criteria), maxCriteria)
	}

	for i := range criteria {
		at := fmt.Sprintf("%s[%d]", field, i)
		if err := check(at, &criteria[i]); err != nil {
			return "", err
		}

		priority := criteria[i].Priority
		if slices.ContainsFunc(criteria[:i], func(other ifc.InitialFilterCriterion) bool { return other.Priority == priority }) {
			return "", problem(at+".priority", "%d stands twice: the order would be open", priority)
		}
	}

	if _, err := ifc.Compile(ifc.ServiceProfile{InitialFilterCriteria: criteria}, nil); err != nil {
		return "", problem(field, "%v", err)
	}

	text, err := ifc.MarshalCriteria(criteria)

	return string(text), err
}

// check returns the error of a criterion, by the names of JSON. Without "cnf" a trigger is in disjunctive form.
func check(at string, c *ifc.InitialFilterCriterion) error {
	switch server := c.ApplicationServer; {
	case c.Priority < 0:
		return problem(at+".priority", "%d is negative", c.Priority)
	case !strings.HasPrefix(server.ServerName, "sip:") && !strings.HasPrefix(server.ServerName, "sips:"):
		return problem(at+".application_server.server_name", "%q is no SIP URI", server.ServerName)
	case server.DefaultHandling != 0 && server.DefaultHandling != 1:
		return problem(at+".application_server.default_handling", "%d is neither 0 nor 1", server.DefaultHandling)
	case c.ProfilePartIndicator != nil && *c.ProfilePartIndicator != 0 && *c.ProfilePartIndicator != 1:
		return problem(at+".profile_part", "%d is neither 0 nor 1", *c.ProfilePartIndicator)
	case c.TriggerPoint == nil:
		return nil
	}

	trigger := c.TriggerPoint
	if trigger.ConditionTypeCNF == nil {
		trigger.ConditionTypeCNF = new(ifc.Bool)
	}

	switch cnf := *trigger.ConditionTypeCNF; {
	case cnf != 0 && cnf != 1:
		return problem(at+".trigger.cnf", "%d is neither 0 nor 1", cnf)
	case len(trigger.SPTs) == 0:
		return problem(at+".trigger.service_points", "there is none; leave the trigger out for always")
	}

	for i := range trigger.SPTs {
		if err := checkTrigger(fmt.Sprintf("%s.trigger.service_points[%d]", at, i), &trigger.SPTs[i]); err != nil {
			return err
		}
	}

	return nil
}

func checkTrigger(at string, p *ifc.SPT) error {
	given := 0

	for _, present := range []bool{
		p.RequestURI != nil && *p.RequestURI != "", p.Method != nil && *p.Method != "", p.SIPHeader != nil, p.SessionCase != nil,
		p.SessionDescription != nil,
	} {
		if present {
			given++
		}
	}

	switch {
	case given != 1:
		return problem(at, "one of request_uri, method, sip_header, session_case and session_description must be given, not %d", given)
	case len(p.Groups) == 0:
		return problem(at+".groups", "a service point belongs to a group at least")
	case p.ConditionNegated != 0 && p.ConditionNegated != 1:
		return problem(at+".negated", "%d is neither 0 nor 1", p.ConditionNegated)
	case p.SessionCase != nil && (*p.SessionCase < ifc.Originating || *p.SessionCase > ifc.OriginatingCDIV):
		return problem(at+".session_case", "%d is not 0 to 4", *p.SessionCase)
	case p.Extension != nil && slices.ContainsFunc(p.Extension.RegistrationTypes, unknownType):
		return problem(at+".extension.registration_types", "one is not 0 to 2")
	default:
		return nil
	}
}

func unknownType(t ifc.RegistrationType) bool {
	return t < ifc.InitialRegistration || t > ifc.DeRegistration
}

// decodeCriteria parses the stored criteria.
func decodeCriteria(text string) ([]ifc.InitialFilterCriterion, error) {
	criteria, _, err := ifc.ParseCriteria([]byte(text))
	return criteria, err
}

// criteriaOf extracts the criteria of an XML document and applies the same rules as to JSON. Elements unknown to this HSS stay as they are.
func criteriaOf(document string) (string, []int, error) {
	criteria, shared, err := ifc.ParseCriteria([]byte(document))
	if err != nil {
		return "", nil, problem("xml", "%v", err)
	}

	text, err := encodeCriteria("xml", criteria)

	return text, shared, err
}

// unregisteredServices reports whether criteria apply to a callee who is not registered.
func unregisteredServices(text string) (bool, error) {
	criteria, err := decodeCriteria(text)

	return ifc.ForUnregistered(criteria), err
}
