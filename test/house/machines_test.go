package house

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// machines are the tables that the programs run, each with the file of its situations. The test of that name walks every row, and
// plays the situations again with every next state, action and event changed (pkg/fsm/transcript).
var machines = map[string]string{
	"ocs/internal/credit.Machine":                    "session.txt",
	"pcscf/internal/bearer.Machine":                  "session.txt",
	"pkg/diameter.peerMachine":                       "peer.txt",
	"pkg/diameter.watchdogMachine":                   "watchdog.txt",
	"scscf/internal/charging.EventMachine":           "event.txt",
	"scscf/internal/charging.Machine":                "session.txt",
	"scscf/internal/registrar.AuthenticationMachine": "authentication.txt",
	"scscf/internal/registrar.Machine":               "registration.txt",
	"scscf/internal/session.LegMachine":              "leg.txt",
}

var (
	tableDeclared = regexp.MustCompile(`(?m)^(?:var )?\t?(\w+)\s+= fsm\.New\(`)
	tablePlayed   = regexp.MustCompile(`transcript\.Test\(t, "testdata/([\w.]+)", (\w+),`)
)

// Every table of the program is listed, and mutated by the transcripts of its package.
func TestMachinesAreMutated(t *testing.T) {
	tables, tests := map[string]bool{}, map[string]string{}

	err := filepath.WalkDir("../..", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == ".git" || entry.Name() == "bin" || entry.Name() == "var"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}

		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}

		folder, err := filepath.Rel("../..", filepath.Dir(name))
		if err != nil {
			return err
		}

		readTables(filepath.ToSlash(folder), string(text), strings.HasSuffix(name, "_test.go"), tables, tests)

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	for _, fault := range unproven(tables, tests, machines) {
		t.Error(fault)
	}
}

// A table without transcripts, one that is not listed, and a list that is out of date are refused.
func TestMachinesAreMutatedRefuses(t *testing.T) {
	tables, tests := map[string]bool{}, map[string]string{}
	readTables("a", "var Machine = fsm.New(\n", false, tables, tests)
	readTables("a", "var fixture = fsm.New(\n", true, tables, tests)
	readTables("b", "var (\n\tone = fsm.New(\n\tother = fsm.New(\n)", false, tables, tests)
	readTables("b", `transcript.Test(t, "testdata/one.txt", one, nil)`, true, tables, tests)

	found := unproven(tables, tests, map[string]string{"a.Machine": "a.txt", "b.one": "one.txt", "c.gone": "c.txt"})
	want := []string{
		"a.Machine: no transcript.Test plays testdata/a.txt with it",
		"b.other: not in the list of machines",
		"c.gone: in the list of machines, and nowhere else",
	}

	if !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
}

func readTables(folder, text string, test bool, tables map[string]bool, tests map[string]string) {
	if test {
		for _, match := range tablePlayed.FindAllStringSubmatch(text, -1) {
			tests[folder+"."+match[2]] = match[1]
		}

		return
	}

	for _, match := range tableDeclared.FindAllStringSubmatch(text, -1) {
		tables[folder+"."+match[1]] = true
	}
}

func unproven(tables map[string]bool, tests, list map[string]string) (faults []string) {
	for table := range tables {
		switch file, listed := list[table]; {
		case !listed:
			faults = append(faults, table+": not in the list of machines")
		case tests[table] != file:
			faults = append(faults, table+": no transcript.Test plays testdata/"+file+" with it")
		}
	}

	for table := range maps.Keys(list) {
		if !tables[table] {
			faults = append(faults, table+": in the list of machines, and nowhere else")
		}
	}

	slices.Sort(faults)

	return faults
}
