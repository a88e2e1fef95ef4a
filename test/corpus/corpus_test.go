package corpus

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// What a handset sends is read, and goes out octet by octet as it came: parameters in their order, blanks, header fields
// that we do not know. Only Via values on one line become lines of their own, which means the same (RFC 3261 §7.3.1).
func TestSameOctets(t *testing.T) {
	for _, m := range Load(t) {
		t.Run(m.Name, func(t *testing.T) {
			read, err := sip.ParseMessage(m.Raw)
			if err != nil {
				t.Fatal(err)
			}

			if got, want := read.String(), viaLines.ReplaceAllString(string(m.Raw), "$1\r\nVia: "); got != want {
				t.Errorf("it goes out changed:\n%s", difference(want, got))
			}
		})
	}
}

var viaLines = regexp.MustCompile(`(?m)^(Via: [^,\r]*),`)

// Every file is in the index, and every handset has every scenario.
func TestIndex(t *testing.T) {
	indexed, scenarios := map[string]bool{}, map[string]map[string]bool{}

	for _, m := range Load(t) {
		indexed[m.Name+".sip"] = true

		if scenarios[m.Handset] == nil {
			scenarios[m.Handset] = map[string]bool{}
		}

		scenarios[m.Handset][m.Scenario] = true
	}

	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(name, ".sip") && !indexed[name] {
			t.Errorf("%s is not in index.tsv", name)
		}

		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	if len(scenarios) != 6 {
		t.Errorf("%d handsets, want 6", len(scenarios))
	}

	for handset, has := range scenarios {
		for _, scenario := range []string{"registration", "call-out", "call-in", "cancel", "declined", "message", "deregistration"} {
			if !has[scenario] {
				t.Errorf("%s has no %s", handset, scenario)
			}
		}
	}
}

// difference shows the lines that are not the same.
func difference(want, got string) string {
	a, b := strings.Split(want, "\r\n"), strings.Split(got, "\r\n")

	var out strings.Builder

	for i := range max(len(a), len(b)) {
		var was, is string
		if i < len(a) {
			was = a[i]
		}

		if i < len(b) {
			is = b[i]
		}

		if was != is {
			out.WriteString("- " + was + "\n+ " + is + "\n")
		}
	}

	return out.String()
}
