package interrogation

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

const protected = `Authorization: Digest username="alice@ims.example",realm="ims.example",nonce="n",uri="sip:ims.example",response="0",` +
	`integrity-protected="`

func (d *desk) register(lines ...string) {
	d.t.Helper()
	if !strings.Contains(strings.Join(lines, ""), "P-Visited-Network-ID") {
		lines = append(lines, `P-Visited-Network-ID: "visited.example"`)
	}
	contact := "Contact: <sip:alice@10.0.0.1>"
	if at := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "Contact: ") }); at >= 0 {
		contact, lines = lines[at], slices.Delete(slices.Clone(lines), at, at+1)
	}

	d.send(
		"REGISTER",
		"sip:ims.example",
		append([]string{"To: <" + alice + ">", contact, "Path: <sip:t@192.0.2.1:5070;lr>"}, lines...)...)
}

func TestWhatTheHSSIsAsked(t *testing.T) {
	for _, test := range []struct {
		name  string
		lines []string
		want  string
	}{
		{
			"§5.3.1.2 private identity of Authorization",
			[]string{protected + `no"`},
			"UAR alice@ims.example sip:alice@ims.example visited.example 0",
		},
		{"of another scheme: as without", []string{"Authorization: bearer"}, "UAR alice@ims.example sip:alice@ims.example visited.example 0"},
		{
			"of another scheme, and Digest",
			[]string{
				"Authorization: Bearer x",
				`Authorization: Digest username="a@ims.example",realm="ims.example",nonce="",uri="sip:x",response=""`,
			},
			"UAR a@ims.example sip:alice@ims.example visited.example 0",
		},
		{"without Authorization: derived from the public one", nil, "UAR alice@ims.example sip:alice@ims.example visited.example 0"},
		{
			"another private identity",
			[]string{`Authorization: Digest username="001010000000001@ims.example",realm="ims.example",nonce="",uri="sip:x",response=""`},
			"UAR 001010000000001@ims.example sip:alice@ims.example visited.example 0",
		},
		{
			"RFC 7315 §4.3 a quoted network with parameters",
			[]string{`P-Visited-Network-ID: "a.example";x=1`},
			"UAR alice@ims.example sip:alice@ims.example a.example 0",
		},
		{"a token", []string{"P-Visited-Network-ID: a.example;x=1, b.example"}, "UAR alice@ims.example sip:alice@ims.example a.example 0"},
		{
			"TS 29.228 §6.1.1 an emergency registration",
			[]string{"Contact: <sip:alice@10.0.0.1;sos>"},
			"UAR alice@ims.example sip:alice@ims.example visited.example 0 emergency",
		},
		{
			"not one beside another contact",
			[]string{"Contact: <sip:alice@10.0.0.1>;expires=600, <sip:alice@10.0.0.1;sos>;expires=0"},
			"UAR alice@ims.example sip:alice@ims.example visited.example 0",
		},
		{"§5.3.1.2 Expires: 0", []string{"Expires: 0"}, "UAR alice@ims.example sip:alice@ims.example visited.example 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(t *testing.T, d *desk) {
				d.uaa = []any{uaa(cx.SubsequentRegistration, serverA, nil)}
				d.register(test.lines...)
				r := d.servers[serverA].Request("REGISTER")
				d.wantAsked(test.want)
				want(t, r, "Path", "<sip:t@192.0.2.1:5070;lr>")
				if r.Recipient.String() != serverA {
					t.Errorf("Request-URI %s", r.Recipient.String())
				}
			})
		})
	}
}

func TestAuthorizationType(t *testing.T) {
	for _, test := range []struct {
		name  string
		lines []string
		want  cx.UserAuthorizationType
	}{
		{"a contact", []string{"Contact: <sip:a@b>"}, cx.Registration},
		{"no contact: a query", nil, cx.Registration},
		{"no contact, Expires: 0", []string{"Expires: 0"}, cx.Registration},
		{"Expires: 0", []string{"Contact: <sip:a@b>", "Expires: 0"}, cx.DeRegistration},
		{"expires=0", []string{"Contact: <sip:a@b>;expires=0", "Expires: 600"}, cx.DeRegistration},
		{"expires=600 beats Expires: 0", []string{"Contact: <sip:a@b>;expires=600", "Expires: 0"}, cx.Registration},
		{"one stays", []string{"Contact: <sip:a@b>;expires=0, <sip:a@c>;expires=600"}, cx.Registration},
		{"both go", []string{"Contact: <sip:a@b>;expires=0, <sip:a@c>;expires=00"}, cx.DeRegistration},
		{"the star", []string{"Contact: *", "Expires: 0"}, cx.DeRegistration},
		{"no number", []string{"Contact: <sip:a@b>;expires=x"}, cx.Registration},
	} {
		t.Run("§5.3.1.2 "+test.name, func(t *testing.T) {
			m, err := sip.ParseMessage(
				[]byte(
					"REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKx\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:a@x>\r\nCall-ID: 1\r\n" +
						"CSeq: 1 REGISTER\r\n" + strings.Join(
						append(test.lines, ""),
						"\r\n",
					) + "\r\n",
				),
			)
			if err != nil {
				t.Fatal(err)
			}
			if got := authorizationType(m.(*sip.Request)); got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
		})
	}
}

