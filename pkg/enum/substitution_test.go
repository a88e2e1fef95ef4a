package enum

import (
	"strings"
	"testing"
)

// RFC 3402 §3.2, RFC 6116: the results of substitution expressions for a number.
func TestSubstitute(t *testing.T) {
	const number = "+441632960083"

	tests := []struct{ name, expression, want string }{
		{"all of it", `!^.*$!sip:info@example.com!`, "sip:info@example.com"},
		{"a group", `!^\+44(.*)$!sip:\1@example.com!`, "sip:1632960083@example.com"},
		{"groups in another order", `!^\+(44)(1632)(.*)$!sip:\3-\2-\1@example.com!`, "sip:960083-1632-44@example.com"},
		{"a group twice", `!^(.*)$!sip:\1@\1.example.com!`, "sip:+441632960083@+441632960083.example.com"},
		{"another delimiter", `/^.*$/sip:a@example.com/`, "sip:a@example.com"},
		{"the delimiter in both parts", `!^\+44!sip:a\!b@example.com!`, "sip:a!b@example.com"},
		{"a delimiter that is special", `|^\+44\|x|sip:a@example.com|`, ""},
		{"alternatives", `!^\+(1|44)(.*)$!sip:\2@example.com!`, "sip:1632960083@example.com"},
		{"a group that is empty", `!^(x?)\+44!sip:a\1@example.com!`, "sip:a@example.com"},
		{"the longest match", `!^\+(4|44)(16)?!sip:\1\2@example.com!`, "sip:4416@example.com"},
		{"case does not matter", `!^\+44!sip:a@example.com!i`, "sip:a@example.com"},
		{"a back-slash that is itself", `!^.*$!sip:a\\b@example.com!`, `sip:a\b@example.com`},
		{"an interval and a class", `!^\+44([[:digit:]]{4})!sip:\1@example.com!`, "sip:1632@example.com"},
		{"no match", `!^\+49!sip:a@example.com!`, ""},
		{"a group that is not there", `!^.*$!sip:\1@example.com!`, ""},
		{"an unknown flag", `!^.*$!sip:a@example.com!g`, ""},
		{"no end", `!^.*$!sip:a@example.com`, ""},
		{"too many parts", `!^.*$!sip:a@example.com!i!`, ""},
		{"no expression", `!!sip:a@example.com!`, ""},
		{"a digit as delimiter", `1^.*$1sip:a@example.com1`, ""},
		{"i as delimiter", `i^.*$isxp:ai`, ""},
		{"nothing", ``, ""},
		{"a lone delimiter", `!`, ""},
		{"an expression that is none", `!^(!sip:a@example.com!`, ""},
		{"a back reference in the expression", `!^(.)\1!sip:a@example.com!`, ""},
		{"a line end in the result", "!^.*$!sip:a@example.com\r\nVia: x!", ""},
		{"a space in the result", "!^.*$!sip:a b@example.com!", ""},
		{"a back-slash at the end", `!^.*$!sip:a@example.com\\\!`, ""},
		{"too long a result", `!^(.*)$!sip:` + strings.Repeat(`\1`, 100) + `@example.com!`, ""},
	}

	for _, test := range tests {
		got, err := substitute(test.expression, number)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: %s gives %q, %v; want %q", test.name, test.expression, got, err, test.want)
		}
	}
}

func TestUnescape(t *testing.T) {
	for shown, want := range map[string]string{
		`a`: "a", `\\1`: `\1`, `\"`: `"`, `\092`: `\`, `\255`: "\xff", `\256`: "256", `\9`: "9", `\`: `\`, `\\\\`: `\\`, `a\013b`: "a\rb",
	} {
		if got := unescape(shown); got != want {
			t.Errorf("%s is %q, want %q", shown, got, want)
		}
	}
}

// FuzzSubstitute: whatever a zone has, the result is printable, short, and the same the next time.
func FuzzSubstitute(f *testing.F) {
	for _, seed := range []string{`!^\+44(.*)$!sip:\1@example.com!`, `/^.*$/sip:a@b/i`, `!(a*)*!\1\2!`, `|a\|b|\\|`, `!\\013!\010!`} {
		f.Add(seed, "+441632960083")
	}

	f.Fuzz(func(t *testing.T, expression, number string) {
		if strings.Trim(number, "+0123456789") != "" || len(number) > 16 {
			return
		}

		expression = unescape(expression)
		got, err := substitute(expression, number)

		if err != nil && got != "" || len(got) > longestURI+15 || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Errorf("%q gives %q, %v", expression, got, err)
		}

		if again, _ := substitute(expression, number); again != got {
			t.Errorf("%q gives %q, and then %q", expression, got, again)
		}
	})
}
