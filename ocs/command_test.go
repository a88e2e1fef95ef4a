package main_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/test/foreign"
)

func (o *ocs) metrics() string {
	o.Helper()

	_, text := o.get("/metrics")
	text = strings.Join(
		slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return !strings.HasPrefix(line, "dialtone_ocs") }),
		"\n",
	)

	return text
}

func (o *ocs) get(path string) (status int, text string) {
	o.Helper()

	request, err := http.NewRequestWithContext(o.Context(), http.MethodGet, o.api.Base+path, nil)
	if err != nil {
		o.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+o.api.Token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		o.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		o.Fatal(err)
	}

	return response.StatusCode, string(body)
}

// cli runs the command line against the OCS.
func (o *ocs) cli(input string, arguments ...string) (string, error) {
	command := exec.Command(binary, append(arguments, "--api", o.api.Base)...)
	command.Stdin = strings.NewReader(input)
	out, err := command.CombinedOutput()

	return string(out), err
}

func TestCommandLine(t *testing.T) {
	o := run(t)

	for _, test := range []struct {
		input string
		line  string
		want  []string // in what is printed
		fails bool
	}{
		{
			`{"rates":[{"prefix":"","price":100,"interval":60,"increment":60},{"prefix":"+1","price":1,"interval":1,"event_price":7}]}`,
			"tariff set standard -",
			[]string{"version 1", "100/60s in 60/60"},
			false,
		},
		{`{"rates":[{"prefix":"","prise":100}]}`, "tariff set standard -", []string{"prise"}, true},
		{`{"rates":[{"prefix":"","price":100}]}`, "tariff set standard -", []string{"interval"}, true},
		{"", "tariff price standard --number +1555 --seconds 61 --events 2", []string{"61  seconds  61", "2   events   14"}, false},
		{"", "tariff price standard --number +49 --seconds 61 --octets 1", []string{"61  seconds  200", "1   octets   no price"}, false},
		{`{"rates":[{"prefix":"","price":1,"interval":1,"event_price":7}]}`, "tariff set standard -", []string{"version 2"}, false},
		{"", "tariff show standard --version 1", []string{"100/60s"}, false},
		{
			`{"rates":[{"prefix":"","price":1,"interval":1}],"final_unit":{"action":"redirect","redirect_address":"http://top-up"},` +
				`"low_balance":50}`,
			"tariff set prepaid -",
			[]string{"last units: redirect http://top-up", "below 50"},
			false,
		},
		{
			`{"rates":[{"prefix":"","price":1,"interval":1}],"final_unit":{"action":"redirect"}}`,
			"tariff set prepaid -",
			[]string{"final_unit"},
			true,
		},
		{"", "tariff show nothing", []string{"not found: /tariffs/nothing"}, true},
		{"", "tariff versions standard", []string{"\n2 "}, false},
		{"", "tariff list", []string{"standard  2        1", "prepaid   1        1"}, false},
		{
			"",
			"account add alice --identity tel:+1-555-0001 --identity sip:alice@example.org --balance 1000",
			[]string{"alice  1000", "sip:alice@example.org tel:+15550001"},
			false,
		},
		{"", "account add alice", []string{"exists already"}, true},
		{"", "account add bob --identity mailto:bob", []string{"mailto:bob"}, true},
		{"", "account top-up alice 500 --reference v1 --note voucher", []string{"1500"}, false},
		{"", "account top-up alice 500 --reference v1 --note voucher", []string{"1500"}, false},
		{
			"", "account top-up alice 5.00",
			[]string{`"5.00" is no amount: amounts are whole numbers of the smallest unit (cents), 500 for 5.00`},
			true,
		},
		{"", "account top-up alice 5,5", []string{"1050 for 10.50"}, true},
		{"", "account add bob --balance 10.00", []string{"1000 for 10.00"}, true},
		{
			`{"rates":[{"prefix":"","price":0.01,"interval":1}]}`, "tariff set standard -",
			[]string{"0.01 is no whole number"},
			true,
		},
		{"", "account top-up carol 1", []string{"unknown account: carol\n"}, true},
		{"", "account show 15550001", []string{"alice"}, false}, // by any identity, however it is written
		{"", "account show +1-555-0001", []string{"alice"}, false},
		{"", "account show tel:+15550001", []string{"alice"}, false},
		{"", "account show alice@example.org", []string{"alice"}, false},
		{"", "account list --identity 15550001", []string{"alice"}, false},
		{"", "account show 15550009", []string{"unknown account: 15550009\n"}, true},
		{"", "account add ann --identity imsi:15550001 --balance 10", []string{"ann"}, false},
		{"", "account top-up 15550001 1", []string{"it means several accounts", "alice and from ann: name the account"}, true},
		{"", "account close 15550001", []string{"alice and from ann"}, true},
		{"", "account show +15550001", []string{"alice"}, false},
		{"", "account show imsi:15550001", []string{"ann"}, false},
		{"", "account close ann", nil, false},
		{"", "account set alice --tariff nope", []string{"there is no tariff nope: there are prepaid, standard"}, true},
		{"", "account add nat --tariff gone", []string{"there is no tariff gone: there are prepaid, standard"}, true},
		{"", "account show nat", []string{"unknown account"}, true},
		{"", "account add nat --skip-existing", []string{"--skip-existing is for --file"}, true},
		{"", "account set alice --block --tariff prepaid", []string{"prepaid", "blocked"}, false},
		{"", "account set alice --unblock --tariff=", []string{"open"}, false},
		{"", "account list --identity tel:+15550001", []string{"alice"}, false},
		{"", "account show alice --json", []string{`"balance": 1500`}, false},
		{"", "ledger audit", []string{"balances add up to 0, entries to 0"}, false},
	} {
		out, err := o.cli(test.input, strings.Fields(test.line)...)
		if (err != nil) != test.fails {
			t.Errorf("ocs %s: %v\n%s", test.line, err, out)
		}
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("ocs %s: %q is not in\n%s", test.line, want, out)
			}
		}
	}

	o.send(ccr("s;1", ro.Initial, 0, seconds(60), nil))
	for line, wants := range map[string][]string{
		"session list --account 15550001": {"tel:+15550002", "standard/2", "s;1"},
		"account show alice":              {"1440     60"},
		"ledger show --account tel:+15550001": {
			"reserve  60      alice subscriber  alice reserved    s;1",
			"top-up   500     network cash      alice subscriber  voucher",
		},
	} {
		out, err := o.cli("", strings.Fields(line)...)
		for _, want := range wants {
			if err != nil || !strings.Contains(out, want) {
				t.Errorf("ocs %s: %v; %q is not in\n%s", line, err, want, out)
			}
		}
	}
	if out, err := o.cli("", "account", "close", "alice"); err == nil || !strings.Contains(out, "reserved") {
		t.Errorf("closed with a call on it: %s", out)
	}
	o.send(ccr("s;1", ro.Terminate, 1, nil, seconds(40)))

	out, err := o.cli("", "cdr", "list", "--format", "csv", "--from", "2020-01-01T00:00:00Z")
	table, bad := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || bad != nil || len(table) != 2 || !slices.Equal(table[0], credit.Columns) || table[1][13] != "40" {
		t.Errorf("CSV: %v %v\n%s", err, bad, out)
	}
	out, err = o.cli("", "cdr", "list", "--format", "jsonl")
	var record credit.CDR
	if bad := json.Unmarshal([]byte(out), &record); err != nil || bad != nil || record.Amount != 40 || strings.Count(out, "\n") != 1 {
		t.Errorf("JSON lines: %v %v\n%s", err, bad, out)
	}
	if out, err = o.cli("", "cdr", "list"); err != nil || !strings.Contains(out, "terminated") {
		t.Errorf("%v\n%s", err, out)
	}

	if out, err := o.cli("", "account", "close", "alice"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if got := o.account(); got != (state{}) {
		t.Errorf("closed, and has %+v", got)
	}
}

