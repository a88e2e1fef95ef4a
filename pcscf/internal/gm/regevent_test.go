package gm

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

func watching(c *Config, _ *Options) { c.Subscriptions = 100 }

func withWatch(t *testing.T, test func(t *testing.T, d *desk)) {
	t.Helper()
	withDesk(t, watching, test)
}

// watch is the subscription of the P-CSCF, as the S-CSCF has it.
type watch struct {
	d         *desk
	subscribe *sip.Request
	cseq      int
}

// watched registers alice and accepts the SUBSCRIBE that follows.
func (d *desk) watched(expires int) *watch {
	d.t.Helper()
	d.register()
	w := &watch{d: d, subscribe: d.icscf.Request("SUBSCRIBE")}
	w.accept(d.icscf, w.subscribe, expires)
	synctest.Wait()

	return w
}

func (w *watch) accept(from interface {
	Answer(r *sip.Request, status int, lines ...string)
}, r *sip.Request, expires int,
) {
	to := r.To().Value()
	if !strings.Contains(to, "tag=") {
		to += ";tag=s"
	}
	from.Answer(r, 200, "To: "+to, "Contact: <sip:notifier@192.0.2.3:5060>", fmt.Sprintf("Expires: %d", expires))
}

func (w *watch) notify(status int, state, body string, lines ...string) {
	w.d.t.Helper()
	w.cseq++
	fields := []string{
		"NOTIFY sip:reg-event@" + mwAddress + " SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.3:5060;branch=" + sip.NewBranch(), "Max-Forwards: 70",
		"From: <" + alice + ">;tag=s",
		"To: " + w.subscribe.From().Value(),
		"Call-ID: " + w.subscribe.CallID().Value(),
		fmt.Sprintf("CSeq: %d NOTIFY", w.cseq),
		"Contact: <sip:notifier@192.0.2.3:5060>", "Event: reg", "Subscription-State: " + state, "Content-Type: application/reginfo+xml",
	}
	for _, line := range lines {
		name, _, _ := strings.Cut(line, ":")
		fields = slices.DeleteFunc(fields, func(f string) bool { return strings.HasPrefix(f, name+":") })
		fields = append(fields, line)
	}
	w.d.scscf.Send(mwAddress, append(fields, "\n"+body)...)
	w.d.scscf.Response(status)
	synctest.Wait()
}

// reginfo returns a document about alice's one contact.
func reginfo(version int, state, event string) string {
	contact, registration := "active", "active"
	if event != "registered" && event != "shortened" && event != "refreshed" {
		contact, registration = "terminated", "terminated"
	}

	text := ""
	for _, aor := range []string{alice, number} {
		text += fmt.Sprintf(
			`<registration aor="%s" id="%s" state="%s"><contact id="1" state="%s" event="%s" expires="60" callid="call-1" cseq="1">`+
				`<uri>sip:alice@%s</uri></contact></registration>`,
			aor,
			aor,
			registration,
			contact,
			event,
			aliceAt,
		)
	}

	return fmt.Sprintf(`<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="%d" state="%s">%s</reginfo>`, version, state, text)
}

func TestSubscribe(t *testing.T) {
	withWatch(t, func(t *testing.T, d *desk) {
		w := d.watched(1200)
		r := w.subscribe

		if r.Recipient.String() != alice || r.To().Address.String() != alice {
			t.Errorf("§5.2.3 Request-URI %s, To %s, want the default public identity", r.Recipient.String(), r.To().Value())
		}
		want(t, r, "Event", "reg")
		want(t, r, "Expires", "1200") // the registration's 600 and 600 more
		want(t, r, "P-Asserted-Identity", "<sip:"+mwAddress+">")
		want(t, r, "Contact", "<sip:reg-event@"+mwAddress+">")
		want(t, r, "Accept", "application/reginfo+xml")
		if !sip.Has(r, "P-Charging-Vector") {
			t.Error("no P-Charging-Vector")
		}

		d.cseq = 0
		d.register() // a refresh: one subscription is enough
		d.icscf.Silent()
		d.scscf.Silent()
	})
}

