package sip

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestKeptDialog: a dialog that was written to a journal makes the same requests as before, with the next numbers.
func TestKeptDialog(t *testing.T) {
	before := &ProxyDialog{CallID: "c1", parties: [2]party{
		{
			address: "<sip:a@home>;tag=1",
			tag:     "1",
			target:  "sip:a@10.0.0.1:5060",
			routes:  []string{"<sip:pa@10.0.0.3;lr>", "<sip:pb@10.0.0.4;lr>"},
			cseq:    7,
		},
		{address: "<sip:b@home>;tag=2", tag: "2", target: "sip:b@10.0.0.2:5060"},
	}}

	text, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}

	after := &ProxyDialog{}
	if err := json.Unmarshal(text, after); err != nil {
		t.Fatal(err)
	}

	for _, side := range []Side{Caller, Callee} {
		want, wantErr := before.Request(side, "BYE")
		got, gotErr := after.Request(side, "BYE")

		if wantErr != nil || gotErr != nil || want.String() != got.String() {
			t.Errorf("%v %v\nbefore\n%s\nafter\n%s", wantErr, gotErr, want, got)
		}
	}

	for _, bad := range []string{`{}`, `[]`, `{"call_id":"c1","caller":{"target":"sip:a@b"}}`} {
		if err := json.Unmarshal([]byte(bad), &ProxyDialog{}); err == nil {
			t.Errorf("%s was read as a dialog", bad)
		}
	}
}

// FuzzKeptDialog: any journal entry that is read as a dialog makes requests of that dialog and nothing more, and is written as it was
// read.
func FuzzKeptDialog(f *testing.F) {
	f.Add([]byte(`{"call_id":"c1","caller":{"address":"<sip:a@home>;tag=1","tag":"1","target":"sip:a@10.0.0.1:5060","routes":["<sip:p;lr>"],` +
		`"cseq":7},"callee":{"address":"<sip:b@home>;tag=2","tag":"2","target":"sip:b@10.0.0.2"}}`))
	f.Add([]byte(`{"call_id":"c\r\nX: y","caller":{"target":"sip:a\r\nX: y@b","routes":["\r\n"]},` +
		`"callee":{"target":"tel:1","cseq":4294967295}}`))
	f.Add([]byte(`{"call_id":"c","caller":{"target":"sip:a","address":"<sip:a>"},` +
		`"callee":{"target":"sip:b","address":"<sip:b>","routes":[""]}}`))

	f.Fuzz(func(t *testing.T, text []byte) {
		d := new(ProxyDialog)
		if err := json.Unmarshal(text, d); err != nil {
			return
		}

		written, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}

		again := new(ProxyDialog)
		if err := json.Unmarshal(written, again); err != nil {
			t.Fatalf("%v in %s", err, written)
		}

		for _, side := range []Side{Caller, Callee} {
			bye, err := d.Request(side, "BYE")
			if err != nil {
				continue
			}

			other, err := again.Request(side, "BYE")
			if err != nil || other.String() != bye.String() {
				t.Errorf("%v\n%q\nbecame\n%q", err, bye, other)
			}

			Add(bye, "Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")

			text := bye.String()
			if strings.Index(text, "\r\n\r\n") != len(text)-4 {
				t.Errorf("more than a BYE: %q", text)
			}

			if read, err := ParseMessage([]byte(text)); err == nil && read.CallID().Value() != again.CallID {
				t.Errorf("a BYE of another call: %q", text)
			}
		}
	})
}
