package gm

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

const authorization = `Authorization: Digest username="alice@ims.example",realm="ims.example",nonce="",uri="sip:ims.example",response=""`

// through is a Security that treats every flow as protected.
type through struct{ Open }

func (through) Protected(stack.Flow) bool { return true }

// offers is a Security that offers associations to all.
type offers struct{ Open }

func (offers) Offered(*sip.Request, stack.Flow) bool { return true }

// RFC 3261 §22.2: credentials of another scheme are no fault; the handset is challenged. They are not forwarded.
func TestCredentialsOfAnotherScheme(t *testing.T) {
	for _, test := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"alone", []string{"Authorization: bearer"}, ""},
		{"with parameters", []string{`Authorization: Bearer x, integrity-protected="yes"`}, ""},
		{"and Digest", []string{`Authorization: Bearer x,integrity-protected="yes"`, authorization}, authorization[len("Authorization: "):]},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.send("REGISTER", "sip:ims.example", append([]string{"To: <" + alice + ">"}, test.lines...)...)
				r := d.icscf.Request("REGISTER")
				got := strings.ReplaceAll(sip.Value(r, "Authorization"), `,integrity-protected="no"`, "")
				if n := len(sip.Values(r, "Authorization")); got != test.want || test.want == "" && n > 0 || n > 1 {
					t.Errorf("%d, %s\nwant %s", n, got, test.want)
				}
			})
		})
	}
}

func TestRegisterTowardsTheCore(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.send(
			"REGISTER",
			"sip:ims.example",
			"To: <"+alice+">",
			`Authorization: Digest username="alice@ims.example",realm="ims.example",nonce="",uri="sip:ims.example",response="",`+
				`integrity-protected="yes"`,
			"Path: <sip:forged@198.51.100.9;lr>",
			"P-Visited-Network-ID: forged",
			"P-Charging-Vector: icid-value=forged",
			"p-asserted-identity: <"+bob+">",
			"P-Charging-Function-Addresses: ccf=forged",
			"P-Served-User: <"+bob+">",
			"P-User-Database: <aaa://forged>",
			"Service-Route: <sip:forged;lr>",
			"Security-Client: ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1;spi-s=2;port-c=3;port-s=4",
			"Security-Verify: ipsec-3gpp;q=0.1",
			"Require: sec-agree",
			"Proxy-Require:",
			"Supported: path, gruu",
			"Route: <sip:198.51.100.9;lr>",
			"P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000001",
		)
		r := d.icscf.Request("REGISTER")

		path, err := sip.ParseNameAddr(sip.Value(r, "Path"))
		if u, errURI := sip.ParseURI(path.URI); err != nil || errURI != nil || len(sip.Values(r, "Path")) != 1 || u.Host != "192.0.2.1" ||
			u.Port != 5070 ||
			u.User == "" ||
			!u.UriParams.Has("lr") {
			t.Errorf("§5.2.2.1 Path %v, want one: this P-CSCF's Mw address with a token", sip.Values(r, "Path"))
		}

		vector := ims.ParseChargingVector(sip.Value(r, "P-Charging-Vector"))
		if vector.ICID == "" || vector.ICID == "forged" || vector.OriginatingIOI != "visited.example" {
			t.Errorf("§5.2.2.1 P-Charging-Vector %+v", vector)
		}

		want(t, r, "Require", "path")
		want(t, r, "P-Visited-Network-ID", `"visited.example"`)
		want(t, r, "Supported", "path, gruu")
		want(t, r, "P-Access-Network-Info", "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000001")

		for _, name := range []string{
			"Security-Client",
			"Security-Verify",
			"Route",
			"Service-Route",
			"P-Asserted-Identity",
			"P-Charging-Function-Addresses",
			"P-Served-User",
			"P-User-Database",
		} {
			if sip.Has(r, name) {
				t.Errorf("%s goes on into the core: %s", name, sip.Value(r, name))
			}
		}

		if got := sip.Value(r, "Authorization"); strings.Contains(got, "integrity-protected") {
			t.Errorf("§5.2.2.2 a handset says itself that it is protected: %s", got)
		}

		if got := r.Recipient.String(); got != "sip:ims.example" {
			t.Errorf("Request-URI %s", got)
		}
	})
}

