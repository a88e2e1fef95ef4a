package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/tools/go/analysis"
	"honnef.co/go/tools/analysis/facts/directives"
	"honnef.co/go/tools/analysis/facts/generated"
	u1000 "honnef.co/go/tools/unused"
	gofumpt "mvdan.cc/gofumpt/format"
)

// text returns the source of a file.
func text(pass *analysis.Pass, f *ast.File) (*token.File, []byte) {
	file := pass.Fset.File(f.FileStart)
	source, err := os.ReadFile(file.Name())

	if err != nil || len(source) != file.Size() || !strings.HasSuffix(file.Name(), ".go") { // made by the go command, as that of cgo is
		return file, nil
	}

	return file, source
}

// depguard refuses imports of what is forbidden.
var depguard = &analysis.Analyzer{
	Name: "depguard", Doc: "no package is imported that has a better one", Run: func(pass *analysis.Pass) (any, error) {
		for _, f := range pass.Files {
			for _, spec := range f.Imports {
				name, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					return nil, err
				}

				for _, d := range forbidden {
					exact, whole := strings.CutSuffix(d.Package, "$")
					if name == exact || !whole && strings.HasPrefix(name, d.Package) {
						pass.Reportf(spec.Pos(), "import of %s: %s", name, d.Why)
					}
				}
			}
		}

		return nil, nil
	},
}

// lines refuses lines of more than columns.
var lines = &analysis.Analyzer{
	Name: "lll", Doc: "lines are at most 140 columns long", Run: func(pass *analysis.Pass) (any, error) {
		for _, f := range pass.Files {
			file, source := text(pass, f)
			number := 0

			for line := range bytes.Lines(source) {
				number++

				if n := utf8.RuneCount(bytes.TrimRight(line, "\r\n")); n > columns && !bytes.HasPrefix(line, []byte("//go:")) {
					pass.Reportf(file.LineStart(number), "a line of %d columns, more than %d", n, columns)
				}
			}
		}

		return nil, nil
	},
}

// format refuses files that gofumpt would change.
var format = &analysis.Analyzer{
	Name: "gofumpt", Doc: "files are as gofumpt writes them", Run: func(pass *analysis.Pass) (any, error) {
		for _, f := range pass.Files {
			file, source := text(pass, f)
			if source == nil {
				continue
			}

			want, err := gofumpt.Source(source, gofumpt.Options{LangVersion: "go1.26"})
			if err != nil {
				return nil, err
			}

			if bytes.Equal(source, want) {
				continue
			}

			number := 1
			for number < file.LineCount() && bytes.HasPrefix(want, source[:file.Offset(file.LineStart(number+1))]) {
				number++
			}

			pass.Reportf(file.LineStart(number), "not as gofumpt writes it")
		}

		return nil, nil
	},
}

var exception = regexp.MustCompile(`^//nolint(:[a-z0-9_,]+ // \S.*)?`)

// nolint refuses exceptions that do not name their linter, and why.
var nolint = &analysis.Analyzer{
	Name: "nolintlint", Doc: "an exception names its linter and its reason", Run: func(pass *analysis.Pass) (any, error) {
		for _, f := range pass.Files {
			for _, group := range f.Comments {
				for _, c := range group.List {
					if strings.HasPrefix(c.Text, "//nolint") && exception.FindStringSubmatch(c.Text)[1] == "" {
						pass.Reportf(c.Pos(), "an exception says of which linter and why: //nolint:NAME // REASON")
					}
				}
			}
		}

		return nil, nil
	},
}

// exported wants of each exported name a comment that begins with it, as revive's rule of that name does.
var exported = &analysis.Analyzer{
	Name: "revive", Doc: "an exported name has a comment that begins with it", Run: func(pass *analysis.Pass) (any, error) {
		if pass.Pkg.Name() == "main" || strings.HasSuffix(pass.Pkg.Name(), "_test") {
			return nil, nil
		}

		for _, f := range pass.Files {
			if strings.HasSuffix(pass.Fset.File(f.FileStart).Name(), "_test.go") {
				continue
			}

			for _, d := range f.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					function(pass, d)
				case *ast.GenDecl:
					declaration(pass, d)
				}
			}
		}

		return nil, nil
	},
}

// Methods whose meaning their interface gives (as revive has it).
var common = []string{"Error", "Read", "ServeHTTP", "String", "Write", "Unwrap", "Len", "Less", "Swap"}

