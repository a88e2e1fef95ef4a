package command

import (
	"bytes"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
)

// An operator sees ringing time and talking time of a call separately; only calls have either.
func TestCDRsSayWhatIsPaidFor(t *testing.T) {
	began := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	answered := began.Add(12 * time.Second)

	var out bytes.Buffer

	table := tabwriter.NewWriter(&out, 0, 8, 1, ' ', 0)
	showCDRs(table, []credit.CDR{
		{Kind: "call", Started: began, Answered: &answered, Ended: began.Add(42 * time.Second), Duration: 42, Billed: 30, Amount: 35},
		{Kind: "missed call", Started: began, Ended: began.Add(20 * time.Second), Duration: 20},
		{Kind: "message", Started: began, Ended: began.Add(time.Second), Duration: 1, Amount: 10},
	})
	_ = table.Flush()

	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{"SETUP TALK AMOUNT", "12s 30s 35", "20s 0s 0", "- - 10"} {
		if got := strings.Join(strings.Fields(lines[i]), " "); !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}

	if help := (&client{}).cdr().Commands()[0].Long; !strings.Contains(help, "SETUP is") || !strings.Contains(help, "TALK is") {
		t.Error("the help does not say what SETUP and TALK are")
	}
}

// Money has one form: a decimal point is refused, with the right form.
func TestMoney(t *testing.T) {
	for text, want := range map[string]string{
		"1050": "", "0": "", "-5": "", "10.50": "1050 for 10.50", "10,50": "1050 for 10,50", "0.05": "5 for 0.05", "1.5": "1050 for 10.50",
		"10.": "1050 for 10.50", "": "1050 for 10.50", "1e3": "1050 for 10.50", "1,000.00": "1050 for 10.50", "0.00": "1050 for 10.50",
	} {
		err := new(minor).Set(text)
		if (err == nil) != (want == "") || err != nil && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// The commands find an OCS with another admin address in the same way as the HSS's do.
func TestAddress(t *testing.T) {
	for set, want := range map[string]string{"": "http://127.0.0.14:9090", "192.0.2.7:9094": "http://192.0.2.7:9094"} {
		t.Setenv("DIALTONE_OCS_ADMIN_ADDRESS", set)

		for _, group := range All() {
			flag := group.PersistentFlags().Lookup("api")
			if flag == nil && group.Name() == "experiment" { // it asks no OCS but over Ro
				continue
			}

			if flag == nil || flag.DefValue != want {
				t.Errorf("%s asks %v, want %s", group.Name(), flag, want)
			}
		}
	}
}