func TestIntegrityProtected(t *testing.T) {
	for name, test := range map[string]struct {
		security Security
		want     string
	}{
		"§5.2.2.2 through a security association": {through{}, `integrity-protected="yes"`},
		"§5.2.2.2 in clear, associations offered": {offers{}, `integrity-protected="no"`},
		"§5.2.2.4 in clear":                       {Open{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			withDesk(t, func(_ *Config, o *Options) { o.Security = test.security }, func(t *testing.T, d *desk) {
				d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", authorization)
				if got := sip.Value(d.icscf.Request("REGISTER"), "Authorization"); !strings.Contains(got, test.want) ||
					test.want == "" && strings.Contains(got, "integrity-protected") {
					t.Errorf("%s, want %s", got, test.want)
				}
			})
		})
	}
}

func TestRegisterThatCannotBeRead(t *testing.T) {
	for _, test := range []struct {
		name  string
		lines []string
	}{
		{"a parameter of credentials twice", []string{`Authorization: Digest username="a",username="b"`}},
		{"open quotes in credentials", []string{`Authorization: Digest username="a`}},
		{"a Contact with an open bracket", []string{"Contact: <sip:alice@10.0.0.1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.send("REGISTER", "sip:ims.example", append([]string{"To: <" + alice + ">"}, test.lines...)...)
				if r := d.alice.Response(400); !sip.Has(r, "Reason") && r.Reason == "" {
					t.Errorf("no reason in\n%s", r)
				}
				d.icscf.Silent()
			})
		})
	}
}

// TS 24.229 §5.2.2.2: the P-CSCF takes ck and ik out of the challenge; all else stays as the S-CSCF wrote it. One chipset
// answers a challenge only without qop (open5gs#491), so qop stays away where it was not.
func TestChallenge(t *testing.T) {
	for _, test := range []struct{ name, given, want string }{
		{
			"ck and ik last",
			`Digest realm="ims.example",nonce="AAAA==",algorithm=AKAv1-MD5,qop="auth",ck="00112233445566778899aabbccddeeff",` +
				`ik="ffeeddccbbaa99887766554433221100"`,
			`Digest realm="ims.example",nonce="AAAA==",algorithm=AKAv1-MD5,qop="auth"`,
		},
		{
			"first and in between, with spaces, no qop",
			`Digest ik="ffeeddccbbaa99887766554433221100", realm="ims.example", ck="00112233445566778899aabbccddeeff", nonce="AAAA==", ` +
				`algorithm=AKAv1-MD5`,
			`Digest realm="ims.example",nonce="AAAA==",algorithm=AKAv1-MD5`,
		},
		{
			"another order, and a parameter nobody knows",
			`Digest algorithm=AKAv1-MD5,x-vendor="a, ck=\"b",nonce="AAAA==",opaque="o",realm="ims.example",qop="auth,auth-int",` +
				`IK=ffeeddccbbaa99887766554433221100,CK=00112233445566778899aabbccddeeff,stale=false`,
			`Digest algorithm=AKAv1-MD5,x-vendor="a, ck=\"b",nonce="AAAA==",opaque="o",realm="ims.example",qop="auth,auth-int",stale=false`,
		},
		{
			"commas left out",
			`Digest realm="ims.example" ck=00112233445566778899aabbccddeeff nonce="AAAA==",algorithm=AKAv1-MD5 ik=00`,
			`Digest realm="ims.example",nonce="AAAA==",algorithm=AKAv1-MD5`,
		},
		{
			"no keys: as it is",
			`Digest realm="ims.example",nonce="n",algorithm=MD5,qop="auth"`,
			`Digest realm="ims.example",nonce="n",algorithm=MD5,qop="auth"`,
		},
	} {
		t.Run("§5.2.2.2 "+test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", authorization)
				d.icscf.Answer(d.icscf.Request("REGISTER"), 401, "WWW-Authenticate: "+test.given, "P-Charging-Vector: icid-value=x")
				r := d.alice.Response(401)
				if got := sip.Value(r, "WWW-Authenticate"); got != test.want {
					t.Errorf("%s\nwant %s", got, test.want)
				}
				if sip.Has(r, "P-Charging-Vector") {
					t.Error("P-Charging-Vector goes to the handset")
				}
				if len(r.GetHeaders("Via")) != 1 {
					t.Errorf("%d Via", len(r.GetHeaders("Via")))
				}
			})
		})
	}

	t.Run("one that cannot be read goes nowhere, for it may have keys in it", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", authorization)
			d.icscf.Answer(d.icscf.Request("REGISTER"), 401, `WWW-Authenticate: Digest realm="r",ck="00112233445566778899aabbccddeeff",ck="0"`)
			r := d.alice.Response(500)
			if strings.Contains(r.String(), "00112233") {
				t.Errorf("a key goes out:\n%s", r)
			}
		})
	})

	t.Run("keys in a second challenge do not pass either", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", authorization)
			d.icscf.Answer(d.icscf.Request("REGISTER"), 401, `WWW-Authenticate: Digest realm="r",nonce="AA==",algorithm=AKAv2-MD5,ck="01",ik="02"`,
				`WWW-Authenticate: Digest realm="r",nonce="BB==",algorithm=AKAv1-MD5,ck="03",ik="04"`)
			r := d.alice.Response(401)
			if text := r.String(); strings.Contains(text, "ck=") || strings.Contains(text, "ik=") {
				t.Errorf("a key goes out:\n%s", text)
			}
		})
	})
}

