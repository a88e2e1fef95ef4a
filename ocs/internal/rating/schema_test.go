package rating

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	_ "github.com/cockroachdb/datadriven" // -rewrite
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	made "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const published = "../../../docs/plan.schema.json"

// The published JSON Schema is that of the plans that are read; -rewrite makes it anew.
func TestSchema(t *testing.T) {
	reflector := made.Reflector{
		RequiredFromJSONSchemaTags: true, ExpandedStruct: true,
		Mapper: func(t reflect.Type) *made.Schema {
			if t == reflect.TypeFor[Percent]() {
				return &made.Schema{Type: "number", Minimum: "0", Maximum: "100"}
			}

			return nil
		},
	}
	if err := reflector.AddGoComments("github.com/dialtone-ims/dialtone/ocs/internal/rating", "."); err != nil {
		t.Fatal(err)
	}

	schema := reflector.Reflect(&Tariff{})
	schema.ID, schema.Title = "", "Price plan of the Dialtone OCS"
	schema.Required = []string{"rates"}

	want, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}

	if flag.Lookup("rewrite").Value.String() == "true" {
		if err := os.WriteFile(published, append(want, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	got, err := os.ReadFile(published)
	if err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(got)), "\n"), strings.Split(string(want), "\n")); diff != "" {
		t.Errorf("docs/plan.schema.json is not that of the plans; if it should be: go test -run TestSchema -rewrite\n%s", diff)
	}
}

// All plans of the examples meet the schema, and those with an unknown key do not.
func TestSchemaHolds(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(published)
	if err != nil {
		t.Fatal(err)
	}

	valid := func(text []byte) error {
		asJSON, err := yaml.YAMLToJSON(text)
		if err != nil {
			return err
		}

		value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(asJSON)))
		if err != nil {
			return err
		}

		return schema.Validate(value)
	}

	for _, file := range []string{"testdata/cases.md", "../../../docs/charging.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}

		for _, found := range section.FindAllStringSubmatch(string(text), -1) {
			if err := valid([]byte(found[2])); err != nil {
				t.Errorf("%s: %v", found[1], err)
			}
		}
	}

	unknown, err := filepath.Glob("testdata/bad/*unknown-key*.yaml")
	if err != nil || len(unknown) == 0 {
		t.Fatal(err)
	}

	for _, file := range append(unknown, "testdata/bad/05-fraction.yaml", "testdata/bad/18-rounding.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}

		if valid(text) == nil {
			t.Errorf("%s meets the schema", file)
		}
	}
}