func TestRefresh(t *testing.T) {
	for _, test := range []struct{ granted, after int }{
		{1200, 600}, {600, 300}, {3600, 3000}, {100, 50},
	} {
		t.Run(fmt.Sprintf("§5.2.3 %d s granted: after %d s", test.granted, test.after), func(t *testing.T) {
			withWatch(t, func(t *testing.T, d *desk) {
				d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", authorization)
				d.icscf.Answer(
					d.icscf.Request("REGISTER"),
					200,
					"Contact: <sip:alice@"+aliceAt+">;expires=60000",
					"Service-Route: <"+route+">",
					"P-Associated-URI: <"+alice+">",
				)
				d.alice.Response(200)
				w := &watch{d: d, subscribe: d.icscf.Request("SUBSCRIBE")}
				w.accept(d.icscf, w.subscribe, test.granted)

				time.Sleep(time.Duration(test.after)*second - second)
				d.scscf.Silent()
				r := d.scscf.Request("SUBSCRIBE") // to the S-CSCF that answered
				tag, _ := r.To().Params.Get("tag")
				if tag != "s" || r.CSeq().SeqNo != 2 || r.CallID().Value() != w.subscribe.CallID().Value() || r.Recipient.Host != "192.0.2.3" {
					t.Errorf("not within the dialog:\n%s", r)
				}
				w.accept(d.scscf, r, test.granted)
				synctest.Wait()
			})
		})
	}

	t.Run("without a registration there is none", func(t *testing.T) {
		withWatch(t, func(t *testing.T, d *desk) {
			d.watched(1200)
			time.Sleep(700 * second)
			synctest.Wait()
			d.scscf.Silent()
			if n := d.proxy.regEvent.Len(); n != 0 {
				t.Errorf("%d subscriptions", n)
			}
		})
	})
}

func TestSubscribeFails(t *testing.T) {
	t.Run("refused: again after 30 s, 60 s", func(t *testing.T) {
		withWatch(t, func(t *testing.T, d *desk) {
			d.register()
			d.icscf.Answer(d.icscf.Request("SUBSCRIBE"), 403)
			for _, wait := range []time.Duration{30 * second, 60 * second} {
				time.Sleep(wait - second)
				d.icscf.Silent()
				d.icscf.Answer(d.icscf.Request("SUBSCRIBE"), 403)
				synctest.Wait()
			}
			if n := strings.Count(d.log.String(), "no subscription to the reg event"); n != 1 {
				t.Errorf("logged %d times, want once", n)
			}
		})
	})

	t.Run("RFC 6665 §4.1.2.2 481 to a refresh: a new one", func(t *testing.T) {
		withWatch(t, func(t *testing.T, d *desk) {
			w := d.watched(600)
			time.Sleep(301 * second)
			d.scscf.Answer(d.scscf.Request("SUBSCRIBE"), 481)
			r := d.icscf.Request("SUBSCRIBE")
			if r.CallID().Value() == w.subscribe.CallID().Value() {
				t.Error("with the Call-ID of the old one")
			}
		})
	})

	t.Run("more users than it may", func(t *testing.T) {
		change := func(c *Config, _ *Options) { c.Subscriptions = 1 }
		begin := func(p *Proxy) {
			if err := p.Restore(&binding.Binding{
				Token: "TOKEN", Private: "carol@ims.example", Contact: "sip:carol@10.0.0.3", Identities: []string{"sip:carol@ims.example"},
				Flow:       stack.Flow{Endpoint: p.gm[0], Transport: "UDP", Remote: netip.MustParseAddrPort("10.0.0.3:5060")},
				Registered: true, Expires: time.Now().Add(time.Hour),
			}); err != nil {
				t.Fatal(err)
			}
		}

		withDeskBegun(t, change, begin, func(t *testing.T, d *desk) {
			if r := d.icscf.Request("SUBSCRIBE"); r.Recipient.String() != "sip:carol@ims.example" {
				t.Errorf("SUBSCRIBE %s", r.Recipient.String())
			}
			d.register()
			d.icscf.Silent()
		})
	})
}

