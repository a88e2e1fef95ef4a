// Command lint runs the linters that .golangci.yml names over the module, as "go vet" runs its own: what has not changed is not looked at
// again. golangci-lint reads the same file; lint builds in a tenth of its time, for it has only these linters.
//
//	go -C test/lint build -o ../../bin/lint . && bin/lint ./...
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/tools/go/analysis/unitchecker"
)

func main() {
	last := os.Args[len(os.Args)-1]
	if strings.HasSuffix(last, ".cfg") || strings.HasPrefix(last, "-V") || last == "-flags" { // "go vet" asks
		if foreign(last) {
			unitchecker.Main(lines) // which has no facts, and there the types alone are wanted
		}

		unitchecker.Main(analyzers()...)
	}

	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(1)
	}
}

// run checks that .golangci.yml asks for what is here, and has "go vet" call this program for each package.
func run(packages []string) error {
	text, err := os.ReadFile(".golangci.yml")
	if err != nil {
		return err
	}

	if err := agrees(text); err != nil {
		return fmt.Errorf(".golangci.yml: %w", err)
	}

	self, err := os.Executable()
	if err != nil {
		return err
	}

	vet := exec.Command("go", append([]string{"vet", "-vettool=" + self}, packages...)...)
	vet.Stdout, vet.Stderr = os.Stdout, os.Stderr

	return vet.Run()
}

const module = "github.com/dialtone-ims/dialtone"

// foreign reports whether "go vet" asks for what is to be known of a package of others. Its facts would take ten times as long as all
// else: what staticcheck knows by them, such as that others' functions are deprecated, golangci-lint finds and this program does not.
func foreign(file string) bool {
	text, err := os.ReadFile(file)
	if err != nil {
		return false
	}

	var unit struct {
		ImportPath string
		VetxOnly   bool
	}

	return json.Unmarshal(text, &unit) == nil && unit.VetxOnly && !strings.HasPrefix(unit.ImportPath, module)
}
