package app

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// moments matches the times of a run, which are not compared.
var moments = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]*"`)

const sim = `"authentication": {"k": "465b5ce8b199b49faa5f0a2ee238a6bc", "opc": "cd63cb71954a9f4e48a5994e37a02baf"}`

// TestAPI is the provisioning API as text: each request, its status and its answer are in testdata/api.golden.
func TestAPI(t *testing.T) {
	h := start(t, settings(t))
	at := "/subscribers/001010000000001"
	private := at + "/private-identities/001010000000001@" + home

	steps := []struct{ title, request, body string }{
		{"the simplest subscriber", "POST /subscribers", `{"imsi": "001010000000001", "msisdn": "15550001", ` + sim + `}`},
		{"read", "GET " + at, ""},
		{"find", "GET /subscribers?msisdn=15550001&limit=1", ""},
		{"find nobody", "GET /subscribers?imsi=9", ""},
		{"a filter that does not exist", "GET /subscribers?msidsn=15550001", ""},
		{"a limit that is none", "GET /subscribers?limit=0", ""},
		{"the same subscriber again", "POST /subscribers", `{"imsi": "001010000000001", ` + sim + `}`},
		{"a misspelt field", "POST /subscribers", `{"imsii": "001010000000001"}`},
		{"no identity", "POST /subscribers", `{"authentication": {}}`},
		{"SIM and user", "POST /subscribers", `{"imsi": "001010000000002", "user": "x", ` + sim + `}`},
		{"derived and given identities", "POST /subscribers", `{"imsi": "001010000000002", "registration_sets": [{"number": 1}]}`},
		{
			"OP and OPc",
			"POST /subscribers",
			`{"imsi": "001010000000002", "authentication": {"k": "465b5ce8b199b49faa5f0a2ee238a6bc", "op": "cd63cb71954a9f4e48a5994e37a02baf", ` +
				`"opc": "cd63cb71954a9f4e48a5994e37a02baf"}}`,
		},
		{"a short number", "POST /subscribers", `{"imsi": "001010000000002", "msisdn": "1", ` + sim + `}`},
		{"another profile", "POST /subscribers", `{"imsi": "001010000000002", "service_profile": "gold", ` + sim + `}`},
		{"not JSON", "POST /subscribers", `imsi=001010000000002`},
		{
			"all identities given",
			"POST /subscribers",
			`{"name": "conference", "registration_sets": [{"number": 1, "public_identities": [{"identity": "sip:conference@example.org", "kind": ` +
				`"service", "application_server": "sip:as.example.org"}, {"identity": "sip:chat-!.*!@example.org", "kind": "service"}]}], ` +
				`"capabilities": {"mandatory": [1]}, "charging": {"primary_event_charging_function": "aaa://ocs.example.org"}}`,
		},
		{"a bad wildcard", "PUT /subscribers/conference/public-identities/sip:chat-!%5B!@example.org", `{"kind": "service"}`},

		{"keys", "GET " + private + "/keys", ""},
		{"a new OP", "PUT " + private + "/keys", `{"op": "cdc202d5123e20f62b6d676ac72cb318", "sqn": "0000000003e0"}`},
		{"keys with OP", "GET " + private + "/keys", ""},
		{"a bad SQN", "PUT " + private + "/keys", `{"sqn": "1"}`},
		{"keys of nobody", "GET " + at + "/private-identities/nobody@x/keys", ""},

		{
			"a public identity more",
			"PUT " + at + "/public-identities/sip:alice@example.org",
			`{"registration_set": 2, "display_name": "Alice", "service_profile": "default"}`,
		},
		{"the same again", "PUT " + at + "/public-identities/sip:alice@example.org", `{"registration_set": 2, "barred": true}`},
		{"read one", "GET " + at + "/public-identities/sip:alice@EXAMPLE.org", ""},
		{"list", "GET " + at + "/public-identities", ""},
		{"another identity in the body", "PUT " + at + "/public-identities/sip:alice@example.org", `{"identity": "sip:bob@example.org"}`},
		{"another subscriber's identity", "PUT " + at + "/public-identities/sip:conference@example.org", `{}`},
		{"no identity at all", "PUT " + at + "/public-identities/alice", `{}`},
		{"delete one", "DELETE " + at + "/public-identities/sip:alice@example.org", ""},
		{"delete it again", "DELETE " + at + "/public-identities/sip:alice@example.org", ""},

		{"replace with nothing", "PUT " + at, `{"private_identities": [], "registration_sets": []}`},
		{
			"replace with a set nobody has",
			"PUT " + at,
			`{"private_identities": [{"identity": "001010000000001@` + home +
				`", "registration_sets": [7]}], "registration_sets": [{"number": 1, "public_identities": [{"identity": "tel:+15550001"}]}]}`,
		},
		{
			"replace",
			"PUT " + at,
			`{"private_identities": [{"identity": "001010000000001@` + home +
				`", "imsi": "001010000000001"}], "registration_sets": [{"number": 1, "public_identities": [{"identity": "tel:+1-555-0001"}]}]}`,
		},
		{"the keys have stayed", "GET " + private + "/keys", ""},
		{"the last identity", "DELETE " + at + "/public-identities/tel:+15550001", ""},

		{
			"a shared set",
			"PUT /shared-filter-criteria/3",
			`{"filter_criteria": [{"priority": 1, "application_server": {"server_name": "sip:as"}}]}`,
		},
		{
			"a service profile",
			"PUT /service-profiles/gold",
			`{"filter_criteria": [{"priority": 2, "trigger": {"cnf": 1, "service_points": [{"groups": [0, 1], "negated": 1, "sip_header": ` +
				`{"header": "Subject", "content": "^urgent"}}]}, "application_server": {"server_name": "sip:as", "service_info": "x"}, ` +
				`"profile_part": 0}], "shared_sets": [3], "subscribed_media_profile": 2}`,
		},
		{"read it", "GET /service-profiles/gold", ""},
		{"a shared set that is not there", "PUT /service-profiles/gold", `{"shared_sets": [4]}`},
		{"shared sets", "GET /shared-filter-criteria", ""},
		{"a set in use", "DELETE /shared-filter-criteria/3", ""},
		{"no set number", "GET /shared-filter-criteria/three", ""},
		{"delete a profile", "DELETE /service-profiles/gold", ""},
		{"delete a set", "DELETE /shared-filter-criteria/3", ""},
		{"profiles", "GET /service-profiles", ""},

		{"registration", "GET " + at + "/registration", ""},
		{"end what is not there", "DELETE " + at + "/registration", ""},
		{"a bad reason", "DELETE " + at + "/registration?reason=boredom", ""},
		{"pushes", "GET /pushes", ""},
		{"attempts", "GET /attempts?private_identity=001010000000001@" + home, ""},
		{"attempts of whom", "GET /attempts?imsi=001010000000001", ""},
		{"delete", "DELETE " + at, ""},
		{"delete again", "DELETE " + at, ""},
		{"a method that there is not", "PATCH " + at, "{}"},
	}

	var transcript strings.Builder

	for _, step := range steps {
		method, path, _ := strings.Cut(step.request, " ")

		response, answer := h.raw(method, path, "application/json", step.body)

		fmt.Fprintf(&transcript, "## %s\n%s\n", step.title, step.request)
		if step.body != "" {
			fmt.Fprintln(&transcript, step.body)
		}
		fmt.Fprintf(&transcript, "-> %d %s\n", response.StatusCode, response.Header.Get("Content-Type"))
		if at := response.Header.Get("Location"); at != "" {
			fmt.Fprintf(&transcript, "Location: %s\n", at)
		}
		fmt.Fprintf(&transcript, "%s\n", strings.TrimRight(moments.ReplaceAllString(answer, `"(time)"`), "\n"))
	}

	const golden = "testdata/api.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(transcript.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(transcript.String(), "\n")); diff != "" {
		t.Error(diff)
	}
}

// Secrets are in no answer except that to the request for keys, and in no log line.
func TestSecretsStayInside(t *testing.T) {
	h := start(t, settings(t))
	private := h.add("001010000000001", "15550001")
	scscf := connect(t, h, "scscf")
	scscf.register(private, "sip:"+private)

	_, answer := h.raw("GET", "/subscribers", "", "")
	for _, secret := range []string{k, opc} {
		if strings.Contains(answer, secret) || strings.Contains(h.log.String(), secret) {
			t.Errorf("%s got out", secret)
		}
	}
}
