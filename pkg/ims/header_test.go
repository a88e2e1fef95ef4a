package ims

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
)

func TestServedUser(t *testing.T) {
	for text, want := range map[string]ServedUser{
		"<sip:a@b>;sescase=orig;regstate=reg":   {NameAddr: grammar.NameAddr{URI: "sip:a@b"}, Case: ServedOriginating},
		"<sip:a@b>;sescase=term;regstate=unreg": {NameAddr: grammar.NameAddr{URI: "sip:a@b"}, Case: ServedTerminating, Unregistered: true},
		"\"A\" <sip:a@b>;sescase=term;regstate=reg;x": {
			NameAddr: grammar.NameAddr{Display: "A", URI: "sip:a@b", Params: grammar.Params{{Name: "x", Flag: true}}},
			Case:     ServedTerminating,
		},
		"<sip:a@b>;orig-cdiv": {NameAddr: grammar.NameAddr{URI: "sip:a@b"}, Case: ServedOriginatingCDIV},
		"<sip:a@b>":           {NameAddr: grammar.NameAddr{URI: "sip:a@b"}},
	} {
		got, err := ParseServedUser(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
		if got.String() != text {
			t.Errorf("%s became %s", text, got)
		}
	}
	for _, bad := range []string{"", "<sip:a@b>;sescase=up", "<sip:a@b>;regstate=x"} {
		if got, err := ParseServedUser(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, got)
		}
	}
}

func TestVisitedNetworks(t *testing.T) {
	all, err := ParseVisitedNetworks(`other.net;x, "Visited \"network\" number 1"`)
	want := []VisitedNetwork{{ID: "other.net", Params: grammar.Params{{Name: "x", Flag: true}}}, {ID: `Visited "network" number 1`}}
	if diff := cmp.Diff(want, all); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
	if got := all[0].String() + "," + all[1].String(); got != `"other.net";x,"Visited \"network\" number 1"` {
		t.Errorf("written %s", got)
	}
}

func TestPrivacy(t *testing.T) {
	for text, hides := range map[string]bool{
		"id":           true,
		"ID; critical": true,
		"header,id":    true,
		"none":         false,
		"none;id":      false,
		"user":         false,
		"":             false,
	} {
		p, err := ParsePrivacy(text)
		if err != nil || p.HidesIdentity() != hides {
			t.Errorf("%q: %v %v", text, p, err)
		}
	}
	if p, _ := ParsePrivacy("ID; Critical", "id"); p.String() != "id;critical" {
		t.Errorf("written %s", p)
	}
}

func TestChargingFunctions(t *testing.T) {
	for want, c := range map[string]ChargingFunctions{
		"": {Event: []string{"", ""}},
		`ccf=192.1.1.1;ccf-2=192.1.1.2;ecf="aaa://ocs.example:3868;transport=tcp"`: {
			Collection: []string{"192.1.1.1", "", "192.1.1.2", "192.1.1.3"}, Event: []string{"aaa://ocs.example:3868;transport=tcp"},
		},
		`ecf="[2001:db8::1]";ecf-2=ocs.example`: {Event: []string{"[2001:db8::1]", "ocs.example"}},
	} {
		if got := c.String(); got != want {
			t.Errorf("RFC 7315 5.7: written %s, want %s", got, want)
		}
	}
}

func TestChargingVectorKeepsToItsQuotes(t *testing.T) {
	v := ParseChargingVector(`icid-value="a;b\"c";term-ioi=x ; related-icid="y;z"`)
	want := ChargingVector{ICID: `a;b"c`, TerminatingIOI: "x", OtherParameters: []string{`related-icid="y;z"`}}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Error(diff)
	}
	if got := v.String(); got != `icid-value="a;b\"c";term-ioi="x";related-icid="y;z"` {
		t.Errorf("written %s", got)
	}
	for _, bad := range []string{"icid-value=\"a", "icid-value=a\r\nVia: b", "=x"} {
		if v := ParseChargingVector(bad); v.ICID != "" || v.String() != "" {
			t.Errorf("%q was read as %+v", bad, v)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	for _, test := range securityClients {
		f.Add(test.field)
	}
	f.Add(`"A \"x\" <,;> B" <sip:a@b;lr>;x="y,z", tel:+1`)
	f.Add(`3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=0010100010019B01, "x y";np`)
	f.Add(`icid-value="a;b\"c";orig-ioi=x;ccf="[::1]"`)
	f.Add("<sip:a@b>;sescase=orig;regstate=reg")

	same := func(t *testing.T, what, given, first, second string, err error) {
		t.Helper()
		if err != nil || first != second {
			t.Errorf("%s: %q was written %q and then %q: %v", what, given, first, second, err)
		}
	}

	f.Fuzz(func(t *testing.T, text string) {
		if all, err := ParseSecurity(text); err == nil {
			again, err := ParseSecurity(FormatSecurity(all))
			same(t, "security", text, FormatSecurity(all), FormatSecurity(again), err)
			if !SameSecurity(all, again) {
				t.Errorf("%q is not the same as itself", text)
			}
			for i := range all {
				_ = all[i].Usable()
			}
		}
		if all, err := ParseVisitedNetworks(text); err == nil {
			for _, v := range all {
				again, err := ParseVisitedNetworks(v.String())
				if err != nil || len(again) != 1 {
					t.Errorf("%q was written %q: %v", text, v, err)
					continue
				}
				same(t, "visited", text, v.String(), again[0].String(), err)
			}
		}
		if u, err := ParseServedUser(text); err == nil {
			again, err := ParseServedUser(u.String())
			same(t, "served", text, u.String(), again.String(), err)
		}
		v := ParseChargingVector(text)
		again := ParseChargingVector(v.String())
		same(t, "vector", text, v.String(), again.String(), nil)
		if p, err := ParsePrivacy(text); err == nil {
			_ = p.String()
		}
	})
}