// Every incomplete list says so, and how to go on: the API by a link (RFC 8288 §3.3), the command after the table.
func TestListsGoOn(t *testing.T) {
	o := run(t)
	o.provision(1000, perSecond)

	for _, name := range []string{"bob", "carol"} {
		if out, err := o.cli("", "account", "add", name, "--balance", "10"); err != nil {
			t.Fatal(err, out)
		}
	}

	for _, session := range []string{"s;1", "s;2", "s;3"} {
		o.send(ccr(session, ro.Initial, 0, seconds(10), nil))
	}

	lists := map[string]string{"account list": "--after", "session list": "--after", "ledger show": "--before"}
	o.goOn(lists, "s;1", "s;2", "s;3")

	for _, session := range []string{"s;1", "s;2", "s;3"} {
		o.send(ccr(session, ro.Terminate, 1, nil, seconds(5)))
	}

	o.goOn(
		map[string]string{"cdr list --format jsonl": "--before", "cdr list --format csv": "--before", "cdr list --json": "--before"},
		"s;1",
		"s;2",
		"s;3",
	)

	if out, err := o.cli("", "cdr", "list", "--limit", "2"); err != nil || !strings.HasSuffix(out, "\nthere is more: --before 2\n") {
		t.Errorf("%v\n%s", err, out)
	}

	for path, wants := range map[string]bool{
		"/accounts?limit=2":          true,
		"/accounts?limit=3":          false,
		"/cdrs?limit=2&format=jsonl": true,
		"/cdrs?limit=3":              false,
	} {
		var text bytes.Buffer

		next := ""
		client := o.api
		client.Next = &next

		if err := client.Copy(t.Context(), path, &text); err != nil || (next != "") != wants {
			t.Errorf("%s goes on at %q: %v", path, next, err)
		}
	}
}

