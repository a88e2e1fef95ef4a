package ifc

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Request is what triggers look at.
type Request interface {
	Method() string
	RequestURI() string
	// EachHeader calls yield with every value of a header, whatever way its name is written, until yield is false.
	EachHeader(name string, yield func(value string) bool)
	// EachHeaderName calls yield with the name of every header field, for triggers whose name is an expression.
	EachHeaderName(yield func(name string) bool)
	SessionCase() SessionCase
	RegistrationType() RegistrationType
	// SDP is the session description, or nil.
	SDP() []byte
}

// Match is an application server that a request goes to.
type Match struct {
	Index           int // place in the chain; the next one is looked for behind it
	Priority        int
	Server          string // SIP URI
	Continue        bool   // DefaultHandling SESSION_CONTINUED
	ServiceInfo     string
	IncludeRequest  bool
	IncludeResponse bool
}

// Chain is the criteria of one service profile, compiled, in the order of their priorities.
type Chain struct{ criteria []criterion }

type criterion struct {
	match  Match
	part   int // 0 registered, 1 unregistered, -1 both
	always bool
	cnf    bool
	groups [][]trigger
}

type trigger struct {
	negated bool
	holds   func(Request) bool
}

// Compile makes the chain of a profile. shared are the sets of the S-CSCF that the profile refers to (TS 29.228 §6.6).
func Compile(p ServiceProfile, shared map[int][]InitialFilterCriterion) (*Chain, error) {
	criteria := slices.Clone(p.InitialFilterCriteria)

	if p.Extension != nil {
		for _, id := range p.Extension.SharedIFCSetIDs {
			set, known := shared[id]
			if !known {
				return nil, fmt.Errorf("ifc: shared set %d is not configured here", id)
			}

			criteria = append(criteria, set...)
		}
	}

	slices.SortStableFunc(criteria, func(a, b InitialFilterCriterion) int { return a.Priority - b.Priority })

	c := &Chain{}

	for i, source := range criteria {
		compiled, err := compile(source)
		if err != nil {
			return nil, fmt.Errorf("ifc: criterion with priority %d: %w", source.Priority, err)
		}

		compiled.match.Index = i
		c.criteria = append(c.criteria, compiled)
	}

	return c, nil
}

func compile(source InitialFilterCriterion) (criterion, error) {
	as := source.ApplicationServer
	c := criterion{part: -1, always: source.TriggerPoint == nil, match: Match{
		Priority: source.Priority, Server: strings.TrimSpace(as.ServerName), Continue: as.DefaultHandling == 0, ServiceInfo: as.ServiceInfo,
	}}

	if as.Extension != nil {
		c.match.IncludeRequest = as.Extension.IncludeRegisterRequest != nil
		c.match.IncludeResponse = as.Extension.IncludeRegisterResponse != nil
	}

	if source.ProfilePartIndicator != nil {
		c.part = *source.ProfilePartIndicator
	}

	if c.match.Server == "" {
		return c, fmt.Errorf("no ServerName")
	}

	if c.always {
		return c, nil
	}

	t := source.TriggerPoint
	c.cnf = t.cnf()

	if len(t.SPTs) > maxTriggers {
		return c, fmt.Errorf("more than %d triggers", maxTriggers)
	}

	groups := map[int]int{} // group number to place

	for _, spt := range t.SPTs {
		compiled, err := compileTrigger(spt)
		if err != nil {
			return c, err
		}

		numbers := spt.Groups
		if len(numbers) == 0 {
			numbers = []int{0}
		}

		for _, number := range numbers {
			at, known := groups[number]
			if !known {
				at = len(c.groups)
				groups[number] = at
				c.groups = append(c.groups, nil)
			}

			c.groups[at] = append(c.groups[at], compiled)
		}
	}

	return c, nil
}

func compileTrigger(spt SPT) (trigger, error) {
	t := trigger{negated: spt.ConditionNegated == 1}

	switch {
	case spt.RequestURI != nil:
		expression, err := compileERE(strings.TrimSpace(*spt.RequestURI))
		if err != nil {
			return t, err
		}

		t.holds = func(r Request) bool { return expression.MatchString(r.RequestURI()) }
	case spt.Method != nil:
		t.holds = methodTrigger(strings.TrimSpace(*spt.Method), spt.Extension)
	case spt.SIPHeader != nil:
		return headerTrigger(t, spt.SIPHeader)
	case spt.SessionCase != nil:
		wanted := *spt.SessionCase
		t.holds = func(r Request) bool { return r.SessionCase() == wanted }
	case spt.SessionDescription != nil:
		return descriptionTrigger(t, spt.SessionDescription)
	default:
		return t, fmt.Errorf("a trigger of no known kind")
	}

	return t, nil
}

