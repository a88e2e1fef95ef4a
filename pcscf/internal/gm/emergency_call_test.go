package gm

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/memory"
)

const (
	psapAt    = "192.0.2.9:5060"
	policeAt  = "192.0.2.10:5060"
	psapURI   = "sip:psap@192.0.2.9"
	policeURI = "sip:police@192.0.2.10:5060;lr"
	anonymous = "sip:anonymous@anonymous.invalid"
	imei      = "urn:gsma:imei:35000000-000001-0"
)

// centres is a desk with two emergency centres.
type centres struct {
	*desk
	psap, police *memory.Peer
}

func withCentres(t *testing.T, change func(*Config, *Options), test func(t *testing.T, d *centres)) {
	t.Helper()
	withCentresLimited(t, 0, change, test)
}

func withCentresLimited(t *testing.T, transactions int, change func(*Config, *Options), test func(t *testing.T, d *centres)) {
	t.Helper()

	plan, err := emergency.NewPlan("ims.example", "262", nil)
	if err != nil {
		t.Fatal(err)
	}

	withDeskLimited(t, transactions, func(c *Config, o *Options) {
		o.Emergency = Emergency{Numbers: plan, PSAPs: map[string]string{"sos": psapURI, "sos.police": policeURI}}
		c.MaxBindings, c.MaxGuests = 2, 2
		if change != nil {
			change(c, o)
		}
	}, nil, func(t *testing.T, d *desk) {
		test(t, &centres{d, d.network.Peer(t, psapAt), d.network.Peer(t, policeAt)})
	})
}

func unregistered(_ *Config, o *Options) { o.Emergency.Unregistered = true }

// emergencies returns the counter of emergency calls.
func (d *desk) emergencies(from caller, outcome string) int {
	return int(testutil.ToFloat64(d.proxy.emergencyCalls.WithLabelValues(from.String(), outcome)))
}

// pidf is a location by value (RFC 6442 §4.2), beside the session description.
const pidf = "\n--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n" +
	"--x\r\nContent-Type: application/pidf+xml\r\nContent-ID: <loc>\r\n\r\n<presence/>\r\n--x--\r\n"

// TS 24.229 §5.2.10.2 to §5.2.10.4: whoever calls, and however the service is written, the call goes to the centre for it, and to no other
// part of the core. The handset's location goes with it.
func TestEmergencyCall(t *testing.T) {
	registered := func(d *desk) { d.register() }
	forEmergencies := func(d *desk) { d.registerSOS(600) }
	both := func(d *desk) { d.register(); d.registerSOS(600) }
	nobody := func(*desk) {}

	for _, test := range []struct {
		name     string
		before   func(*desk)
		uri      string
		lines    []string
		urn      string
		police   bool
		asserted string
		from     caller
		status   int
	}{
		{
			name: "registered, a URN with a centre of its own", before: registered, uri: "urn:service:sos.police", urn: "urn:service:sos.police",
			police: true, asserted: "<" + alice + ">, <" + number + ">", from: fromRegistered,
		},
		{
			name: "registered, a URN without one", before: registered, uri: "urn:service:sos.fire", urn: "urn:service:sos.fire",
			asserted: "<" + alice + ">, <" + number + ">", from: fromRegistered,
		},
		{
			name: "registered, a URN in another spelling", before: registered, uri: "URN:service:SOS.Police", urn: "urn:service:sos.police",
			police: true, asserted: "<" + alice + ">, <" + number + ">", from: fromRegistered,
		},
		{
			name: "registered, a number that the handset does not know as one", before: registered,
			uri: "tel:110;phone-context=ims.example", urn: "urn:service:sos.police", police: true,
			lines: []string{"P-Preferred-Identity: <" + number + ">"}, asserted: "<" + number + ">", from: fromRegistered,
		},
		{
			name: "registered, a number in a SIP URI", before: registered, uri: "sip:112@ims.example;user=phone", urn: "urn:service:sos",
			asserted: "<" + alice + ">, <" + number + ">", from: fromRegistered,
		},
		{
			name: "emergency registration", before: forEmergencies, uri: "urn:service:sos", urn: "urn:service:sos",
			asserted: "<" + alice + ">", from: fromEmergency,
		},
		{
			name: "both registrations", before: both, uri: "urn:service:sos", urn: "urn:service:sos",
			asserted: "<" + alice + ">", from: fromEmergency,
		},
		{
			name: "not registered, with the identity of another", before: nobody, uri: "urn:service:sos", urn: "urn:service:sos",
			lines: []string{"From: <" + anonymous + ">;tag=a", "P-Preferred-Identity: <" + bob + ">"}, from: fromGuest,
		},
		{
			name: "not registered, a number", before: nobody, uri: "tel:112", urn: "urn:service:sos",
			lines: []string{"From: <" + anonymous + ">;tag=a", "Contact: <sip:x@" + aliceAt + `>;+sip.instance="<` + imei + `>"`}, from: fromGuest,
		},
		{name: "not registered, and no emergency", before: nobody, uri: bob, status: 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			withCentres(t, unregistered, func(t *testing.T, d *centres) {
				test.before(d.desk)
				d.send("INVITE", test.uri, append(append([]string{
					"Route: <" + route + ">", "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000001",
					"Geolocation: <cid:loc>", "Content-Type: multipart/mixed;boundary=x", pidf,
				}, forged...), test.lines...)...)
				if test.status != 0 {
					d.alice.Response(test.status)
					return
				}

				at, to := d.psap, psapURI+";lr"
				if test.police {
					at, to = d.police, policeURI
				}
				r := at.Request("INVITE")
				if got := r.Recipient.String(); got != test.urn {
					t.Errorf("Request-URI %s, want %s", got, test.urn)
				}
				wantNothingForged(t, r)
				want(t, r, "Route", "<"+to+">")
				want(t, r, "P-Asserted-Identity", test.asserted)
				want(t, r, "P-Access-Network-Info", "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000001")
				want(t, r, "Geolocation", "<cid:loc>")
				if !strings.HasSuffix(string(r.Body()), pidf[1:]) {
					t.Errorf("the location is not in the body:\n%s", r.Body())
				}
				if v := ims.ParseChargingVector(sip.Value(r, "P-Charging-Vector")); v.ICID == "" || v.OriginatingIOI != "visited.example" {
					t.Errorf("P-Charging-Vector %+v", v)
				}

				d.alice.Response(100)
				at.Answer(r, 180, "To: <"+test.uri+">;tag=p", "P-Asserted-Identity: <tel:112>")
				want(t, d.alice.Response(180), "P-Asserted-Identity", "<tel:112>") // by which the handset knows (TS 34.229-1 §19.3)
				answered, ended := d.talk(at, r)
				d.hold(at, answered)
				ended(at, answered)

				d.scscf.Silent()
				if got := d.emergencies(test.from, "200"); got != 1 {
					t.Errorf("%d calls counted of %s", got, test.from)
				}
				if !strings.Contains(d.log.String(), "emergency call") {
					t.Error("the log says nothing")
				}
			})
		})
	}
}

