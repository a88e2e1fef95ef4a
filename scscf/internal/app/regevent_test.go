package app

import (
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

type reginfo struct {
	Version       int    `xml:"version,attr"`
	State         string `xml:"state,attr"`
	Registrations []struct {
		AOR      string `xml:"aor,attr"`
		State    string `xml:"state,attr"`
		Contacts []struct {
			ID      string `xml:"id,attr"`
			State   string `xml:"state,attr"`
			Event   string `xml:"event,attr"`
			Expires string `xml:"expires,attr"`
			URI     string `xml:"uri"`
			Unknown []struct {
				Name  string `xml:"name,attr"`
				Value string `xml:",chardata"`
			} `xml:"unknown-param"`
		} `xml:"contact"`
	} `xml:"registration"`
}

// String returns the document in short: state, then each identity with its state and its contacts' states and events.
func (r reginfo) String() string {
	lines := []string{r.State}

	for _, registration := range r.Registrations {
		line := registration.AOR + " " + registration.State
		for _, c := range registration.Contacts {
			line += " " + c.State + "/" + c.Event
		}

		lines = append(lines, line)
	}

	return strings.Join(lines, "\n")
}

// notified waits for the next NOTIFY.
func (h *handset) notified() (*sip.Request, reginfo) {
	h.t.Helper()

	select {
	case r := <-h.inbox:
		var document reginfo
		if err := xml.Unmarshal(r.Body(), &document); err != nil || r.Method != "NOTIFY" {
			h.t.Fatalf("%v in\n%s", err, r)
		}

		return r, document
	case <-time.After(10 * time.Second):
		h.t.Fatal("no NOTIFY came")
		return nil, reginfo{}
	}
}

func (h *handset) subscribe(to string, headers ...string) *sip.Response {
	h.t.Helper()

	return h.send("SUBSCRIBE", public, to, append([]string{
		"Route: <sip:orig@" + h.core.address.String() + ";lr>",
		"Record-Route: <sip:pcscf@" + h.address() + ";lr>",
		"Contact: " + h.contact(), "Event: reg", "Accept: application/reginfo+xml", "Expires: 600000", "P-Asserted-Identity: <" + number + ">",
	}, headers...)...)
}

func wantDocument(t *testing.T, got reginfo, want ...string) {
	t.Helper()

	if got.String() != strings.Join(want, "\n") {
		t.Fatalf("reginfo:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

// TestHandsetWatchesItsRegistration: the handset subscribes and gets the whole state, the changes, and the end (§5.4.2.1).
func TestHandsetWatchesItsRegistration(t *testing.T) {
	c := start(t, nil)
	h := newHandset(t, c)
	contact := "Contact: " + h.contact() + `;+sip.instance="<urn:gsma:imei:86020404-365961-0>";audio`
	wantStatus(t, h.registerFully(contact), 200)

	subscribed := h.subscribe("<" + public + ">")
	wantStatus(t, subscribed, 200)
	if got := sip.Value(subscribed, "Expires"); got != "600000" {
		t.Errorf("Expires: %s", got)
	}

	notify, document := h.notified()
	wantDocument(t, document, "full", public+" active active/registered", number+" active active/created")
	if document.Version != 0 || document.Registrations[0].Contacts[0].Unknown[0].Value != `"<urn:gsma:imei:86020404-365961-0>"` {
		t.Errorf("%s", notify.Body())
	}
	for name, want := range map[string]string{
		"Event": "reg", "Content-Type": "application/reginfo+xml", "Route": "<sip:pcscf@" + h.address() + ";lr>",
		"Subscription-State": "active;expires=600000", "Contact": "<sip:reg@" + c.address.String() + ">",
	} {
		if got := sip.Value(notify, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if uri := notify.Recipient.String(); uri != strings.Trim(h.contact(), "<>") {
		t.Errorf("Request-URI: %s", uri)
	}

	wantStatus(t, h.registerFully(contact), 200)
	_, document = h.notified()
	wantDocument(t, document, "partial", public+" active active/refreshed", number+" active active/refreshed")
	if document.Version != 1 {
		t.Errorf("version %d", document.Version)
	}

	wantStatus(t, h.registerFully("Contact: *", "Expires: 0"), 200)
	notify, document = h.notified()
	wantDocument(t, document, "partial", public+" terminated terminated/unregistered", number+" terminated terminated/unregistered")
	if got := sip.Value(notify, "Subscription-State"); got != "terminated;reason=noresource" {
		t.Errorf("Subscription-State: %s", got)
	}

	c.hss.awaitAssignments(t, "1 2 5")
	if _, found := c.scscf.registrar.Lookup(public); found {
		t.Error("the user is still registered")
	}
}

// TestUnsupportedFeatures: a request that requires a feature which this S-CSCF does not have is refused (TS 29.228 §6.1.3, §6.2, TS
// 29.229 §7.2).
func TestUnsupportedFeatures(t *testing.T) {
	c := start(t, nil)
	h := newHandset(t, c)
	wantStatus(t, h.registerFully("Contact: "+h.contact()), 200)

	const restoration = cx.FeatureRestoration

	header := func(mandatory bool) (r cx.RequestHeader) {
		r.DestinationHost = "scscf." + home
		r.SupportedFeatures = []cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: restoration, Mandatory: mandatory}}

		return r
	}

	rtr := &cx.RTR{RequestHeader: header(true), UserName: private, Reason: cx.DeregistrationReason{Code: cx.PermanentTermination}}

	rta, err := diameter.Call[cx.RTA](t.Context(), c.hss.node, rtr)
	if err != nil || rta.Result != cx.ErrorFeatureUnsupported || len(rta.SupportedFeatures) != 1 || rta.SupportedFeatures[0].FeatureList != 0 {
		t.Errorf("RTA: %+v %v, want 5011 and the features that there are", rta, err)
	}

	ppa, err := diameter.Call[cx.PPA](t.Context(), c.hss.node, &cx.PPR{RequestHeader: header(true), UserName: private})
	if err != nil || ppa.Result != cx.ErrorFeatureUnsupported {
		t.Errorf("PPA: %+v %v, want 5011", ppa, err)
	}

	if _, found := c.scscf.registrar.Lookup(public); !found {
		t.Error("the registration ended all the same")
	}

	rtr.RequestHeader = header(false) // it only informs
	if rta, err = diameter.Call[cx.RTA](t.Context(), c.hss.node, rtr); err != nil || rta.Result != cx.Success {
		t.Errorf("RTA: %+v %v", rta, err)
	}
}

// TestRTRDeactivates: an RTR ends the registration; the watcher is told why, the HSS is not told again (§5.4.1.5).
func TestRTRDeactivates(t *testing.T) {
	for reason, event := range map[cx.ReasonCode]string{
		cx.PermanentTermination: "rejected", cx.NewServerAssigned: "deactivated", cx.ServerChange: "deactivated", cx.RemoveSCSCF: "rejected",
	} {
		c := start(t, nil)
		h := newHandset(t, c)
		wantStatus(t, h.registerFully("Contact: "+h.contact()), 200)
		wantStatus(t, h.subscribe("<"+public+">"), 200)
		h.notified()

		rtr := &cx.RTR{UserName: private, Reason: cx.DeregistrationReason{Code: reason, Info: "test"}}
		rtr.DestinationHost = "scscf." + home

		rta, err := diameter.Call[cx.RTA](t.Context(), c.hss.node, rtr)
		if err != nil || rta.Result != cx.Success {
			t.Fatalf("RTA: %+v %v", rta, err)
		}

		_, document := h.notified()
		wantDocument(t, document, "partial", public+" terminated terminated/"+event, number+" terminated terminated/"+event)
		c.hss.awaitAssignments(t, "1")
	}
}