func TestNotify(t *testing.T) {
	for _, event := range []string{"rejected", "deactivated", "expired", "unregistered"} {
		t.Run("§5.2.3 "+event, func(t *testing.T) {
			withWatch(t, func(t *testing.T, d *desk) {
				w := d.watched(1200)
				w.notify(200, "active;expires=1200", reginfo(0, "full", "registered"))
				if !d.only().Registered {
					t.Fatal("the registration is gone")
				}
				w.notify(200, "terminated;reason=noresource", reginfo(1, "partial", event))
				if b := d.only(); b.Registered || b.Ended != event {
					t.Errorf("%+v", b)
				}
				if n := d.counted("registration", "REGISTER", event); n != 1 {
					t.Errorf("counted %d times", n)
				}
				d.send("MESSAGE", bob)
				d.alice.Response(403)
				time.Sleep(40 * second)
				if n := d.proxy.bindings.Len() + d.proxy.regEvent.Len(); n != 0 {
					t.Errorf("%d bindings and subscriptions left", n)
				}
			})
		})
	}

	t.Run("§5.2.3 shortened", func(t *testing.T) {
		withWatch(t, func(t *testing.T, d *desk) {
			w := d.watched(1200)
			w.notify(200, "active", reginfo(0, "full", "shortened"))
			if left := time.Until(d.only().Expires); left > 60*second {
				t.Errorf("%s left, want 60 s", left)
			}
		})
	})

	t.Run("RFC 6665 §4.1.2.4 before the 200 to the SUBSCRIBE", func(t *testing.T) {
		withWatch(t, func(t *testing.T, d *desk) {
			d.register()
			w := &watch{d: d, subscribe: d.icscf.Request("SUBSCRIBE")}
			w.notify(200, "active", reginfo(0, "full", "rejected"))
			if d.only().Registered {
				t.Error("nothing was done")
			}
		})
	})

	t.Run("of the time before the handset came back", func(t *testing.T) {
		withWatch(t, func(t *testing.T, d *desk) {
			w := d.watched(1200)
			d.register()
			w.notify(200, "active", reginfo(0, "full", "unregistered"))
			if !d.only().Registered {
				t.Error("it took the new registration away")
			}
		})
	})

	t.Run("a handset that comes back at once is watched anew", func(t *testing.T) {
		withWatch(t, func(t *testing.T, d *desk) {
			w := d.watched(1200)
			d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", "Expires: 0", authorization)
			d.icscf.Answer(d.icscf.Request("REGISTER"), 200)
			d.alice.Response(200)
			d.register()
			again := d.icscf.Request("SUBSCRIBE")
			w.notify(481, "terminated;reason=noresource", reginfo(1, "partial", "unregistered"))
			if again.CallID().Value() == w.subscribe.CallID().Value() || !d.only().Registered {
				t.Error("the old subscription goes on, or the new registration is gone")
			}
		})
	})

	t.Run("RFC 3680 §6.2 one was lost: a refresh", func(t *testing.T) {
		withWatch(t, func(t *testing.T, d *desk) {
			w := d.watched(1200)
			w.notify(200, "active", reginfo(0, "full", "registered"))
			w.notify(200, "active", reginfo(2, "partial", "refreshed"))
			d.scscf.Request("SUBSCRIBE")
		})
	})

	for _, test := range []struct {
		name, reason string
		wait         time.Duration // until there is a new one; 0: none
	}{
		{"deactivated", ";reason=deactivated", 1 * second},
		{"timeout", ";reason=timeout", 1 * second},
		{"probation", ";reason=probation;retry-after=90", 90 * second},
		{"giveup", ";reason=giveup", 30 * second},
		{"nothing said", "", 30 * second},
		{"rejected", ";reason=rejected", 0},
	} {
		t.Run("RFC 6665 §4.1.3 terminated: "+test.name, func(t *testing.T) {
			withWatch(t, func(t *testing.T, d *desk) {
				w := d.watched(3600)
				w.notify(200, "terminated"+test.reason, "", "Content-Type: text/plain")
				time.Sleep(max(test.wait-second/2, 0))
				d.icscf.Silent()
				time.Sleep(second)
				if test.wait > 0 {
					d.icscf.Request("SUBSCRIBE")
				} else {
					time.Sleep(200 * second)
					d.icscf.Silent()
				}
			})
		})
	}

	for _, test := range []struct {
		name   string
		status int
		body   string
		lines  []string
	}{
		{"RFC 6665 §4.1.3 another dialog", 481, reginfo(0, "full", "rejected"), []string{"Call-ID: another"}},
		{"another tag of this P-CSCF", 481, reginfo(0, "full", "rejected"), []string{"To: <sip:" + mwAddress + ">;tag=x"}},
		{"another tag of the notifier", 481, reginfo(0, "full", "rejected"), []string{"From: <" + alice + ">;tag=x"}},
		{"another event", 489, reginfo(0, "full", "rejected"), []string{"Event: presence"}},
		{"another type", 415, reginfo(0, "full", "rejected"), []string{"Content-Type: application/pidf+xml"}},
		{"no document", 400, "<reginfo", nil},
		{"about somebody else", 200, strings.ReplaceAll(reginfo(0, "full", "rejected"), "alice@"+aliceAt, "mallory@10.0.0.9"), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			withWatch(t, func(t *testing.T, d *desk) {
				w := d.watched(1200)
				w.notify(test.status, "active", test.body, test.lines...)
				if !d.only().Registered {
					t.Error("the registration is gone")
				}
			})
		})
	}

	t.Run("from a handset: not for the subscriber", func(t *testing.T) {
		withWatch(t, func(t *testing.T, d *desk) {
			w := d.watched(1200)
			d.send(
				"NOTIFY",
				"sip:reg-event@"+mwAddress,
				"From: <"+alice+">;tag=s",
				"To: "+w.subscribe.From().Value(),
				"Call-ID: "+w.subscribe.CallID().Value(),
				"Event: reg",
				"Subscription-State: active",
				"Content-Type: application/reginfo+xml",
				"\n"+reginfo(0, "full", "rejected"),
			)
			if r, ok := d.alice.Next().(*sip.Response); !ok || r.StatusCode/100 != 4 {
				t.Errorf("got\n%s", r)
			}
			if !d.only().Registered {
				t.Error("a handset takes a registration away")
			}
		})
	})
}

