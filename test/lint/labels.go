package main

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// bounded is what may be a label of a metric though it is no constant, and why it has few values.
var bounded = map[string]string{
	// fields
	"pkg/diameter.Peer.Host":               "peers of the configuration; the others share one label",
	"pkg/ipsec.Statistic.Name":             "counters of the kernel",
	"pkg/sip/stack.Endpoint.name":          "endpoints of the configuration",
	"pcscf/internal/binding.Binding.Ended": "the P-CSCF's own words, or one that endLabel knows",
	"ocs/internal/ledger.Movement.Kind":    "words of the OCS's own",
	// types
	"hss/internal/subscriber.PushCommand": "RTR or PPR",
	"hss/internal/subscriber.PushState":   "pending, delivered, refused or failed",
	"ocs/internal/rating.Unit":            "seconds, octets, events or money",
	// functions
	"pkg/diameter.commandName": "after a look into the dictionary",
	// parameters of functions that are handed on: their callers are held to the rule, by sinks
	"pkg/sip/stack.newRefuser reason":     "the procedure of pkg/sip.Refuser",
	"pcscf/internal/gm.counted direction": "the procedure of pkg/sip.Refuser",
	"scscf/internal/session.counted side": "the procedure of pkg/sip.Refuser",
	"ocs/internal/credit.report kind":     "the kind of ledger.Posting.Move",
}

// sinks are functions that make a label of a parameter for their callers in other packages.
var sinks = map[string]string{
	"pkg/sip.Refuse":           "procedure",
	"pkg/sip.Replace":          "procedure",
	"ocs/internal/ledger.Move": "kind",
}

// labels refuses labels of metrics that a stranger may invent: each is a constant, comes from pkg/label, or is the name of a value of an
// enumeration. Variables, parameters, and results of the package are followed to where they come from; what cannot be is in bounded.
var labels = &analysis.Analyzer{
	Name: "labels", Doc: "no label of a metric comes from the wire", Run: func(pass *analysis.Pass) (any, error) {
		o := &origins{pass: pass, seen: map[types.Object]bool{}}

		o.each(func(n ast.Node) {
			switch n := n.(type) {
			case *ast.CallExpr:
				for _, label := range labelsOf(pass.TypesInfo, n) {
					o.check(label)
				}
			case *ast.CompositeLit: // prometheus.Labels{"name": value}
				if t := named(pass.TypesInfo.TypeOf(n)); t != nil && t.String() == prometheus+".Labels" {
					for _, e := range n.Elts {
						if pair, ok := e.(*ast.KeyValueExpr); ok {
							o.check(pair.Value)
						}
					}
				}
			}
		})

		return nil, nil
	},
}

const prometheus = "github.com/prometheus/client_golang/prometheus"

// labelsOf returns the labels among the arguments of a call.
func labelsOf(info *types.Info, call *ast.CallExpr) []ast.Expr {
	f := called(info, call)
	if f == nil || f.Pkg() == nil {
		return nil
	}

	for i := range min(f.Signature().Params().Len(), len(call.Args)) {
		if name := sinks[nameOf(f)]; name != "" && f.Signature().Params().At(i).Name() == name && f.Signature().Recv() != nil {
			return call.Args[i : i+1]
		}
	}

	if f.Pkg().Path() != prometheus || !f.Signature().Variadic() {
		return nil
	}

	first := f.Signature().Params().Len() - 1

	switch f.Name() {
	case "WithLabelValues", "GetMetricWithLabelValues", "DeleteLabelValues",
		"NewConstMetric", "MustNewConstMetric", "NewConstHistogram", "MustNewConstHistogram", "NewConstSummary", "MustNewConstSummary":
		return call.Args[min(first, len(call.Args)):]
	}

	return nil
}

func called(info *types.Info, call *ast.CallExpr) *types.Func {
	var name *ast.Ident

	switch f := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		name = f
	case *ast.SelectorExpr:
		name = f.Sel
	default:
		return nil
	}

	f, _ := info.Uses[name].(*types.Func)

	return f
}

// origins follows expressions to what they come from.
type origins struct {
	pass *analysis.Pass
	seen map[types.Object]bool // what is being followed, or has been, and has few values
}

func (o *origins) check(label ast.Expr) {
	if from := o.wild(label); from != nil {
		o.pass.Reportf(label.Pos(), "a label that may have any value, by %s: let it go through pkg/label", types.ExprString(from))
	}
}

// wild returns the part of an expression that may have any value; nil if there is none.
func (o *origins) wild(e ast.Expr) ast.Expr {
	e = ast.Unparen(e)
	info := o.pass.TypesInfo

	if info.Types[e].Value != nil {
		return nil
	}

	switch e := e.(type) {
	case *ast.Ident:
		if v, ok := info.ObjectOf(e).(*types.Var); ok && o.isFew(v) {
			return nil
		}
	case *ast.SelectorExpr:
		if t := named(info.TypeOf(e.X)); t != nil && bounded[nameOf(t.Obj())+"."+e.Sel.Name] != "" {
			return nil
		}
	case *ast.CallExpr:
		return o.wildCall(e)
	case *ast.IndexExpr: // of a table that is written where it is used
		if table, ok := ast.Unparen(e.X).(*ast.CompositeLit); ok && !slices.ContainsFunc(table.Elts, o.wildElement) {
			return nil
		}
	}

	return e
}

func (o *origins) wildElement(e ast.Expr) bool {
	if pair, ok := e.(*ast.KeyValueExpr); ok {
		e = pair.Value
	}

	return o.wild(e) != nil
}

