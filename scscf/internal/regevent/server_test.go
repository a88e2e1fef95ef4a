package regevent

import (
	"encoding/xml"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

func TestWhoMayWatch(t *testing.T) {
	for _, test := range []struct {
		name, asserted string
		status         int
	}{
		{"§5.4.2.1.1 the user", "<" + alice + ">", 200},
		{"another identity of the set", "<" + number + ">", 200},
		{"a barred one", "<sip:hidden@ims.example>", 403},
		{"the P-CSCF in Path", "<sip:192.0.2.10>", 200},
		{"the P-CSCF in Path, with a port", "<sip:192.0.2.10:5060>", 200},
		{"another P-CSCF", "<sip:192.0.2.11>", 403},
		{"an application server of the profile", "<sip:as.ims.example:5080>", 200},
		{"the same host, another port", "<sip:as.ims.example:5081>", 403},
		{"a trusted host", "<sip:presence.ims.example>", 200},
		{"somebody else", "<sip:mallory@ims.example>", 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				if answer := d.subscribe(alice, "<"+alice+">", "P-Asserted-Identity: "+test.asserted); answer.StatusCode != test.status {
					t.Errorf("%d, want %d", answer.StatusCode, test.status)
				}
			})
		})
	}

	withDesk(t, nil, func(t *testing.T, d *desk) {
		if answer := d.subscribe(alice, "<"+alice+">"); answer.StatusCode != 403 {
			t.Errorf("nobody asserted: %d", answer.StatusCode)
		}
	})
}

func TestSubscriptionsThatAreRefused(t *testing.T) {
	for _, test := range []struct {
		name, uri, to string
		headers       []string
		status        int
	}{
		{name: "not registered", uri: "sip:bob@ims.example", to: "<sip:bob@ims.example>", status: 480},
		{name: "no identity", uri: "sip:", to: "<sip:x>"},
		{name: "RFC 6665 §4.2.1.1 too brief", uri: alice, to: "<" + alice + ">", headers: []string{"Expires: 59"}, status: 423},
		{
			name:    "RFC 3261 §21.4.7 another document",
			uri:     alice,
			to:      "<" + alice + ">",
			headers: []string{"Accept: application/pidf+xml"},
			status:  406,
		},
		{name: "any document", uri: alice, to: "<" + alice + ">", headers: []string{"Accept: text/plain, application/*;q=0.5"}, status: 200},
		{name: "RFC 6665 §4.4.1 an unknown dialog", uri: alice, to: "<" + alice + ">;tag=none", status: 481},
	} {
		if test.status == 0 {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				answer := d.subscribe(test.uri, test.to, append(test.headers, "P-Asserted-Identity: <"+alice+">")...)
				if answer.StatusCode != test.status {
					t.Errorf("%d, want %d", answer.StatusCode, test.status)
				}
			})
		})
	}

	withDesk(t, func(p *Policy) { p.MaxPerUser = 2 }, func(t *testing.T, d *desk) {
		for i, want := range []int{200, 200, 503} {
			if answer := d.subscribe(alice, "<"+alice+">", "P-Asserted-Identity: <"+alice+">"); answer.StatusCode != want {
				t.Errorf("subscription %d: %d, want %d", i+1, answer.StatusCode, want)
			}
		}
	})
}

