package openapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Main runs the tests of a package, and holds what passes between them and the function that is described: they fail if an answer is
// not as it says, or a request that was served.
func Main(m *testing.M, text []byte) int {
	w, err := NewWatcher(text, http.DefaultTransport)
	if err != nil {
		fmt.Fprintln(os.Stderr, "openapi.json:", err)
		return 1
	}

	http.DefaultTransport = w
	status := m.Run()

	for _, fault := range w.Faults() {
		fmt.Fprintln(os.Stderr, "openapi.json does not say what passed:", fault)

		status = max(status, 1)
	}

	return status
}

// Watcher passes requests on, and looks at them and at their answers.
type Watcher struct {
	next       http.RoundTripper
	routes     *http.ServeMux
	operations map[string]*operation // by the patterns of routes

	mu     sync.Mutex
	faults []string
}

// operation is what is described of a method of a path.
type operation struct {
	query   map[string]*jsonschema.Schema
	body    content
	answers map[string]content // by status
}

// content has the schema of each media type; nil of one that is not JSON.
type content map[string]*jsonschema.Schema

// NewWatcher holds what passes to a description.
func NewWatcher(text []byte, next http.RoundTripper) (*Watcher, error) {
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}

	r := reader{compiler: jsonschema.NewCompiler()}
	r.compiler.DefaultDraft(jsonschema.Draft2020)
	r.compiler.AssertFormat()

	if err := r.compiler.AddResource(where, whole); err != nil {
		return nil, err
	}

	var document struct {
		Paths      map[string]map[string]described `json:"paths"`
		Components struct {
			Responses map[string]response `json:"responses"`
		} `json:"components"`
	}

	if err := json.Unmarshal(text, &document); err != nil {
		return nil, err
	}

	r.common = document.Components.Responses
	w := &Watcher{next: next, routes: http.NewServeMux(), operations: map[string]*operation{}}

	for path, methods := range document.Paths {
		for method, d := range methods {
			pattern := strings.ToUpper(method) + " " + path
			w.routes.Handle(pattern, http.NotFoundHandler())
			w.operations[pattern] = r.operation(d, "paths", path, method)
		}
	}

	return w, r.err
}

type described struct {
	Parameters []struct{ Name, In string } `json:"parameters"`
	Body       struct {
		Content map[string]map[string]any `json:"content"`
	} `json:"requestBody"`
	Responses map[string]response `json:"responses"`
}

type response struct {
	Ref     string                    `json:"$ref"`
	Content map[string]map[string]any `json:"content"`
}

const where = "openapi.json"

// reader compiles the schemas of a description.
type reader struct {
	compiler *jsonschema.Compiler
	common   map[string]response // that answers of several operations refer to
	err      error               // the first
}

func (r *reader) operation(d described, at ...string) *operation {
	o := &operation{query: map[string]*jsonschema.Schema{}, answers: map[string]content{}}

	for i, p := range d.Parameters {
		if p.In == "query" {
			o.query[p.Name] = r.schema(append(at, "parameters", strconv.Itoa(i), "schema")...)
		}
	}

	o.body = r.content(d.Body.Content, append(at, "requestBody")...)

	for status, response := range d.Responses {
		if name, found := strings.CutPrefix(response.Ref, "#/components/responses/"); found {
			o.answers[status] = r.content(r.common[name].Content, "components", "responses", name)
			continue
		}

		o.answers[status] = r.content(response.Content, append(at, "responses", status)...)
	}

	return o
}

func (r *reader) content(types map[string]map[string]any, at ...string) content {
	c := content{}

	for kind, media := range types {
		c[kind] = nil
		if media["schema"] != nil && strings.HasSuffix(kind, "json") {
			c[kind] = r.schema(append(at, "content", kind, "schema")...)
		}
	}

	return c
}

func (r *reader) schema(at ...string) *jsonschema.Schema {
	pointer := where + "#"
	for _, name := range at {
		pointer += "/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
	}

	schema, err := r.compiler.Compile(pointer)
	r.err = cmp.Or(r.err, err)

	return schema
}

// Faults returns what was not as described.
func (w *Watcher) Faults() []string {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.faults
}

// RoundTrip passes a request on.
func (w *Watcher) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte

	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}

		r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body))
	}

	response, err := w.next.RoundTrip(r)
	if err != nil || unknown(response) {
		return response, err
	}

	answer, err := io.ReadAll(response.Body)
	response.Body.Close()

	if err != nil {
		return nil, err
	}

	response.Body = io.NopCloser(bytes.NewReader(answer))

	if err := w.look(r, response, body, answer); err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()

		w.faults = append(w.faults, fmt.Sprintf("%s %s: %v\n\t%.500s\n\t%d %.500s", r.Method, r.URL, err, body, response.StatusCode, answer))
	}

	return response, nil
}

// unknown reports whether the server has nothing there: its multiplexer says so in plain text.
func unknown(response *http.Response) bool {
	return (response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusMethodNotAllowed) &&
		strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain")
}

// look says what of an exchange is not as described. A request that was refused may be anything.
func (w *Watcher) look(r *http.Request, response *http.Response, body, answer []byte) error {
	_, pattern := w.routes.Handler(r)

	o := w.operations[pattern]
	if o == nil && response.StatusCode == http.StatusNotFound {
		return nil
	}

	if o == nil {
		return errors.New("it is not described")
	}

	types, found := o.answers[strconv.Itoa(response.StatusCode)]
	if !found {
		return errors.New("the status is not described")
	}

	if err := types.check(response.Header, answer); err != nil || response.StatusCode >= http.StatusBadRequest {
		return err
	}

	for name, values := range r.URL.Query() {
		if o.query[name] == nil {
			return fmt.Errorf("the parameter %s is not described", name)
		}

		if err := o.query[name].Validate(values[0]); err != nil && o.query[name].Validate(json.Number(values[0])) != nil && values[0] != "" {
			return fmt.Errorf("%s: %w", name, err)
		}
	}

	return o.body.check(r.Header, body)
}

func (c content) check(header http.Header, body []byte) error {
	if len(body) == 0 {
		return nil
	}

	kind, _, _ := strings.Cut(header.Get("Content-Type"), ";")

	schema, found := c[kind]
	if !found {
		return fmt.Errorf("the Content-Type %q is not described", kind)
	}

	if schema == nil {
		return nil
	}

	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}

	return schema.Validate(value)
}