func function(pass *analysis.Pass, d *ast.FuncDecl) {
	if !d.Name.IsExported() || d.Recv != nil && (!ast.IsExported(receiver(d.Recv.List[0].Type)) || slices.Contains(common, d.Name.Name)) {
		return
	}

	comment(pass, d.Name, d.Doc)
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}

	return ""
}

func declaration(pass *analysis.Pass, d *ast.GenDecl) {
	for i, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() {
				comment(pass, s.Name, firstOf(s.Doc, d.Doc))
			}
		case *ast.ValueSpec:
			// One comment of a group is for all of it; alone, a name has its own.
			for _, name := range s.Names {
				switch {
				case !name.IsExported():
				case len(d.Specs) == 1 && len(s.Names) == 1:
					comment(pass, name, firstOf(s.Doc, d.Doc))
				case s.Doc == nil && s.Comment == nil && d.Doc == nil && i == 0:
					pass.Reportf(name.Pos(), "exported %s has no comment, nor has its group", name.Name)
				}
			}
		}
	}
}

func firstOf(own, group *ast.CommentGroup) *ast.CommentGroup {
	if own != nil {
		return own
	}

	return group
}

func comment(pass *analysis.Pass, name *ast.Ident, doc *ast.CommentGroup) {
	words := strings.Fields(doc.Text())
	if len(words) > 1 && slices.Contains([]string{"A", "An", "The"}, words[0]) {
		words = words[1:]
	}

	switch {
	case len(words) == 0:
		pass.Reportf(name.Pos(), "exported %s has no comment", name.Name)
	case words[0] != name.Name && words[0] != "Deprecated:":
		pass.Reportf(name.Pos(), "the comment of %s begins with %q", name.Name, words[0])
	}
}

// unused refuses what nothing uses. A package is looked at with its tests if it has some, as golangci-lint does: then what
// only they use is used.
var unused = &analysis.Analyzer{
	Name: "unused", Doc: "what nothing uses", Requires: []*analysis.Analyzer{generated.Analyzer, directives.Analyzer},
	Run: func(pass *analysis.Pass) (any, error) {
		if partial(pass) {
			return nil, nil
		}

		found, err := u1000.Analyzer.Analyzer.Run(pass)
		if err != nil {
			return nil, err
		}

		result := found.(u1000.Result)
		used := map[string]bool{}

		for _, o := range result.Used {
			used[o.Position.String()] = true
		}

		for _, o := range result.Unused {
			if used[o.Position.String()] || o.Kind == "type param" {
				continue
			}

			for _, f := range pass.Files {
				if file := pass.Fset.File(f.FileStart); file.Name() == o.Position.Filename {
					pass.Reportf(file.Pos(o.Position.Offset), "%s", fmt.Sprintf("%s %s is unused", o.Kind, o.Name))
				}
			}
		}

		return nil, nil
	},
}

// partial reports whether a package is here without its own tests, and has some.
func partial(pass *analysis.Pass) bool {
	if len(pass.Files) == 0 {
		return true
	}

	folder := pass.Fset.File(pass.Files[0].FileStart).Name()
	folder = folder[:strings.LastIndexByte(folder, '/')+1]

	for _, f := range pass.Files {
		if strings.HasSuffix(pass.Fset.File(f.FileStart).Name(), "_test.go") {
			return false
		}
	}

	entries, err := os.ReadDir(folder)
	if err != nil {
		return false
	}

	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}

		source, err := os.ReadFile(folder + e.Name())
		if err == nil && regexp.MustCompile(`(?m)^package `+pass.Pkg.Name()+`\b`).Match(source) &&
			!bytes.Contains(source, []byte("package "+pass.Pkg.Name()+"_test")) {
			return true
		}
	}

	return false
}

// positional refuses struct literals of more than four fields that do not name them.
var positional = &analysis.Analyzer{
	Name: "positional", Doc: "a struct literal of more than four fields names them", Run: func(pass *analysis.Pass) (any, error) {
		for _, f := range pass.Files {
			ast.Inspect(f, func(n ast.Node) bool {
				literal, ok := n.(*ast.CompositeLit)
				if !ok || len(literal.Elts) <= 4 {
					return true
				}

				if _, named := literal.Elts[0].(*ast.KeyValueExpr); named {
					return true
				}

				t := pass.TypesInfo.TypeOf(literal)
				if pointer, ok := t.Underlying().(*types.Pointer); ok {
					t = pointer.Elem()
				}

				if _, ok := t.Underlying().(*types.Struct); ok {
					pass.Reportf(literal.Pos(), "a literal of %d fields without their names", len(literal.Elts))
				}

				return true
			})
		}

		return nil, nil
	},
}
