package ere

import (
	"strings"
	"testing"
)

// IEEE 1003.1 chapter 9, and this package's choices in the cases that it leaves undefined.
func TestERE(t *testing.T) {
	tests := []struct {
		clause, expression string
		yes, no            []string
	}{
		{"9.4.1 ordinary characters, unanchored", "oma", []string{"xomax", "oma"}, []string{"OMA", "om"}},
		{"9.4.2 escaped specials", `\.\[\(\*\+\?\{\|\^\$\\`, []string{`.[(*+?{|^$\`}, []string{"x"}},
		{"9.4.4 dot is any character", "^a.c$", []string{"abc", "a\nc", "aöc"}, []string{"ac"}},
		{"9.4.3 alternatives and groups", "^(tel|sips?):", []string{"tel:1", "sip:a", "sips:a"}, []string{"xsip:", "sipss:"}},
		{"9.4.3 a parenthesis that closes nothing is itself", "^(a)b)+$", []string{"ab)", "ab))"}, []string{"ab"}},
		{"9.4.6 repetition", "^ab*c+d?$", []string{"ac", "abbccd"}, []string{"ab", "acdd"}},
		{"9.4.6 intervals", "^[0-9]{3,4}$", []string{"123", "1234"}, []string{"12", "12345"}},
		{"9.4.6 open and exact intervals", "^a{2}b{1,}$", []string{"aab", "aabbb"}, []string{"ab", "aaab", "aa"}},
		{"9.4.6 repetition of a repetition", "^(a+*)b{2}?$", []string{"", "aa", "bb", "aabb"}, []string{"b"}},
		{"9.4.8 anchors anywhere", "x|^b$", []string{"b", "ax"}, []string{"a\nb", "b\n"}},
		{"9.3.5 a back-slash in brackets is itself", `^[\d]+$`, []string{`\d`, "d"}, []string{"1"}},
		{"9.3.5 brackets end at the first bracket behind a back-slash", `^[a\]b]$`, []string{"ab]", `\b]`}, []string{"]", "b"}},
		{"9.3.5 a bracket stands first", `^[]a]+[^]a]$`, []string{"]a]b"}, []string{"]]", "ba"}},
		{"9.3.5 a hyphen stands first or last", `^[-a][a-]$`, []string{"-a", "a-"}, []string{"bb"}},
		{"9.3.5 a hyphen begins a range", "^[--/]$", []string{"-", ".", "/"}, []string{","}},
		{"9.3.5 classes", "^[[:alpha:]_][[:digit:][:space:]]$", []string{"a1", "_ "}, []string{"1a"}},
		{"9.3.5 collating symbols and equivalence classes", "^[[.-.][=a=]]$", []string{"-", "a"}, []string{".", "="}},
		{"9.3.5 specials in brackets", `^[.*+?(){}|^$[]+$`, []string{".*+?(){}|^$["}, []string{"a"}},
		{"9.3.5 not, with a line break", "^[^a]$", []string{"b", "\n"}, []string{"a"}},
		{"undefined: classes of Perl", `^\d+\w\s\S\D\W$`, []string{"12a xx-"}, []string{"xa xx-"}},
		{"undefined: back-slash and punctuation", `^\<sip\:\+1\@a\-b\/\"\>$`, []string{`<sip:+1@a-b/">`}, []string{"sip"}},
		{"undefined: a brace that begins no interval", "^a{x}{$", []string{"a{x}{"}, []string{"a"}},
		{"undefined: an interval without lower end", "^a{,2}$", []string{"", "aa"}, []string{"aaa"}},
		{"undefined: empty alternatives and groups", "^(|a)()$", []string{"", "a"}, []string{"b"}},
		{"undefined: case", "(?i)^INVITE$", []string{"invite", "INVITE"}, []string{"x"}},
		{"an empty expression matches", "", []string{"", "x"}, nil},
		{"octets that are no UTF-8", "^a.b$", []string{"a\xffb"}, nil},
		{
			"a service of TS 24.173", `.*\+g\.3gpp\.icsi-ref="[^"]*urn%3Aurn-7%3A3gpp-service\.ims\.icsi\.mmtel".*`,
			[]string{`*;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"`},
			[]string{`*;+g.oma.sip-im`},
		},
	}

	for _, test := range tests {
		e, err := Compile(test.expression)
		if err != nil {
			t.Errorf("%s: %v", test.clause, err)
			continue
		}
		for _, text := range test.yes {
			if !e.MatchString(text) {
				t.Errorf("%s: %q does not match %q (as %s)", test.clause, test.expression, text, e)
			}
		}
		for _, text := range test.no {
			if e.MatchString(text) {
				t.Errorf("%s: %q matches %q (as %s)", test.clause, test.expression, text, e)
			}
		}
	}
}

func TestERERefuses(t *testing.T) {
	for name, expression := range map[string]string{
		"9.4.3 an open group":              "(a",
		"9.3.5 open brackets":              "[a",
		"9.3.5 an open class":              "[[:alpha:",
		"9.3.5 an unknown class":           "[[:word:]]",
		"9.3.5 a range backwards":          "[z-a]",
		"9.3.5 a long collating symbol":    "[[.space.]]",
		"9.4.2 a back-slash at the end":    `a\`,
		"9.4.6 nothing to repeat":          "*a",
		"9.4.6 nothing to repeat in group": "a|*b",
		"9.4.6 an interval backwards":      "a{3,2}",
		"an interval beyond the limit":     "a{1001}",
		"a back-reference":                 `(a)\1`,
		"groups of Perl":                   "(?:a)",
		"case in the middle":               "a(?i)b",
		"intervals that multiply":          "(a{40}){40}{40}",
		"a long word many times":           "(" + strings.Repeat("abcdefgh", 100) + "){1000}",
		"too long":                         strings.Repeat("a", maxExpression+1),
		"too deep":                         strings.Repeat("(", 1500) + strings.Repeat(")", 1500),
		"no UTF-8":                         "a\xff",
	} {
		if e, err := Compile(expression); err == nil {
			t.Errorf("%s: %.40q was compiled as %.60s", name, expression, e)
		} else if len(err.Error()) > 1000 {
			t.Errorf("%s: an error of %d octets", name, len(err.Error()))
		}
	}
}

// FuzzERE: whatever compiles matches any text without failing, and ordinary characters match themselves.
func FuzzERE(f *testing.F) {
	f.Add(`[[:alpha:]\]a-]{2,3}(x|y)*\.$`, "abc")
	f.Add(`^a{,3}[[.-.][=a=]]`, "-")
	f.Fuzz(func(t *testing.T, expression, text string) {
		if e, err := Compile(expression); err == nil {
			e.MatchString(text)
		}
		var quoted strings.Builder
		for _, c := range text {
			if strings.ContainsRune(`.[(*+?{|^$\)`, c) {
				quoted.WriteByte('\\')
			}
			quoted.WriteRune(c)
		}
		if e, err := Compile("^" + quoted.String() + "$"); err == nil && !e.MatchString(text) {
			t.Errorf("%q does not match itself as %s", text, e)
		}
	})
}