func TestLifeOfASubscription(t *testing.T) {
	t.Run("RFC 6665 §4.1.2.2 refreshed, changed, ended by the watcher", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			answer := d.watch()
			d.wantNotified("0 full active")
			if r := d.sent[0]; strings.Join(sip.Values(r, "Route"), " ") != "<sip:p2;lr> <sip:p1;lr>" ||
				r.Recipient.String() != "sip:w@192.0.2.1:5060" ||
				r.To().Value() != "<"+alice+">;tag=w" ||
				r.CSeq().SeqNo != 1 {
				t.Errorf("%s", r)
			}

			b := bindingOf(2, "sip:b@192.0.2.2")
			d.happen(registered(d.current().Bindings[0], b), registration.ContactChange{Binding: b, Event: registration.ContactRegistered})
			d.wantNotified("0 full active, 1 partial active")

			time.Sleep(3500 * time.Second)
			if again := d.subscribe("sip:reg@192.0.2.12:5060", to(answer), "Expires: 3600"); again.StatusCode != 200 {
				t.Errorf("%s", again)
			}
			time.Sleep(3500 * time.Second)
			d.wantNotified("0 full active, 1 partial active, 2 full active")

			d.cseq -= 2
			if late := d.subscribe("sip:reg@192.0.2.12:5060", to(answer), "Expires: 3600"); late.StatusCode != 500 {
				t.Errorf("an older SUBSCRIBE: %d", late.StatusCode)
			}
			d.cseq += 5

			if end := d.subscribe("sip:reg@192.0.2.12:5060", to(answer), "Expires: 0"); end.StatusCode != 200 {
				t.Errorf("%s", end)
			}
			d.wantNotified("0 full active, 1 partial active, 2 full active, 3 full terminated;reason=timeout")
			if d.s.count() != 0 || d.s.schedule.Len() != 0 {
				t.Error("something is left")
			}
		})
	})

	t.Run("RFC 6665 §4.2.2 not refreshed", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.watch()
			time.Sleep(3601 * time.Second)
			d.wantNotified("0 full active, 1 full terminated;reason=timeout")
			if d.s.count() != 0 {
				t.Error("it is still there")
			}
		})
	})

	t.Run("RFC 6665 §4.4.3 a look without staying", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.subscribe(alice, "<"+alice+">", "P-Asserted-Identity: <"+alice+">", "Expires: 0")
			d.wantNotified("0 full terminated;reason=timeout")
			if d.s.count() != 0 {
				t.Error("it is still there")
			}
		})
	})

	t.Run("the registration ends", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			answer := d.watch()
			d.notified()
			d.happen(nil, registration.ContactChange{Binding: d.current().Bindings[0], Event: registration.ContactExpired})
			d.wantNotified("0 full active, 1 partial terminated;reason=noresource")
			if again := d.subscribe("sip:reg@192.0.2.12:5060", to(answer)); again.StatusCode != 481 {
				t.Errorf("a refresh after the end: %d", again.StatusCode)
			}
		})
	})

	t.Run("always the whole state, if the operator wants it", func(t *testing.T) {
		withDesk(t, func(p *Policy) { p.Partial = false }, func(t *testing.T, d *desk) {
			d.watch()
			d.notified()
			d.happen(nil, registration.ContactChange{Binding: d.current().Bindings[0], Event: registration.ContactDeactivated})
			d.wantNotified("0 full active, 1 full terminated;reason=noresource")
			if body := string(d.sent[1].Body()); strings.Count(body, `state="terminated" event="deactivated"`) != 2 ||
				strings.Contains(body, "hidden") {
				t.Errorf("%s", body)
			}
		})
	})
}

// TestNotifiesLeaveInOrder: NOTIFYs leave one after the other; changes in between go together (RFC 3680 §4.8, RFC 6665 §4.2.2).
func TestNotifiesLeaveInOrder(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.hold = make(chan struct{})
		d.watch()
		d.wantNotified("0 full active")

		b := d.current().Bindings[0]
		for range 2 * maxPending {
			d.happen(registered(b), registration.ContactChange{Binding: b, Event: registration.ContactRefreshed})
		}
		d.wantNotified("0 full active")
		close(d.hold)
		d.wantNotified("0 full active, 1 full active")
	})
}

// TestWatcherWhoCameInBetween: the 200 to a REGISTER leaves before its change is published: a watcher who subscribes in between does not
// get it twice.
func TestWatcherWhoCameInBetween(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.watch()
		d.wantNotified("0 full active")
		g := d.current()
		d.s.Changed(
			registration.Change{
				After:    g,
				Contacts: []registration.ContactChange{{Binding: g.Bindings[0], Event: registration.ContactRegistered}},
			},
		)
		d.wantNotified("0 full active")
	})
}

func TestNotifyThatFails(t *testing.T) {
	t.Run("481: the watcher is gone", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.status = 481
			d.watch()
			d.notified()
			if d.s.count() != 0 || d.s.schedule.Len() != 0 {
				t.Error("the subscription is still there")
			}
		})
	})

	t.Run("a handset in idle mode: said again, until three were in vain", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.status = 0
			d.watch()
			time.Sleep(40 * time.Second)
			d.wantNotified("0 full active, 1 full active")
			if d.s.count() != 1 {
				t.Error("one NOTIFY in vain ended the subscription")
			}
			time.Sleep(2 * time.Minute)
			d.wantNotified("0 full active, 1 full active, 2 full active")
			if d.s.count() != 0 {
				t.Error("the subscription is still there")
			}
		})
	})

	t.Run("500: the next one may succeed", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.status = 500
			d.watch()
			d.notified()
			if d.s.count() != 1 {
				t.Error("the subscription is gone")
			}
		})
	})
}

