package gm

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// toAlice sends a request of the S-CSCF to the handset, over Path.
func (d *desk) toAlice(method string, lines ...string) {
	d.t.Helper()
	path := "Route: <sip:" + d.only().Token + "@" + mwAddress + ";lr>"
	d.scscf.Send(mwAddress, d.request(method, "sip:alice@"+aliceAt, append([]string{
		"Via: SIP/2.0/UDP 192.0.2.3:5060;branch=" +
			sip.NewBranch(), "From: <" + bob + ">;tag=b", "To: <" + alice + ">", "Contact: <sip:bob@192.0.2.99>",
		path,
		"Record-Route: <sip:term@192.0.2.3:5060;lr>",
		"P-Charging-Vector: icid-value=term1;orig-ioi=ims.example",
		"P-Called-Party-ID: <" + number + ">",
		"P-Charging-Function-Addresses: ecf=x", "P-Served-User: <" + alice + ">",
	}, lines...)...)...)
}

func TestTerminating(t *testing.T) {
	for _, method := range []string{"INVITE", "MESSAGE", "NOTIFY", "OPTIONS"} {
		t.Run("§5.2.6.4 "+method, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				token := d.only().Token
				d.toAlice(method, "P-Asserted-Identity: <"+bob+">", "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=1")
				r := d.alice.Request(method)

				for _, name := range []string{"P-Charging-Vector", "P-Charging-Function-Addresses", "P-Served-User", "P-Access-Network-Info", "Route"} {
					if sip.Has(r, name) {
						t.Errorf("§5.2.6.4.2 %s goes to the handset", name)
					}
				}
				want(t, r, "P-Asserted-Identity", "<"+bob+">")
				want(t, r, "P-Called-Party-ID", "<"+number+">")
				if via := r.Via(); via.Host != "192.0.2.1" || via.Port != 5060 {
					t.Errorf("Via %s, want the side of Gm", via)
				}

				records, _ := sip.RecordRoutes(r)
				if method == "INVITE" &&
					(len(records) != 3 || records[0].URI != "sip:"+token+"@"+gmAddress+";lr" || records[1].URI != "sip:"+token+"@"+mwAddress+";lr") {
					t.Errorf("Record-Route %v, want the side of Gm on top of that of Mw, both with the token", records)
				}

				d.alice.Answer(r, 200, append(slices.Clone(forged), "P-Preferred-Identity: <"+number+">", "Contact: <sip:alice@"+aliceAt+">")...)
				response := d.scscf.Response(200)
				if text := response.String(); strings.Contains(text, "forged") {
					t.Errorf("goes on into the core:\n%s", text)
				}
				want(t, response, "P-Asserted-Identity", "<"+number+">")
				if v := ims.ParseChargingVector(sip.Value(response, "P-Charging-Vector")); v.ICID != "term1" || v.OriginatingIOI != "ims.example" {
					t.Errorf("§5.2.6.4.4 P-Charging-Vector %+v, want that of the request", v)
				}
			})
		})
	}
}

func TestIdentityOfTheCallee(t *testing.T) {
	for _, test := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"§5.2.6.4.4 the one that was called", nil, number},
		{"the one that the handset prefers", []string{"P-Preferred-Identity: <" + alice + ">"}, alice},
		{"another's is not", []string{"P-Preferred-Identity: <" + bob + ">"}, number},
		{"what the handset asserts is not", []string{"P-Asserted-Identity: <" + bob + ">"}, number},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				d.toAlice("INVITE")
				d.alice.Answer(d.alice.Request("INVITE"), 180, test.lines...)
				want(t, d.scscf.Response(180), "P-Asserted-Identity", "<"+test.want+">")
			})
		})
	}
}

func TestPrivacy(t *testing.T) {
	for _, test := range []struct {
		name, privacy string
		shown         bool
	}{
		{"RFC 3325 §7 id", "id", false},
		{"header and id", "header;id", false},
		{"id in capitals", "ID", false},
		{"none", "none", true},
		{"header alone", "header", true},
		{"a value that has the letters in it", "history;idle", true},
		{"nothing said", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				lines := []string{"P-Asserted-Identity: <" + bob + ">"}
				if test.privacy != "" {
					lines = append(lines, "Privacy: "+test.privacy)
				}
				d.toAlice("INVITE", lines...)
				if got := sip.Has(d.alice.Request("INVITE"), "P-Asserted-Identity"); got != test.shown {
					t.Errorf("P-Asserted-Identity shown: %v, want %v", got, test.shown)
				}
			})
		})
	}
}

