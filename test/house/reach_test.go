package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// lent are the folders whose names need no program that uses them, and why.
var lent = map[string]string{
	"pkg/aka":            "others may import it: a library of AKA and its digest",
	"pkg/diameter":       "others may import it: a library of Diameter, Cx and Ro",
	"pkg/ere":            "others may import it: a library of regular expressions",
	"pkg/ifc":            "others may import it: a library of filter criteria",
	"pkg/fsm/transcript": "tests stand on it",
	"pkg/policy":         "tests stand on it as well as the lab",
	"ue/handset":         "the suites of test/ are its users as well as ue and lab",
}

// shown are the names that no program uses, and why they stay.
var shown = map[string]string{
	"pkg/ims/trust.Table": "it prints itself into the manual",
}

// ofOthers are methods that packages call by interfaces whose package the program does not name.
var ofOthers = map[string]string{
	"Unwrap":    "errors.Unwrap asks for it",
	"Is":        "errors.Is asks for it",
	"As":        "errors.As asks for it",
	"TableName": "gorm's schema.Tabler",
}

// A name is exported for those who use it: a program outside its package, or its own package and the tests of others. What only tests use
// stands in the tests.
func TestNamesAreReached(t *testing.T) {
	module := reached(t, "../..", "./...")

	for _, fault := range module.unreached() {
		t.Error(fault)
	}

	for name := range shown {
		if !module.declared[name] {
			t.Errorf("%s is on the list of those shown, and nowhere else", name)
		}
	}
}

