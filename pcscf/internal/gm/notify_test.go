package gm

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// subscribe returns alice's SUBSCRIBE as the S-CSCF got it, and the NOTIFY of a notifier with a tag.
func (d *desk) subscribe(method string) (r *sip.Request, notify func(tag string, lines ...string)) {
	d.t.Helper()
	d.send(method, bob, "Event: presence")
	r = d.scscf.Request(method)
	route := "Route: " + sip.Value(r, "Record-Route")

	return r, func(tag string, lines ...string) {
		d.t.Helper()
		d.scscf.Send(mwAddress, d.request("NOTIFY", "sip:alice@"+aliceAt, append([]string{
			"Via: SIP/2.0/UDP 192.0.2.3:5060;branch=" + sip.NewBranch(),
			"From: <" + bob + ">;tag=" + tag,
			"To: <" + alice + ">;tag=a",
			"Contact: <sip:bob@192.0.2.99>",
			"Call-ID: " + r.CallID().Value(), route, "Event: presence", "Subscription-State: active;expires=600",
		}, lines...)...)...)
	}
}

func (d *desk) accept(r *sip.Request, status int) {
	d.t.Helper()
	lines := []string{"To: <" + bob + ">;tag=b", "Contact: <sip:bob@192.0.2.99>", "Expires: 600", "Record-Route: <" + route + ">"}
	for _, record := range sip.Values(r, "Record-Route") {
		lines = append(lines, "Record-Route: "+record)
	}
	d.scscf.Answer(r, status, lines...)
}

// next expects that the next message to alice begins so.
func (d *desk) next(first string) sip.Message {
	d.t.Helper()
	m := d.alice.Next()
	if !strings.HasPrefix(m.String(), first) {
		d.t.Fatalf("alice gets\n%s\nwant %s", m, first)
	}

	return m
}

// RFC 6665 §4.1.2.4, §4.4.1: the NOTIFY and the 200 to its SUBSCRIBE, in whatever order they come from the core.
func TestNotifyToTheHandset(t *testing.T) {
	for _, method := range []string{"SUBSCRIBE", "REFER"} {
		for _, notifyFirst := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s: the NOTIFY does not overtake the 200; comes first: %t", method, notifyFirst), func(t *testing.T) {
				withDesk(t, nil, func(t *testing.T, d *desk) {
					d.register()
					r, notify := d.subscribe(method)
					if notifyFirst {
						notify("b")
						synctest.Wait()
						time.Sleep(100 * time.Millisecond)
					}
					d.accept(r, 200)
					if !notifyFirst {
						notify("b")
					}
					d.next("SIP/2.0 200")
					n := d.next("NOTIFY").(*sip.Request)
					if sip.Has(n, "Record-Route") {
						t.Errorf("a dialog that there is gets a route:\n%s", n)
					}
				})
			})
		}
	}

	t.Run("the 200 keeps it waiting: the NOTIFY makes the dialog", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			r, notify := d.subscribe("SUBSCRIBE")
			notify("b", "Record-Route: <"+route+">")
			n := d.next("NOTIFY").(*sip.Request)
			d.alice.Answer(n, 200)
			d.scscf.Response(200)

			routes := []string{"Call-ID: " + r.CallID().Value(), "To: <" + bob + ">;tag=b", "Expires: 600", "Event: presence"}
			for _, record := range sip.Values(n, "Record-Route") {
				routes = append(routes, "Route: "+record)
			}
			if len(routes) != 7 {
				t.Fatalf("RFC 6665 §4.3 Record-Route: %q, want this P-CSCF for both sides, and the S-CSCF", routes[4:])
			}
			d.send("SUBSCRIBE", "sip:bob@192.0.2.99", routes...)
			again := d.scscf.Request("SUBSCRIBE")
			want(t, again, "Route", "<"+route+">")
			d.accept(again, 200)
			d.next("SIP/2.0 200")
		})
	})

	t.Run("refused: the NOTIFY is that of no dialog that is kept", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			r, notify := d.subscribe("SUBSCRIBE")
			notify("b")
			d.accept(r, 489)
			d.next("SIP/2.0 489")
			d.next("NOTIFY")
			if n := d.proxy.dialogs.Of(d.only().Token); n != 0 {
				t.Errorf("%d dialogs of a refused SUBSCRIBE", n)
			}
		})
	})
}

// Linphone and others notify before they have sent the 200, or right behind it.
func TestNotifyOfTheHandset(t *testing.T) {
	subscribed := func(t *testing.T, d *desk) (r *sip.Request, notify func(tag string)) {
		d.register()
		d.toAlice("SUBSCRIBE", "Event: presence", "P-Charging-Vector:")
		r = d.alice.Request("SUBSCRIBE")

		return r, func(tag string) {
			t.Helper()
			lines := []string{
				"From: <" + alice + ">;tag=a",
				"To: <" + bob + ">;tag=" + tag,
				"Call-ID: " + r.CallID().Value(),
				"Event: presence",
				"Subscription-State: active;expires=600",
			}
			for _, record := range sip.Values(r, "Record-Route") {
				lines = append(lines, "Route: "+record)
			}
			d.send("NOTIFY", "sip:bob@192.0.2.99", lines...)
		}
	}
	accept := func(d *desk, r *sip.Request) {
		lines := []string{"To: <" + alice + ">;tag=a", "Contact: <sip:alice@" + aliceAt + ">", "Expires: 600"}
		for _, record := range sip.Values(r, "Record-Route") {
			lines = append(lines, "Record-Route: "+record)
		}
		d.alice.Answer(r, 200, lines...)
	}

	for _, test := range []struct {
		name         string
		first, never bool // the NOTIFY comes first; the 200 never comes
	}{{"right behind the 200", false, false}, {"before the 200", true, false}, {"without it", true, true}} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				r, notify := subscribed(t, d)
				if test.first {
					notify("b")
					synctest.Wait()
				}
				if !test.never {
					accept(d, r)
				}
				if !test.first {
					notify("b")
				}
				if !test.never {
					d.scscf.Response(200)
				}
				n := d.scscf.Request("NOTIFY")
				want(t, n, "Route", "<sip:term@192.0.2.3:5060;lr>")
				d.scscf.Answer(n, 200)
				d.next("SIP/2.0 200")
			})
		})
	}

	t.Run("of no SUBSCRIBE: 403", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			_, notify := subscribed(t, d)
			notify("another")
			d.next("SIP/2.0 403")
			d.scscf.Silent()
		})
	})
}
