package gm

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// call sets up a session of alice's to bob. routes are those that she would use.
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

// within sends a request of alice's in that call.
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
				want(t, r, "P-Asserted-Identity", "<"+alice+">") // who pays for what is charged by itself
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
			withDesk(t, func(c *Config, _ *Options) { c.Enforce = test.enforce }, func(t *testing.T, d *desk) {
				registered := d.proxy.config.Enforce
				d.proxy.config.Enforce = false
				d.register()
				callID, routes := d.call()
				d.proxy.config.Enforce = registered
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
					append(
						routes,
						"Via: SIP/2.0/UDP 10.0.0.66:5060;branch="+sip.NewBranch(),
						"Call-ID: "+callID,
						"To: <"+bob+">;tag=b",
					)...)...)
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
			d.proxy.dialogs.RemoveAll(b.Token)
			if err := d.proxy.bindings.Put(&b); err != nil {
				t.Fatal(err)
			}
			d.within("INFO", callID, append(routes[:2:2], "Route: <sip:198.51.100.9;lr>")...)
			d.alice.Response(403)
			d.within("BYE", callID, routes...)
			want(t, d.scscf.Request("BYE"), "Route", beyondMw)
		})
	})

	// An invented dialog is a way past the S-CSCF's services and the P-CSCF of who is called.
	t.Run("a dialog of before a restart: what keeps it, and all else by the route of a call", func(t *testing.T) {
		const toCall = "Route: <sip:call-ABC-XYZ@192.0.2.3:5060;lr>"

		for _, test := range []struct {
			method, route string
			passes        bool
		}{
			{"MESSAGE", "Route: <" + route + ">", false},
			{"MESSAGE", "Route: <sip:192.0.2.3:5060;lr>", false},
			{"MESSAGE", toCall, true},
			{"OPTIONS", "Route: <sip:192.0.2.3:5060;lr>", false},
			{"REFER", "Route: <sip:192.0.2.3:5060;lr>", false},
			{"REFER", toCall, true},
			{"SUBSCRIBE", "Route: <sip:192.0.2.3:5060;lr>", true},
			{"NOTIFY", "Route: <sip:192.0.2.3:5060;lr>", true},
			{"INVITE", toCall, true},
		} {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				b := *d.only()
				b.Restored = time.Now()
				if err := d.proxy.bindings.Put(&b); err != nil {
					t.Fatal(err)
				}
				d.within(test.method, "of before", "Route: <sip:"+b.Token+"@"+gmAddress+";lr>", test.route)
				if test.passes {
					d.scscf.Request(test.method)
					return
				}
				d.alice.Response(403)
				d.scscf.Silent()
			})
		}
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
		if n := d.proxy.dialogs.Len(); n != 0 {
			t.Errorf("%d dialogs after the INVITE failed", n)
		}
	})
}

// Privacy is stated in the request that made the dialog: within it, no handset is shown who the other side is.
func TestNoIdentityIsShownWithinADialog(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.register()
		callID, _ := d.call()
		d.toAlice("MESSAGE", "Call-ID: "+callID, "To: <"+alice+">;tag=a", "P-Asserted-Identity: <"+bob+">")
		want(t, d.alice.Request("MESSAGE"), "P-Asserted-Identity", "")
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
			append(
				routes,
				"Call-ID: "+invite.CallID().Value(),
				"To: <"+bob+">;tag=b",
				"Via: SIP/2.0/UDP "+aliceAt+";branch="+sip.NewBranch(),
			)...)
		update := d.scscf.Request("UPDATE")
		want(t, update, "Route", "<sip:term@192.0.2.3:5060;lr>")
		d.scscf.Answer(update, 200, "Contact: <sip:bob@192.0.2.99>")
		d.alice.Response(200)

		d.toAlice("BYE", "Call-ID: "+invite.CallID().Value(), "To: <"+alice+">;tag=a")
		d.alice.Answer(d.alice.Request("BYE"), 200)
		d.scscf.Response(200)
		synctest.Wait()
		if n := d.proxy.dialogs.Len(); n != 0 {
			t.Errorf("%d dialogs after BYE", n)
		}
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
				if got := d.proxy.dialogs.Len() == 1; got != test.there {
					t.Errorf("there: %v, want %v", got, test.there)
				}
				d.scscf.Silent()
			})
		})
	}
}

// No statement of the other side keeps a dialog for good.
func TestLongestDialog(t *testing.T) {
	for _, test := range []struct {
		method, line string
		want         time.Duration
	}{
		{"INVITE", "Session-Expires: 1800;refresher=uas", 31 * time.Minute},
		{"INVITE", "Session-Expires: 4294967295;refresher=uas", 24 * time.Hour},
		{"INVITE", "Subject: none", 24 * time.Hour},
		{"SUBSCRIBE", "Expires: 600000", 10001 * time.Minute},
		{"SUBSCRIBE", "Expires: 4294967295", 10001 * time.Minute},
		{"SUBSCRIBE", "Subject: none", 61 * time.Minute},
	} {
		request, err := sip.NewRequest(test.method, bob)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sip.Complete(request, alice, bob, "call", 1); err != nil {
			t.Fatal(err)
		}
		ok := sip.NewResponse(request, 200, "")
		name, value, _ := strings.Cut(test.line, ": ")
		sip.Set(ok, name, value)
		if got := lifetime(test.method, ok); got != test.want {
			t.Errorf("%s, %s: %s, want %s", test.method, test.line, got, test.want)
		}
	}
}

func TestMaxDialogs(t *testing.T) {
	withDesk(t, func(c *Config, _ *Options) { c.MaxDialogs = 2 }, func(t *testing.T, d *desk) {
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
		if n := d.proxy.dialogs.Len(); n != 0 {
			t.Errorf("%d dialogs", n)
		}
	})
}