func TestNobodyThere(t *testing.T) {
	for _, test := range []struct {
		name, to string
		status   int
	}{
		{"§5.2.6.4.1 an initial request to a binding that is gone", "<" + alice + ">", 430},
		{"RFC 3261 §12.2.2 within a dialog of one that is gone", "<" + alice + ">;tag=gone", 481},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				token := d.only().Token
				time.Sleep(601 * second)
				d.scscf.Send(mwAddress, d.request("INVITE", "sip:alice@"+aliceAt, "Via: SIP/2.0/UDP 192.0.2.3:5060;branch="+sip.NewBranch(),
					"From: <"+bob+">;tag=b", "To: "+test.to, "Route: <sip:"+token+"@"+mwAddress+";lr>")...)
				d.scscf.Response(test.status)
				d.alice.Silent()
			})
		})
	}

	t.Run("no token at all: nothing goes to a handset by its address alone", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			d.scscf.Send(mwAddress, d.request("INVITE", "sip:alice@"+aliceAt, "Via: SIP/2.0/UDP 192.0.2.3:5060;branch="+sip.NewBranch())...)
			d.scscf.Response(480)
			d.alice.Silent()
		})
	})
}

// §5.2.6.4: a silent handset results in a 408 of the P-CSCF, which says so.
func TestSilentHandset(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.register()
		d.toAlice("INVITE")
		d.scscf.Response(100)
		r := d.scscf.Response(408)
		if !strings.Contains(sip.Value(r, "Warning"), aliceAt) {
			t.Errorf("the 408 does not say who did not answer:\n%s", r)
		}
	})
}

// open5gs#486 and handsets behind TCP: after a refresh from a new port, the core's requests go to the new one.
func TestTerminatingAfterARefreshFromANewPort(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.register()
		token := d.only().Token
		moved := d.network.Peer(t, "10.0.0.1:49200")
		moved.Send(
			gmAddress,
			d.request(
				"REGISTER",
				"sip:ims.example",
				"Via: SIP/2.0/UDP 10.0.0.1:49200;rport;branch="+sip.NewBranch(),
				"To: <"+alice+">",
				authorization,
			)...)
		d.icscf.Answer(
			d.icscf.Request("REGISTER"),
			200,
			"Contact: <sip:alice@"+aliceAt+">;expires=600",
			"Service-Route: <"+route+">",
			"P-Associated-URI: <"+alice+">",
		)
		moved.Response(200)
		if d.only().Token != token {
			t.Errorf("token %s, then %s", token, d.only().Token)
		}

		d.toAlice("INVITE")
		d.alice.Silent()
		moved.Request("INVITE")
	})
}

// RFC 3261 §18.2.2, RFC 3581: where a handset is reached that sends in clear over UDP from another port than it listens at.
func TestSourceOrContact(t *testing.T) {
	const source, listens = "10.0.0.7:40000", "10.0.0.7:5060"

	for _, test := range []struct {
		name, via, contact, to string
	}{
		{"Via and Contact on 5060, no rport: the Contact", "SIP/2.0/UDP 10.0.0.7:5060", "<sip:alice@10.0.0.7:5060>", listens},
		{"without ports, too", "SIP/2.0/UDP 10.0.0.7", "<sip:alice@10.0.0.7>", listens},
		{"rport: the source", "SIP/2.0/UDP 10.0.0.7:5060;rport", "<sip:alice@10.0.0.7:5060>", source},
		{"Via of another address, a NAT: the source", "SIP/2.0/UDP 192.168.1.7:5060", "<sip:alice@10.0.0.7:5060>", source},
		{"Contact of another address, a NAT: the source", "SIP/2.0/UDP 10.0.0.7:5060", "<sip:alice@192.168.1.7:5060>", source},
		{"a Contact without an address: the source", "SIP/2.0/UDP 10.0.0.7:5060", "<sip:alice@handset.invalid>", source},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				sends, listening := d.network.Peer(t, source), d.network.Peer(t, listens)
				sends.Send(
					gmAddress,
					d.request(
						"REGISTER",
						"sip:ims.example",
						"Via: "+test.via+";branch="+sip.NewBranch(),
						"Contact: "+test.contact,
						"To: <"+alice+">",
						authorization,
					)...)
				d.icscf.Answer(
					d.icscf.Request("REGISTER"),
					200,
					"Contact: "+test.contact+";expires=600",
					"Service-Route: <"+route+">",
					"P-Associated-URI: <"+alice+">",
				)
				synctest.Wait()

				d.toAlice("MESSAGE")
				if test.to == listens {
					listening.Response(200) // to the REGISTER
					listening.Request("MESSAGE")
				} else {
					for m := sends.Next(); ; m = sends.Next() {
						if r, is := m.(*sip.Request); is && r.Method == "MESSAGE" {
							break
						}
					}
				}

				// It is known by where it sends from.
				sends.Send(gmAddress, d.request("MESSAGE", bob, "Via: "+test.via+";branch="+sip.NewBranch(), "Contact: <sip:other@10.0.0.7>")...)
				want(t, d.scscf.Request("MESSAGE"), "P-Asserted-Identity", "<"+alice+">")
			})
		})
	}
}
