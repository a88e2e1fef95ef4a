package emergency

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

const home = "ims.mnc001.mcc262.3gppnetwork.org"

func TestService(t *testing.T) {
	plan, err := NewPlan(home, countryOf(home), map[string]string{"115": "sos.fire", "911": ""})
	if err != nil {
		t.Fatal(err)
	}

	for uri, want := range map[string]string{
		"urn:service:sos":                        "sos",
		"URN:Service:SOS.Police":                 "sos.police",
		"urn:service:sos.animal-control":         "sos.animal-control",
		"urn:service:sos.country-specific.de.19": "sos.country-specific.de.19",
		"urn:service:sosy":                       "",
		"urn:service:sos.":                       "",
		"urn:service:sos..fire":                  "",
		"urn:service:sos.fi re":                  "",
		"urn:service:counseling":                 "",
		"urn:service:":                           "",
		"urn:service":                            "",
		"":                                       "",
		"tel:112":                                "sos",
		"TEL:1-1-2":                              "sos",
		"tel:110;phone-context=" + home:          "sos.police",
		"tel:110;phone-context=+49":              "sos.police",
		"tel:115":                                "sos.fire",
		"tel:911":                                "", // the operator's word
		"tel:999":                                "", // another country's
		"tel:+112":                               "",
		"tel:1120":                               "",
		"tel:":                                   "",
		"sip:112@" + home:                        "sos",
		"sip:112@IMS.MNC001.MCC262.3gppnetwork.org;user=phone":       "sos",
		"sip:110;phone-context=" + home + "@" + home + ";user=phone": "sos.police",
		"sip:112@192.0.2.1;user=phone":                               "",
		"sip:112@elsewhere.example":                                  "",
		"sip:+112@" + home + ";user=phone":                           "",
		"sip:alice@" + home:                                          "",
		"sip:" + home:                                                "",
		"http://112":                                                 "",
		"tel:" + strings.Repeat("1", 4000):                           "",
	} {
		if got, ok := plan.service(uri); got != want || ok != (want != "") {
			t.Errorf("%.80s: %q, want %q", uri, got, want)
		}
		if u, err := sip.ParseURI(uri); err == nil {
			if got, ok := plan.Called(u); got != want || ok != (want != "") {
				t.Errorf("%.80s, read: %q, want %q", uri, got, want)
			}
		}
	}
}

// Every number of the table is one that can be dialled, and names a service.
func TestCountries(t *testing.T) {
	for mcc, numbers := range countries {
		if countryOf("ims.mnc001.mcc"+mcc+".3gppnetwork.org") != mcc {
			t.Errorf("%s is no MCC", mcc)
		}
		if _, err := NewPlan(home, mcc, numbers); err != nil {
			t.Errorf("%s: %v", mcc, err)
		}
	}

	for _, test := range []struct{ mcc, number, want string }{
		{"001", "112", "sos"},
		{"001", "911", "sos"},
		{"001", "110", ""},
		{"901", "112", "sos"},
		{"", "112", "sos"},
		{"505", "000", "sos"},
		{"234", "999", "sos"},
		{"242", "112", "sos.police"},
		{"440", "119", "sos"},
		{"440", "118", "sos.marine"},
		{"222", "118", "sos.ambulance"},
		{"222", "115", "sos.fire"},
		{"260", "999", "sos.ambulance"},
		{"460", "110", "sos.police"},
	} {
		plan, err := NewPlan(home, test.mcc, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := plan.service("tel:" + test.number); got != test.want {
			t.Errorf("%s in %q: %q, want %q", test.number, test.mcc, got, test.want)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	for number, service := range map[string]string{"+112": "sos", "1-1-2": "sos", "": "sos", "112": "police", "113": "sos.", "sos": "sos"} {
		if _, err := NewPlan(home, "262", map[string]string{number: service}); err == nil {
			t.Errorf("%q: %q was taken", number, service)
		}
	}
	for _, mcc := range []string{"26", "2620", "abc", "+49"} {
		if _, err := NewPlan(home, mcc, nil); err == nil {
			t.Errorf("country %q was taken", mcc)
		}
	}
}

func TestCountry(t *testing.T) {
	for domain, want := range map[string]string{
		home: "262", "ims.MNC070.MCC901.3gppnetwork.org": "901", "ims.example": "", "mcc26.example": "", "mccabc.example": "", "": "",
	} {
		if got := countryOf(domain); got != want {
			t.Errorf("%s: %q, want %q", domain, got, want)
		}
	}
}

func TestContact(t *testing.T) {
	for uri, want := range map[string]bool{
		"sip:a@10.0.0.1;sos": true, "sip:a@10.0.0.1:5060;transport=tcp;SOS": true, "sip:a@10.0.0.1": false, "sip:a@10.0.0.1;sosy": false,
		"sip:a;sos@10.0.0.1": false, "tel:112;sos": false, "<": false, "": false, "sip:a@10.0.0.1;x=;sos": true,
	} {
		if got := Contact(uri); got != want {
			t.Errorf("%s: %t, want %t", uri, got, want)
		}
	}
}

// A REGISTER is for an emergency when all its contacts are.
func TestRegisters(t *testing.T) {
	const ordinary, urgent = "<sip:a@10.0.0.1>", "<sip:a@10.0.0.1;sos>"

	for _, test := range []struct {
		contacts         string
		registers, mixes bool
	}{
		{contacts: "Contact: " + ordinary},
		{contacts: "Contact: " + urgent, registers: true},
		{contacts: "Contact: " + urgent + ";expires=0", registers: true},
		{contacts: "Contact: " + urgent + ", <sip:a@10.0.0.2;sos>;expires=0", registers: true},
		{contacts: "Contact: " + ordinary + ", " + urgent + ";expires=0", mixes: true},
		{contacts: "Contact: " + urgent + ";expires=0\r\nContact: " + ordinary, mixes: true},
		{contacts: "Contact: " + ordinary + ";expires=0, " + urgent + ";expires=0", mixes: true},
		{contacts: "Contact: " + ordinary + ";sos"}, // no parameter of the URI
		{contacts: "Contact: *\r\nExpires: 0"},
		{contacts: "Expires: 0"},
	} {
		m, err := sip.ParseMessage([]byte("REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKx\r\nFrom: <sip:a@x>;tag=1\r\n" +
			"To: <sip:a@x>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n" + test.contacts + "\r\n\r\n"))
		if err != nil {
			t.Fatal(err)
		}

		r := m.(*sip.Request)
		if registers, mixes := Registers(r), Mixes(r); registers != test.registers || mixes != test.mixes {
			t.Errorf("%s: %t, mixed %t", test.contacts, registers, mixes)
		}
	}
}

func FuzzService(f *testing.F) {
	plan, err := NewPlan(home, "262", nil)
	if err != nil {
		f.Fatal(err)
	}

	for _, uri := range []string{
		"urn:service:sos.fire", "tel:1-1-2;phone-context=+49", "sip:112@" + home + ";user=phone", "sip:a@10.0.0.1;sos",
	} {
		f.Add(uri)
	}

	f.Fuzz(func(t *testing.T, uri string) {
		if service, ok := plan.service(uri); ok {
			if again, ok := Service(prefix + service); !ok || again != service {
				t.Errorf("%q gives %q, which is none", uri, service)
			}
		}

		if Contact(uri) {
			if _, err := sip.ParseURI(uri); err != nil {
				t.Errorf("%q is a contact and no URI", uri)
			}
		}
	})
}
