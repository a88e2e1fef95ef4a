package gm

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// forged is what no handset may say (TS 24.229 §5.2.6.3, §4.4).
var forged = []string{
	"P-Asserted-Identity: <" + bob + ">", "P-Charging-Vector: icid-value=forged", "P-Charging-Function-Addresses: ccf=forged",
	"P-Served-User: <" + bob + ">;sescase=orig",
	"P-Asserted-Service: urn:urn-7:forged",
	"P-Profile-Key: <" + bob + ">",
	"P-User-Database: <aaa://forged>",
	"P-Private-Network-Indication: forged", "P-Visited-Network-ID: forged", "Security-Verify: ipsec-3gpp;q=0.1", "Security-Client: ipsec-3gpp",
	"Require: sec-agree",
}

func wantNothingForged(t *testing.T, r *sip.Request) {
	t.Helper()
	if text := r.String(); strings.Contains(text, "forged") || strings.Contains(text, "ipsec-3gpp") || strings.Contains(text, "sec-agree") {
		t.Errorf("goes on into the core:\n%s", text)
	}
	for _, name := range []string{"P-Preferred-Identity", "P-Served-User", "P-Profile-Key"} {
		if sip.Has(r, name) {
			t.Errorf("%s goes on into the core", name)
		}
	}
}

func TestInitialRequest(t *testing.T) {
	for _, method := range []string{"INVITE", "MESSAGE", "SUBSCRIBE", "OPTIONS", "PUBLISH", "REFER"} {
		t.Run("§5.2.6.3 "+method, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				d.send(method, bob, append(slices.Clone(forged), "Route: <sip:pcscf.ims.example;lr>, <"+route+">", "\nbody")...)
				r := d.scscf.Request(method)

				wantNothingForged(t, r)
				want(t, r, "P-Asserted-Identity", "<"+alice+">")
				want(t, r, "Route", "<"+route+">")

				vector := ims.ParseChargingVector(sip.Value(r, "P-Charging-Vector"))
				if vector.ICID == "" || vector.OriginatingIOI != "visited.example" || vector.GeneratedAt != "192.0.2.1" {
					t.Errorf("§5.2.6.3.3 P-Charging-Vector %+v", vector)
				}

				records, _ := sip.RecordRoutes(r)
				token := d.only().Token
				switch dialog := method == "INVITE" || method == "SUBSCRIBE" || method == "REFER"; {
				case !dialog && len(records) != 0:
					t.Errorf("Record-Route %v in a request that makes no dialog", records)
				case dialog && (len(records) != 2 || records[0].URI != "sip:"+token+"@"+mwAddress+";lr" ||
					records[1].URI != "sip:"+token+"@"+gmAddress+";lr"):
					t.Errorf("Record-Route %v, want the side of Mw on top of that of Gm, both with the token", records)
				}

				if string(r.Body()) != "body" || r.Recipient.String() != bob {
					t.Errorf("body %q, Request-URI %s", r.Body(), r.Recipient.String())
				}

				d.scscf.Answer(
					r,
					200,
					"Contact: <sip:bob@192.0.2.99>",
					"P-Charging-Vector: icid-value=x",
					"P-Charging-Function-Addresses: ecf=x",
					"P-Asserted-Identity: <"+bob+">",
				)
				response := d.alice.Response(200)
				want(t, response, "P-Charging-Vector", "")
				want(t, response, "P-Charging-Function-Addresses", "")
				want(t, response, "P-Asserted-Identity", "<"+bob+">")
			})
		})
	}
}

func TestAssertedIdentity(t *testing.T) {
	for _, test := range []struct{ name, preferred, asserted string }{
		{"§5.2.6.3.3 none is preferred: the default one", "", alice},
		{"a registered one", "P-Preferred-Identity: <" + number + ">", number},
		{"with a display name and parameters", `P-Preferred-Identity: "Alice" <tel:+1-555-0001>;x=y`, number},
		{"as a sip URI of the number", "P-Preferred-Identity: <sip:+15550001@ims.example;user=phone>", number},
		{"the default one, in another spelling", "P-Preferred-Identity: <sip:alice@IMS.EXAMPLE:5060>", alice},
		{"another's", "P-Preferred-Identity: <" + bob + ">", alice},
		{"another's, then the own one", "P-Preferred-Identity: <" + bob + ">, <" + number + ">", number},
		{"what cannot be read", "P-Preferred-Identity: <<>>", alice},
		{"the From of another", "From: <" + bob + ">;tag=a", alice},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				var lines []string
				if test.preferred != "" {
					lines = append(lines, test.preferred)
				}
				d.send("MESSAGE", bob, append(lines, "P-Asserted-Identity: <"+bob+">")...)
				want(t, d.scscf.Request("MESSAGE"), "P-Asserted-Identity", "<"+test.asserted+">")
			})
		})
	}
}

