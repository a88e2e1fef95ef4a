package gm

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pcscf/internal/dialog"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// call is a session of alice's to bob, answered. The routes are what she would send by.
func (d *desk) call(headers ...string) (callID string, routes []string) {
	d.t.Helper()
	d.send("INVITE", bob)
	r := d.scscf.Request("INVITE")
	records := sip.Values(r, "Record-Route")
	d.scscf.Answer(r, 200, append([]string{
		"Record-Route: <sip:term@192.0.2.4:5060;lr>",
		"Record-Route: <sip:orig@192.0.2.3:5060;lr>",
		"Record-Route: " + records[0],
		"Record-Route: " + records[1],
		"To: <" + bob + ">;tag=b", "Contact: <sip:bob@198.51.100.7>",
	}, headers...)...)
	response := d.alice.Response(200)
	synctest.Wait() // until the request is over, and does not count beside its dialog

	all, err := sip.RecordRoutes(response)
	if err != nil || len(all) != 4 {
		d.t.Fatalf("Record-Route %v, %v", all, err)
	}
	for i := len(all) - 1; i >= 0; i-- {
		routes = append(routes, "Route: "+all[i].String())
	}

	return r.CallID().Value(), routes
}

// within is a request of alice's in that call.
func (d *desk) within(method, callID string, lines ...string) {
	d.t.Helper()
	d.send(method, "sip:bob@198.51.100.7", append([]string{"Call-ID: " + callID, "To: <" + bob + ">;tag=b"}, lines...)...)
}

const beyondMw = "<sip:orig@192.0.2.3:5060;lr>, <sip:term@192.0.2.4:5060;lr>"

func TestWithinADialog(t *testing.T) {
	for _, method := range []string{"INVITE", "UPDATE", "INFO", "BYE", "SUBSCRIBE"} {
		t.Run("§5.2.6.3.5 "+method+" of the handset", func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				callID, routes := d.call()
				d.within(method, callID, append(routes, forged...)...)
				r := d.scscf.Request(method)
				want(t, r, "Route", beyondMw)
				want(t, r, "P-Asserted-Identity", "")
				wantNothingForged(t, r)
				d.scscf.Answer(r, 200, "Contact: <sip:bob@198.51.100.7>", "P-Charging-Vector: icid-value=x")
				want(t, d.alice.Response(200), "P-Charging-Vector", "")
			})
		})
	}

	t.Run("RFC 3261 §13.2.2.4 ACK", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			callID, routes := d.call()
			d.within("ACK", callID, routes...)
			want(t, d.scscf.Request("ACK"), "Route", beyondMw)

			d.within("ACK", "another call", routes...)
			d.within("ACK", callID, append(routes, "Route: <sip:198.51.100.9;lr>")...)
			want(t, d.scscf.Request("ACK"), "Route", beyondMw)
			d.scscf.Silent()
		})
	})

	for _, test := range []struct {
		name    string
		enforce bool
		change  func(callID string, routes []string) (string, []string)
		lines   []string
		status  int
	}{
		{
			name:   "§5.2.6.3.5 a dialog that there is not",
			change: func(_ string, r []string) (string, []string) { return "another call", r },
			status: 403,
		},
		{name: "another tag of the other side", lines: []string{"To: <" + bob + ">;tag=x"}, status: 403},
		{name: "another tag of its own", lines: []string{"From: <" + alice + ">;tag=x"}, status: 403},
		{name: "RFC 3261 §12.2.2 no route here", change: func(c string, _ []string) (string, []string) { return c, nil }, status: 481},
		{name: "a token that nobody has", change: func(c string, _ []string) (string, []string) {
			return c, []string{"Route: <sip:nobody@" + gmAddress + ";lr>"}
		}, status: 481},
		{name: "past the S-CSCF: put right", change: func(c string, r []string) (string, []string) {
			return c, append(r[:2:2], "Route: <sip:198.51.100.9;lr>")
		}},
		{name: "past the S-CSCF, enforced", enforce: true, change: func(c string, r []string) (string, []string) {
			return c, append(r[:2:2], "Route: <sip:198.51.100.9;lr>")
		}, status: 400},
		{name: "straight to the other side: put right", change: func(c string, r []string) (string, []string) { return c, r[:2] }},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(p *Proxy) { p.Config.Enforce = test.enforce }, func(t *testing.T, d *desk) {
				registered := d.proxy.Config.Enforce
				d.proxy.Config.Enforce = false
				d.register()
				callID, routes := d.call()
				d.proxy.Config.Enforce = registered
				if test.change != nil {
					callID, routes = test.change(callID, routes)
				}
				d.within("INFO", callID, append(routes, test.lines...)...)
				if test.status == 0 {
					want(t, d.scscf.Request("INFO"), "Route", beyondMw)
					return
				}
				d.alice.Response(test.status)
				d.scscf.Silent()
			})
		})
	}

	t.Run("§5.2.6.3.5 another handset in this dialog: 403", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			callID, routes := d.call()
			thief := d.network.Peer(t, "10.0.0.66:5060")
			thief.Send(
				gmAddress,
				d.request(
					"BYE",
					"sip:bob@198.51.100.7",
					append(routes, "Via: SIP/2.0/UDP 10.0.0.66:5060;branch="+sip.NewBranch(), "Call-ID: "+callID, "To: <"+bob+">;tag=b")...)...)
			thief.Response(403)
			d.scscf.Silent()
		})
	})

	t.Run("a dialog of before a restart: only by the S-CSCF of the registration", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			callID, routes := d.call()
			b := *d.only()
			b.Restored = time.Now()
			d.proxy.Dialogs.RemoveAll(b.Token)
			if err := d.proxy.Bindings.Put(&b); err != nil {
				t.Fatal(err)
			}
			d.within("INFO", callID, append(routes[:2:2], "Route: <sip:198.51.100.9;lr>")...)
			d.alice.Response(403)
			d.within("BYE", callID, routes...)
			want(t, d.scscf.Request("BYE"), "Route", beyondMw)
		})
	})

	t.Run("a dialog in which only the S-CSCF is: to it, wherever the Request-URI points", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			d.send("SUBSCRIBE", alice, "Event: reg")
			r := d.scscf.Request("SUBSCRIBE")
			records := sip.Values(r, "Record-Route")
			d.scscf.Answer(
				r,
				200,
				"Record-Route: "+records[0],
				"Record-Route: "+records[1],
				"To: <"+alice+">;tag=s",
				"Contact: <sip:reg@192.0.2.3>",
				"Expires: 600",
			)
			d.alice.Response(200)
			d.send(
				"SUBSCRIBE",
				"sip:elsewhere@198.51.100.9",
				"Call-ID: "+r.CallID().Value(),
				"To: <"+alice+">;tag=s",
				"Route: "+records[1],
				"Route: "+records[0],
			)
			d.scscf.Request("SUBSCRIBE")
		})
	})
}

