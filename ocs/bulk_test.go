package main_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Accounts from the file that the HSS takes, too: some hundred per transaction, or the line of the first error.
func TestBulk(t *testing.T) {
	o := run(t)
	o.do("PUT", "/tariffs/standard", map[string]any{"rates": []any{map[string]any{"price": 1, "interval": 1}}}, nil)

	const file = `imsi,user,msisdn,k,opc,password,balance,tariff
001010000000001,,15550001,465b5ce8b199b49faa5f0a2ee238a6bc,cd63cb71954a9f4e48a5994e37a02baf,,1000,standard
,bob,,,,secret,500,
001010000000003,,,465b5ce8b199b49faa5f0a2ee238a6bc,cd63cb71954a9f4e48a5994e37a02baf,,,
`
	for _, test := range []struct {
		name, input string
		line        []string
		want        string
		fails       bool
	}{
		{name: "CSV", input: file, want: "3 accounts added"},
		{name: "again, those that are missing", input: file, line: []string{"--skip-existing"}, want: "0 accounts added, 3 were there already"},
		{
			name:  "a payer that has an account of another name, one twice, and a new one",
			input: "account,identities\nx,tel:+15550001\nnew,tel:+15550044\nnew,\n",
			line:  []string{"--skip-existing", "--json"}, want: `{"added":1,"skipped":2}`,
		},
		{
			name: "a tariff that is not there", input: "account,tariff\nx,standard\nx2,gone\n",
			want: "line 3: there is no tariff gone: there are standard; nothing is added", fails: true,
		},
		{
			name: "again", input: file,
			want: "line 2: it cannot be added: account 001010000000001: it exists already; nothing is added", fails: true,
		},
		{
			name:  "those of SIMs, as hss subscriber import --dry-run prints them",
			input: "imsi,msisdn\n001010000000005,15550005\n001010000000006,\n",
			line:  []string{"--balance", "70", "--tariff", "standard"}, want: "2 accounts added",
		},
		{
			name: "of a file, with an identity", input: file, line: []string{"--identity", "tel:+15550001"},
			want: "or --file without --identity", fails: true,
		},
		{name: "behind a line", input: file + ",carol,+15550004,,,,7,\n", line: []string{"--after", "4"}, want: "1 accounts added"},
		{
			name:  "an identity of another",
			input: `{"account": "x", "identities": ["tel:+15550009"]}` + "\n" + `{"account": "y", "identities": ["tel:+15550001"]}`,
			want:  "line 2: it cannot be added: identity tel:+15550001",
			fails: true,
		},
		{
			name:  "an identity twice",
			input: `[{"account": "x", "identities": ["tel:+15550009"]},{"account": "y", "identities": ["tel:+15550009"]}]`,
			want:  "of account x; nothing is added",
			fails: true,
		},
		{
			name:  "a number without +",
			input: `{"account": "x", "identities": ["tel:15550009"]}`,
			want:  "line 1: identity tel:15550009 is no number that is known everywhere",
			fails: true,
		},
		{name: "a negative balance", input: "account,balance\nx,-1\n", want: "line 2: an account needs", fails: true},
		{
			name:  "half",
			input: "account,balance\nx,1\ny,10.50\n",
			want:  `line 3: balance: "10.50" is no amount: amounts are whole numbers of the smallest unit (cents), 1050 for 10.50; nothing`,
			fails: true,
		},
		{
			name:  "half in JSON",
			input: `{"account": "x", "balance": 10.50}`,
			want:  "line 1: balance: \"10.50\" is no amount: amounts are whole numbers of the smallest unit",
			fails: true,
		},
		{name: "nobody", input: "balance\n1\n", want: "line 2: it has no account, name, imsi or user", fails: true},
		{name: "without identities", input: `{"account": "z"}`, want: "line 1: warning: account z has no identities"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := o.cli(test.input, append([]string{"account", "add", "--file", "-"}, test.line...)...)
			if (err != nil) != test.fails || !strings.Contains(out, test.want) || strings.Count(out, " accounts added") > 1 {
				t.Errorf("%v\n%s\nwant %q", err, out, test.want)
			}
		})
	}

	type account struct {
		Balance    int64
		Tariff     string
		Identities []string
	}
	for name, want := range map[string]account{
		"001010000000001": {1000, "standard", []string{"tel:+15550001"}},
		"bob":             {500, "", []string{"sip:bob@" + realm}},
		"001010000000003": {0, "", []string{"imsi:001010000000003", "sip:001010000000003@" + realm}},
		"001010000000005": {70, "standard", []string{"tel:+15550005"}},
		"001010000000006": {70, "standard", []string{"imsi:001010000000006", "sip:001010000000006@" + realm}},
		"carol":           {7, "", []string{"sip:carol@" + realm, "tel:+15550004"}},
	} {
		var got account
		o.do("GET", "/accounts/"+name, nil, &got)
		if got.Balance != want.Balance || got.Tariff != want.Tariff || !slices.Equal(got.Identities, want.Identities) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if status, text := o.get("/accounts/x"); status != http.StatusNotFound {
		t.Errorf("of a refused transaction something is left: %s", text)
	}
	var audit struct {
		Sum int64 `json:"sum_of_balances"`
	}
	o.do("GET", "/ledger/audit", nil, &audit)
	if audit.Sum != 0 {
		t.Errorf("the sum of all accounts is %d", audit.Sum)
	}

	if out, err := o.cli("", "account", "add", "lonely"); err != nil || !strings.Contains(out, "warning: account lonely has no identities") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, test := range []struct {
		name, option, value, want string
		fails                     bool
	}{
		{name: "half", option: "--balance", value: "10.50", want: "1050 for 10.50", fails: true},
		{name: "eve", option: "--identity", value: "sip:eve", want: "warning: identity sip:eve names a host and no user"},
		{
			name:   "zero",
			option: "--identity",
			value:  "tel:+0015550001",
			want:   "warning: identity tel:+0015550001 has 0 where the country code begins",
		},
	} {
		if out, err := o.cli("", "account", "add", test.name, test.option, test.value); (err != nil) != test.fails ||
			!strings.Contains(out, test.want) {
			t.Errorf("%s %s: %v\n%s", test.option, test.value, err, out)
		}
	}
	if out, err := o.cli("", "account", "add", "wrong", "--identity", "tel:15550001"); err == nil ||
		!strings.Contains(out, "tel:+ and the country code") {
		t.Errorf("%v\n%s", err, out)
	}
}