func TestRegistered(t *testing.T) {
	t.Run("§5.2.2.1 what the 200 says is kept", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			r := d.register()
			b := d.only()
			if b.Private != "alice@ims.example" || b.Default() != alice || len(b.Identities) != 2 || len(b.ServiceRoute) != 1 ||
				b.ServiceRoute[0] != route {
				t.Errorf("%+v", b)
			}
			if left := time.Until(b.Expires); left != 600*second {
				t.Errorf("expires in %s", left)
			}
			if !strings.Contains(sip.Value(r, "Path"), b.Token+"@") {
				t.Errorf("Path %s does not name the binding %s", sip.Value(r, "Path"), b.Token)
			}
		})
	})

	t.Run("§5.2.2.1 a refresh keeps the token, so that routes of dialogs go on", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			first := sip.Value(d.register(), "Path")
			if again := sip.Value(d.register(), "Path"); again != first {
				t.Errorf("Path %s, then %s", first, again)
			}
			d.only()
		})
	})

	t.Run("a binding ends with its registration", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			time.Sleep(601 * second) // of the bubble
			synctest.Wait()
			if n := d.proxy.bindings.Len(); n != 0 || d.counted("registration", "REGISTER", "expired") != 1 {
				t.Errorf("%d bindings, %d expired", n, d.counted("registration", "REGISTER", "expired"))
			}
			d.send("MESSAGE", bob)
			d.alice.Response(403)
		})
	})

	for _, test := range []struct {
		name, contact string
		expires       string
		answer        []string
	}{
		{"§5.2.2.1 Expires: 0", "<sip:alice@" + aliceAt + ">", "0", nil},
		{"§5.2.2.1 expires=0", "<sip:alice@" + aliceAt + ">;expires=0", "600", nil},
		{"§5.2.2.1 Contact: *", "*", "0", nil},
		{"a 200 that lists another's contact", "<sip:alice@" + aliceAt + ">", "600", []string{"Contact: <sip:other@10.0.0.77>;expires=600"}},
		{"a 200 that says expires=0", "<sip:alice@" + aliceAt + ">", "600", []string{"Contact: <sip:alice@" + aliceAt + ">;expires=0"}},
	} {
		t.Run("de-registered: "+test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", "Contact: "+test.contact, "Expires: "+test.expires, authorization)
				d.icscf.Answer(d.icscf.Request("REGISTER"), 200, test.answer...)
				d.alice.Response(200)
				synctest.Wait()
				token := d.only().Token

				d.send("MESSAGE", bob)
				d.alice.Response(403)
				d.toAlice("MESSAGE")
				d.scscf.Response(430)
				d.toAlice("NOTIFY", "To: <"+alice+">;tag=a") // that tells the handset of it
				d.alice.Answer(d.alice.Request("NOTIFY"), 200)
				d.scscf.Response(200)

				time.Sleep(33 * second)
				synctest.Wait()
				if n := d.proxy.bindings.Len(); n != 0 {
					t.Errorf("%d bindings, %s", n, token)
				}
			})
		})
	}

	for _, status := range []int{401, 403, 480, 500} {
		t.Run("a refused refresh leaves the registration as it was", func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", authorization)
				d.icscf.Answer(d.icscf.Request("REGISTER"), status, `WWW-Authenticate: Digest realm="r",nonce="n"`)
				d.alice.Response(status)
				d.only()
			})
		})
	}
}

func TestRegistrarDoesNotAnswer(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", authorization)
		d.icscf.Request("REGISTER")
		r := d.alice.Response(504)
		want(t, r, "Reason", `SIP;cause=504;text="the I-CSCF did not answer"`)
		if d.counted("registration", "REGISTER", "504") != 1 {
			t.Error("the 504 is not counted")
		}
	})
}

func TestRegisterFromTheCore(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.scscf.Send(mwAddress, d.request("REGISTER", "sip:ims.example", "Via: SIP/2.0/UDP 192.0.2.3:5060;branch=z9hG4bKr")...)
		d.scscf.Response(403)
	})
}
