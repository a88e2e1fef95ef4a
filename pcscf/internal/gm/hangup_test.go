package gm

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// §5.2.6.4.4: whatever a callee does to Record-Route, the caller's side gets what this P-CSCF sent, so that BYE passes the S-CSCFs.
func TestRecordRoutePutBack(t *testing.T) {
	for name, change := range map[string]func([]string) []string{
		"as it was sent":           func(all []string) []string { return all },
		"none":                     func([]string) []string { return nil },
		"without the S-CSCFs":      func(all []string) []string { return all[:2] },
		"without the P-CSCF":       func(all []string) []string { return all[2:] },
		"another order":            func(all []string) []string { return []string{all[2], all[1], all[0]} },
		"one more on top":          func(all []string) []string { return append([]string{"<sip:198.51.100.9;lr>"}, all...) },
		"one of somebody's inside": func(all []string) []string { return []string{all[0], all[1], "<sip:198.51.100.9;lr>", all[2]} },
		"what cannot be read":      func([]string) []string { return []string{"<sip:"} },
	} {
		for _, status := range []int{183, 200} {
			t.Run(name+"/"+sip.Phrase(status), func(t *testing.T) {
				withDesk(t, nil, func(t *testing.T, d *desk) {
					d.register()
					d.toAlice("INVITE")
					invite := d.alice.Request("INVITE")
					sent := sip.Values(invite, "Record-Route")

					response := sip.NewResponse(invite, status, "")
					sip.Remove(response, "Record-Route")
					for _, value := range change(sent) {
						sip.Add(response, "Record-Route", value)
					}
					sip.Set(response, "Contact", "<sip:alice@"+aliceAt+">")
					d.alice.Raw(gmAddress, response.String())

					want(t, d.scscf.Response(status), "Record-Route", strings.Join(sent, ", "))
				})
			})
		}
	}
}

// A dialog has a target at both ends (RFC 3261 §8.1.1.8): what would make one without is refused on either side, and an answer without a
// Contact leaves the P-CSCF with that of the registration.
func TestTargetOfADialog(t *testing.T) {
	for _, method := range []string{"INVITE", "SUBSCRIBE", "REFER"} {
		for name, contact := range map[string]string{
			"none": "Contact:", "two": "Contact: <sip:a@10.0.0.1>, <sip:b@10.0.0.1>", "a number": "Contact: <tel:+15550001>", "a star": "Contact: *",
		} {
			t.Run(method+"/"+name, func(t *testing.T) {
				withDesk(t, nil, func(t *testing.T, d *desk) {
					d.register()
					d.send(method, bob, contact)
					d.alice.Response(400)
					d.scscf.Silent()

					d.toAlice(method, contact)
					d.scscf.Response(400)
					d.alice.Silent()
				})
			})
		}
	}

	t.Run("a 200 without Contact", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			d.toAlice("INVITE")
			response := sip.NewResponse(d.alice.Request("INVITE"), 200, "")
			sip.Remove(response, "Contact")
			d.alice.Raw(gmAddress, response.String())
			want(t, d.scscf.Response(200), "Contact", "<sip:alice@"+aliceAt+">")
			if n := d.counted("terminating", "INVITE", "Contact put in"); n != 1 {
				t.Errorf("counted %d times", n)
			}
		})
	})
}

// The caller's P-CSCF does not trust other networks more: a 200 without Record-Route leaves the route to the S-CSCF.
func TestRecordRouteOfTheCaller(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.register()
		d.send("INVITE", bob)
		invite := d.scscf.Request("INVITE")
		sent := sip.Values(invite, "Record-Route")
		response := sip.NewResponse(invite, 200, "")
		sip.Remove(response, "Record-Route")
		sip.Set(response, "Contact", "<sip:bob@198.51.100.7>")
		d.scscf.Raw(mwAddress, response.String())
		want(t, d.alice.Response(200), "Record-Route", strings.Join(sent, ", "))
	})
}

// A handset that calls its own number has the same entries of Record-Route on both sides, and can hang up all the same.
func TestHandsetThatCallsItself(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.register()
		d.send("INVITE", alice)
		r := d.scscf.Request("INVITE")
		core, handset := sip.Values(r, "Record-Route")[0], sip.Values(r, "Record-Route")[1]
		d.scscf.Answer(r, 200,
			"Record-Route: "+handset, "Record-Route: "+core, "Record-Route: <sip:term@192.0.2.4:5060;lr>",
			"Record-Route: <sip:orig@192.0.2.3:5060;lr>", "Record-Route: "+core, "Record-Route: "+handset,
			"To: <"+alice+">;tag=b", "Contact: <sip:alice@"+aliceAt+">",
		)
		records := sip.Values(d.alice.Response(200), "Record-Route")

		lines := []string{"Call-ID: " + r.CallID().Value(), "To: <" + alice + ">;tag=b"}
		for _, record := range slices.Backward(records) {
			lines = append(lines, "Route: "+record)
		}
		d.send("BYE", "sip:alice@"+aliceAt, lines...)
		want(t, d.scscf.Request("BYE"), "Route", beyondMw+", "+core+", "+handset)
	})
}

