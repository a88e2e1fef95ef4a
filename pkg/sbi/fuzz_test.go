package sbi

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Whatever a network function says of where it is, there is a root that can be asked, or none.
func FuzzRoot(f *testing.F) {
	f.Add("http", "pcf.5gc", "192.0.2.1", "", 7777, "")
	f.Add("https", "", "", "2001:db8::1", 0, "/prefix/")
	f.Add("http", "http://127.0.0.7:8000", "", "", -1, "a b")

	f.Fuzz(func(t *testing.T, scheme, fqdn, v4, v6 string, port int, prefix string) {
		p := Place{Scheme: scheme, FQDN: fqdn, EndPoints: []IPEndPoint{{IPv4: v4, IPv6: v6, Port: port}}, Prefix: prefix}

		root := p.Root()
		if root == "" {
			return
		}
		if _, err := ParseRoot(root); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
		if _, err := http.NewRequest(http.MethodGet, root+"/x", nil); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	})
}

// No answer takes the client down, whatever stands in it; its words are one line.
func FuzzAnswer(f *testing.F) {
	f.Add(400, `{"title":"Bad","detail":"x","cause":"INVALID_QUERY_PARAM"}`, "http://192.0.2.1/a/1", "http://192.0.2.2")
	f.Add(201, `[]`, "/npcf-policyauthorization/v1/app-sessions/1", "")
	f.Add(0, "", "://", ":")

	f.Fuzz(func(t *testing.T, status int, body, location, root string) {
		a := &Answer{
			Status: status, Body: []byte(body), from: PCF, base: &url.URL{Scheme: "http", Host: "192.0.2.1"},
			Header: http.Header{"Location": {location}, "Retry-After": {body}},
		}
		a.Header.Set(TargetAPIRoot, root)

		if words := a.Words("why"); strings.ContainsAny(words, "\r\n") {
			t.Errorf("%q", words)
		}
		if uri, err := a.Location(); err == nil {
			if u, err := url.Parse(uri); err != nil || u.Host == "" {
				t.Errorf("%q %v", uri, err)
			}
			Split(uri, Service{Of: PCF, Name: "npcf-policyauthorization"})
		}
		if a.Retry() < 0 {
			t.Error(a.Retry())
		}
	})
}
