package openapi

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// Row is a row of the test.
type Row struct {
	Name  string `json:"name"`
	Count *int   `json:"count,omitempty"` // how many
}

func resources() []httpapi.Resource {
	return []httpapi.Resource{
		{
			Pattern: "GET /rows", Query: []httpapi.Parameter{httpapi.Limit(10, 20), httpapi.Text("name", "whose it is")},
			Answers: []httpapi.Answer{{Status: http.StatusOK, Body: []Row{}, Lists: true}},
		},
		{
			Pattern: "PUT /rows/{name}", Body: Row{}, Answers: append(httpapi.OK(Row{}), httpapi.Answer{Status: http.StatusOK, Type: "text/csv"}),
			Refuses: []int{http.StatusNotFound},
		},
	}
}

func rows(t *testing.T) []byte {
	t.Helper()

	text, err := Describe("Rows", ".", resources())
	if err != nil {
		t.Fatal(err)
	}

	return text
}

// What is not OpenAPI 3.1 is refused, and so is what is served and not described, or described and not served.
func TestHoldRefuses(t *testing.T) {
	text := rows(t)

	if faults := append(Faults(text), Apart(text, resources())...); len(faults) > 0 {
		t.Fatal(faults)
	}

	for name, spoiled := range map[string][]byte{
		"another version":           bytes.Replace(text, []byte(`"3.1.0"`), []byte(`"3.0.0"`), 1),
		"a place that there is not": bytes.Replace(text, []byte(`"in": "query"`), []byte(`"in": "body"`), 1),
		"a type that there is not":  bytes.Replace(text, []byte(`"type": "integer"`), []byte(`"type": "count"`), 1),
		"a schema that is missing":  bytes.Replace(text, []byte(`#/components/schemas/Row"`), []byte(`#/components/schemas/Line"`), 1),
		"no JSON":                   text[1:],
	} {
		if bytes.Equal(spoiled, text) || len(Faults(spoiled)) == 0 {
			t.Errorf("%s: it is taken", name)
		}
	}

	got := Apart(text, append(resources()[1:], httpapi.Resource{Pattern: "GET /columns"}))
	if want := []string{"GET /columns is served and not described", "GET /rows is described and not served"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

type answering struct {
	status     int
	kind, body string
}

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Header: http.Header{"Content-Type": {a.kind}}, Body: io.NopCloser(strings.NewReader(a.body)),
	}, nil
}

// An exchange that is not as described is seen; one that is, is not.
func TestWatcher(t *testing.T) {
	const plain, problem, json = "text/plain; charset=utf-8", "application/problem+json", "application/json"

	for _, test := range []struct {
		name, request, body string
		answer              answering
		fault               string
	}{
		{name: "a list", request: "GET /rows?limit=20&name=1", answer: answering{200, json, `[{"name": "a", "count": 1}]`}},
		{name: "a row", request: "PUT /rows/a", body: `{}`, answer: answering{200, json, `{"name": "a"}`}},
		{name: "as CSV", request: "PUT /rows/a", body: `{}`, answer: answering{200, "text/csv; charset=utf-8", "a,1"}},
		{
			name: "refused, whatever it was", request: "PUT /rows/a?x=1", body: `[]`,
			answer: answering{400, problem, `{"title": "x", "status": 400}`},
		},
		{name: "no such path", request: "GET /columns", answer: answering{404, plain, "404 page not found"}},
		{name: "no such path, as JSON says", request: "GET /columns", answer: answering{404, problem, `{"title": "x", "status": 404}`}},
		{name: "a path that is not described", request: "GET /columns", answer: answering{200, json, `{}`}, fault: "it is not described"},
		{name: "a status", request: "GET /rows", answer: answering{404, problem, `{}`}, fault: "the status"},
		{name: "a field more", request: "GET /rows", answer: answering{200, json, `[{"name": "a", "x": 1}]`}, fault: "additional properties"},
		{name: "a field less", request: "GET /rows", answer: answering{200, json, `[{}]`}, fault: "missing property 'name'"},
		{name: "null for a list", request: "GET /rows", answer: answering{200, json, `null`}, fault: "got null, want array"},
		{name: "another type", request: "GET /rows", answer: answering{200, plain, `a`}, fault: "Content-Type"},
		{name: "a problem of another form", request: "GET /rows", answer: answering{400, problem, `{"reason": "x"}`}, fault: "title"},
		{name: "a parameter", request: "GET /rows?first=1", answer: answering{200, json, `[]`}, fault: "the parameter first"},
		{name: "a limit", request: "GET /rows?limit=21", answer: answering{200, json, `[]`}, fault: "limit: "},
		{
			name: "a body", request: "PUT /rows/a", body: `{"size": 1}`, answer: answering{200, json, `{"name": "a"}`},
			fault: "additional properties",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, err := NewWatcher(rows(t), test.answer)
			if err != nil {
				t.Fatal(err)
			}

			method, path, _ := strings.Cut(test.request, " ")
			request, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/json")

			response, err := w.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()

			if answer, err := io.ReadAll(response.Body); err != nil || string(answer) != test.answer.body {
				t.Errorf("%q came through: %v", answer, err)
			}

			if found := strings.Join(w.Faults(), "\n"); (found == "") != (test.fault == "") || !strings.Contains(found, test.fault) {
				t.Errorf("found %q, want %q", found, test.fault)
			}
		})
	}
}
