package sbi

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
)

// A token that was sent by TLS does not follow an answer into the clear.
func TestLocation(t *testing.T) {
	for _, test := range []struct {
		base, root, location string
		want                 string // "": leaves TLS
	}{
		{"http://192.0.2.1", "", "/x/1", "http://192.0.2.1/x/1"},
		{"http://192.0.2.1", "", "https://192.0.2.2/x/1", "https://192.0.2.2/x/1"},
		{"https://192.0.2.1", "", "/x/1", "https://192.0.2.1/x/1"},
		{"https://192.0.2.1", "", "//192.0.2.2/x/1", "https://192.0.2.2/x/1"},
		{"https://192.0.2.1", "https://192.0.2.2", "/x/1", "https://192.0.2.2/x/1"},
		{"https://192.0.2.1", "", "http://192.0.2.1/x/1", ""},
		{"https://192.0.2.1", "http://192.0.2.2", "/x/1", ""},
	} {
		base, err := url.Parse(test.base)
		if err != nil {
			t.Fatal(err)
		}

		a := &Answer{Status: http.StatusCreated, base: base, Header: http.Header{"Location": {test.location}}}
		if test.root != "" {
			a.Header.Set(TargetAPIRoot, test.root)
		}

		got, err := a.Location()
		if got != test.want || errors.Is(err, errLeavesTLS) != (test.want == "") {
			t.Errorf("%+v: %q, %v", test, got, err)
		}
	}
}