func TestServiceRoute(t *testing.T) {
	const elsewhere = "Route: <sip:198.51.100.9;lr>"

	for _, test := range []struct {
		name    string
		enforce bool
		lines   []string
		status  int // of a refusal
	}{
		{"§5.2.6.3.3 as registered", true, []string{"Route: <" + gmURI + ">, <" + route + ">"}, 0},
		{"as registered, without this P-CSCF", true, []string{"Route: <" + route + ">"}, 0},
		{"parameters in another order", true, []string{"Route: <sip:orig@192.0.2.3:5060;lr>"}, 0},
		{"past the S-CSCF, replaced", false, []string{elsewhere}, 0},
		{"none, replaced", false, nil, 0},
		{"one more behind it, replaced", false, []string{"Route: <" + route + ">", elsewhere}, 0},
		{"past the S-CSCF, refused", true, []string{elsewhere}, 400},
		{"none, refused", true, nil, 400},
		{"one more behind it, refused", true, []string{"Route: <" + route + ">", elsewhere}, 400},
		{"another user part, refused", true, []string{"Route: <sip:term@192.0.2.3:5060;lr>"}, 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(c *Config, _ *Options) { c.Enforce = test.enforce }, func(t *testing.T, d *desk) {
				d.register()
				d.send("INVITE", bob, test.lines...)
				if test.status != 0 {
					d.alice.Response(test.status)
					d.scscf.Silent()
					return
				}
				want(t, d.scscf.Request("INVITE"), "Route", "<"+route+">")
			})
		})
	}
}

const gmURI = "sip:" + gmAddress + ";lr"

func TestWhoMaySend(t *testing.T) {
	for _, test := range []struct {
		name, from string // where it comes from
		contact    string
		known      ByAddress
		taken      bool
	}{
		{name: "the address and port of the registration", from: aliceAt, contact: "<sip:x@10.0.0.1:5060>", known: Stream, taken: true},
		{
			name:    "another port, the registered Contact: UDP in clear is not believed",
			from:    "10.0.0.1:49152",
			contact: "<sip:alice@" + aliceAt + ">",
			known:   Stream,
		},
		{
			name:    "but where the setting says so, another port, the registered Contact",
			from:    "10.0.0.1:49152",
			contact: "<sip:alice@" + aliceAt + ">",
			known:   Always,
			taken:   true,
		},
		{
			name:    "another port, another Contact, nobody else there: UDP in clear is not believed",
			from:    "10.0.0.1:49152",
			contact: "<sip:other@10.0.0.1:49152>",
			known:   Stream,
		},
		{name: "but where the setting says so", from: "10.0.0.1:49152", contact: "<sip:other@10.0.0.1:49152>", known: Always, taken: true},
		{name: "another address, the registered Contact", from: "10.0.0.2:5060", contact: "<sip:alice@" + aliceAt + ">", known: Always},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(c *Config, _ *Options) { c.ByAddress = test.known }, func(t *testing.T, d *desk) {
				d.register()
				peer := d.alice
				if test.from != aliceAt {
					peer = d.network.Peer(t, test.from)
				}
				peer.Send(
					gmAddress,
					d.request("MESSAGE", bob, "Via: SIP/2.0/UDP "+test.from+";rport;branch="+sip.NewBranch(), "Contact: "+test.contact)...)
				if test.taken {
					d.scscf.Request("MESSAGE")
					return
				}
				r := peer.Response(403)
				if !strings.Contains(sip.Value(r, "Reason"), "not registered") || d.counted("originating", "MESSAGE", "403") != 1 {
					t.Errorf("the refusal is not explained or not counted:\n%s", r)
				}
				d.scscf.Silent()
			})
		})
	}

	t.Run("two at one address: only who is known by port or Contact", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			other := d.network.Peer(t, "10.0.0.1:5062")
			other.Send(
				gmAddress,
				d.request(
					"REGISTER",
					"sip:ims.example",
					"Via: SIP/2.0/UDP 10.0.0.1:5062;rport;branch="+sip.NewBranch(),
					"Contact: <sip:carol@10.0.0.1:5062>",
				)...)
			d.icscf.Answer(
				d.icscf.Request("REGISTER"),
				200,
				"Contact: <sip:carol@10.0.0.1:5062>;expires=600",
				"Service-Route: <"+route+">",
				"P-Associated-URI: <sip:carol@ims.example>",
			)
			other.Response(200)

			third := d.network.Peer(t, "10.0.0.1:5064")
			third.Send(
				gmAddress,
				d.request("MESSAGE", bob, "Via: SIP/2.0/UDP 10.0.0.1:5064;rport;branch="+sip.NewBranch(), "Contact: <sip:x@10.0.0.1:5064>")...)
			third.Response(403)

			other.Send(
				gmAddress,
				d.request("MESSAGE", bob, "Via: SIP/2.0/UDP 10.0.0.1:5062;rport;branch="+sip.NewBranch(), "Contact: <sip:alice@"+aliceAt+">")...)
			want(t, d.scscf.Request("MESSAGE"), "P-Asserted-Identity", "<sip:carol@ims.example>")
		})
	})
}

