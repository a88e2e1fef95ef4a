package emergency

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/emergency.md has the numbers of all countries, and no others.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/emergency.md")
	if err != nil {
		t.Fatal(err)
	}

	var want []string

	for _, mcc := range slices.Sorted(maps.Keys(countries)) {
		var numbers []string
		for _, number := range slices.Sorted(maps.Keys(countries[mcc])) {
			numbers = append(numbers, fmt.Sprintf("%s `%s`", number, countries[mcc][number]))
		}

		want = append(want, mcc+" "+strings.Join(numbers, ", "))
	}

	var got []string
	for _, row := range regexp.MustCompile(`(?m)^\| (\d{3}) \| [A-Z][A-Za-z ]+ \| (.*) \|$`).FindAllStringSubmatch(string(page), -1) {
		got = append(got, row[1]+" "+row[2])
	}

	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("docs/emergency.md differs in row %d: it has\n%s\nwant\n%s", i+1, strings.Join(got[min(i, len(got)):], "\n"),
				strings.Join(want[min(i, len(want)):], "\n"))
		}
	}

	for number := range everywhere {
		if !strings.Contains(string(page), number) {
			t.Errorf("docs/emergency.md lacks %s", number)
		}
	}
}