// goOn reads lists page by page to their end; nothing is shown twice, and nothing is left out.
func (o *ocs) goOn(lists map[string]string, sessions ...string) {
	o.Helper()

	more := regexp.MustCompile(`there is more: (--\w+) '?([^'\n]+)'?\n`)

	for line, flag := range lists {
		rows := map[string]int{}
		arguments := append(strings.Fields(line), "--limit", "1")

		for range 20 {
			out, err := o.cli("", arguments...)
			if err != nil {
				o.Fatalf("ocs %s: %v\n%s", line, err, out)
			}

			found := more.FindStringSubmatch(out)
			for _, row := range append([]string{"bob", "carol"}, sessions...) {
				if strings.Contains(more.ReplaceAllString(out, ""), row) {
					rows[row]++
				}
			}

			if found == nil {
				break
			}

			if found[1] != flag {
				o.Errorf("ocs %s goes on with %s, want %s", line, found[1], flag)
			}

			arguments = append(append(strings.Fields(line), "--limit", "1"), found[1], found[2])
		}

		wants := sessions
		if strings.HasPrefix(line, "account") {
			wants = []string{"bob", "carol"}
		}

		for _, row := range wants {
			if rows[row] != 1 {
				o.Errorf("ocs %s: %s is shown %d times", line, row, rows[row])
			}
		}
	}
}

func TestAPIRefuses(t *testing.T) {
	o := run(t)
	o.provision(100, perSecond)

	for _, test := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"GET", "/accounts/nobody", nil, 404},
		{"GET", "/accounts?limit=0", nil, 400},
		{"GET", "/accounts?colour=red", nil, 400},
		{"POST", "/accounts", map[string]any{"name": "", "balance": 1}, 400},
		{"POST", "/accounts", map[string]any{"name": "network"}, 400},
		{"POST", "/accounts", map[string]any{"name": "bob", "balance": -1}, 400},
		{"POST", "/accounts", map[string]any{"name": "bob", "balance": 1.5}, 400},
		{"POST", "/accounts", map[string]any{"name": "bob", "identities": []string{"tel:+15550001"}}, 409},
		{"POST", "/accounts", map[string]any{"name": "bob", "identities": []string{"imsi:x"}}, 400},
		{"POST", "/accounts", map[string]any{"nmae": "bob"}, 400},
		{"POST", "/accounts/alice/top-up", map[string]any{"amount": -5}, 422},
		{"POST", "/accounts/alice/top-up", map[string]any{"amount": int64(1) << 53}, 422},
		{"POST", "/accounts/nobody/top-up", map[string]any{"amount": 5}, 404},
		{"PATCH", "/accounts/nobody", map[string]any{"blocked": true}, 404},
		{"DELETE", "/accounts/nobody", nil, 404},
		{"PUT", "/tariffs/x", map[string]any{"name": "y", "rates": []any{perSecond}}, 400},
		{"PUT", "/tariffs/x", map[string]any{"rates": []any{}}, 400},
		{"PUT", "/tariffs/x", map[string]any{"rates": []any{map[string]any{"price": -1, "interval": 1}}}, 400},
		{"GET", "/tariffs/x", nil, 404},
		{"GET", "/tariffs/x/versions", nil, 404},
		{"GET", "/tariffs/standard?version=2", nil, 404},
		{"GET", "/tariffs/standard?version=x", nil, 400},
		{"GET", "/cdrs?format=xml", nil, 400},
		{"GET", "/cdrs?from=yesterday", nil, 400},
		{"GET", "/ledger?before=x", nil, 400},
	} {
		err := o.api.Do(t.Context(), test.method, test.path, test.body, nil)
		var problem *httpapi.Error
		if !errors.As(err, &problem) || problem.Status != test.status {
			t.Errorf("%s %s %v: %v, want %d", test.method, test.path, test.body, err, test.status)
		}
	}
	if got := o.account(); got != (state{100, 0}) {
		t.Errorf("alice has %+v after all that", got)
	}

	var pages []string
	for _, name := range []string{"a", "b", "c"} {
		o.do("POST", "/accounts", map[string]any{"name": name, "identities": []string{}}, nil)
	}
	for after := ""; ; {
		var page []struct{ Name string }
		o.do("GET", "/accounts?limit=2&after="+after, nil, &page)
		if len(page) == 0 {
			break
		}
		for _, account := range page {
			pages = append(pages, account.Name)
		}
		after = page[len(page)-1].Name
	}
	if !slices.Equal(pages, []string{"a", "alice", "b", "c"}) {
		t.Errorf("pages %v", pages)
	}
}

