package gm

import (
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// After a refresh from a new port a session goes on: what the handset sends from there, and what it is sent (issue open5gs#486
// shows what comes of the old port).
func TestSessionAfterARefreshFromANewPort(t *testing.T) {
	for _, method := range []string{"BYE", "INVITE", "UPDATE"} {
		t.Run(method, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				callID, routes := d.call()

				moved := d.network.Peer(t, "10.0.0.1:49200")
				via := func() string { return "Via: SIP/2.0/UDP 10.0.0.1:49200;rport;branch=" + sip.NewBranch() }
				moved.Send(gmAddress, d.request("REGISTER", "sip:ims.example", via(), "To: <"+alice+">", authorization)...)
				d.icscf.Answer(
					d.icscf.Request("REGISTER"),
					200,
					"Contact: <sip:alice@"+aliceAt+">;expires=600",
					"Service-Route: <"+route+">",
					"P-Associated-URI: <"+alice+">",
				)
				moved.Response(200)

				token := d.only().Token
				d.scscf.Send(mwAddress, d.request(method, "sip:alice@"+aliceAt, "Via: SIP/2.0/UDP 192.0.2.3:5060;branch="+sip.NewBranch(),
					"Route: <sip:"+token+"@"+mwAddress+";lr>", "Route: <sip:"+token+"@"+gmAddress+";lr>", "From: <"+bob+">;tag=b", "To: <"+alice+">;tag=a",
					"Call-ID: "+callID, "Contact: <sip:bob@198.51.100.7>")...)
				moved.Answer(moved.Request(method), 200, "Contact: <sip:alice@10.0.0.1:49200>")
				d.scscf.Response(200)
				d.alice.Silent()

				if method == "BYE" {
					return
				}
				moved.Send(gmAddress, d.request(method, "sip:bob@198.51.100.7", append(routes, via(), "Call-ID: "+callID, "To: <"+bob+">;tag=b")...)...)
				want(t, d.scscf.Request(method), "Route", beyondMw)
			})
		})
	}
}

// recorded protects nothing, and records where protection was to be removed.
type recorded struct {
	Open
	ended []string
}

func (r *recorded) Ended(flow stack.Flow) { r.ended = append(r.ended, flow.Remote.String()) }

// A REGISTER that registers nothing new does not affect the security associations of a registered handset.
func TestAssociationsOfAHandsetThatAsks(t *testing.T) {
	for name, contact := range map[string]string{
		"what is registered":        "Contact:",
		"to take back another":      "Contact: <sip:alice@10.0.0.8:5060>;expires=0",
		"to take back what is here": "Contact: <sip:alice@" + aliceAt + ">;expires=0",
		"to take back what is here, written otherwise (RFC 3261 §19.1.4)": "Contact: <sip:%61lice@" + aliceAt + ";x=1>;expires=0",
	} {
		t.Run(name, func(t *testing.T) {
			security := &recorded{}
			withDesk(t, func(_ *Config, o *Options) { o.Security = security }, func(t *testing.T, d *desk) {
				d.register()
				d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", authorization, contact)

				own := strings.Contains(contact, aliceAt)
				if own {
					d.icscf.Answer(d.icscf.Request("REGISTER"), 200)
				} else {
					d.icscf.Answer(d.icscf.Request("REGISTER"), 200, "Contact: <sip:alice@"+aliceAt+">;expires=600")
				}
				d.alice.Response(200)

				if (len(security.ended) > 0) != own || d.only().Registered == own {
					t.Errorf("associations are taken down at %v; the binding is %+v", security.ended, d.only())
				}
			})
		})
	}
}