// talk makes the centre answer a call, and the handset acknowledge it.
func (d *centres) talk(at *memory.Peer, r *sip.Request) (answer *sip.Response, ended func(*memory.Peer, *sip.Response)) {
	d.t.Helper()
	at.Answer(r, 200, "To: "+sip.Value(r, "To")+";tag=p", "Contact: <sip:desk7@"+at.Address()+">")
	answer = d.alice.Response(200)
	d.inCall("ACK", answer)

	if ack := at.Request("ACK"); ack.Recipient.String() != "sip:desk7@"+at.Address() {
		d.t.Errorf("the ACK is for %s", ack.Recipient.String())
	}
	synctest.Wait()

	return answer, func(at *memory.Peer, answer *sip.Response) {
		d.t.Helper()
		d.ofCentre(at, "BYE", r)
		d.alice.Answer(d.alice.Request("BYE"), 200)
		at.Response(200)
		synctest.Wait() // until the dialog is forgotten
	}
}

// inCall sends a request of the handset in the dialog of an answer.
func (d *centres) inCall(method string, answer *sip.Response, lines ...string) {
	d.t.Helper()
	d.send(method, contactOf(answer), append(append([]string{
		"Call-ID: " + answer.CallID().Value(), "To: " + sip.Value(answer, "To"), "From: " + sip.Value(answer, "From"),
	}, d.routesOf(answer)...), lines...)...)
}

// ofCentre sends a request of the centre in the dialog of an INVITE.
func (d *centres) ofCentre(at *memory.Peer, method string, invite *sip.Request) {
	d.t.Helper()
	lines := []string{
		"Via: SIP/2.0/UDP " + at.Address() + ";branch=" + sip.NewBranch(), "Call-ID: " + invite.CallID().Value(),
		"From: " + sip.Value(invite, "To") + ";tag=p", "To: " + sip.Value(invite, "From"), "Contact: <sip:desk7@" + at.Address() + ">",
	}
	for _, record := range sip.Values(invite, "Record-Route") {
		lines = append(lines, "Route: "+record)
	}
	at.Send(mwAddress, d.request(method, contactOf(invite), lines...)...)
}

// hold puts the call on hold, and tells the centre the handset's present location.
func (d *centres) hold(at *memory.Peer, answer *sip.Response) {
	d.t.Helper()
	for _, method := range []string{"INVITE", "UPDATE"} {
		d.inCall(method, answer, "Geolocation: <cid:loc>", "\na=sendonly")
		r := at.Request(method)
		want(d.t, r, "Route", "")
		want(d.t, r, "Geolocation", "<cid:loc>")
		at.Answer(r, 200, "Contact: <sip:desk7@"+at.Address()+">")
		d.alice.Response(200)
		if method == "INVITE" {
			d.inCall("ACK", answer)
			at.Request("ACK")
		}
	}
}
