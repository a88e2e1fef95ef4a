package page

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/config"
)

// sharedPage has the settings of all functions. Its default of a setting that each function has another one for is ofEach, and their pages
// have it.
const (
	sharedPage = "settings.md"
	ofEach     = "the function's"
)

// home stands in defaults for the home network domain that they are made of.
const home = "HOME"

// row is one setting in a table of a page whose columns are key, default, and what there is to say.
type row struct {
	page     string
	fallback string // the default
	text     string
}

// Settings holds pages to the settings of a function: each stands once in a table, in the page of the function or in that of all, with its
// default; the tables have no other; and none that the program has not is named in the text.
func (p *Page) Settings(defaults any) {
	p.t.Helper()

	for _, fault := range settings(config.Keys(defaults), p.read(p.names...), p.read(sharedPage), p.read(everyPage(p.t)...)) {
		p.t.Error(fault)
	}
}

// settings returns what is wrong with the pages of a function, with the page that all share, and with what others say of its settings.
func settings(keys []config.Key, own, shared, others map[string]string) (faults []string) {
	wrong := func(format string, arguments ...any) { faults = append(faults, fmt.Sprintf(format, arguments...)) }
	mine, common := map[string]row{}, map[string]row{}

	for name, text := range own {
		faults = append(faults, rows(name, text, keys, mine)...)
	}

	for name, text := range shared {
		faults = append(faults, rows(name, text, keys, common)...)
	}

	for _, key := range keys {
		here, inOwn := mine[key.Path]
		there, inShared := common[key.Path]
		each := inShared && there.fallback == ofEach

		switch {
		case !inOwn && !inShared:
			wrong("%s is in no table; its default is %q", key.Path, key.Value)
		case !inOwn && each:
			wrong("%s: docs/%s leaves its default to the page of the function, which does not have it: %q", key.Path, there.page, key.Value)
		case inOwn && inShared && !each:
			wrong("docs/%s has %s again, which is in docs/%s", here.page, key.Path, there.page)
		case inOwn && !says(here.fallback, key.Value):
			wrong("docs/%s: the default of %s is %q; it says %q", here.page, key.Path, key.Value, here.fallback)
		case inShared && !each && !says(there.fallback, key.Value):
			wrong("docs/%s: the default of %s is %q; it says %q", there.page, key.Path, key.Value, there.fallback)
		}

		fields := strings.TrimPrefix(key.Type, "list of ")
		if strings.HasPrefix(fields, "{") && !strings.Contains(here.text+there.text, "`"+fields+"`") {
			wrong("%s: what an element of the list has is not named: `%s`", key.Path, fields)
		}
	}

	for path, r := range mine {
		if !known(keys, path) {
			wrong("docs/%s has %s, which there is not", r.page, path)
		}
	}

	for path, r := range common {
		if !known(keys, path) && hasSection(keys, path) {
			wrong("docs/%s has %s, which there is not", r.page, path)
		}
	}

	for name, text := range own {
		faults = append(faults, mentions(name, text, keys, nil)...)
	}

	for name, text := range others {
		if _, ours := own[name]; !ours {
			faults = append(faults, mentions(name, text, keys, severally)...)
		}
	}

	slices.Sort(faults)

	return faults
}

// severally are the sections that functions have with different settings in them: the page of one may name what another has not.
var severally = []string{"protection", "reg_event"}

var (
	code     = regexp.MustCompile("`([^`]+)`")
	asPath   = regexp.MustCompile(`^[a-z_0-9]+(?:\.[a-z_0-9]+)*$`)
	asPrefix = regexp.MustCompile(`^[a-z_0-9.]+\.…$`)
	ofAList  = regexp.MustCompile("^((?:`[a-z_0-9]+`,? ?)+) of an? [a-z]+$")
	mention  = regexp.MustCompile("`([a-z_0-9]+(?:\\.[a-z_0-9]+)+)(?:`|: )")
)

