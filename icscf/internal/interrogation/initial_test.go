package interrogation

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

const own = "Route: <sip:icscf.ims.example;lr>"

func TestServedUser(t *testing.T) {
	for _, test := range []struct {
		name, uri string
		lines     []string
		want      string
	}{
		{"§5.3.2.1 the Request-URI", "sip:alice@ims.example", nil, "LIR sip:alice@ims.example orig=false"},
		{"with port and parameters", "sip:alice@IMS.example:5060;transport=udp", nil, "LIR sip:alice@ims.example orig=false"},
		{"§5.3.2.1 a number in a sip URI", "sip:+1-555-0001@ims.example;user=phone", nil, "LIR tel:+15550001 orig=false"},
		{"a tel URI", number, nil, "LIR tel:+15550001 orig=false"},
		{"RFC 3261 §19.1.4 escapes and a password", "sip:+1555000%31:pw@ims.example", nil, "LIR sip:+15550001@ims.example orig=false"},
		{"the same with user=phone", "sip:%2B1-555-000%31:pw@ims.example;user=phone", nil, "LIR tel:+15550001 orig=false"},
		{"over Route", "sip:alice@ims.example", []string{own}, "LIR sip:alice@ims.example orig=false"},
		{
			"§5.3.2.1 orig: P-Served-User",
			"sip:bob@ims.example",
			[]string{
				"Route: <sip:icscf.ims.example;lr;orig>",
				"P-Served-User: <" + alice + ">;sescase=orig",
				"P-Asserted-Identity: <" + number + ">",
			},
			"LIR sip:alice@ims.example orig=true",
		},
		{
			"orig: P-Asserted-Identity",
			"sip:bob@ims.example",
			[]string{"Route: <sip:icscf.ims.example;lr;orig>", "P-Asserted-Identity: <" + number + ">"},
			"LIR tel:+15550001 orig=true",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(t *testing.T, d *desk) {
				d.lia = []any{lia(cx.Success, serverA, nil)}
				d.send("INVITE", test.uri, test.lines...)
				r := d.servers[serverA].Request("INVITE")
				d.wantAsked(test.want)
				route := "<sip:a.ims.example:5060;lr>"
				if strings.HasSuffix(test.want, "true") {
					route = "<sip:a.ims.example:5060;lr;orig>"
				}
				want(t, r, "Route", route)
				if sip.Has(r, "Record-Route") {
					t.Error("the I-CSCF stays in the dialog")
				}
				if v := ims.ParseChargingVector(sip.Value(r, "P-Charging-Vector")); v.ICID == "" {
					t.Error("§5.3.2.1 no ICID")
				}
			})
		})
	}

	t.Run("an ICID that is there stays", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			d.lia = []any{lia(cx.Success, serverA, nil)}
			d.send("MESSAGE", alice, "P-Charging-Vector: icid-value=given;orig-ioi=x")
			want(t, d.servers[serverA].Request("MESSAGE"), "P-Charging-Vector", "icid-value=given;orig-ioi=x")
		})
	})

	for _, test := range []struct {
		name, uri string
		lines     []string
	}{
		{"a Request-URI that names nobody", "mailto:alice@ims.example", []string{own}},
		{"orig, and nobody served", "sip:bob@ims.example", []string{"Route: <sip:icscf.ims.example;lr;orig>"}},
		{
			"orig, and a served user that cannot be read",
			"sip:bob@ims.example",
			[]string{"Route: <sip:icscf.ims.example;lr;orig>", "P-Served-User: <>"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(t *testing.T, d *desk) {
				d.send("MESSAGE", test.uri, append(slices.Clone(test.lines), "To: <sip:x@y>")...)
				d.pcscf.Response(404)
				d.wantAsked()
			})
		})
	}
}

func TestResultOfLIA(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer any
		status int
		cause  string
	}{
		{"§5.3.2.2 DIAMETER_ERROR_USER_UNKNOWN", lia(cx.ErrorUserUnknown, "", nil), 404, "5001"},
		{"§5.3.2.2 DIAMETER_ERROR_IDENTITY_NOT_REGISTERED", lia(cx.ErrorIdentityNotRegistered, "", nil), 480, "5003"},
		{"DIAMETER_UNABLE_TO_COMPLY", lia(cx.UnableToComply, "", nil), 480, "5012"},
		{"DIAMETER_TOO_BUSY", lia(diameter.TooBusy, "", nil), 480, "3004"},
		{"no answer", diameter.UnableToDeliver, 480, "3002"},
		{"cut short", errors.New("connection lost"), 480, "3002"},
		{"nobody has the mandatory capabilities", lia(cx.UnregisteredService, "", &cx.Capabilities{Mandatory: []uint32{9}}), 600, "2003"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(t *testing.T, d *desk) {
				d.lia = []any{test.answer}
				d.send("MESSAGE", alice)
				r := d.pcscf.Response(test.status)
				if reason := sip.Value(r, "Reason"); !strings.HasPrefix(reason, "DIAMETER;cause="+test.cause+";") {
					t.Errorf("Reason: %s", reason)
				}
				d.nobody()
			})
		})
	}
}