func (o *origins) wildCall(call *ast.CallExpr) ast.Expr {
	if o.pass.TypesInfo.Types[call.Fun].IsType() { // string(value)
		if t := named(o.pass.TypesInfo.TypeOf(call.Args[0])); t != nil && bounded[nameOf(t.Obj())] != "" {
			return nil
		}

		return o.wild(call.Args[0])
	}

	f := called(o.pass.TypesInfo, call)

	switch {
	case f == nil || f.Pkg() == nil:
		return call
	case f.Pkg().Path() == module+"/pkg/label", bounded[nameOf(f)] != "", f.Name() == "String" && isEnumeration(f.Signature().Recv()):
		return nil
	case f.Pkg() != o.pass.Pkg:
		return call
	case o.seen[f]:
		return nil
	}

	o.seen[f] = true

	wild := o.wildResult(f, call)
	if wild != nil {
		o.seen[f] = false // asked again, it is found again
	}

	return wild
}

// isEnumeration reports whether the receiver of a method is a number of this module, which its String names.
func isEnumeration(receiver *types.Var) bool {
	if receiver == nil {
		return false
	}

	t := named(receiver.Type())
	if t == nil {
		return false
	}

	basic, ok := t.Underlying().(*types.Basic)

	return ok && basic.Info()&types.IsInteger != 0 && (t.Obj().Pkg().Path() == "labels" || strings.HasPrefix(t.Obj().Pkg().Path(), module+"/"))
}

// named returns a type that has a name, or what a pointer to such a one points at; nil of others.
func named(t types.Type) *types.Named {
	if t == nil {
		return nil
	}

	if pointer, ok := types.Unalias(t).(*types.Pointer); ok {
		t = pointer.Elem()
	}

	n, _ := types.Unalias(t).(*types.Named)
	if n == nil || n.Obj().Pkg() == nil {
		return nil
	}

	return n
}

// nameOf returns the folder of what is declared in a package, and its name.
func nameOf(object types.Object) string {
	return strings.TrimPrefix(object.Pkg().Path(), module+"/") + "." + object.Name()
}

// wildResult looks at what a function of the package returns.
func (o *origins) wildResult(f *types.Func, call *ast.CallExpr) (wild ast.Expr) {
	found := false

	o.each(func(n ast.Node) {
		d, ok := n.(*ast.FuncDecl)
		if !ok || o.pass.TypesInfo.Defs[d.Name] != f || d.Body == nil {
			return
		}

		ast.Inspect(d.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit:
				return false
			case *ast.ReturnStmt:
				if len(n.Results) != 1 || o.wild(n.Results[0]) != nil {
					wild = call
				}

				found = true
			}

			return true
		})
	})

	if !found {
		return call
	}

	return wild
}

// isFew reports whether all that a variable of a function is ever given has few values. Of a parameter these are the arguments of all
// calls: so the function must be called by its own package only, and not be handed on.
func (o *origins) isFew(v *types.Var) bool {
	if o.seen[v] {
		return true
	}

	o.seen[v] = true
	given, wild := 0, false

	give := func(e ast.Expr) {
		given++
		wild = wild || o.wild(e) != nil
	}

	info := o.pass.TypesInfo

	o.each(func(n ast.Node) {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if name, ok := left.(*ast.Ident); !ok || info.ObjectOf(name) != v {
					continue
				}

				if len(n.Lhs) != len(n.Rhs) || n.Tok != token.ASSIGN && n.Tok != token.DEFINE {
					wild = true
					continue
				}

				give(n.Rhs[i])
			}
		case *ast.ValueSpec:
			for i, name := range n.Names {
				if info.Defs[name] == v && i < len(n.Values) {
					give(n.Values[i])
				}
			}
		case *ast.UnaryExpr: // what its address is given is not followed
			if name, ok := n.X.(*ast.Ident); ok && n.Op == token.AND && info.ObjectOf(name) == v {
				wild = true
			}
		case *ast.FuncDecl:
			f, ok := info.Defs[n.Name].(*types.Func)
			if !ok || v.Pos() < n.Pos() || v.Pos() >= n.End() {
				return
			}

			if bounded[nameOf(f)+" "+v.Name()] != "" {
				given++
			} else if index := parameter(f, v); index >= 0 {
				only := o.arguments(f, index, give)
				wild = wild || f.Exported() || !only
			}
		}
	})

	if wild || given == 0 {
		o.seen[v] = false
	}

	return !wild && given > 0
}

// parameter returns the place of a parameter of a function; -1 if it is none.
func parameter(f *types.Func, v *types.Var) int {
	for i := range f.Signature().Params().Len() {
		if f.Signature().Params().At(i) == v {
			return i
		}
	}

	return -1
}

// arguments gives what the package's calls of a function pass in one place, and reports whether it is called only.
func (o *origins) arguments(f *types.Func, index int, give func(ast.Expr)) bool {
	uses, calls := 0, 0

	o.each(func(n ast.Node) {
		switch n := n.(type) {
		case *ast.CallExpr:
			if called(o.pass.TypesInfo, n) == f && index < len(n.Args) {
				calls++
				give(n.Args[index])
			}
		case *ast.Ident:
			if o.pass.TypesInfo.Uses[n] == f {
				uses++
			}
		}
	})

	return uses == calls
}

// each visits all that the package consists of, but for its tests.
func (o *origins) each(visit func(ast.Node)) {
	for _, f := range o.pass.Files {
		if strings.HasSuffix(o.pass.Fset.File(f.FileStart).Name(), "_test.go") {
			continue
		}

		ast.Inspect(f, func(n ast.Node) bool {
			visit(n)
			return true
		})
	}
}