// rows reads the tables of a page whose first columns are "key" and "default" into found.
func rows(name, text string, keys []config.Key, found map[string]row) (faults []string) {
	wrong := func(format string, arguments ...any) {
		faults = append(faults, fmt.Sprintf("docs/"+name+": "+format, arguments...))
	}
	table := false

	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			table = false
			continue
		}

		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}

		switch {
		case len(cells) > 1 && cells[0] == "key" && cells[1] == "default":
			table = true
			continue
		case cells[0] == "key" && len(cells) > 1 && strings.Contains(cells[1], "touch"):
			wrong("a table of settings without a column \"default\"")
			continue
		case !table || strings.HasPrefix(cells[0], "---"):
			continue
		case ofAList.MatchString(cells[0]):
			for _, field := range code.FindAllStringSubmatch(cells[0], -1) {
				if !slices.ContainsFunc(keys, func(k config.Key) bool { return isField(k, field[1]) }) && hasList(keys) {
					wrong("no list has elements with %s", field[1])
				}
			}

			continue
		}

		var paths []string

		for _, match := range code.FindAllStringSubmatch(cells[0], -1) {
			if asPrefix.MatchString(match[1]) {
				continue // a pointer to another table
			}

			if !asPath.MatchString(match[1]) {
				wrong("%q is no key", match[1])
			}

			paths = append(paths, match[1])
		}

		if len(paths) == 0 {
			continue
		}

		fallbacks := []string{""}
		if len(cells) > 1 {
			fallbacks = list(cells[1])
			if len(paths) == 1 {
				fallbacks = []string{cells[1]}
			}
		}

		if len(fallbacks) != len(paths) {
			wrong("%s: %d keys with %d defaults", cells[0], len(paths), len(fallbacks))
			continue
		}

		for i, path := range paths {
			if _, twice := found[path]; twice {
				wrong("%s stands twice", path)
			}

			found[path] = row{page: name, fallback: fallbacks[i], text: line}
		}
	}

	return faults
}

// list splits a cell at the commas that are outside of brackets.
func list(cell string) []string {
	var (
		parts []string
		depth int
		begin int
	)

	for i, c := range cell {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, strings.TrimSpace(cell[begin:i]))
				begin = i + 1
			}
		}
	}

	return append(parts, strings.TrimSpace(cell[begin:]))
}

// says reports whether a cell is a value, or begins with it and goes on, after a colon, with what that means. What is empty is "none".
func says(cell, value string) bool {
	plain := strings.NewReplacer("`", "", `"`, "")
	cell = strings.ReplaceAll(plain.Replace(cell), home, config.Home())
	value = plain.Replace(value)

	if value == "" || value == "[]" || value == "{}" {
		value = "none"
	}

	return cell == value || strings.HasPrefix(cell, value+": ")
}

// mentions finds settings in the text of a page that there are not, but for those of some sections.
func mentions(name, text string, keys []config.Key, but []string) (faults []string) {
	for _, match := range mention.FindAllStringSubmatch(text, -1) {
		section, _, _ := strings.Cut(match[1], ".")
		if hasSection(keys, match[1]) && !slices.Contains(but, section) && !known(keys, match[1]) && !leads(keys, match[1]) {
			faults = append(faults, fmt.Sprintf("docs/%s names the setting %s, which there is not", name, match[1]))
		}
	}

	return faults
}

func known(keys []config.Key, path string) bool {
	return slices.ContainsFunc(keys, func(k config.Key) bool { return k.Path == path })
}

// leads reports whether a path is that of a section.
func leads(keys []config.Key, path string) bool {
	return slices.ContainsFunc(keys, func(k config.Key) bool { return strings.HasPrefix(k.Path, path+".") })
}

// hasSection reports whether a path begins as that of some setting does.
func hasSection(keys []config.Key, path string) bool {
	section, _, _ := strings.Cut(path, ".")
	return leads(keys, section)
}

// isField reports whether the elements of a list have a field.
func isField(k config.Key, name string) bool {
	fields, list := strings.CutPrefix(k.Type, "list of {")
	return list && slices.Contains(strings.FieldsFunc(fields, func(c rune) bool { return strings.ContainsRune(" ,:{}", c) }), name)
}

func hasList(keys []config.Key) bool {
	return slices.ContainsFunc(keys, func(k config.Key) bool { return k.Path == "sip.endpoints" })
}
