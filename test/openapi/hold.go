package openapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	_ "github.com/cockroachdb/datadriven" // whose flag -rewrite serves here, too
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// Hold wants that openapi.json, in the folder of the test, describes the resources, and no others. With -rewrite it is made anew.
func Hold(t testing.TB, title string, resources []httpapi.Resource) {
	t.Helper()

	const root = "../../.." // of a package X/internal/app

	made, err := Describe(title, root, resources)
	if err != nil {
		t.Fatal(err)
	}

	if flag.Lookup("rewrite").Value.String() == "true" {
		if err := os.WriteFile("openapi.json", made, 0o644); err != nil {
			t.Fatal(err)
		}
	}

	kept, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}

	if !bytes.Equal(made, kept) {
		t.Errorf("openapi.json is not what is served; if it should be: go test -run %s -rewrite\n%s", t.Name(),
			cmp.Diff(strings.Split(string(kept), "\n"), strings.Split(string(made), "\n")))
	}

	for _, fault := range Faults(kept) {
		t.Error("openapi.json: " + fault)
	}

	for _, fault := range Apart(kept, resources) {
		t.Error("openapi.json: " + fault)
	}
}

// specification is the schema of OpenAPI 3.1, as the OpenAPI Initiative publishes it (spec.openapis.org/oas/3.1, Apache-2.0).
//
//go:embed testdata/oas-3.1.json
var specification string

// Faults says where a text is no description in OpenAPI 3.1, or has a schema that is none.
func Faults(text []byte) (faults []string) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return []string{err.Error()}
	}

	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(specification))
	if err != nil {
		return []string{err.Error()}
	}

	compiler := jsonschema.NewCompiler()

	const at = "https://spec.openapis.org/oas/3.1/schema"
	if err := compiler.AddResource(at, schema); err != nil {
		return []string{err.Error()}
	}

	compiled, err := compiler.Compile(at)
	if err != nil {
		return []string{err.Error()}
	}

	if err := compiled.Validate(document); err != nil {
		faults = append(faults, err.Error())
	}

	if _, err := NewWatcher(text, nil); err != nil {
		faults = append(faults, err.Error())
	}

	return faults
}

// Apart says which resources a description does not have, and what it has besides them.
func Apart(text []byte, resources []httpapi.Resource) (faults []string) {
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}

	if err := json.Unmarshal(text, &document); err != nil {
		return []string{err.Error()}
	}

	for _, r := range resources {
		method, path := r.Path()

		if document.Paths[path][strings.ToLower(method)] == nil {
			faults = append(faults, r.Pattern+" is served and not described")
		}

		delete(document.Paths[path], strings.ToLower(method))
	}

	for path, methods := range document.Paths {
		for method := range methods {
			faults = append(faults, strings.ToUpper(method)+" "+path+" is described and not served")
		}
	}

	slices.Sort(faults)

	return faults
}
