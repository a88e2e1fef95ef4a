package ifc

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ere"
)

// Request is what triggers are evaluated on.
type Request interface {
	Method() string
	RequestURI() string
	// EachHeader calls yield with the value of every field of a header, each as a whole, whatever form its name has, until yield returns
	// false.
	EachHeader(name string, yield func(value string) bool)
	// EachHeaderName calls yield with the long name of every header field, for triggers whose name is an expression.
	EachHeaderName(yield func(name string) bool)
	SessionCase() SessionCase
	RegistrationType() RegistrationType
	// SDP returns the session description, or nil.
	SDP() []byte
}

// Match is an application server that a request goes to.
type Match struct {
	Index           int // position in the chain, after which the search goes on
	Priority        int
	Server          string // SIP URI
	Continue        bool   // DefaultHandling SESSION_CONTINUED
	ServiceInfo     string
	IncludeRequest  bool
	IncludeResponse bool
}

// Chain is the compiled criteria of one service profile, in order of priority. It is immutable, and safe for concurrent use.
type Chain struct{ criteria []criterion }

type criterion struct {
	match  Match
	part   int // registered, unregistered or both
	always bool
	cnf    bool
	groups [][]trigger
}

// Values of ProfilePartIndicator (TS 29.228 annex B.2.2).
const (
	registeredPart   = 0
	unregisteredPart = 1
	bothParts        = -1
)

// Compile compiles the chain of a profile. shared holds the S-CSCF's sets that the profile refers to (TS 29.228 §6.6).
func Compile(p ServiceProfile, shared map[int][]InitialFilterCriterion) (*Chain, error) {
	criteria := slices.Clone(p.InitialFilterCriteria)

	if p.Extension != nil {
		for _, id := range p.Extension.SharedIFCSetIDs {
			set, known := shared[id]
			if !known {
				return nil, fmt.Errorf("ifc: shared set %d is not configured here", id)
			}

			if criteria = append(criteria, set...); len(criteria) > maxCriteria {
				return nil, fmt.Errorf("ifc: more than %d criteria", maxCriteria)
			}
		}
	}

	slices.SortStableFunc(criteria, func(a, b InitialFilterCriterion) int { return cmp.Compare(a.Priority, b.Priority) })

	chain := &Chain{criteria: make([]criterion, 0, len(criteria))}
	c := compiler{known: map[string]*regexp.Regexp{}}

	for i, source := range criteria {
		compiled, err := c.criterion(source)
		if err != nil {
			return nil, fmt.Errorf("ifc: criterion with priority %d: %w", source.Priority, err)
		}

		compiled.match.Index = i
		chain.criteria = append(chain.criteria, compiled)
	}

	return chain, nil
}

// compiler compiles each expression of a chain once.
type compiler struct{ known map[string]*regexp.Regexp }

func (c *compiler) expression(text string) (*regexp.Regexp, error) {
	text = strings.TrimSpace(text)

	if compiled := c.known[text]; compiled != nil {
		return compiled, nil
	}

	if len(c.known) == maxExpressions {
		return nil, fmt.Errorf("more than %d expressions", maxExpressions)
	}

	compiled, err := ere.Compile(text)
	if err == nil {
		c.known[text] = compiled
	}

	return compiled, err
}

func (c *compiler) optional(text *string) (*regexp.Regexp, error) {
	if text == nil {
		return nil, nil
	}

	return c.expression(*text)
}

func (c *compiler) criterion(source InitialFilterCriterion) (criterion, error) {
	as := source.ApplicationServer
	compiled := criterion{part: bothParts, always: source.TriggerPoint == nil, match: Match{
		Priority: source.Priority, Server: strings.TrimSpace(as.ServerName), Continue: as.DefaultHandling == 0, ServiceInfo: as.ServiceInfo,
	}}

	if as.Extension != nil {
		compiled.match.IncludeRequest = as.Extension.IncludeRegisterRequest != nil
		compiled.match.IncludeResponse = as.Extension.IncludeRegisterResponse != nil
	}

	if part := source.ProfilePartIndicator; part != nil {
		if *part != registeredPart && *part != unregisteredPart {
			return compiled, fmt.Errorf("ProfilePartIndicator %d", *part)
		}

		compiled.part = *part
	}

	switch name := compiled.match.Server; {
	case name == "":
		return compiled, errors.New("no ServerName")
	case strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '<' || c == '>' }):
		return compiled, fmt.Errorf("ServerName %q", clip(name))
	case as.DefaultHandling != 0 && as.DefaultHandling != 1:
		return compiled, fmt.Errorf("DefaultHandling %d", as.DefaultHandling)
	case compiled.always:
		return compiled, nil
	}

	var err error
	if compiled.groups, err = c.groups(source.TriggerPoint.SPTs); err != nil {
		return compiled, err
	}

	compiled.cnf = source.TriggerPoint.cnf()

	return compiled, nil
}

// groups adds each trigger to all the groups that it names. One that names none, which the schema does not allow, is in group 0.
func (c *compiler) groups(spts []SPT) ([][]trigger, error) {
	if len(spts) > maxTriggers {
		return nil, fmt.Errorf("more than %d triggers", maxTriggers)
	}

	var groups [][]trigger

	places := map[int]int{} // group number to place in groups
	total := 0

	for i, spt := range spts {
		compiled, err := c.compileTrigger(spt)
		if err != nil {
			return nil, fmt.Errorf("trigger %d: %w", i+1, err)
		}

		numbers := spt.Groups
		if len(numbers) == 0 {
			numbers = []int{0}
		}

		if total += len(numbers); total > maxGroups {
			return nil, fmt.Errorf("more than %d places in groups", maxGroups)
		}

		for _, number := range numbers {
			at, known := places[number]
			if !known {
				at = len(groups)
				places[number] = at
				groups = append(groups, nil)
			}

			groups[at] = append(groups[at], compiled)
		}
	}

	return groups, nil
}

// Next returns the first criterion after position after (-1: from the beginning) that a request matches. registered selects the part of the
// profile that applies. It does not allocate.
func (c *Chain) Next(r Request, after int, registered bool) (Match, bool) {
	for i := max(after, -1) + 1; i < c.Len(); i++ {
		criterion := &c.criteria[i]

		if criterion.part == registeredPart && !registered || criterion.part == unregisteredPart && registered {
			continue
		}

		if criterion.matches(r) {
			return criterion.match, true
		}
	}

	return Match{}, false
}

// Matches returns all results of Next in order.
func (c *Chain) Matches(r Request, after int, registered bool) iter.Seq[Match] {
	return func(yield func(Match) bool) {
		for {
			m, found := c.Next(r, after, registered)
			if !found || !yield(m) {
				return
			}

			after = m.Index
		}
	}
}

// Len returns the number of criteria in the chain; a nil chain has none.
func (c *Chain) Len() int {
	if c == nil {
		return 0
	}

	return len(c.criteria)
}

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

// holds reports whether a group holds: in CNF if one trigger holds, in DNF if all do.
func (c *criterion) holds(group []trigger, r Request) bool {
	for _, t := range group {
		if (t.holds(r) != t.negated) == c.cnf {
			return c.cnf
		}
	}

	return !c.cnf
}