func TestEarlyDialog(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.register()
		d.send("INVITE", bob)
		invite := d.scscf.Request("INVITE")
		records := sip.Values(invite, "Record-Route")
		for _, tag := range []string{"b1", "b2"} { // a fork
			d.scscf.Answer(
				invite,
				183,
				"Record-Route: <sip:"+tag+"@192.0.2.3:5060;lr>",
				"Record-Route: "+records[0],
				"Record-Route: "+records[1],
				"To: <"+bob+">;tag="+tag,
				"Contact: <sip:bob@198.51.100.7>",
			)
			d.alice.Response(183)
		}
		for _, tag := range []string{"b1", "b2"} {
			d.send(
				"PRACK",
				"sip:bob@198.51.100.7",
				"Call-ID: "+invite.CallID().Value(),
				"To: <"+bob+">;tag="+tag,
				"Route: "+records[1],
				"Route: "+records[0],
			)
			prack := d.scscf.Request("PRACK")
			want(t, prack, "Route", "<sip:"+tag+"@192.0.2.3:5060;lr>")
			d.scscf.Answer(prack, 200)
			d.alice.Response(200)
		}
		d.scscf.Answer(invite, 486, "To: <"+bob+">;tag=b1")
		d.alice.Response(486)
		d.scscf.Request("ACK")
		synctest.Wait()
		if n := d.proxy.Dialogs.Len(); n != 0 {
			t.Errorf("%d dialogs after the INVITE failed", n)
		}
	})
}

func TestDialogOfTheCallee(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.register()
		d.toAlice("INVITE")
		invite := d.alice.Request("INVITE")
		d.alice.Answer(invite, 200, "To: <"+alice+">;tag=a", "Contact: <sip:alice@"+aliceAt+">")
		d.scscf.Response(200)

		var routes []string
		for _, record := range sip.Values(invite, "Record-Route") {
			routes = append(routes, "Route: "+record)
		}
		d.send(
			"UPDATE",
			"sip:bob@192.0.2.99",
			append(routes, "Call-ID: "+invite.CallID().Value(), "To: <"+bob+">;tag=b", "Via: SIP/2.0/UDP "+aliceAt+";branch="+sip.NewBranch())...)
		update := d.scscf.Request("UPDATE")
		want(t, update, "Route", "<sip:term@192.0.2.3:5060;lr>")
		d.scscf.Answer(update, 200, "Contact: <sip:bob@192.0.2.99>")
		d.alice.Response(200)

		d.toAlice("BYE", "Call-ID: "+invite.CallID().Value(), "To: <"+alice+">;tag=a")
		d.alice.Answer(d.alice.Request("BYE"), 200)
		d.scscf.Response(200)
		synctest.Wait()
		if n := d.proxy.Dialogs.Len(); n != 0 {
			t.Errorf("%d dialogs after BYE", n)
		}
	})
}

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