// Two accounts behind one socket: each pays for its own, and what is not clear goes nowhere.
func TestTwoAccountsBehindOneSocket(t *testing.T) {
	const carol = "sip:carol@ims.example"

	for _, test := range []struct {
		name     string
		lines    []string
		asserted string // "": 403
		why      string
	}{
		{"by Contact: the first", []string{"Contact: <sip:alice@" + aliceAt + ">"}, alice, ""},
		{"by Contact: the second", []string{"Contact: <sip:carol@" + aliceAt + ">"}, carol, ""},
		{
			"by Contact, with an identity of its own",
			[]string{"Contact: <sip:alice@" + aliceAt + ">", "P-Preferred-Identity: <" + number + ">"},
			number,
			"",
		},
		{
			"another Contact: by preferred identity",
			[]string{"Contact: <sip:x@" + aliceAt + ">", "P-Preferred-Identity: <" + carol + ">", "From: <" + alice + ">;tag=a"},
			carol,
			"",
		},
		{"no Contact: by From", []string{"Contact:", "From: <" + carol + ">;tag=a"}, carol, ""},
		{
			"the Contact of one and an identity of the other",
			[]string{"Contact: <sip:alice@" + aliceAt + ">", "P-Preferred-Identity: <" + carol + ">"},
			"",
			"P-Preferred-Identity",
		},
		{
			"nothing that says who it is",
			[]string{"Contact: <sip:x@" + aliceAt + ">", "From: <sip:anonymous@anonymous.invalid>;tag=a"},
			"",
			"several are registered",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				d.send("REGISTER", "sip:ims.example", "To: <"+carol+">", "Contact: <sip:carol@"+aliceAt+">")
				d.icscf.Answer(
					d.icscf.Request("REGISTER"),
					200,
					"Contact: <sip:carol@"+aliceAt+">;expires=600",
					"Service-Route: <"+route+">",
					"P-Associated-URI: <"+carol+">",
				)
				d.alice.Response(200)

				d.send("MESSAGE", bob, test.lines...)
				if test.asserted != "" {
					want(t, d.scscf.Request("MESSAGE"), "P-Asserted-Identity", "<"+test.asserted+">")
					return
				}
				if r := d.alice.Response(403); !strings.Contains(sip.Value(r, "Reason"), test.why) {
					t.Errorf("the refusal does not say why:\n%s", r)
				}
				d.scscf.Silent()
			})
		})
	}
}

func TestOptionsToThePCSCF(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.send("OPTIONS", "sip:pcscf.ims.example")
		d.alice.Response(200)
		d.scscf.Silent()
	})
}

func TestPrivacyOfTheCallee(t *testing.T) {
	for privacy, shown := range map[string]bool{"id": false, "header; id": false, "none": true, "session": true} {
		t.Run("RFC 3325 §7 "+privacy, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				d.send("MESSAGE", bob)
				d.scscf.Answer(d.scscf.Request("MESSAGE"), 200, "P-Asserted-Identity: <"+bob+">", "Privacy: "+privacy)
				if got := sip.Has(d.alice.Response(200), "P-Asserted-Identity"); got != shown {
					t.Errorf("P-Asserted-Identity shown: %v, want %v", got, shown)
				}
			})
		})
	}
}

func TestSilentSCSCF(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.register()
		d.send("MESSAGE", bob)
		r := d.alice.Response(504)
		want(t, r, "Reason", `SIP;cause=504;text="the S-CSCF did not answer"`)
		synctest.Wait()
	})
}

// RFC 3261 §16.8: a call that rings until timer C ends as one that nobody answered, not as a fault of the core.
func TestRangUntilTimerC(t *testing.T) {
	for _, provisional := range []int{100, 180} {
		t.Run(sip.Phrase(provisional), func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				d.send("INVITE", bob)
				d.alice.Response(100)
				invite := d.scscf.Request("INVITE")
				d.scscf.Answer(invite, provisional)
				if provisional != 100 {
					d.alice.Response(provisional)
				}

				time.Sleep(stack.DefaultConfig().Timers.C) // synctest's time
				d.scscf.Answer(d.scscf.Request("CANCEL"), 200)
				d.scscf.Answer(invite, 487)
				d.scscf.Request("ACK")
				want(t, d.alice.Response(408), "Reason", `SIP;cause=408;text="nobody answered"`)
			})
		})
	}
}