func TestResultOfUAA(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer any
		status int
		cause  string
	}{
		{"DIAMETER_ERROR_USER_UNKNOWN", uaa(cx.ErrorUserUnknown, "", nil), 403, "5001"},
		{"DIAMETER_ERROR_IDENTITIES_DONT_MATCH", uaa(cx.ErrorIdentitiesDontMatch, "", nil), 403, "5002"},
		{"DIAMETER_ERROR_IDENTITY_NOT_REGISTERED", uaa(cx.ErrorIdentityNotRegistered, "", nil), 403, "5003"},
		{"DIAMETER_ERROR_ROAMING_NOT_ALLOWED", uaa(cx.ErrorRoamingNotAllowed, "", nil), 403, "5004"},
		{"DIAMETER_AUTHORIZATION_REJECTED", uaa(cx.AuthorizationRejected, "", nil), 403, "5003"},
		{"DIAMETER_UNABLE_TO_COMPLY: the user is not unknown", uaa(cx.UnableToComply, "", nil), 480, "5012"},
		{"DIAMETER_TOO_BUSY", uaa(diameter.TooBusy, "", nil), 480, "3004"},
		{"a result nobody knows", uaa(diameter.Result{Vendor: cx.VendorID, Code: 5999}, "", nil), 403, "5999"},
		{"an error of no server", uaa(cx.ErrorUserUnknown, serverA, nil), 403, "5001"},
		{"§5.3.1.3 no answer", diameter.UnableToDeliver, 480, "3002"},
		{"§5.3.1.3 the query was cut short", errors.New("connection lost"), 480, "3002"},
		{"§5.3.1.3 nobody has the mandatory capabilities", uaa(cx.FirstRegistration, "", &cx.Capabilities{Mandatory: []uint32{9}}), 600, "2001"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(t *testing.T, d *desk) {
				d.uaa = []any{test.answer}
				d.register()
				r := d.pcscf.Response(test.status)
				if reason := sip.Value(r, "Reason"); !strings.HasPrefix(reason, "DIAMETER;cause="+test.cause+";") {
					t.Errorf("Reason: %s", reason)
				}
				d.nobody()
			})
		})
	}
}

func TestRegisterThatCannotBeRead(t *testing.T) {
	for _, test := range []struct{ name, to, more string }{
		{"To is no public identity", "To: <mailto:alice@ims.example>", "Subject: x"},
		{"credentials with open quotes", "To: <" + alice + ">", `Authorization: Digest username="a`},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(t *testing.T, d *desk) {
				d.send("REGISTER", "sip:ims.example", test.to, test.more)
				d.pcscf.Response(400)
				d.wantAsked()
			})
		})
	}
}

func TestChoiceOfTheServer(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer *cx.UAA
		want   string
	}{
		{"TS 29.228 §6.1.1 the one that serves already", uaa(cx.SubsequentRegistration, serverB, nil), serverB},
		{"a name wins over capabilities", uaa(cx.SubsequentRegistration, serverA, &cx.Capabilities{Mandatory: []uint32{3}}), serverA},
		{"TS 29.228 §6.7 mandatory capabilities", uaa(cx.FirstRegistration, "", &cx.Capabilities{Mandatory: []uint32{2, 3}}), serverC},
		{
			"optional ones decide among the able",
			uaa(cx.FirstRegistration, "", &cx.Capabilities{Mandatory: []uint32{1}, Optional: []uint32{2, 3}}),
			serverC,
		},
		{
			"the HSS's own choice comes first",
			uaa(cx.FirstRegistration, "", &cx.Capabilities{Mandatory: []uint32{3}, ServerNames: []string{serverA}}),
			serverA,
		},
		{"a name without scheme, as some HSSs have it", uaa(cx.SubsequentRegistration, "b.ims.example", nil), serverB},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(t *testing.T, d *desk) {
				d.uaa = []any{test.answer}
				d.register()
				server := d.servers[test.want]
				server.Answer(server.Request("REGISTER"), 200, "Service-Route: <sip:orig@192.0.2.31;lr>")
				want(t, d.pcscf.Response(200), "Service-Route", "<sip:orig@192.0.2.31;lr>")
			})
		})
	}
}