func TestWhatTheServerTakes(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		answer := d.watch()
		request := func(method, uri, to, event, asserted string) *sip.Request {
			m, err := sip.ParseMessage(
				[]byte(method + " " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKx\r\nFrom: <" + alice + ">;tag=w\r\nTo: " + to +
					"\r\nCall-ID: w\r\nCSeq: 9 " + method + "\r\no: " + event + "\r\nP-Asserted-Identity: <" + asserted + ">\r\n\r\n"),
			)
			if err != nil {
				t.Fatal(err)
			}
			return m.(*sip.Request)
		}

		for _, test := range []struct {
			name        string
			request     *sip.Request
			originating bool
			want        bool
		}{
			{"own registration", request("SUBSCRIBE", alice, "<x:y>", "reg", number), true, true},
			{"Event with an id", request("SUBSCRIBE", alice, "<x:y>", "REG;id=7", number), true, true},
			{"another's registration, from a handset", request("SUBSCRIBE", "sip:bob@ims.example", "<x:y>", "reg", alice), true, false},
			{"from the P-CSCF", request("SUBSCRIBE", alice, "<x:y>", "reg", "sip:192.0.2.10"), false, true},
			{"another event", request("SUBSCRIBE", alice, "<x:y>", "presence", alice), true, false},
			{"another method", request("PUBLISH", alice, "<x:y>", "reg", alice), true, false},
			{"within the dialog", request("SUBSCRIBE", "sip:reg@192.0.2.12:5060", to(answer), "reg", alice), false, true},
			{"within a dialog that is gone", request("SUBSCRIBE", "sip:reg@192.0.2.12:5060", "<x:y>;tag=z", "reg", alice), false, true},
			{"within somebody else's dialog", request("SUBSCRIBE", "sip:bob@192.0.2.2", "<x:y>;tag=z", "reg", alice), false, false},
		} {
			if got := d.s.Takes(test.request, test.originating); got != test.want {
				t.Errorf("%s: %v", test.name, got)
			}
		}
	})
}

func TestProfileChangesAreTold(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.watch()
		d.notified()
		before := d.current()
		after := *before
		after.Identities = append([]registration.Identity{}, before.Identities[:2]...)
		after.Identities = append(
			after.Identities,
			registration.Identity{URI: "sip:new@ims.example", Profile: before.Identities[0].Profile},
		)
		d.set(&after)
		d.s.Changed(registration.Change{Before: before, After: &after, Cause: registration.ByProfile})
		d.wantNotified("0 full active, 1 partial active")

		body := string(d.sent[1].Body())
		for _, want := range []string{
			`aor="sip:new@ims.example" id="` + registrationID("sip:new@ims.example") + `" state="active"`,
			`aor="tel:+15550001" id="` + registrationID(number) + `" state="terminated"`,
		} {
			if !strings.Contains(body, want) {
				t.Errorf("no %s in %s", want, body)
			}
		}
		if strings.Contains(body, `aor="`+alice) {
			t.Errorf("an identity that did not change is told: %s", body)
		}
	})
}

// FuzzDocument: whatever a handset registered, the document is XML with the same content.
func FuzzDocument(f *testing.F) {
	f.Add("sip:a@b", `;+sip.instance="<urn:gsma:imei:1>";audio`, "call & id", uint16(500))
	f.Add("sip:<>&\"'@[::1]", `;x="\"";y`, "\x00\x1f", uint16(1000))

	f.Fuzz(func(t *testing.T, contact, params, callID string, q uint16) {
		b := bindingOf(7, contact)
		b.Params, b.CallID, b.Q = params, callID, q%1001
		document := full(registered(b), nil, nil, time.Unix(0, 0))

		raw, err := document.marshal(3)
		if err != nil {
			t.Fatal(err)
		}

		var back reginfo
		if err := xml.Unmarshal(raw, &back); err != nil || back.Version != 3 || len(back.Registrations) != 2 ||
			len(back.Registrations[0].Contacts) != 1 {
			t.Fatalf("%v in %s", err, raw)
		}
	})
}

// TestEmergencyRegistrationIsNotTold: watchers do not see an emergency registration, and see other changes without it (TS 24.229 §5.4.8).
func TestEmergencyRegistrationIsNotTold(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.watch()
		d.wantNotified("0 full active")

		normal, sos := d.current().Bindings[0], bindingOf(2, "sip:a@192.0.2.1;sos")
		d.happen(registered(normal, sos), registration.ContactChange{Binding: sos, Event: registration.ContactRegistered})
		d.wantNotified("0 full active")

		other := bindingOf(3, "sip:b@192.0.2.2")
		d.happen(registered(normal, sos, other), registration.ContactChange{Binding: other, Event: registration.ContactRegistered})
		d.wantNotified("0 full active, 1 partial active")

		d.watch()
		synctest.Wait()
		for _, r := range d.sent {
			if strings.Contains(string(r.Body()), ";sos") {
				t.Errorf("the emergency registration is told:\n%s", r.Body())
			}
		}

		d.happen(registered(sos), registration.ContactChange{Binding: normal, Event: registration.ContactExpired},
			registration.ContactChange{Binding: other, Event: registration.ContactExpired})
		synctest.Wait()
		if last := d.sent[len(d.sent)-1]; !strings.Contains(sip.Value(last, "Subscription-State"), "terminated") {
			t.Errorf("what is left is told as a registration:\n%s", last)
		}
	})
}