func TestNamesAreReachedRefuses(t *testing.T) {
	const root = "testdata/reach"

	want := []string{"lib.Inside", "lib.Lone", "lib.Tested", "lib.Thing.Alone", "lib.Unused", "lib.Var"}

	if got := reached(t, root, "./...").unreached(); !slices.Equal(got, want) {
		t.Errorf("refused\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// reach is what of the names of some packages is used.
type reach struct {
	root       string // import path above all packages
	packages   []*packages.Package
	outside    map[string]bool     // by a program outside the package of the name
	inside     map[string]bool     // by its own package
	tests      map[string]bool     // by tests of other packages
	methods    map[string][]string // the packages of the tests that name a method or field, by folder
	declared   map[string]bool
	interfaces map[string][]*types.Interface // by the names of their methods
}

// reached reads the packages of a folder, from the build cache of "make build".
func reached(t *testing.T, folder string, patterns ...string) *reach {
	t.Helper()

	const mode = packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedTypes |
		packages.NeedSyntax | packages.NeedTypesInfo | packages.NeedExportFile

	all, err := packages.Load(&packages.Config{
		Mode: mode, Dir: folder, Env: append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath"),
	}, patterns...)
	if err != nil {
		t.Fatal(err)
	}

	root := module + "/"
	if folder != "../.." {
		root = path.Join(module, "test/house", folder) + "/"
	}

	r := &reach{
		root: root, packages: all,
		outside: map[string]bool{}, inside: map[string]bool{}, tests: map[string]bool{}, declared: map[string]bool{},
		methods: map[string][]string{}, interfaces: map[string][]*types.Interface{},
	}

	for _, p := range all {
		for _, err := range p.Errors {
			t.Fatal(err)
		}

		r.declare(p)
	}

	for _, p := range all {
		if !strings.HasPrefix(r.name(p.PkgPath), "test/") {
			r.uses(p)
		}
	}

	r.usedByTests(t, folder)

	return r
}

// name is an import path, or the name of what is in it, below the root.
func (r *reach) name(whole string) string { return strings.TrimPrefix(whole, r.root) }

// key names a function, a method or another name of a package.
func (r *reach) key(o types.Object) string {
	if o.Pkg() == nil || !strings.HasPrefix(o.Pkg().Path(), r.root) {
		return ""
	}

	inPackage := r.name(o.Pkg().Path()) + "."

	if f, ok := o.(*types.Func); ok {
		if receiver := f.Origin().Signature().Recv(); receiver != nil {
			t := receiver.Type()
			if pointer, ok := t.(*types.Pointer); ok {
				t = pointer.Elem()
			}

			if named, ok := t.(*types.Named); ok {
				return inPackage + named.Obj().Name() + "." + f.Name()
			}

			return ""
		}
	}

	if o.Parent() != o.Pkg().Scope() {
		return ""
	}

	return inPackage + o.Name()
}

// declare takes in the names of a package. The tables that print themselves into the manual, and what they consist of, are reached.
func (r *reach) declare(p *packages.Package) {
	for _, name := range p.Types.Scope().Names() {
		o := p.Types.Scope().Lookup(name)
		r.declared[r.key(o)] = true

		if machines[r.key(o)] != "" {
			r.mark(o)
		}
	}
}

// uses takes in what a package of a program uses, and the interfaces that it knows.
func (r *reach) uses(p *packages.Package) {
	for _, o := range p.TypesInfo.Uses {
		switch {
		case o.Pkg() == nil || !o.Exported():
		case o.Pkg().Path() != p.PkgPath:
			r.mark(o)
		default:
			r.inside[r.key(o)] = true
		}
	}

	for e, tv := range p.TypesInfo.Types {
		if _, ok := e.(*ast.InterfaceType); ok {
			r.knows(tv.Type)
		}
	}

	seen := map[*types.Package]bool{}

	var all func(p *types.Package)

	all = func(p *types.Package) {
		if seen[p] {
			return
		}

		seen[p] = true

		for _, name := range p.Scope().Names() {
			if t, ok := p.Scope().Lookup(name).(*types.TypeName); ok {
				r.knows(t.Type())
			}
		}

		for _, imported := range p.Imports() {
			all(imported)
		}
	}

	all(p.Types)
}

func (r *reach) knows(t types.Type) {
	i, ok := t.Underlying().(*types.Interface)
	if !ok {
		return
	}

	for m := range i.Methods() {
		if known := r.interfaces[m.Name()]; !slices.Contains(known, i) {
			r.interfaces[m.Name()] = append(known, i)
		}
	}
}

// mark marks a name as reached, with the types that it leads to.
func (r *reach) mark(o types.Object) {
	key := r.key(o)
	if key == "" || r.outside[key] {
		return
	}

	r.outside[key] = true
	r.follow(o.Type(), map[types.Type]bool{})
}

func (r *reach) follow(t types.Type, seen map[types.Type]bool) {
	if seen[t] {
		return
	}

	seen[t] = true

	switch t := t.(type) {
	case *types.Named:
		for argument := range t.TypeArgs().Types() {
			r.follow(argument, seen)
		}

		if key := r.key(t.Obj()); key != "" {
			r.outside[key] = true
			r.follow(t.Origin().Underlying(), seen)
		}
	case *types.Alias:
		r.outside[r.key(t.Obj())] = true
		r.follow(t.Rhs(), seen)
	case *types.Map:
		r.follow(t.Key(), seen)
		r.follow(t.Elem(), seen)
	case interface{ Elem() types.Type }:
		r.follow(t.Elem(), seen)
	case *types.Signature:
		for v := range t.Params().Variables() {
			r.follow(v.Type(), seen)
		}

		for v := range t.Results().Variables() {
			r.follow(v.Type(), seen)
		}

		for p := range t.TypeParams().TypeParams() {
			r.follow(p.Constraint(), seen)
		}
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() {
				r.follow(f.Type(), seen)
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			r.follow(m.Type(), seen)
		}
	}
}

// usedByTests takes in what tests name of the packages that they import. Methods are known by their names only.
func (r *reach) usedByTests(t *testing.T, folder string) {
	t.Helper()

	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != folder && (entry.Name() == "testdata" || entry.Name() == ".git" || entry.Name() == "bin"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}

		if below, err := filepath.Rel(folder, name); err != nil ||
			!strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(filepath.ToSlash(below), "test/") {
			return err
		}

		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}

		imported := map[string]string{}

		tests := filepath.ToSlash(filepath.Dir(name))
		if strings.HasSuffix(file.Name.Name, "_test") { // in the folder, and not of the package
			tests += "_test"
		}

		for _, spec := range file.Imports {
			whole, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}

			as := path.Base(whole)
			if spec.Name != nil {
				as = spec.Name.Name
			}

			imported[as] = r.name(whole)
		}

		for n := range ast.Preorder(file) {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				continue
			}

			if x, ok := selector.X.(*ast.Ident); ok && imported[x.Name] != "" {
				r.tests[imported[x.Name]+"."+selector.Sel.Name] = true
				continue
			}

			r.methods[selector.Sel.Name] = append(r.methods[selector.Sel.Name], tests)
		}

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// unreached lists the names that are exported for nobody.
func (r *reach) unreached() (faults []string) {
	for _, p := range r.packages {
		folder := r.name(p.PkgPath)
		if p.Name == "main" || strings.HasPrefix(folder, "test/") || isLent(folder) {
			continue
		}

		for _, name := range p.Types.Scope().Names() {
			o := p.Types.Scope().Lookup(name)
			if !o.Exported() {
				continue
			}

			key := r.key(o)
			if !r.outside[key] && !(r.inside[key] && r.tests[key]) && !r.enumerated(o) && shown[key] == "" {
				faults = append(faults, key)
			}

			named, ok := o.Type().(*types.Named)
			if _, isType := o.(*types.TypeName); !isType || !ok || types.IsInterface(named) {
				continue
			}

			for m := range named.Methods() {
				key := r.key(m)
				if m.Exported() && !r.outside[key] && !(r.inside[key] && r.elsewhere(folder, m.Name())) && !r.answers(named, m) {
					faults = append(faults, key)
				}
			}
		}
	}

	slices.Sort(faults)

	return faults
}

// enumerated reports whether a constant is a value of a type that is reached, and is used, or is what the type is at first.
func (r *reach) enumerated(o types.Object) bool {
	c, ok := o.(*types.Const)
	if !ok {
		return false
	}

	named, ok := c.Type().(*types.Named)
	if !ok || !r.outside[r.key(named.Obj())] {
		return false
	}

	value := c.Val().ExactString()

	return r.inside[r.key(o)] || value == "0" || value == `""`
}

// answers reports whether a method is one of an interface that the program knows and the type is.
func (r *reach) answers(t *types.Named, m *types.Func) bool {
	if ofOthers[m.Name()] != "" {
		return true
	}

	return slices.ContainsFunc(r.interfaces[m.Name()], func(i *types.Interface) bool {
		return types.Implements(t, i) || types.Implements(types.NewPointer(t), i)
	})
}

func isLent(folder string) bool {
	for above := range lent {
		if strings.HasPrefix(folder+"/", above+"/") {
			return true
		}
	}

	return false
}

// elsewhere reports whether a test of another folder names a method.
func (r *reach) elsewhere(folder, method string) bool {
	return slices.ContainsFunc(r.methods[method], func(test string) bool { return !strings.HasSuffix(test, "/"+folder) })
}