func TestNextServer(t *testing.T) {
	capable := uaa(cx.Success, "", &cx.Capabilities{Mandatory: []uint32{2}})

	for _, test := range []struct {
		name   string
		first  func(d *desk, r *sip.Request) // what the S-CSCF that the HSS names does
		status int
	}{
		{"§5.3.1.3 no answer", nil, 200},
		{"§5.3.1.3 480", func(d *desk, r *sip.Request) { d.servers[serverA].Answer(r, 480) }, 200},
		{"§5.3.1.3 a redirection", func(d *desk, r *sip.Request) {
			d.servers[serverA].Answer(r, 302, "Contact: <sip:198.51.100.9>")
		}, 200},
		{"403 is the answer", func(d *desk, r *sip.Request) { d.servers[serverA].Answer(r, 403) }, 403},
		{"401 is the answer", func(d *desk, r *sip.Request) {
			d.servers[serverA].Answer(r, 401, `WWW-Authenticate: Digest realm="r",nonce="n"`)
		}, 401},
		{"500 is the answer", func(d *desk, r *sip.Request) { d.servers[serverA].Answer(r, 500) }, 500},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(t *testing.T, d *desk) {
				d.uaa = []any{uaa(cx.SubsequentRegistration, serverA, nil), capable}
				d.register(protected + `no"`)
				r := d.servers[serverA].Request("REGISTER")
				if test.first != nil {
					test.first(d, r)
				}
				if test.status != 200 {
					d.pcscf.Response(test.status)
					d.wantAsked("UAR alice@ims.example sip:alice@ims.example visited.example 0")
					return
				}

				server := d.servers[serverB]
				select {
				case m := <-server.Came():
					server.Answer(m.(*sip.Request), 200)
				case m := <-d.servers[serverC].Came():
					d.servers[serverC].Answer(m.(*sip.Request), 200)
				}
				d.pcscf.Response(200)
				d.wantAsked(
					"UAR alice@ims.example sip:alice@ims.example visited.example 0",
					"UAR alice@ims.example sip:alice@ims.example visited.example 2",
				)
			})
		})
	}

	t.Run("§5.3.1.3 each is asked once, then 504", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			d.uaa = []any{uaa(cx.SubsequentRegistration, serverA, nil), uaa(cx.Success, "", nil)}
			d.register(protected + `no"`)
			r := d.pcscf.Response(504)
			for _, name := range []string{serverA, serverB, serverC} {
				if !strings.Contains(sip.Value(r, "Reason"), name) {
					t.Errorf("Reason %q does not name %s", sip.Value(r, "Reason"), name)
				}
				branches := map[string]bool{}
				for _, m := range d.servers[name].All() {
					branch, _ := m.(*sip.Request).Via().Params.Get("branch")
					branches[branch] = true
				}
				if len(branches) != 1 {
					t.Errorf("%s was asked %d times", name, len(branches))
				}
			}
		})
	})

	t.Run("§5.3.1.3 a protected REGISTER has its S-CSCF and no other", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			d.uaa = []any{uaa(cx.SubsequentRegistration, serverA, nil), capable}
			d.register(protected + `yes"`)
			d.pcscf.Response(504)
			d.wantAsked("UAR alice@ims.example sip:alice@ims.example visited.example 0")
			d.servers[serverB].Silent()
			d.servers[serverC].Silent()
		})
	})

	t.Run("a redirection of the last one is not passed on", func(t *testing.T) {
		withDesk(t, func(t *testing.T, d *desk) {
			d.uaa = []any{uaa(cx.SubsequentRegistration, serverA, nil), uaa(cx.ErrorUserUnknown, "", nil)}
			d.register()
			d.servers[serverA].Answer(d.servers[serverA].Request("REGISTER"), 302, "Contact: <sip:198.51.100.9>")
			if r := d.pcscf.Response(504); sip.Has(r, "Contact") {
				t.Errorf("it is:\n%s", r)
			}
		})
	})
}

// TestNoLoop: an HSS that names the I-CSCF itself must not make it ask for ever.
func TestNoLoop(t *testing.T) {
	withDesk(t, func(t *testing.T, d *desk) {
		d.uaa = []any{uaa(cx.SubsequentRegistration, "sip:icscf.ims.example:5060", nil)}
		d.register(protected + `no"`)
		d.pcscf.Response(482)
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.asked) > 3 {
			t.Errorf("the HSS was asked %d times", len(d.asked))
		}
	})
}