// recorded is no protection, and remembers where it was to be taken down.
type recorded struct {
	Open
	ended []string
}

func (r *recorded) Ended(flow stack.Flow) { r.ended = append(r.ended, flow.Remote.String()) }

// A REGISTER that registers nothing new leaves the security associations of a handset that is registered where they are.
func TestAssociationsOfAHandsetThatAsks(t *testing.T) {
	for name, contact := range map[string]string{
		"what is registered":        "Contact:",
		"to take back another":      "Contact: <sip:alice@10.0.0.8:5060>;expires=0",
		"to take back what is here": "Contact: <sip:alice@" + aliceAt + ">;expires=0",
	} {
		t.Run(name, func(t *testing.T) {
			security := &recorded{}
			withDesk(t, func(p *Proxy) { p.Security = security }, func(t *testing.T, d *desk) {
				d.register()
				d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", authorization, contact)

				own := strings.Contains(contact, aliceAt)
				if own {
					d.icscf.Answer(d.icscf.Request("REGISTER"), 200)
				} else {
					d.icscf.Answer(d.icscf.Request("REGISTER"), 200, "Contact: <sip:alice@"+aliceAt+">;expires=600")
				}
				d.alice.Response(200)

				if (len(security.ended) > 0) != own {
					t.Errorf("associations are taken down at %v", security.ended)
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

	t.Run("another handset of the same user is another", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			register(d, d.alice, aliceAt, "Contact: <sip:alice@"+aliceAt+">"+instance)
			answer(d, "<sip:alice@"+aliceAt+">;expires=600")
			d.alice.Response(200)

			other := d.network.Peer(t, there)
			register(d, other, there, "Contact: <sip:alice@"+there+`>;+sip.instance="<urn:gsma:imei:35845404-000002-0>"`)
			answer(d, "<sip:alice@"+aliceAt+">;expires=600", "<sip:alice@"+there+">;expires=600")
			other.Response(200)

			if all := d.proxy.Bindings.All(); len(all) != 2 {
				t.Errorf("%d bindings", len(all))
			}
		})
	})
}

func TestDialogsEnd(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers []string
		after   time.Duration
		there   bool
	}{
		{"RFC 4028 §10 with a session timer, before its end", []string{"Session-Expires: 90;refresher=uac"}, 89 * second, true},
		{"after it", []string{"Session-Expires: 90;refresher=uac"}, 4 * time.Minute, false},
		{"without, as long as the registration", nil, 9 * time.Minute, true},
		{"§5.2.8.1.4 the registration expires: nobody is told", nil, 11 * time.Minute, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				d.call(test.headers...)
				time.Sleep(test.after)
				synctest.Wait()
				if got := d.proxy.Dialogs.Len() == 1; got != test.there {
					t.Errorf("there: %v, want %v", got, test.there)
				}
				d.scscf.Silent()
			})
		})
	}
}

func TestMaxDialogs(t *testing.T) {
	withDesk(t, func(p *Proxy) { p.Dialogs = dialog.NewTable(2) }, func(t *testing.T, d *desk) {
		d.register()
		first, routes := d.call()
		d.call()

		d.send("INVITE", bob)
		if r := d.alice.Response(403); !strings.Contains(sip.Value(r, "Reason"), "max_dialogs") {
			t.Errorf("the refusal does not say why:\n%s", r)
		}
		d.alice.Send(gmAddress, d.request("ACK", bob)...)
		d.toAlice("INVITE")
		d.scscf.Response(486)
		d.send("MESSAGE", bob) // makes none
		d.scscf.Answer(d.scscf.Request("MESSAGE"), 200)
		d.alice.Response(200)

		d.within("BYE", first, routes...)
		d.scscf.Answer(d.scscf.Request("BYE"), 200)
		d.alice.Response(200)
		synctest.Wait()
		d.call()
	})
}

// A load of calls leaves nothing behind.
func TestDialogsDoNotGrow(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.register()
		for i := range 300 {
			callID, routes := d.call()
			if i%3 == 0 {
				d.within("BYE", callID, routes...)
				d.scscf.Answer(d.scscf.Request("BYE"), 200)
				d.alice.Response(200)
				continue
			}
			d.toAlice("BYE", "Call-ID: "+callID, "To: <"+alice+">;tag=a", fmt.Sprintf("CSeq: %d BYE", i+1))
			d.alice.Answer(d.alice.Request("BYE"), 200)
			d.scscf.Response(200)
		}
		synctest.Wait()
		if n := d.proxy.Dialogs.Len(); n != 0 {
			t.Errorf("%d dialogs", n)
		}
	})
}

