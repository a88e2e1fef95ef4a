package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Resource is a method of a path with all that a client must know of it. The description at /openapi.json is made of resources, and the
// server checks requests against them: an unknown query parameter, or an invalid value, is refused before Handler.
type Resource struct {
	Pattern string      // of net/http, with its method: "GET /subscribers/{name}"
	Summary string      // one line
	Query   []Parameter // all of them
	Body    any         // of the type that Handler decodes; nil: no body
	XML     bool        // the body may be application/xml, too
	Answers []Answer    // of success
	Refuses []int       // statuses of problems, besides the server's own
	Open    bool        // without the token, for all of admin.allow_from: health, readiness and metrics
	Handler Handler
}

// Path returns the method of the pattern, and its path, in which braces hold only names.
func (s *Resource) Path() (method, path string) {
	method, path, _ = strings.Cut(s.Pattern, " ")
	return method, strings.ReplaceAll(path, "...}", "}")
}

// Answer is a successful answer of a resource.
type Answer struct {
	Status int
	Body   any    // of the type that is written; nil: no JSON
	Type   string // media type of a body that is not JSON
	Lists  bool   // has a link to the next page, if there is one
}

// Parameter is a parameter of a query: a text, a number, or one of several values.
type Parameter struct {
	Name, Summary string
	Values        []string // valid values; none: any
	Number        bool
	Usual         uint64 // default of a number; 0: none
	Least, Most   uint64 // of a number
}

// Text returns a parameter that can be any text.
func Text(name, summary string) Parameter { return Parameter{Name: name, Summary: summary} }

// Limit returns the parameter for the number of rows of a list.
func Limit(usual, most uint64) Parameter {
	return Parameter{Name: "limit", Summary: "how many are shown", Number: true, Usual: usual, Least: 1, Most: most}
}

// Of returns the text of the parameter in a request that the server has checked.
func (p Parameter) Of(r *http.Request) string { return r.URL.Query().Get(p.Name) }

// NumberOf returns the number in a request that the server has checked, or the default.
func (p Parameter) NumberOf(r *http.Request) uint64 {
	if n, err := strconv.ParseUint(p.Of(r), 10, 64); err == nil {
		return n
	}

	return p.Usual
}

func (p Parameter) check(value string) error {
	if value == "" {
		return nil
	}

	if p.Number {
		if n, err := strconv.ParseUint(value, 10, 64); err != nil || n < p.Least || n > p.Most {
			return unreadable("%s: %q is not %d to %d", p.Name, value, p.Least, p.Most)
		}
	}

	if len(p.Values) > 0 && !slices.Contains(p.Values, value) {
		return unreadable("%s: %q is none of %s", p.Name, value, strings.Join(p.Values, ", "))
	}

	return nil
}

// Check returns an error for a query that the resource does not have: a misspelt filter would otherwise select everything.
func (s *Resource) Check(r *http.Request) error {
	if !isText(r.URL.Path) {
		return unreadable("the path is no text")
	}

	for name, values := range r.URL.Query() {
		at := slices.IndexFunc(s.Query, func(p Parameter) bool { return p.Name == name })
		if at < 0 {
			return unreadable("there is no parameter %q, %s", name, s.parameters())
		}

		for _, value := range values {
			if !isText(value) {
				return unreadable("%s is no text", name)
			}

			if err := s.Query[at].check(value); err != nil {
				return err
			}
		}
	}

	return nil
}

func (s *Resource) parameters() string {
	if len(s.Query) == 0 {
		return "nor any other"
	}

	var names []string
	for _, p := range s.Query {
		names = append(names, p.Name)
	}

	return "only " + strings.Join(names, ", ")
}

// isText reports whether every database can store a text.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

func unreadable(format string, arguments ...any) error {
	return &Error{Status: http.StatusBadRequest, Title: "the query cannot be read", Detail: fmt.Sprintf(format, arguments...)}
}
