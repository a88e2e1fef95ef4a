package house

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/dialtone-ims/dialtone"

// rule forbids an import. Packages are named by their folder, "pkg/..." for a folder and all below it.
type rule struct {
	where     string   // packages that the rule is for
	except    []string // of them, those that may
	forbidden string   // import path, with ... for all below it; "./" begins a folder of this module
	why       string
}

var imports = []rule{
	{
		where: "...", except: []string{"pkg/diameter"}, forbidden: "github.com/fiorix/go-diameter/...",
		why: "its codec panics on malformed input; pkg/diameter is the guard before it",
	},
	{
		where: "...", except: []string{"pkg/sip"}, forbidden: "github.com/emiago/sipgo/...",
		why: "its typed header fields lose parameters; pkg/sip says what a message is",
	},
	{
		where: "...", except: []string{"pkg/ipsec", "lab/internal/link", "ue/namespace"}, forbidden: "github.com/vishvananda/...",
		why: "the kernel is reached in these places only",
	},
	{where: "pkg/...", forbidden: "./pcscf/...", why: "what is shared knows no function"},
	{where: "pkg/...", forbidden: "./icscf/...", why: "what is shared knows no function"},
	{where: "pkg/...", forbidden: "./scscf/...", why: "what is shared knows no function"},
	{where: "pkg/...", forbidden: "./hss/...", why: "what is shared knows no function"},
	{where: "pkg/...", forbidden: "./ocs/...", why: "what is shared knows no function"},
	{where: "pkg/sip", forbidden: "./pkg/sip/stack/...", why: "the language knows nothing of who speaks it"},
	{where: "pkg/sip", forbidden: "net", why: "the language opens no socket; pkg/sip/stack does"},
	{where: "pkg/sip/stack", forbidden: "github.com/emiago/sipgo/...", why: "pkg/sip says what a message is"},
	{where: "pkg/sip/...", forbidden: "./pkg/ims/...", why: "SIP is used by IMS and knows nothing of it"},
	{where: "pkg/sip/...", forbidden: "./pkg/aka/...", why: "SIP is used by IMS and knows nothing of it"},
	{where: "pkg/sip/...", forbidden: "./pkg/ifc/...", why: "SIP is used by IMS and knows nothing of it"},
	{where: "pkg/sip/...", forbidden: "./pkg/diameter/...", why: "SIP and Diameter meet in the functions"},
	{where: "pkg/diameter/...", forbidden: "./pkg/sip/...", why: "SIP and Diameter meet in the functions"},
	{where: "pkg/aka/...", forbidden: "net", why: "it calculates"},
	{where: "pkg/ifc/...", forbidden: "net", why: "it decides"},
	{where: "pkg/ims", forbidden: "net", why: "it reads and writes"},
	{where: "pkg/ere/...", forbidden: "net", why: "it matches"},
	{where: "pkg/fsm/...", forbidden: "net", why: "it decides"},
	{where: "pkg/ims", forbidden: "./pkg/sip", why: "it works on text, by pkg/sip/grammar, and knows nothing of messages"},
	{where: "pkg/ims", forbidden: "./pkg/sip/stack/...", why: "it works on text, by pkg/sip/grammar, and knows nothing of messages"},
	{where: "pkg/aka/...", forbidden: "./pkg/sip", why: "it calculates; the grammar alone is its concern"},
	{where: "pkg/sip/grammar", forbidden: "./pkg/...", why: "it is the leaf of the language"},
	{where: "ue/...", forbidden: "./test/...", why: "programs do not stand on what tests stand on"},
	{where: "lab/...", forbidden: "./test/...", why: "programs do not stand on what tests stand on"},
	{where: "pkg/...", forbidden: "./test/...", why: "programs do not stand on what tests stand on"},
}

// No file imports what its folder may not. Tests may do what the rest may not only where a rule names no test folder.
func TestImports(t *testing.T) {
	checked := 0

	for name, imported := range files(t, "../..") {
		checked++

		for _, fault := range forbidden(path.Dir(name), imported, strings.HasSuffix(name, "_test.go")) {
			t.Errorf("%s: %s", name, fault)
		}
	}

	if checked < 100 {
		t.Errorf("only %d files were read", checked)
	}
}

// Each rule refuses the import that it is there for.
func TestImportsRefuses(t *testing.T) {
	for _, r := range imports {
		where, open := strings.CutSuffix(r.where, "...")
		if open {
			where += "example"
		}

		what := strings.TrimSuffix(r.forbidden, "/...")

		if rest, ours := strings.CutPrefix(what, "./"); ours {
			what = module + "/" + rest
		}

		found := forbidden(where, []string{what}, false)
		if len(found) != 1 || !strings.Contains(found[0], r.why) {
			t.Errorf("%s imports %s: %q, want the rule's reason: %s", where, what, found, r.why)
		}
	}

	if found := forbidden("pkg/diameter", []string{"github.com/fiorix/go-diameter/v4/diam"}, false); len(found) != 0 {
		t.Errorf("who may is refused: %q", found)
	}
}

// forbidden lists what a package in a folder may not import, with the reason.
func forbidden(folder string, imported []string, test bool) (faults []string) {
	for _, r := range imports {
		if !matches(r.where, folder) || excepted(r, folder) {
			continue
		}

		what, ours := strings.CutPrefix(r.forbidden, "./")
		if test && ours && strings.HasPrefix(what, "test/") {
			continue
		}

		for _, name := range imported {
			if ours {
				rest, inside := strings.CutPrefix(name, module+"/")
				if !inside || !matches(what, rest) || matches(r.where, rest) {
					continue
				}
			} else if !matches(what, name) {
				continue
			}

			faults = append(faults, fmt.Sprintf("it may not import %s: %s", name, r.why))
		}
	}

	return faults
}

func excepted(r rule, folder string) bool {
	for _, place := range r.except {
		if matches(place+"/...", folder) {
			return true
		}
	}

	return false
}

func matches(pattern, name string) bool {
	prefix, open := strings.CutSuffix(pattern, "...")
	if !open {
		return name == pattern
	}

	return strings.HasPrefix(name+"/", prefix)
}

// files reads the imports of every Go file of the module, by its path below root.
func files(t *testing.T, root string) map[string][]string {
	t.Helper()

	found := map[string][]string{}

	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == ".git" || entry.Name() == "bin" || entry.Name() == "var"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}

		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}

		below, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}

		found[filepath.ToSlash(below)] = []string{}

		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}

			found[filepath.ToSlash(below)] = append(found[filepath.ToSlash(below)], imported)
		}

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	return found
}
