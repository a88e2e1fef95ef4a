package ims

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAddresses(t *testing.T) {
	tests := map[string]struct {
		fields []string
		want   []Address
	}{
		"RFC 3325 9.1 sip and tel": {
			[]string{`"Cullen Jennings" <sip:fluffy@cisco.com>`, "tel:+14085264000"},
			[]Address{{Display: "Cullen Jennings", URI: "sip:fluffy@cisco.com"}, {URI: "tel:+14085264000"}},
		},
		"RFC 3327 4 Path with parameters": {
			[]string{"<sip:p1.example.com;lr>,<sip:term@p2.example.com;lr;ob>;x=\"a,b\""},
			[]Address{
				{URI: "sip:p1.example.com;lr"},
				{URI: "sip:term@p2.example.com;lr;ob", Parameters: Parameters{{Name: "x", Value: "a,b", Quoted: true}}},
			},
		},
		"RFC 7315 4.1 display name of tokens, empty places": {
			[]string{" , Alice B <sip:a@b> ,,"},
			[]Address{{Display: "Alice B", URI: "sip:a@b"}},
		},
		"a display name with marks": {
			[]string{`"A \"x\" <,;> B" <sip:a@b>`},
			[]Address{{Display: `A "x" <,;> B`, URI: "sip:a@b"}},
		},
		"RFC 3261 20.10 without brackets the parameters are the header's": {
			[]string{"sip:a@b;lr"}, []Address{{URI: "sip:a@b", Parameters: Parameters{{Name: "lr", Flag: true}}}},
		},
	}

	for name, test := range tests {
		got, err := ParseAddresses(test.fields...)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
			continue
		}
		again, err := ParseAddresses(FormatAddresses(got))
		if diff := cmp.Diff(got, again); err != nil || diff != "" {
			t.Errorf("%s written and read again: %v\n%s", name, err, diff)
		}
	}

	for _, bad := range []string{
		"<sip:a@b", `"open <sip:a@b>`, "alice", "<sip:a b>", "<sip:a@b>x", `"x" sip:a@b`, "<>", "<sip:a@b>\r\nX: y",
		strings.Repeat("<sip:a@b>,", 101),
		"<sip:a@b>;" + strings.Repeat("x=y;", 65), "x\"y\" <sip:a@b>" + strings.Repeat(" ", maxText),
	} {
		if got, err := ParseAddresses(bad); err == nil {
			t.Errorf("%.60q was read as %+v", bad, got)
		}
	}
}

func TestLooseRoute(t *testing.T) {
	for uri, want := range map[string]bool{
		"sip:p.example;lr": true, "sip:term@p.example:5060;transport=udp;LR": true, "sip:p.example;lr=on": true,
		"sip:p.example": false, "sip:lr@p.example": false, "sip:x;lr@p.example": false, "sip:p.example?a=;lr": false,
	} {
		if got := (Address{URI: uri}).LooseRoute(); got != want {
			t.Errorf("%s: %v", uri, got)
		}
	}
}

func TestServedUser(t *testing.T) {
	for text, want := range map[string]ServedUser{
		"<sip:a@b>;sescase=orig;regstate=reg":   {Address: Address{URI: "sip:a@b"}, Case: ServedOriginating},
		"<sip:a@b>;sescase=term;regstate=unreg": {Address: Address{URI: "sip:a@b"}, Case: ServedTerminating, Unregistered: true},
		"\"A\" <sip:a@b>;sescase=term;regstate=reg;x": {
			Address: Address{Display: "A", URI: "sip:a@b", Parameters: Parameters{{Name: "x", Flag: true}}},
			Case:    ServedTerminating,
		},
		"<sip:a@b>;orig-cdiv": {Address: Address{URI: "sip:a@b"}, Case: ServedOriginatingCDIV},
		"<sip:a@b>":           {Address: Address{URI: "sip:a@b"}},
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

func TestAccessNetworkInfo(t *testing.T) {
	all, err := ParseAccessNetworkInfo(
		`3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=0010100010019B01, IEEE-802.11;i-wlan-node-id="a1b2c3";network-provided`,
	)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v %v", all, err)
	}
	if all[0].Type != "3GPP-E-UTRAN-FDD" || all[0].Cell() != "0010100010019B01" || all[0].NetworkProvided() {
		t.Errorf("the handset's: %+v", all[0])
	}
	if all[1].Cell() != "a1b2c3" || !all[1].NetworkProvided() {
		t.Errorf("the network's: %+v", all[1])
	}
	if want := `IEEE-802.11;i-wlan-node-id="a1b2c3";network-provided`; all[1].String() != want {
		t.Errorf("written %s", all[1])
	}
	for _, bad := range []string{";x=y", `3GPP;a="b`, "a b", "a=b;c", `"a";b`} {
		if got, err := ParseAccessNetworkInfo(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, got)
		}
	}
}

func TestVisitedNetworks(t *testing.T) {
	all, err := ParseVisitedNetworks(`other.net;x, "Visited \"network\" number 1"`)
	want := []VisitedNetwork{{ID: "other.net", Parameters: Parameters{{Name: "x", Flag: true}}}, {ID: `Visited "network" number 1`}}
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
	for name, field := range map[string]string{
		"RFC 3455": `ccf=192.1.1.1; ccf=192.1.1.2;ecf="aaa://ocs.example:3868;transport=tcp"`,
		"RFC 7315": `ccf=192.1.1.1;ccf-2=192.1.1.2;ecf="aaa://ocs.example:3868;transport=tcp"`,
	} {
		c, err := ParseChargingFunctions(field)
		want := ChargingFunctions{Collection: []string{"192.1.1.1", "192.1.1.2"}, Event: []string{"aaa://ocs.example:3868;transport=tcp"}}
		if diff := cmp.Diff(want, c); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
		if got := c.String(); got != `ccf=192.1.1.1;ccf-2=192.1.1.2;ecf="aaa://ocs.example:3868;transport=tcp"` {
			t.Errorf("%s: written %s", name, got)
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
		if all, err := ParseAddresses(text); err == nil {
			again, err := ParseAddresses(FormatAddresses(all))
			same(t, "addresses", text, FormatAddresses(all), FormatAddresses(again), err)
		}
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
		if all, err := ParseAccessNetworkInfo(text); err == nil {
			for _, a := range all {
				again, err := ParseAccessNetworkInfo(a.String())
				if err != nil || len(again) != 1 {
					t.Errorf("%q was written %q: %v", text, a, err)
					continue
				}
				same(t, "access", text, a.String(), again[0].String(), err)
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
		if c, err := ParseChargingFunctions(text); err == nil {
			again, err := ParseChargingFunctions(c.String())
			if err != nil {
				t.Errorf("%q was written %q: %v", text, c, err)
			}
			same(t, "functions", text, c.String(), again.String(), err)
		}
		v := ParseChargingVector(text)
		again := ParseChargingVector(v.String())
		same(t, "vector", text, v.String(), again.String(), nil)
		if p, err := ParsePrivacy(text); err == nil {
			_ = p.String()
		}
	})
}
