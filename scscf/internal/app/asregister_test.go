package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// criterion is an initial filter criterion for REGISTER.
func criterion(server, handling, extension, serviceInfo string) string {
	info := ""
	if serviceInfo != "" {
		info = "<ServiceInfo>" + serviceInfo + "</ServiceInfo>"
	}

	return `<InitialFilterCriteria><Priority>1</Priority><TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF>` +
		`<SPT><Group>0</Group><Method>REGISTER</Method></SPT></TriggerPoint>` +
		`<ApplicationServer><ServerName>` + server + `</ServerName><DefaultHandling>` + handling + `</DefaultHandling>` + info + extension +
		`</ApplicationServer></InitialFilterCriteria>`
}

func (h *handset) received(method string) *sip.Request {
	h.t.Helper()

	select {
	case r := <-h.inbox:
		if string(r.Method) != method {
			h.t.Fatalf("a %s came:\n%s", r.Method, r)
		}
		return r
	case <-time.After(10 * time.Second):
		h.t.Fatalf("no %s came", method)
		return nil
	}
}

func TestThirdPartyRegistration(t *testing.T) {
	c := start(t, nil)
	as, h := newHandset(t, c), newHandset(t, c)
	server := "sip:as@" + as.address()
	c.hss.set(func(s *testHSS) {
		s.userData = profile(criterion(server, "0", "<Extension><IncludeRegisterRequest/><IncludeRegisterResponse/></Extension>", "a &lt; b"))
	})

	contact := "Contact: " + h.contact() + ";expires=1800"
	wantStatus(t, h.registerFully(contact, "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000001"), 200)

	r := as.received("REGISTER")
	for name, want := range map[string]string{
		"Contact": "<sip:scscf." + home + ":5060>", "Expires": "1800",
		"P-Access-Network-Info": "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000001",
	} {
		if got := sip.Value(r, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if r.Recipient.String() != server || !strings.Contains(r.To().Value(), public) || !strings.Contains(r.From().Value(), "scscf."+home) {
		t.Errorf("%s", r)
	}
	if v := sip.Value(r, "P-Charging-Vector"); !strings.Contains(v, "abc") {
		t.Errorf("P-Charging-Vector: %s", v)
	}

	kind := sip.Value(r, "Content-Type")
	_, mark, _ := strings.Cut(kind, "boundary=")
	sections := strings.Split(string(r.Body()), "--"+strings.Trim(mark, `"`))
	if !strings.HasPrefix(kind, "multipart/mixed") || len(sections) != 5 || sections[4] != "--\r\n" {
		t.Fatalf("%s: %d parts\n%s", kind, len(sections), r.Body())
	}
	for i, want := range []string{"<service-info>a &lt; b</service-info>", "REGISTER sip:" + home + " SIP/2.0", "SIP/2.0 200 OK"} {
		if !strings.Contains(sections[i+1], want) {
			t.Errorf("part %d has no %q:\n%s", i, want, sections[i+1])
		}
	}

	wantStatus(t, h.registerFully("Contact: "+h.contact()+";expires=0"), 200)
	if got := sip.Value(as.received("REGISTER"), "Expires"); got != "0" {
		t.Errorf("Expires of the de-registration: %s", got)
	}
}

// TestDefaultHandlingOfThirdPartyRegistration: an application server that does not answer ends the registration if its default handling
// says so (§5.4.1.7).
func TestDefaultHandlingOfThirdPartyRegistration(t *testing.T) {
	for handling, assignments := range map[string]string{"0": "1", "1": "1 8"} {
		c := start(t, func(c *Config) { c.ThirdParty.Timeout = time.Second })
		dead, h := newHandset(t, c), newHandset(t, c)
		address := dead.address()
		dead.socket.Close()
		c.hss.set(func(s *testHSS) { s.userData = profile(criterion("sip:"+address, handling, "", "")) })

		wantStatus(t, h.registerFully("Contact: "+h.contact()), 200)
		wantStatus(t, h.subscribe("<"+public+">"), 200)
		h.notified()

		if handling == "0" {
			await(t, "the word about the application server", func() bool { return strings.Contains(c.log.String(), "it goes on without") })
			if _, found := c.scscf.registrar.Lookup(public); !found {
				t.Error("SESSION_CONTINUED: the registration is gone")
			}
		} else {
			_, document := h.notified()
			wantDocument(t, document, "partial", public+" terminated terminated/deactivated", number+" terminated terminated/deactivated")
		}

		c.hss.awaitAssignments(t, assignments)
	}
}

// TestSharedFilterCriteria: criteria of a shared set come from the S-CSCF's own configuration, which it announces (TS 29.228 annex B, TS
// 29.229 §7.1.1).
func TestSharedFilterCriteria(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shared.xml")
	shared := `<IMSSubscription><PrivateID>x</PrivateID><ServiceProfile><PublicIdentity><Identity>sip:x</Identity></PublicIdentity>` +
		criterion("sip:shared.example", "0", "", "") + `</ServiceProfile></IMSSubscription>`
	if err := os.WriteFile(file, []byte(shared), 0o600); err != nil {
		t.Fatal(err)
	}

	c := start(t, func(c *Config) { c.SharedIFCSets = map[int]string{7: file} })
	as, h := newHandset(t, c), newHandset(t, c)
	c.hss.set(func(s *testHSS) {
		s.userData = profile(criterion("sip:"+as.address(), "0", "", "") + "<Extension><SharedIFCSetID>7</SharedIFCSetID></Extension>")
	})
	wantStatus(t, h.registerFully("Contact: "+h.contact()), 200)

	user, _ := c.scscf.registrar.Lookup(public)
	if got := strings.Join(user.Public.Profile.Servers, " "); got != "sip:"+as.address()+" sip:shared.example" {
		t.Errorf("application servers: %s", got)
	}
	if f := c.hss.sars[0].SupportedFeatures; len(f) != 1 || f[0].FeatureListID != 1 || f[0].FeatureList&1 == 0 {
		t.Errorf("Supported-Features: %+v", f)
	}
	as.received("REGISTER")
}

// TestNoThirdPartyRegistrationOfAnEmergency: application servers are not told of an emergency registration; the ordinary one after it is
// the first to them (TS 24.229 §5.4.8.2).
func TestNoThirdPartyRegistrationOfAnEmergency(t *testing.T) {
	c := start(t, nil)
	as, h := newHandset(t, c), newHandset(t, c)
	server := "sip:as@" + as.address()
	first := strings.Replace(criterion(server, "0", "", ""), "</Method></SPT>",
		"</Method><Extension><RegistrationType>0</RegistrationType></Extension></SPT>", 1)
	c.hss.set(func(s *testHSS) { s.userData = profile(first) })

	uri, _, _ := strings.Cut(strings.Trim(h.contact(), "<"), ">")
	wantStatus(t, h.registerFully("Contact: <"+uri+";sos>;expires=1200"), 200)
	wantStatus(t, h.registerFully("Contact: "+h.contact()+";expires=1800"), 200)

	if got := sip.Value(as.received("REGISTER"), "Expires"); got != "1800" {
		t.Errorf("the first that the server hears of expires in %s", got)
	}
	select {
	case r := <-as.inbox:
		t.Errorf("more came:\n%s", r)
	default:
	}
}