// TestGuideTariffs: ocs tariff set accepts the examples of the charging guide as they are there.
func TestGuideTariffs(t *testing.T) {
	o := run(t)

	examples := 0
	for _, name := range []string{"charging.md", "ocs.md"} {
		text, err := os.ReadFile("../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?s)```json\n(.*?)\n```").FindAllStringSubmatch(string(text), -1) {
			examples++
			if out, err := o.cli(block[1], "tariff", "set", "standard", "-"); err != nil {
				t.Errorf("%s: ocs tariff set refuses %s\n%s", name, block[1], out)
			}
		}
	}
	if examples < 8 {
		t.Errorf("%d examples found", examples)
	}
}

// TestSessionClose: a session whose network function is gone is closed by hand, and its reservation is returned.
func TestSessionClose(t *testing.T) {
	o := run(t)
	o.provision(1000, perSecond)
	o.send(ccr("nf;1", ro.Initial, 0, seconds(60), nil))
	o.send(ccr("nf;1", ro.Update, 1, seconds(60), seconds(20)))

	o.disobey(ro.UnableToComply)
	if out, err := o.cli("", "session", "close", "nf;1"); err == nil || !strings.Contains(out, "--force") {
		t.Errorf("%v\n%s", err, out)
	}
	if got := o.account(); got != (state{920, 60}) {
		t.Errorf("%+v, want 60 reserved still", got)
	}
	if out, err := o.cli("", "session", "close", "nf;1", "--force"); err != nil || !strings.Contains(out, "alice") {
		t.Errorf("%v\n%s", err, out)
	}
	if got := o.account(); got != (state{980, 0}) {
		t.Errorf("%+v, want 20 paid and nothing reserved", got)
	}
	if out, err := o.cli("", "session", "close", "nf;1", "--force"); err == nil || !strings.Contains(out, "not found") {
		t.Errorf("a second time: %v\n%s", err, out)
	}
	if a := o.send(ccr("nf;1", ro.Terminate, 2, nil, seconds(10))); a.Result != ro.UnknownSessionID {
		t.Errorf("reported afterwards: %v", a.Result)
	}

	var records []credit.CDR
	o.do("GET", "/cdrs", nil, &records)
	if len(records) != 1 || records[0].Amount != 20 || records[0].Cause != credit.ClosedByHand {
		t.Errorf("%+v", records)
	}
}

// TestUnknownPeers: only configured network functions may charge.
func TestUnknownPeers(t *testing.T) {
	o := run(t)

	o.await("the S-CSCF, who is known, to be connected", func() bool { return o.node.Ready() == nil })
	peer := &foreign.Peer{T: t, Host: "stranger." + realm, Realm: realm, Capabilities: foreign.Applications(4)}
	if _, cea := peer.Dial(o.ro); cea == nil || cea.Number(foreign.ResultCode) != 3010 {
		t.Errorf("%+v, want 3010", cea)
	}
}
