package sip

import (
	"encoding/json"
	"testing"
)

// A dialog that was written down makes the same requests as before, with the next numbers.
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