// A handset that registers from another address in a call, with another Contact, keeps the call: requests within it reach it there
// and come from there, and its old contact may end by then, taken back by itself or told of by the network.
func TestSessionOfAHandsetThatMoves(t *testing.T) {
	const (
		instance = `;+sip.instance="<urn:gsma:imei:35845404-000001-0>"`
		there    = "10.0.0.9:5062"
	)

	register := func(d *desk, from *memory.Peer, at string, lines ...string) {
		d.t.Helper()
		via := "Via: SIP/2.0/UDP " + at + ";rport;branch=" + sip.NewBranch()
		from.Send(gmAddress, d.request("REGISTER", "sip:ims.example", append([]string{
			via,
			"To: <" + alice + ">",
			authorization,
		}, lines...)...)...)
	}
	answer := func(d *desk, contacts ...string) {
		d.t.Helper()
		for i, c := range contacts {
			contacts[i] = "Contact: " + c
		}
		d.icscf.Answer(d.icscf.Request("REGISTER"), 200, append(contacts, "Service-Route: <"+route+">", "P-Associated-URI: <"+alice+">")...)
	}

	for _, test := range []struct {
		name string
		old  func(d *desk, moved *memory.Peer) // what becomes of the old contact
	}{
		{"and its old contact stays", func(*desk, *memory.Peer) {}},
		{"and takes its old contact back", func(d *desk, moved *memory.Peer) {
			register(d, moved, there, "Contact: <sip:alice@"+aliceAt+">;expires=0"+instance)
			answer(d, "<sip:alice@"+there+">;expires=600")
			moved.Response(200)
		}},
		{"and some time goes by", func(*desk, *memory.Peer) { time.Sleep(2 * binding.Linger) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				register(d, d.alice, aliceAt, "Contact: <sip:alice@"+aliceAt+">"+instance)
				answer(d, "<sip:alice@"+aliceAt+">;expires=600")
				d.alice.Response(200)
				callID, routes := d.call()
				token := d.only().Token

				moved := d.network.Peer(t, there)
				register(d, moved, there, "Contact: <sip:alice@"+aliceAt+">;expires=0"+instance+", <sip:alice@"+there+">"+instance)
				answer(d, "<sip:alice@"+there+">;expires=600")
				moved.Response(200)
				test.old(d, moved)

				if b := d.only(); b.Token != token || !b.Registered || b.Flow.Remote.String() != there {
					t.Fatalf("the binding is %+v", b)
				}

				d.scscf.Send(mwAddress, d.request("UPDATE", "sip:alice@"+aliceAt, "Via: SIP/2.0/UDP 192.0.2.3:5060;branch="+sip.NewBranch(),
					"Route: <sip:"+token+"@"+mwAddress+";lr>", "Route: <sip:"+token+"@"+gmAddress+";lr>", "From: <"+bob+">;tag=b",
					"To: <"+alice+">;tag=a", "Call-ID: "+callID, "Contact: <sip:bob@198.51.100.7>")...)
				moved.Answer(moved.Request("UPDATE"), 200, "Contact: <sip:alice@"+there+">")
				d.scscf.Response(200)
				d.alice.Silent()

				moved.Send(gmAddress, d.request("BYE", "sip:bob@198.51.100.7", append(routes, "Via: SIP/2.0/UDP "+there+";rport;branch="+
					sip.NewBranch(),
					"Contact: <sip:alice@"+there+">", "Call-ID: "+callID, "To: <"+bob+">;tag=b")...)...)
				want(t, d.scscf.Request("BYE"), "Route", beyondMw)
			})
		})
	}

	for _, test := range []struct {
		name  string
		newer func(d *desk, moved *memory.Peer) // is answered before the refresh that was sent before it
		want  func(b *binding.Binding) bool
	}{
		{"a refresh from there is answered late", func(d *desk, moved *memory.Peer) {
			register(d, moved, there, "Contact: <sip:alice@"+there+">"+instance)
			answer(d, "<sip:alice@"+there+">;expires=600")
			moved.Response(200)
		}, func(b *binding.Binding) bool { return b.Registered && b.Flow.Remote.String() == there }},
		{"a refresh is answered after the end", func(d *desk, _ *memory.Peer) {
			register(d, d.alice, aliceAt, "Contact: <sip:alice@"+aliceAt+">;expires=0"+instance)
			answer(d)
			d.alice.Response(200)
		}, func(b *binding.Binding) bool { return !b.Registered }},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				register(d, d.alice, aliceAt, "Contact: <sip:alice@"+aliceAt+">"+instance)
				answer(d, "<sip:alice@"+aliceAt+">;expires=600")
				d.alice.Response(200)

				register(d, d.alice, aliceAt, "Contact: <sip:alice@"+aliceAt+">"+instance)
				refresh := d.icscf.Request("REGISTER")
				test.newer(d, d.network.Peer(t, there))
				d.icscf.Answer(refresh, 200, "Contact: <sip:alice@"+aliceAt+">;expires=600", "P-Associated-URI: <"+alice+">")
				d.alice.Response(200)

				if b := d.only(); !test.want(b) {
					t.Errorf("the binding is %+v", b)
				}
			})
		})
	}

	t.Run("flows that the registrar does not tell apart are one handset", func(t *testing.T) { // RFC 5626 §6: this P-CSCF's Path has no ob
		withDesk(t, nil, func(t *testing.T, d *desk) {
			register(d, d.alice, aliceAt, "Supported: outbound", "Contact: <sip:alice@"+aliceAt+">;reg-id=1"+instance)
			answer(d, "<sip:alice@"+aliceAt+">;expires=600")
			d.alice.Response(200)
			token := d.only().Token

			moved := d.network.Peer(t, there)
			register(d, moved, there, "Supported: outbound", "Contact: <sip:alice@"+there+">;reg-id=2"+instance)
			answer(d, "<sip:alice@"+there+">;expires=600")
			moved.Response(200)
			if b := d.only(); b.Token != token || b.Flow.Remote.String() != there {
				t.Errorf("the binding is %+v", b)
			}
		})
	})

	t.Run("another handset of the same user is another", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			register(d, d.alice, aliceAt, "Contact: <sip:alice@"+aliceAt+">"+instance)
			answer(d, "<sip:alice@"+aliceAt+">;expires=600")
			d.alice.Response(200)

			other := d.network.Peer(t, there)
			register(d, other, there, "Contact: <sip:alice@"+there+`>;+sip.instance="<urn:gsma:imei:35845404-000002-0>"`)
			answer(d, "<sip:alice@"+aliceAt+">;expires=600", "<sip:alice@"+there+">;expires=600")
			other.Response(200)

			if all := d.proxy.bindings.All(); len(all) != 2 {
				t.Errorf("%d bindings", len(all))
			}
		})
	})
}