// An identity that leaves the set is not asserted any more; one that joins is.
func TestIdentitiesChange(t *testing.T) {
	withWatch(t, func(t *testing.T, d *desk) {
		w := d.watched(1200)
		w.notify(200, "active", reginfo(0, "full", "registered"))
		entry := func(aor, state, contact, event string) string {
			return fmt.Sprintf(
				`<registration aor="%s" id="%s" state="%s"><contact id="1" state="%s" event="%s"><uri>sip:alice@%s</uri></contact></registration>`,
				aor,
				aor,
				state,
				contact,
				event,
				aliceAt,
			)
		}
		w.notify(200, "active", `<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="1" state="partial">`+
			entry(number, "terminated", "terminated", "deactivated")+entry("tel:+15550009", "active", "active", "created")+`</reginfo>`)
		if got := fmt.Sprint(d.only().Identities); got != "["+alice+" tel:+15550009]" {
			t.Errorf("identities %s", got)
		}
		d.send("MESSAGE", bob, "P-Preferred-Identity: <"+number+">")
		want(t, d.scscf.Request("MESSAGE"), "P-Asserted-Identity", "<"+alice+">")
	})
}

// Registrations that outlived the process are watched as well.
func TestWatchOfRestored(t *testing.T) {
	withDeskBegun(t, watching, func(p *Proxy) {
		if err := p.Restore(&binding.Binding{
			Token: "TOKEN", Private: "alice@ims.example", Contact: "sip:alice@" + aliceAt, Identities: []string{alice}, Registered: true,
			Flow: stack.Flow{Endpoint: p.gm[0], Transport: "UDP", Remote: netip.MustParseAddrPort(aliceAt)}, Expires: time.Now().Add(time.Hour),
		}); err != nil {
			t.Fatal(err)
		}
	}, func(t *testing.T, d *desk) {
		d.icscf.Request("SUBSCRIBE")
	})
}

// While a SUBSCRIBE waits for its answer no other is sent; the reason for another is dealt with afterwards.
func TestOneSubscribeAtATime(t *testing.T) {
	withWatch(t, func(t *testing.T, d *desk) {
		d.register()
		w := &watch{d: d, subscribe: d.icscf.Request("SUBSCRIBE")}
		w.notify(200, "active", reginfo(3, "partial", "refreshed")) // something is missing
		d.icscf.Silent()
		w.accept(d.icscf, w.subscribe, 1200)
		if r := d.scscf.Request("SUBSCRIBE"); r.CallID().Value() != w.subscribe.CallID().Value() {
			t.Error("another subscription is begun")
		}
	})
}

// When many handsets come at once their subscriptions are spread, and none is lost.
func TestSubscriptionsArePaced(t *testing.T) {
	withDeskBegun(t, watching, func(p *Proxy) {
		for i := range 50 {
			source := fmt.Sprintf("10.0.1.%d:5060", i+1)
			if err := p.Restore(&binding.Binding{
				Token:      fmt.Sprint("TOKEN", i),
				Private:    fmt.Sprint("user", i),
				Contact:    "sip:x@" + source,
				Identities: []string{fmt.Sprintf("sip:user%d@ims.example", i)},
				Registered: true,
				Flow:       stack.Flow{Endpoint: p.gm[0], Transport: "UDP", Remote: netip.MustParseAddrPort(source)},
				Expires:    time.Now().Add(time.Hour),
			}); err != nil {
				t.Fatal(err)
			}
		}
	}, func(t *testing.T, d *desk) {
		begun, seen := time.Now(), map[string]bool{}
		for len(seen) < 50 {
			r := d.icscf.Request("SUBSCRIBE")
			if seen[r.Recipient.String()] = true; len(seen) <= 20 {
				(&watch{d: d}).accept(d.icscf, r, 3600)
			} else {
				d.icscf.Answer(r, 480)
			}
		}
		if took := time.Since(begun); took < 200*time.Millisecond || took > second {
			t.Errorf("50 took %s, want about 250 ms", took)
		}
	})
}
