package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Resource is a method of a path with all that a client must know of it. The description at /openapi.json is made of resources, and
// the server holds requests to them: a query parameter that there is not, or a value that it cannot have, is refused before Handler.
type Resource struct {
	Pattern string      // of net/http, with its method: "GET /subscribers/{name}"
	Summary string      // what it does, in a line
	Query   []Parameter // all that there are
	Body    any         // of the type that Handler decodes; nil: no body
	XML     bool        // the body may be application/xml, too
	Answers []Answer    // when all went well
	Refuses []int       // statuses of problems besides those that the server itself answers with
	Open    bool        // answers everybody in admin.allow_from, without the token: health, readiness and metrics
	Handler Handler
}

// Path returns the method of the pattern, and its path, in which names stand in braces alone.
func (s *Resource) Path() (method, path string) {
	method, path, _ = strings.Cut(s.Pattern, " ")
	return method, strings.ReplaceAll(path, "...}", "}")
}

// Answer is what a resource answers with.
type Answer struct {
	Status int
	Body   any    // of the type that is written; nil: no JSON
	Type   string // media type of a body that is not JSON
	Lists  bool   // has a link to what is not shown, if there is more
}

// Parameter is a parameter of a query: a text, or a number, or one of a few values.
type Parameter struct {
	Name, Summary string
	Values        []string // those that it can have; none: any
	Number        bool
	Usual         uint64 // of a number: if it is not given; 0: none
	Least, Most   uint64 // of a number
}

// Text returns a parameter that any text can stand in.
func Text(name, summary string) Parameter { return Parameter{Name: name, Summary: summary} }

// Limit returns the number of rows that a list shows.
func Limit(usual, most uint64) Parameter {
	return Parameter{Name: "limit", Summary: "how many are shown", Number: true, Usual: usual, Least: 1, Most: most}
}

// Of returns the value in a request that the server has let through: of a number, as that is.
func (p Parameter) Of(r *http.Request) string { return r.URL.Query().Get(p.Name) }

// NumberOf returns the number in a request that the server has let through, or the usual one.
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

// Check refuses a query that the resource does not have: a misspelt filter would otherwise select everything.
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

// isText reports whether a database can hold it.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

func unreadable(format string, arguments ...any) error {
	return &Error{Status: http.StatusBadRequest, Title: "the query cannot be read", Detail: fmt.Sprintf(format, arguments...)}
}