func TestServerOfAnUnregisteredUser(t *testing.T) {
	withDesk(t, func(t *testing.T, d *desk) {
		d.lia = []any{lia(cx.UnregisteredService, "", &cx.Capabilities{Mandatory: []uint32{3}})}
		d.send("INVITE", alice)
		d.servers[serverC].Request("INVITE")
	})

	t.Run("the next one when it is silent to an INVITE, then 504", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			d.lia = []any{lia(cx.UnregisteredService, "", &cx.Capabilities{Mandatory: []uint32{2}, Optional: []uint32{3}})}
			d.send("INVITE", alice)
			r := d.pcscf.Response(504)
			for name, asked := range map[string]bool{serverA: false, serverB: true, serverC: true} {
				if got := len(d.servers[name].All()) > 0; got != asked || strings.Contains(sip.Value(r, "Reason"), name) != asked {
					t.Errorf("%s asked: %v, want %v; Reason %s", name, got, asked, sip.Value(r, "Reason"))
				}
			}
			d.wantAsked("LIR sip:alice@ims.example orig=false")
		})
	})

	t.Run("a refusal of the S-CSCF is the answer", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			d.lia = []any{lia(cx.UnregisteredService, "", nil)}
			d.send("MESSAGE", alice)
			for _, s := range d.servers {
				go func() {
					if m, ok := <-s.Came(); ok {
						s.Answer(m.(*sip.Request), 480)
					}
				}()
			}
			d.pcscf.Response(480)
		})
	})
}

// TestTimeOfAServer: a request other than INVITE has timer F: the handset may have to be paged, and silence says nothing about the
// S-CSCF. Another one is tried when the transport says that the first cannot be reached.
func TestTimeOfAServer(t *testing.T) {
	for _, method := range []string{"MESSAGE", "SUBSCRIBE", "OPTIONS"} {
		t.Run(method+" answered after 20 s", func(t *testing.T) {
			withDesk(t, func(t *testing.T, d *desk) {
				d.lia = []any{lia(cx.UnregisteredService, "", &cx.Capabilities{ServerNames: []string{serverA, serverB}})}
				d.send(method, alice)
				r := d.servers[serverA].Request(method)
				time.Sleep(20 * time.Second)
				d.servers[serverB].Silent()
				d.servers[serverA].Answer(r, 202)
				d.pcscf.Response(202)
			})
		})
	}

	t.Run("MESSAGE never answered: no second try, and no late word (RFC 4320 §4.2)", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			d.lia = []any{lia(cx.UnregisteredService, "", &cx.Capabilities{ServerNames: []string{serverA, serverB}})}
			d.send("MESSAGE", alice)
			time.Sleep(time.Minute)
			d.servers[serverB].Silent()
			d.pcscf.Silent()
		})
	})

	t.Run("MESSAGE, and nobody takes the connection", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			d.lia = []any{lia(cx.UnregisteredService, "", &cx.Capabilities{ServerNames: []string{serverA + ";transport=tcp", serverB}})}
			d.send("MESSAGE", alice)
			d.servers[serverB].Answer(d.servers[serverB].Request("MESSAGE"), 202)
			d.pcscf.Response(202)
		})
	})

	t.Run("INVITE that is in work rings on", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			d.lia = []any{lia(cx.UnregisteredService, "", &cx.Capabilities{ServerNames: []string{serverA, serverB}})}
			d.send("INVITE", alice)
			r := d.servers[serverA].Request("INVITE")
			d.servers[serverA].Answer(r, 100)
			time.Sleep(20 * time.Second)
			d.servers[serverB].Silent()
			d.servers[serverA].Answer(r, 486)
			d.pcscf.Response(486)
		})
	})
}