// A call can always be hung up: a BYE is forwarded even if this P-CSCF does not know its dialog, and only to the S-CSCF.
func TestByeWithoutADialog(t *testing.T) {
	for _, test := range []struct {
		name   string
		routes func(known []string) []string
		status int // 0: it goes on
	}{
		{"by its own Route", func(r []string) []string { return r }, 0},
		{"a Route of a registration that the P-CSCF has lost", func(r []string) []string {
			return append([]string{"Route: <sip:lost@" + gmAddress + ";lr>", "Route: <sip:lost@" + mwAddress + ";lr>"}, r[2:]...)
		}, 0},
		{"past the S-CSCF", func(r []string) []string { return append(r[:2:2], "Route: <sip:198.51.100.9;lr>") }, 403},
		{"straight to somebody", func(r []string) []string { return r[:2] }, 403},
		{"without Route", func([]string) []string { return nil }, 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				callID, routes := d.call()
				d.proxy.dialogs.RemoveAll(d.only().Token)
				d.within("BYE", callID, test.routes(routes)...)
				if test.status != 0 {
					d.alice.Response(test.status)
					d.scscf.Silent()
					return
				}
				bye := d.scscf.Request("BYE")
				want(t, bye, "Route", beyondMw)
				d.scscf.Answer(bye, 200)
				d.alice.Response(200)
			})
		})
	}

	t.Run("in the other party's name, back to the caller: not at all", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			callID, routes := d.call()
			lines := append([]string{"Call-ID: " + callID, "From: <" + bob + ">;tag=b", "To: <" + alice + ">;tag=a"}, routes[2:]...)
			d.send("BYE", "sip:alice@"+aliceAt, append(lines, routes[:2]...)...)
			d.alice.Response(403)
			d.send("BYE", "sip:alice@"+aliceAt, append(routes[:2:2], append(lines, routes[:2]...)...)...)
			d.alice.Response(403)
			d.scscf.Silent()
		})
	})

	t.Run("in the name of a party that is another user's: not at all", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			callID, routes := d.call()

			carol, via := d.carol()

			carol.Send(gmAddress, d.request("BYE", "sip:carol@10.0.0.2", append(routes[2:], via(), "Call-ID: "+callID, "To: <"+bob+">;tag=b")...)...)
			carol.Response(403)
			d.scscf.Silent()
		})
	})

	t.Run("of who is not registered: not by the token of somebody", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			callID, routes := d.call()
			stranger := d.network.Peer(t, "10.0.0.66:5060")
			stranger.Send(
				gmAddress,
				d.request(
					"BYE",
					"sip:bob@198.51.100.7",
					append(routes[2:], "Route: <sip:lost@"+gmAddress+";lr>", "Via: SIP/2.0/UDP 10.0.0.66:5060;branch="+sip.NewBranch(),
						"Call-ID: "+callID, "To: <"+bob+">;tag=b")...)...)
			stranger.Response(481)
			d.scscf.Silent()
		})
	})
}

// A handset that has hung up has left the call: reasons to refuse other requests do not stop its BYE.
func TestByeThatAProxyWouldRefuse(t *testing.T) {
	for name, line := range map[string]string{
		"Max-Forwards is used up":   "Max-Forwards: 0",
		"Proxy-Require":             "Proxy-Require: gibberish",
		"Route that cannot be read": "Route: <sip:",
	} {
		t.Run(name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				callID, routes := d.call()
				d.within("BYE", callID, append(routes[:len(routes):len(routes)], line)...)
				bye := d.scscf.Request("BYE")
				want(t, bye, "Route", beyondMw)
				if hops := bye.MaxForwards(); hops == nil || hops.Val() == 0 || sip.Has(bye, "Proxy-Require") {
					t.Errorf("the S-CSCF would refuse\n%s", bye)
				}
				d.scscf.Answer(bye, 200)
				d.alice.Response(200)
			})
		})
	}
}

// A callee that sends an INVITE of its own with the Call-ID and the tags of a call does not touch the caller's dialog.
func TestDialogOfTheCallerIsItsOwn(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.register()
		callID, routes := d.call()

		carol, via := d.carol()

		for _, answer := range []int{183, 200, 486} {
			carol.Send(
				gmAddress,
				d.request(
					"INVITE",
					bob,
					via(),
					"Call-ID: "+callID,
					"From: <sip:carol@ims.example>;tag=a",
					"To: <"+bob+">",
					"Contact: <sip:carol@10.0.0.2>",
				)...)
			invite := d.scscf.Request("INVITE")
			d.scscf.Answer(invite, answer, "To: <"+bob+">;tag=b", "Contact: <sip:bob@198.51.100.9>")
			carol.Response(answer)
		}
		synctest.Wait()
		d.scscf.All()

		d.within("BYE", callID, routes...)
		want(t, d.scscf.Request("BYE"), "Route", beyondMw)
	})
}

// The S-CSCF's BYE in a handset's name needs a higher number than the handset's last (RFC 3261 §8.1.1.5, §12.2.1.1): one is always left.
func TestLastCSeq(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.register()
		callID, routes := d.call()
		for _, number := range []string{"2147483647", "2147483393"} {
			d.within("INFO", callID, append(routes[:len(routes):len(routes)], "CSeq: "+number+" INFO")...)
			d.alice.Response(400)
			d.scscf.Silent()
		}
		d.within("INFO", callID, append(routes[:len(routes):len(routes)], "CSeq: 2147483392 INFO")...)
		d.scscf.Answer(d.scscf.Request("INFO"), 200)
		d.alice.Response(200)
	})
}
