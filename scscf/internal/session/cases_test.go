package session

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
	"github.com/dialtone-ims/dialtone/scscf/internal/verdict"
)

// TestSessionCases: the criteria that a request meets, and what the application server is told (TS 29.228 annex F, TS 24.229 §5.4.3.2 and
// §5.4.3.3).
func TestSessionCases(t *testing.T) {
	tests := []struct {
		name        string
		session     ifc.SessionCase
		state       registration.State
		uri, route  string
		headers     []string
		served      string
		unfetched   bool
		application bool // the AS gets it
	}{
		{
			name:    "0 originating, from the handset",
			session: ifc.Originating,
			state:   registration.Registered,
			uri:     bob,
			route:   serviceRoute,

			served: "<" + alice + ">;sescase=orig;regstate=reg",

			application: true,
		},
		{
			name:    "0 originating, by an AS",
			session: ifc.Originating,
			state:   registration.Registered,
			uri:     bob,
			route:   asRoute,

			served: "<" + alice + ">;sescase=orig;regstate=reg",

			application: true,
		},
		{
			name:    "1 terminating",
			session: ifc.TerminatingRegistered,
			state:   registration.Registered,
			uri:     alice,

			served: "<" + alice + ">;sescase=term;regstate=reg",

			application: true,
		},
		{
			name:    "2 terminating, not registered",
			session: ifc.TerminatingUnregistered,
			state:   registration.Unregistered,
			uri:     alice,

			served: "<" + alice + ">;sescase=term;regstate=unreg",

			application: true,
		},
		{
			name:    "3 originating, not registered, by an AS",
			session: ifc.OriginatingUnregistered,
			state:   registration.Unregistered,
			uri:     bob,
			route:   asRoute,

			served:      "<" + alice + ">;sescase=orig;regstate=unreg",
			unfetched:   true,
			application: true,
		},
		{
			name:    "3 does not serve a handset's own request",
			session: ifc.OriginatingUnregistered,
			state:   registration.Registered,
			uri:     bob,
			route:   serviceRoute,
		},
		{
			name: "4 after diversion, by an AS", session: ifc.OriginatingCDIV, state: registration.Registered, uri: bob, route: asRoute,
			headers: []string{"P-Served-User: <" + alice + ">;orig-cdiv", "P-Asserted-Identity: <sip:carol@" + home + ">"},
			served:  "<" + alice + ">;orig-cdiv", application: true,
		},
		{
			name:    "4 is not claimed by a handset",
			session: ifc.OriginatingCDIV,
			state:   registration.Registered,
			uri:     bob,
			route:   serviceRoute,
			headers: []string{"P-Served-User: <" + alice + ">;orig-cdiv"},
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				user := d.user(alice, test.state, criterion(test.session))
				if test.unfetched {
					delete(d.users, alice)
					d.fetch = func(string) (registration.User, error) { return user, nil }
				}
				d.send(d.pcscf, "INVITE", test.uri, test.route, test.headers...)

				if !test.application {
					d.icscf.Request("INVITE")
					return
				}
				r := d.as.Request("INVITE")
				if got := sip.Value(r, "P-Served-User"); got != test.served {
					t.Errorf("P-Served-User %q, want %q", got, test.served)
				}
				d.as.Answer(r, 486)
				d.pcscf.Response(486)
			})
		})
	}
}

// TestDiversion: a request that a terminating AS hands back with another Request-URI is originating after diversion (TS 24.229 §5.4.3.3):
// the criteria for that case count, the leg is the served user's and is charged so. An alias is no diversion.
func TestDiversion(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.user(alice, registration.Registered, criterion(ifc.TerminatingRegistered), criterion(ifc.OriginatingCDIV))
		d.send(d.pcscf, "INVITE", alice, "", "P-Asserted-Identity: <sip:carol@"+home+">")

		back := func(r *sip.Request, uri string) {
			t.Helper()
			routes, err := sip.Routes(r)
			if err != nil || len(routes) != 2 {
				t.Fatalf("Route %v: %v", routes, err)
			}
			d.send(
				d.as,
				"INVITE",
				uri,
				"<"+routes[1].URI+">",
				"P-Asserted-Identity: <sip:carol@"+home+">",
				"P-Served-User: "+sip.Value(r, "P-Served-User"),
			)
		}

		r := d.as.Request("INVITE")
		if got := sip.Value(r, "P-Served-User"); !strings.Contains(got, "sescase=term") {
			t.Errorf("first P-Served-User %q", got)
		}
		back(r, bob)

		var r2 *sip.Request
		for r2 == nil {
			if m, ok := d.as.Next().(*sip.Request); ok {
				r2 = m
			}
		}
		if got := sip.Value(r2, "P-Served-User"); got != "<"+alice+">;orig-cdiv" {
			t.Errorf("P-Served-User after diversion %q", got)
		}
		d.wantAsked() // not yet: the AS has it
		back(r2, bob)

		out := d.icscf.Request("INVITE")
		if out.Recipient.String() != bob || sip.Has(out, "P-Served-User") {
			t.Errorf("goes on as\n%s", out)
		}
		d.wantAsked("1#0")
	})
}

