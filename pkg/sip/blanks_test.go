package sip

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
)

const plain = "OPTIONS sip:a@example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKx;rport\r\nMax-Forwards: 70\r\n" +
	"From: \"A  ; b\" <sip:a@example;x=y>;tag=1\r\nTo: <sip:b@example>\r\nCall-ID: 1\r\nCSeq: 8 OPTIONS\r\nContent-Length: 0\r\n\r\n"

// TestBlanks: blanks may stand around separators (RFC 3261 §25.1, RFC 4475 §3.1.1.1), and do not change the message.
func TestBlanks(t *testing.T) {
	want, err := ParseMessage([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct{ name, from, to string }{
		{"before the parameters of Via", "5060;branch", "5060 ;branch"},
		{"tabs, too", "5060;branch", "5060\t;\tbranch"},
		{"around the slashes", "SIP/2.0/UDP", "SIP / 2.0 / UDP"},
		{"around the colon of sent-by", "192.0.2.9:5060", "192.0.2.9 : 5060"},
		{"several before sent-by", "UDP 192", "UDP \t 192"},
		{"around the equal sign", "branch=z9hG4bKx;rport", "branch = z9hG4bKx ; rport"},
		{"a Via that is continued", "UDP 192.0.2.9:5060;branch", "UDP\r\n 192.0.2.9\r\n\t:\r\n 5060 ;\r\n branch"},
		{"compact", "Via: ", "v:"},
		{"before the colon of the name", "Via: ", "VIA \t : "},
		{"two in CSeq", "8 OPTIONS", "8  OPTIONS"},
		{"a tab in CSeq", "8 OPTIONS", "8\tOPTIONS"},
		{"a CSeq that is continued", "8 OPTIONS", "8\r\n  OPTIONS "},
		{"around the tag", ";tag=1", " ; tag = 1"},
		{"a tab before the tag", ";tag=1", "\t;tag=1"},
		{"none before the bracket", "b\" <sip", "b\"<sip"},
		{"compact To", "To: <sip:b@example>", "t:   <sip:b@example>  "},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := ParseMessage([]byte(strings.Replace(plain, test.from, test.to, 1)))
			if err != nil {
				t.Fatal(err)
			}
			if m.String() != want.String() {
				t.Errorf("read as\n%s\nwant\n%s", m, want)
			}
			if got := via(m); got != via(want) { // by which its transaction is found
				t.Errorf("it comes from %s", got)
			}
		})
	}

	t.Run("a list in Via", func(t *testing.T) {
		m, err := ParseMessage([]byte(strings.Replace(plain, ";rport", " , SIP / 2.0 / TCP [2001:db8::1] : 5070 ; branch=z9hG4bKy", 1)))
		if err != nil {
			t.Fatal(err)
		}
		vias := m.GetHeaders("Via")
		if len(vias) != 2 || vias[1].Value() != "SIP/2.0/TCP [2001:db8::1]:5070;branch=z9hG4bKy" {
			t.Errorf("%v", vias)
		}
	})
}

// TestLinesThatAreNoHeaderFields: the answer names the true fault (§21.4.1).
func TestLinesThatAreNoHeaderFields(t *testing.T) {
	for _, test := range []struct{ name, from, to, reason string }{
		{"a line without a colon", "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\nno colon here\r\n", "Header Field Without a Colon"},
		{"a name without a colon", "To: <sip:b@example>", "To <sip:b@example>", "Malformed Header Field Name"},
		{"no name", "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\n: x\r\n", ""},
		{"Max-Forwards beyond its octet", ": 70", ": 256", "Malformed Max-Forwards"},
		{"Max-Forwards at the end of it", ": 70", ": 255", ""},
		{"a port beyond all", "192.0.2.9:5060", "192.0.2.9:65536", "Malformed Via"},
		{"two words behind CSeq", "8 OPTIONS", "8 OPTIONS X", "CSeq Names Another Method"},
		{"another scheme of credentials", "Max-Forwards", "Authorization: bearer\r\nMax-Forwards", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseMessage([]byte(strings.Replace(plain, test.from, test.to, 1)))
			if test.reason == "" && err != nil || test.reason != "" && (err == nil || err.Error() != test.reason) {
				t.Errorf("%v, want %q", err, test.reason)
			}
		})
	}
}

// FuzzTidied: a message that needs no tidying is not copied, and tidying changes neither the body nor quoted text.
func FuzzTidied(f *testing.F) {
	f.Add([]byte(plain))
	f.Add([]byte(strings.Replace(plain, "SIP/2.0/UDP", "SIP / 2.0 / UDP", 1) + "  ;  body"))
	f.Add([]byte(strings.Replace(plain, "8 O", "8\r\n \t O", 1)))

	f.Fuzz(func(t *testing.T, raw []byte) {
		if smuggled(raw) != "" {
			return
		}

		came := bytes.Clone(raw)
		tidy := tidied(raw)

		if !bytes.Equal(raw, came) {
			t.Fatalf("%q was changed in place", came)
		}
		if again := tidied(tidy); !bytes.Equal(again, tidy) {
			t.Errorf("%q is tidied to %q, and then to %q", raw, tidy, again)
		}
		if smuggled(tidy) != "" {
			t.Fatalf("%q", tidy)
		}

		_, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
		if _, got, _ := bytes.Cut(tidy, []byte("\r\n\r\n")); !bytes.Equal(got, body) {
			t.Errorf("the body %q became %q", body, got)
		}
	})
}

func via(m Message) string {
	v := m.Via()
	branch, _ := v.Params.Get("branch")

	return v.Host + ":" + strconv.Itoa(v.Port) + " " + branch
}
