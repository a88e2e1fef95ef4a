// Package house holds the repository to its own rules: what a page claims, the tree has.
package house

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every row of docs/proven.md has its number in turn, says what holds, and names tests that exist.
func TestProven(t *testing.T) {
	page, err := os.ReadFile("../../docs/proven.md")
	if err != nil {
		t.Fatal(err)
	}

	rows, faults := proven(string(page), targets(t), declared("../.."))
	for _, fault := range faults {
		t.Error(fault)
	}

	if rows == 0 {
		t.Error("docs/proven.md has no rows")
	}
}

// A page with a fault in each row is refused in each row.
func TestProvenRefuses(t *testing.T) {
	page, err := os.ReadFile("testdata/proven.md")
	if err != nil {
		t.Fatal(err)
	}

	_, faults := proven(string(page), targets(t), declared("../.."))

	for row, want := range map[int]string{
		2: "row 2: it says nothing",
		3: "row 3: it names no test",
		4: "row 4: test/house has no TestThatNobodyWrote",
		5: "row 5: no/such/folder has no TestProven",
		6: "row 6: test/house has no case",
		7: "row 7: there is no make nothing",
		9: "row 9 stands where 8 should",
	} {
		found := false
		for _, fault := range faults {
			found = found || strings.HasPrefix(fault, want)
		}

		if !found {
			t.Errorf("the fault of row %d is not seen; found:\n%s", row, strings.Join(faults, "\n"))
		}
	}

	if len(faults) != 7 {
		t.Errorf("%d faults, want 7:\n%s", len(faults), strings.Join(faults, "\n"))
	}
}

// targets is the Makefile.
func targets(t *testing.T) string {
	t.Helper()

	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}

	return string(makefile)
}

var (
	madeBy    = regexp.MustCompile("`make ([a-z-]+)`")
	provenRow = regexp.MustCompile(`(?m)^\| (\d+) \| (.*?) \| (.*?) \|$`)
	namedTest = regexp.MustCompile("`([\\w/.-]+): ((?:Test|Fuzz|Benchmark)\\w*)(?:/([^`]+))?`")
)

// proven reads the table of a page: the number of its rows, and what is wrong with them. A test is named as
// `package: TestName`, or `package: TestName/case` where the case stands as a string in that package's tests; what is measured and
// not tested names its target, as `make target`.
func proven(page, makefile string, tests func(pkg string) []byte) (rows int, faults []string) {
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }

	for _, row := range provenRow.FindAllStringSubmatch(page, -1) {
		rows++

		number, err := strconv.Atoi(row[1])
		if err != nil || number != rows {
			wrong("row %s stands where %d should", row[1], rows)
		}

		if strings.TrimSpace(row[2]) == "" {
			wrong("row %d: it says nothing", number)
		}

		named := namedTest.FindAllStringSubmatch(row[3], -1)
		made := madeBy.FindAllStringSubmatch(row[3], -1)
		if len(named)+len(made) == 0 {
			wrong("row %d: it names no test", number)
		}

		for _, target := range made {
			if !strings.Contains(makefile, "\n"+target[1]+":") {
				wrong("row %d: there is no make %s", number, target[1])
			}
		}

		for _, test := range named {
			source := tests(test[1])

			switch {
			case !regexp.MustCompile(`(?m)^func ` + test[2] + `\(`).Match(source):
				wrong("row %d: %s has no %s", number, test[1], test[2])
			case test[3] != "" && !bytes.Contains(source, []byte(test[3])):
				wrong("row %d: %s has no case %q", number, test[1], test[3])
			}
		}
	}

	return rows, faults
}

// declared returns the text of all tests of a package, by its folder below root.
func declared(root string) func(pkg string) []byte {
	return func(pkg string) []byte {
		files, _ := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))

		var source []byte

		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				continue
			}

			source = append(source, text...)
		}

		return source
	}
}