func TestAliasIsNoDiversion(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.user(alice, registration.Registered, criterion(ifc.TerminatingRegistered))
		d.send(d.pcscf, "INVITE", alice, "")
		r := d.as.Request("INVITE")
		routes, _ := sip.Routes(r)
		d.send(d.as, "INVITE", "sip:ALICE@"+home, "<"+routes[1].URI+">") // another user part
		d.send(d.as, "INVITE", "sip:alice@IMS.example:5060", "<"+routes[1].URI+">")
		if got := d.phone.Request("INVITE"); sip.Value(got, "P-Called-Party-ID") != "<sip:alice@IMS.example:5060>" {
			t.Errorf("the handset got\n%s", got)
		}
		if got := d.icscf.Request("INVITE"); got.Recipient.User != "ALICE" {
			t.Errorf("the diverted one went to %s", got.Recipient.String())
		}
	})
}

// TestOriginatingRightAfterARestart: right after a restart a kept registration has no profile yet: the request waits for it.
func TestOriginatingRightAfterARestart(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.kept[alice] = true
		d.send(d.pcscf, "INVITE", bob, serviceRoute)
		d.icscf.Request("INVITE")
	})
}

// TestOriginatingWithoutItsProfile: a registration from before a restart whose profile cannot be fetched now is not "not registered": the
// handset is asked to come again.
func TestOriginatingWithoutItsProfile(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.kept[alice], d.away = true, errors.New("no connection to the HSS")
		d.send(d.pcscf, "INVITE", bob, serviceRoute)
		if r := d.pcscf.Response(503); sip.Value(r, "Retry-After") != "5" || !strings.Contains(sip.Value(r, "Reason"), "no connection") {
			t.Errorf("got\n%s", r)
		}
	})
}

// TestUnserved: the response gives the true reason why the HSS gives no services (TS 24.229 §5.4.3.3).
func TestUnserved(t *testing.T) {
	tests := map[string]struct {
		err    error
		status int
		reason string
	}{
		"nobody": {
			verdict.Diameter(403, cx.ErrorUserUnknown, "unknown"),
			404,
			`DIAMETER;cause=5001;text="unknown"`,
		},
		"elsewhere": {
			verdict.Diameter(403, cx.ErrorIdentityAlreadyRegistered, "elsewhere"),
			403,
			`DIAMETER;cause=5005;text="elsewhere"`,
		},
		"no answer": {
			verdict.Diameter(504, diameter.UnableToDeliver, "SAR got no answer"),
			504,
			`DIAMETER;cause=3002;text="SAR got no answer"`,
		},
		"too many":       {sip.Refuse(503, "full"), 503, `SIP;cause=503;text="full"`},
		"something else": {fmt.Errorf("odd"), 480, `SIP;cause=480;text="no services for sip:dave@ims.example: odd"`},
	}

	for name, test := range tests {
		for side, route := range map[string]string{"terminating": "", "originating": asRoute} {
			t.Run(name+", "+side, func(t *testing.T) {
				withDesk(t, nil, func(t *testing.T, d *desk) {
					d.fetch = func(string) (registration.User, error) { return registration.User{}, test.err }
					d.send(d.pcscf, "INVITE", "sip:dave@"+home, route, "P-Asserted-Identity: <sip:dave@"+home+">")
					r := d.pcscf.Response(test.status)
					if got := sip.Value(r, "Reason"); got != test.reason {
						t.Errorf("Reason %q, want %q", got, test.reason)
					}
				})
			})
		}
	}
}

// TestSessionDescriptionInParts: SDP is found also in a multipart body, beside a location (TS 29.228 annex F).
func TestSessionDescriptionInParts(t *testing.T) {
	for media, wanted := range map[string]bool{"video": true, "audio": false} {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			c := criterion(ifc.Originating)
			content := media + " .*"
			c.TriggerPoint.SPTs = append(
				c.TriggerPoint.SPTs,
				ifc.SPT{SessionDescription: &ifc.DescriptionTrigger{Line: "m", Content: &content}, Groups: []int{2}},
			)
			d.user(alice, registration.Registered, c)
			d.send(
				d.pcscf,
				"INVITE",
				bob,
				serviceRoute,
				`Content-Type: multipart/mixed; boundary="part"`,
				"\n--part\r\nContent-Type: application/pidf+xml\r\n\r\n<presence/>\r\n"+
					"--part\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nm=video 4000 RTP/AVP 96\r\n\r\n--part--\r\n",
			)
			if wanted {
				d.as.Request("INVITE")
			} else {
				d.icscf.Request("INVITE")
			}
		})
	}
}
