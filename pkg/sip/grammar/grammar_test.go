package grammar

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	for field, want := range map[string][]string{
		"":                            nil,
		" , ,":                        nil,
		"a":                           {"a"},
		" a ,, b\t,c ":                {"a", "b", "c"},
		`"a,b" <sip:c,d@e>;x="f,g",h`: {`"a,b" <sip:c,d@e>;x="f,g"`, "h"},
		`"a\",b", c`:                  {`"a\",b"`, "c"},
		`<sip:a"b@c>, d`:              {`<sip:a"b@c>`, "d"},
		`"open, a`:                    {`"open, a`},
		`<open, a`:                    {`<open, a`},
		`a\", b, c"`:                  {`a\", b, c"`},
	} {
		if got := slices.Collect(List(field)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", field, got, want)
		}
	}
}

func TestParams(t *testing.T) {
	for text, want := range map[string]Params{
		"":                       nil,
		";":                      nil,
		";a":                     {{Name: "a", Flag: true}},
		" ; a = b ;; C=\"d;e\" ": {{Name: "a", Value: "b"}, {Name: "C", Value: `"d;e"`}},
		";a=":                    {{Name: "a"}},
		`;a="\"\\"`:              {{Name: "a", Value: `"\"\\"`}},
		";a=<sip:b;c>;d":         {{Name: "a", Value: "<sip:b;c>"}, {Name: "d", Flag: true}},
		";a=[2001:db8::1]":       {{Name: "a", Value: "[2001:db8::1]"}},
	} {
		got, err := ParseParams(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}

	for _, bad := range []string{
		"a", `;a="b`, `;a="b"c`, ";=b", `;a b=c`, `;"a"=b`, ";a\x01=b", ";a=b\r\nX: y", ";a=<b", strings.Repeat(";a", maxParams+1),
	} {
		if got, err := ParseParams(bad); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %+v, %v", bad, got, err)
		}
	}
}

// TestNewParam: a value is a token, a host or a quoted string (RFC 3261 §25.1).
func TestNewParam(t *testing.T) {
	for text, want := range map[string]string{
		"a": "n=a", "": `n=""`, "a b": `n="a b"`, "[::1]": "n=[::1]", `a"b\`: `n="a\"b\\"`, "a@b": `n="a@b"`, "a\r\nb": `n="a  b"`, "ü": `n="ü"`,
	} {
		if got := NewParam("n", text).String(); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestNameAddr(t *testing.T) {
	for text, want := range map[string]NameAddr{
		"sip:a@b;lr":                        {URI: "sip:a@b", Params: Params{{Name: "lr", Flag: true}}},
		" <sip:a@b;lr> ; x=1 ":              {URI: "sip:a@b;lr", Params: Params{{Name: "x", Value: "1"}}},
		`"A \"x\" <,;> B" <sip:a@b>`:        {Display: `A "x" <,;> B`, URI: "sip:a@b"},
		"Zoë van Dam<sip:a@b>":              {Display: "Zoë van Dam", URI: "sip:a@b"},
		`""<tel:+1>`:                        {URI: "tel:+1"},
		`<sip:a@b>;+sip.instance="<urn:x>"`: {URI: "sip:a@b", Params: Params{{Name: "+sip.instance", Value: `"<urn:x>"`}}},
	} {
		got, err := ParseNameAddr(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}

	for _, bad := range []string{
		"", "*", "alice", "<>", "<sip:a@b", "sip:a b", "<sip:a b>", `"open <sip:a@b>`, `"x" sip:a@b`, "<sip:a@b>x", `x"y" <sip:a@b>`,
		"<sip:a\\@b>",
		"<sip:a@b>\r\nX: y", "\x01 <sip:a@b>",
	} {
		if got, err := ParseNameAddr(bad); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %+v, %v", bad, got, err)
		}
	}
}

func TestAuthParams(t *testing.T) {
	scheme, rest := CutScheme(" digest\tusername = \"a\\\"b,c\",, realm=r nonce=\"n\"qop=auth,nc=00000001,")
	got := ""

	for p, err := range AuthParams(rest) {
		if err != nil {
			t.Fatal(err)
		}

		got += p.Name + "=" + p.Text() + "|"
	}

	if want := `username=a"b,c|realm=r|nonce=n|qop=auth|nc=00000001|`; scheme != "digest" || got != want {
		t.Errorf("%s %s, want %s", scheme, got, want)
	}

	for _, bad := range []string{"a", `a="b`, `"a"=b`, "a=\"\x00\"", "=b"} {
		failed := false
		for _, err := range AuthParams(bad) {
			failed = err != nil
		}
		if !failed {
			t.Errorf("%q was read", bad)
		}
	}
}

// FuzzGrammar: text that is read is written with the same values, and reads the same again.
func FuzzGrammar(f *testing.F) {
	for _, text := range []string{
		`"A \"x\"" <sip:a@b;lr>;x="y;z";flag, sip:c@d;q=0.5`,
		";a=b;c",
		"Digest a=b, c=\"d\"",
		"RELEASE_CAUSE ;cause=3 ;text=\"Media bearer loss\"",
		`<sip:10.0.0.1:5060>;+sip.instance="<urn:gsma:imei:35000000-000000-0>";+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel"`,
		`"open`, "<open", "a\\\"b", "\x00", "ü",
	} {
		f.Add(text)
	}

	f.Fuzz(func(t *testing.T, text string) {
		for element := range List(text) {
			if element != strings.Trim(element, " \t\r\n") || element == "" {
				t.Fatalf("element %q", element)
			}

			if a, err := ParseNameAddr(element); err == nil {
				again, err := ParseNameAddr(a.String())
				if err != nil || !reflect.DeepEqual(a, again) {
					t.Fatalf("%q was read as %+v, written as %q and read as %+v: %v", element, a, a.String(), again, err)
				}
			}
		}

		if p, err := ParseParams(text); err == nil {
			if again, err := ParseParams(p.String()); err != nil || !reflect.DeepEqual(p, again) {
				t.Fatalf("%q was read as %+v and %+v: %v", text, p, again, err)
			}
		}

		if read, rest, err := Unquote(Quote(text)); err != nil || rest != "" || len(read) != len(text) {
			t.Fatalf("%q was read as %q: %v", text, read, err)
		}

		if value, params, err := ParseValue(text); err == nil && IsToken(value) {
			if v, p, err := ParseValue(value + params.String()); err != nil || v != value || !reflect.DeepEqual(p, params) {
				t.Fatalf("%q was read as %q %+v: %v", text, value, params, err)
			}
		}

		for p, err := range AuthParams(text) {
			if err == nil && !IsToken(p.Name) {
				t.Fatalf("%+v", p)
			}
		}
	})
}

func BenchmarkNameAddr(b *testing.B) {
	const contact = `<sip:001010000000001@10.0.0.1:5060;transport=tcp>;+sip.instance="<urn:gsma:imei:35000000-000000-0>";audio;expires=600000`

	b.ReportAllocs()

	for b.Loop() {
		if _, err := ParseNameAddr(contact); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	var all []string

	b.ReportAllocs()

	for b.Loop() {
		all = AppendList(all[:0], `<sip:a@10.0.0.1;lr>, "x,y" <sip:b@10.0.0.2;lr>`)
		all = AppendList(all[:0], "<sip:a@10.0.0.1;lr>")
	}
}