func methodTrigger(method string, extension *TriggerExtension) func(Request) bool {
	if method != "REGISTER" || extension == nil || len(extension.RegistrationTypes) == 0 {
		return func(r Request) bool { return r.Method() == method }
	}

	types := extension.RegistrationTypes

	return func(r Request) bool { return r.Method() == method && slices.Contains(types, r.RegistrationType()) }
}

// headerTrigger: the name may itself be an expression (TS 29.228 annex F), though it nearly always is a plain name.
func headerTrigger(t trigger, h *HeaderTrigger) (trigger, error) {
	name := strings.TrimSpace(h.Header)
	if name == "" {
		return t, fmt.Errorf("a SIPHeader trigger without Header")
	}

	content, err := optional(h.Content)
	if err != nil {
		return t, err
	}

	if isToken(name) {
		t.holds = func(r Request) bool { return headerMatches(r, name, content) }
		return t, nil
	}

	names, err := compileERE("^(" + name + ")$")
	if err != nil {
		return t, err
	}

	t.holds = func(r Request) bool {
		found := false

		r.EachHeaderName(func(candidate string) bool {
			found = names.MatchString(candidate) && headerMatches(r, candidate, content)
			return !found
		})

		return found
	}

	return t, nil
}

func headerMatches(r Request, name string, content *regexp.Regexp) bool {
	found := false

	r.EachHeader(name, func(value string) bool {
		found = content == nil || content.MatchString(value)
		return !found
	})

	return found
}

func descriptionTrigger(t trigger, d *DescriptionTrigger) (trigger, error) {
	content, err := optional(d.Content)
	if err != nil {
		return t, err
	}

	line := strings.TrimSuffix(strings.TrimSpace(d.Line), "=")

	lines, err := compileERE("^(" + line + ")$")
	if err != nil || line == "" {
		return t, fmt.Errorf("a SessionDescription trigger with line %q: %w", d.Line, err)
	}

	t.holds = func(r Request) bool {
		rest := r.SDP()

		for len(rest) > 0 {
			text := rest
			if end := slices.Index(rest, '\n'); end >= 0 {
				text, rest = rest[:end], rest[end+1:]
			} else {
				rest = nil
			}

			if n := len(text); n > 0 && text[n-1] == '\r' {
				text = text[:n-1]
			}

			at := slices.Index(text, '=')
			if at > 0 && lines.Match(text[:at]) && (content == nil || content.Match(text[at+1:])) {
				return true
			}
		}

		return false
	}

	return t, nil
}

func optional(expression *string) (*regexp.Regexp, error) {
	if expression == nil {
		return nil, nil
	}

	return compileERE(strings.TrimSpace(*expression))
}

func isToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}

	return true
}

// Next finds the first criterion behind place after (-1: from the beginning) that a request matches. Registered tells which
// part of the profile applies. It does not allocate.
func (c *Chain) Next(r Request, after int, registered bool) (Match, bool) {
	if c == nil {
		return Match{}, false
	}

	for i := after + 1; i < len(c.criteria); i++ {
		criterion := &c.criteria[i]

		if criterion.part == 0 && !registered || criterion.part == 1 && registered {
			continue
		}

		if criterion.matches(r) {
			return criterion.match, true
		}
	}

	return Match{}, false
}

// Len is how many criteria the chain has.
func (c *Chain) Len() int { return len(c.criteria) }

func (c *criterion) matches(r Request) bool {
	if c.always {
		return true
	}

	for _, group := range c.groups {
		if c.holds(group, r) != c.cnf {
			return !c.cnf // CNF: a group that fails; DNF: a group that holds
		}
	}

	return c.cnf && len(c.groups) > 0
}

// holds: CNF wants one trigger of the group, DNF all.
func (c *criterion) holds(group []trigger, r Request) bool {
	for _, t := range group {
		if (t.holds(r) != t.negated) == c.cnf {
			return c.cnf
		}
	}

	return !c.cnf
}