// A user with two handsets, one of which is off: the request forks before it comes here, so both copies have one Call-ID and one
// tag. However often that is, and however it ends, nothing is left of it at either.
func TestForkToTwoHandsets(t *testing.T) {
	withDesk(t, func(p *Proxy) { p.Dialogs = dialog.NewTable(10) }, func(t *testing.T, d *desk) {
		d.register()
		first := d.only().Token
		second := d.network.Peer(t, "10.0.0.2:5060")
		second.Send(
			gmAddress,
			d.request(
				"REGISTER",
				"sip:ims.example",
				"Via: SIP/2.0/UDP 10.0.0.2:5060;branch="+sip.NewBranch(),
				"To: <"+alice+">",
				authorization,
				"Contact: <sip:alice@10.0.0.2>",
			)...)
		d.icscf.Answer(
			d.icscf.Request("REGISTER"),
			200,
			"Contact: <sip:alice@10.0.0.2>;expires=600000",
			"Service-Route: <"+route+">",
			"P-Associated-URI: <"+alice+">",
		)
		second.Response(200)

		var off string
		for _, b := range d.proxy.Bindings.All() {
			if b.Token != first {
				off = b.Token
			}
		}

		for i := range 50 {
			callID := fmt.Sprintf("Call-ID: fork-%d", i)
			for _, token := range []string{first, off} {
				d.scscf.Send(
					mwAddress,
					d.request(
						"INVITE",
						"sip:alice@"+aliceAt,
						"Via: SIP/2.0/UDP 192.0.2.3:5060;branch=z9hG4bK"+token+fmt.Sprint(i),
						"From: <"+bob+">;tag=b",
						"To: <"+alice+">",
						"Contact: <sip:bob@192.0.2.99>",
						"Route: <sip:"+token+"@"+mwAddress+";lr>",
						callID,
						"CSeq: 1 INVITE",
					)...)
			}
			invite := d.alice.Request("INVITE")
			d.alice.Answer(invite, 200, "To: <"+alice+">;tag=a", "Contact: <sip:alice@"+aliceAt+">")
			d.scscf.Response(200)
			if i%2 == 0 { // the S-CSCF cancels; nothing was heard of the handset that is off
				d.scscf.Send(
					mwAddress,
					d.request("CANCEL", "sip:alice@"+aliceAt, "Via: SIP/2.0/UDP 192.0.2.3:5060;branch=z9hG4bK"+off+fmt.Sprint(i), "From: <"+bob+">;tag=b",
						"To: <"+alice+">", "Route: <sip:"+off+"@"+mwAddress+";lr>", callID, "CSeq: 1 CANCEL")...)
			}
			d.scscf.Send(
				mwAddress,
				d.request("BYE", "sip:alice@"+aliceAt, "Via: SIP/2.0/UDP 192.0.2.3:5060;branch="+sip.NewBranch(), "From: <"+bob+">;tag=b",
					"To: <"+alice+">;tag=a", "Route: <sip:"+first+"@"+mwAddress+";lr>", callID, "CSeq: 2 BYE")...)
			d.alice.Answer(d.alice.Request("BYE"), 200)
			time.Sleep(time.Minute)
			d.scscf.All()
			second.All()
			d.register()
		}
		synctest.Wait()
		if n := d.proxy.Dialogs.Len(); n != 0 {
			t.Errorf("%d dialogs are left", n)
		}
		for range 10 { // and neither has fewer places than before
			d.call()
		}
	})
}

// A callee that answers two early dialogs and loses one, at the caller's P-CSCF: the lost one ends 64*T1 after the answer (RFC 3261
// §13.2.2.4), not when it might have stopped ringing.
func TestLostForkOfTheCaller(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.register()
		d.send("INVITE", bob)
		invite := d.scscf.Request("INVITE")
		records := sip.Values(invite, "Record-Route")
		for _, tag := range []string{"b1", "b2"} {
			d.scscf.Answer(
				invite,
				183,
				"Record-Route: "+records[0],
				"Record-Route: "+records[1],
				"To: <"+bob+">;tag="+tag,
				"Contact: <sip:bob@198.51.100.7>",
			)
			d.alice.Response(183)
		}
		d.scscf.Answer(
			invite,
			200,
			"Record-Route: "+records[0],
			"Record-Route: "+records[1],
			"To: <"+bob+">;tag=b1",
			"Contact: <sip:bob@198.51.100.7>",
		)
		d.alice.Response(200)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := d.proxy.Dialogs.Len(); n != 1 {
			t.Errorf("%d dialogs, want the one that was answered", n)
		}
	})
}
