package main

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// keys are the keys of log lines. docs/logs.md says what each means.
var keys = []string{
	// whose, and what of
	"impi", "impu", "contact", "call_id", "icid", "session_id", "peer", "result", "cause",
	// SIP
	"method", "status", "reason", "case", "from", "request_uri", "start_line", "request", "source", "destination", "transport", "endpoint",
	"flow", "flow_before", "dialogs", "scscf", "server", "number", "uri", "preferred", "asserted", "watcher", "continues", "taken",
	"service", "psap", "imei", "location", "access",
	// registration and protection
	"imsi", "ue", "set", "suite", "sqn", "sqn_of_sim", "says", "hint", "contacts", "identities", "outcome", "prefix", "sources", "failures",
	"limit", "window", "ban", "counter", "packets", "states_removed",
	// Diameter
	"command", "application", "applications", "vendor", "address", "reason_code", "registrations", "charging_information", "push", "attempt",
	// charging
	"account", "request_type", "request_number", "failure_handling", "units", "minor_units", "owed", "detail", "cdrs", "movements",
	// the program itself
	"function", "version", "file", "path", "state", "event", "action", "actions", "next", "count", "kept", "step", "seconds", "duration",
	"octets", "panic", "stack", "omitted_before",
}

// logkeys refuses log keys that are not among keys: in calls of log/slog, in those of functions that pass variadic attributes on
// to it, and in lists of attributes.
var logkeys = &analysis.Analyzer{
	Name: "logkeys", Doc: "the keys of log lines are those of docs/logs.md", Run: func(pass *analysis.Pass) (any, error) {
		for _, f := range pass.Files {
			if strings.HasSuffix(pass.Fset.File(f.FileStart).Name(), "_test.go") {
				continue
			}

			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					for _, key := range keysOfCall(pass.TypesInfo, n) {
						check(pass, key)
					}
				case *ast.FuncDecl:
					returned(pass, n)
				case *ast.AssignStmt:
					for i, left := range n.Lhs {
						name, ok := left.(*ast.Ident)
						if ok && name.Name == attributes && i < len(n.Rhs) && pass.TypesInfo.TypeOf(name).String() == "[]any" {
							for _, key := range keysOfList(n.Rhs[i]) {
								check(pass, key)
							}
						}
					}
				}

				return true
			})
		}

		return nil, nil
	},
}

// returned checks what a function returns whose result is attributes.
func returned(pass *analysis.Pass, f *ast.FuncDecl) {
	results := f.Type.Results
	if f.Body == nil || results == nil || len(results.List) != 1 || len(results.List[0].Names) != 1 || results.List[0].Names[0].Name != attributes {
		return
	}

	ast.Inspect(f.Body, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) == 1 {
			for _, key := range keysOfList(r.Results[0]) {
				check(pass, key)
			}
		}

		return true
	})
}

// attributes is the name of parameters, variables and results that have keys and values for a log line.
const attributes = "attributes"

func check(pass *analysis.Pass, key ast.Expr) {
	value := pass.TypesInfo.Types[key]

	switch {
	case value.Value == nil && value.Type != nil && value.Type.String() == "log/slog.Attr":
	case value.Value == nil || value.Value.Kind() != constant.String:
		pass.Reportf(key.Pos(), "a log key that is not a constant")
	case !slices.Contains(keys, constant.StringVal(value.Value)):
		pass.Reportf(key.Pos(), "the log key %s is not in docs/logs.md", value.Value)
	}
}

// keysOfCall returns the keys among the arguments of a call.
func keysOfCall(info *types.Info, call *ast.CallExpr) []ast.Expr {
	f := called(info, call)
	if f == nil {
		return nil
	}

	signature := f.Signature()
	parameters := signature.Params()

	if parameters.Len() == 0 || len(call.Args) == 0 {
		return nil
	}

	first := parameters.Len() - 1 // of the keys and values
	if f.Pkg() != nil && f.Pkg().Path() == "log/slog" && !signature.Variadic() && parameters.At(0).Name() == "key" {
		return call.Args[:1] // slog.String and its like
	}

	last := parameters.At(first)
	if !signature.Variadic() || len(call.Args) <= first ||
		last.Name() != attributes && (f.Pkg() == nil || f.Pkg().Path() != "log/slog" || last.Type().String() != "[]any") {
		return nil
	}

	if call.Ellipsis != token.NoPos {
		return keysOfList(call.Args[first])
	}

	arguments := call.Args[first:]
	if f.Name() == "Group" {
		arguments = call.Args
	}

	return everySecond(info, arguments)
}

// everySecond returns the keys of a list in which each is before its value, but for a slog.Attr, which is both.
func everySecond(info *types.Info, list []ast.Expr) (found []ast.Expr) {
	for i := 0; i < len(list); i++ {
		found = append(found, list[i])

		if info == nil || info.TypeOf(list[i]).String() != "log/slog.Attr" {
			i++
		}
	}

	return found
}

// keysOfList returns the keys of a list that is written where it is used, or appended to another.
func keysOfList(e ast.Expr) []ast.Expr {
	switch e := e.(type) {
	case *ast.CompositeLit:
		return everySecond(nil, e.Elts)
	case *ast.CallExpr:
		if name, ok := e.Fun.(*ast.Ident); ok && name.Name == "append" {
			if e.Ellipsis != token.NoPos {
				return append(keysOfList(e.Args[0]), keysOfList(e.Args[1])...)
			}

			return append(keysOfList(e.Args[0]), everySecond(nil, e.Args[1:])...)
		}
	}

	return nil
}