func TestWhatIsNotInterrogated(t *testing.T) {
	for _, test := range []struct {
		name   string
		lines  []string
		method string
		status int
		server string
	}{
		{name: "RFC 3261 §12.2.2 within a dialog, without Route", lines: []string{"To: <" + alice + ">;tag=x"}, method: "BYE", status: 481},
		{
			name:   "with a Route of somebody else",
			lines:  []string{own, "Route: <sip:b.ims.example:5060;lr>", "To: <" + alice + ">;tag=x"},
			method: "BYE",
			server: serverB,
		},
		{name: "OPTIONS to the I-CSCF", method: "OPTIONS", status: 200},
		{name: "OPTIONS to the I-CSCF, over its Route", lines: []string{own}, method: "OPTIONS", status: 200},
		{name: "RFC 3261 §16.3 no hops left", lines: []string{"Max-Forwards: 0"}, method: "MESSAGE", status: 483},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(t *testing.T, d *desk) {
				uri := alice
				if test.method == "OPTIONS" {
					uri = "sip:icscf.ims.example"
				}
				if test.status == 483 {
					d.pcscf.Send(icscfAddress, "MESSAGE "+alice+" SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKhops", "Max-Forwards: 0",
						"From: <"+alice+">;tag=a", "To: <"+alice+">", "Call-ID: hops", "CSeq: 1 MESSAGE")
				} else {
					d.send(test.method, uri, test.lines...)
				}
				if test.server != "" {
					d.servers[test.server].Request(test.method)
				} else {
					d.pcscf.Response(test.status)
				}
				d.wantAsked()
			})
		})
	}

	t.Run("ACK of a 2xx goes by its Route, others nowhere", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			d.send("ACK", alice, own, "Route: <sip:a.ims.example:5060;lr>", "To: <"+alice+">;tag=x")
			d.servers[serverA].Request("ACK")
			d.send("ACK", alice, own, "To: <"+alice+">;tag=x")
			d.nobody()
		})
	})
}

// TestCapabilityQuery: OPTIONS to a user is for the user, also where the domain is a name of the I-CSCF (RFC 3261 §11); an unknown one is
// 404.
func TestCapabilityQuery(t *testing.T) {
	withDesk(t, func(t *testing.T, d *desk) {
		d.lia = []any{lia(cx.Success, serverA, nil), lia(cx.ErrorUserUnknown, "", nil)}
		d.send("OPTIONS", alice)
		r := d.servers[serverA].Request("OPTIONS")
		d.servers[serverA].Answer(r, 200, "Accept: application/sdp")
		want(t, d.pcscf.Response(200), "Accept", "application/sdp")
		d.send("OPTIONS", "sip:nobody@ims.example")
		d.pcscf.Response(404)
		d.send("OPTIONS", "sip:ims.example")
		d.pcscf.Response(200)
		d.nobody()
		d.wantAsked("LIR sip:alice@ims.example orig=false", "LIR sip:nobody@ims.example orig=false")
	})
}

// TestBeforeTheHSSIsConnected: an I-CSCF that has just started answers 503 with Retry-After until the HSS has been connected once.
func TestBeforeTheHSSIsConnected(t *testing.T) {
	withDesk(t, func(t *testing.T, d *desk) {
		reached := false
		d.handler.reached = func() bool { return reached }
		d.uaa, d.lia = []any{uaa(cx.SubsequentRegistration, serverA, nil)}, []any{lia(cx.Success, serverA, nil)}

		early := func() {
			t.Helper()
			r := d.pcscf.Response(503)
			want(t, r, "Retry-After", "5")
			if !sip.Has(r, "Reason") {
				t.Errorf("no Reason:\n%s", r)
			}
		}
		d.send("INVITE", alice)
		early()
		d.pcscf.All()
		d.send("MESSAGE", alice)
		early()
		d.register()
		early()
		d.wantAsked()

		d.send("BYE", alice, own, "Route: <sip:a.ims.example:5060;lr>", "To: <"+alice+">;tag=x") // needs no HSS
		d.servers[serverA].Answer(d.servers[serverA].Request("BYE"), 200)
		d.pcscf.Response(200)

		reached = true
		d.send("MESSAGE", alice)
		d.servers[serverA].Answer(d.servers[serverA].Request("MESSAGE"), 200)
		d.pcscf.Response(200)
		d.register()
		d.servers[serverA].Request("REGISTER")
	})
}

// TestNoLoopOfCalls: an HSS that names the I-CSCF itself must not make it ask for ever.
func TestNoLoopOfCalls(t *testing.T) {
	withDesk(t, func(t *testing.T, d *desk) {
		d.lia = []any{lia(cx.Success, "sip:icscf.ims.example:5060", nil)}
		d.send("MESSAGE", alice)
		d.pcscf.Response(482)
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.asked) > 3 {
			t.Errorf("the HSS was asked %d times", len(d.asked))
		}
	})
}
