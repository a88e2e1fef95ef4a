package main

import (
	"regexp"
	"strings"

	"codeberg.org/polyfloyd/go-errorlint/errorlint"
	"github.com/gordonklaus/ineffassign/pkg/ineffassign"
	"github.com/kisielk/errcheck/errcheck"
	"go-simpler.org/sloglint"
	"golang.org/x/tools/go/analysis"
	"honnef.co/go/tools/analysis/lint"
	"honnef.co/go/tools/quickfix"
	"honnef.co/go/tools/simple"
	"honnef.co/go/tools/staticcheck"
	"honnef.co/go/tools/stylecheck"
)

// forbidden are packages that nothing here imports; who may import what else is a matter of test/house.
var forbidden = []deny{
	{"log$", "log/slog, by the logger that the program was given"},
	{"io/ioutil", "io and os have what it had"},
	{"math/rand$", "math/rand/v2, or crypto/rand where a stranger must not guess"},
	{"github.com/pkg/errors", "errors and fmt wrap"},
	{"github.com/stretchr/testify", "cmp, and the test's own words"},
}

// checks are those of staticcheck, as golangci-lint has them unless told otherwise, but ...
var checks = []string{
	"all",
	"-ST1000", // test/house wants a comment of each package, of tests too
	"-ST1003", // names with an underscore: those of systems
	"-ST1016", // receivers of one type have one name: the shortest that reads well
	"-ST1020", // revive's exported
	"-ST1021",
	"-ST1022",
	"-QF1001", // De Morgan: "not (one of these)" says it better
	"-QF1010", // takes actions of a machine, which are small numbers with names, for octets
	"-QF1008", // an embedded field may be named where that says more
}

func analyzers() []*analysis.Analyzer {
	all := []*analysis.Analyzer{
		unchecked(errcheck.Analyzer),
		ineffassign.Analyzer,
		comparisons(),
		sloglint.New(&sloglint.Options{NoMixedArguments: true, StaticMessage: true, KeyNamingCase: "snake"}),
		depguard, exported, labels, lines, logkeys, nolint, format, positional, unused,
	}

	for _, group := range [][]*lint.Analyzer{staticcheck.Analyzers, simple.Analyzers, stylecheck.Analyzers, quickfix.Analyzers} {
		for _, a := range group {
			if wanted(a.Analyzer.Name) {
				all = append(all, a.Analyzer)
			}
		}
	}

	return all
}

// comparisons is errorlint with the checks that golangci-lint has on.
func comparisons() *analysis.Analyzer {
	a := errorlint.NewAnalyzer()
	if err := a.Flags.Set("errorf", "true"); err != nil {
		panic(err) // it has no such flag any more
	}

	return a
}

// What the preset std-error-handling of golangci-lint passes over.
var harmless = regexp.MustCompile(`(?i)(\.Close|\.Flush|os\.Remove(All)?|\.?print(f|ln)?|os\.(Un)?Setenv|os\.Std(out|err)\.\w+)$`)

// unchecked is errcheck but for what is closed, flushed, printed or removed.
func unchecked(all *analysis.Analyzer) *analysis.Analyzer {
	return &analysis.Analyzer{
		Name: "errcheck", Doc: all.Doc, Run: func(pass *analysis.Pass) (any, error) {
			quiet := *pass
			quiet.Report = func(analysis.Diagnostic) {}

			found, err := all.Run(&quiet)
			if err != nil {
				return nil, err
			}

			for _, e := range found.(errcheck.Result).UncheckedErrors {
				call := strings.TrimPrefix(e.SelectorName, "defer ")
				if call == "" {
					call = e.FuncName
				}

				if harmless.MatchString(call) {
					continue
				}

				for _, f := range pass.Files {
					if file := pass.Fset.File(f.FileStart); file.Name() == e.Pos.Filename {
						pass.Reportf(file.Pos(e.Pos.Offset), "the error of %s is not looked at", call)
					}
				}
			}

			return nil, nil
		},
	}
}
