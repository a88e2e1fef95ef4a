package session

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// TestContactThatIsProbablyGone: the old contact of a handset that registered again from another port is probably gone. It is called too,
// but when the live one has declined, its silence holds nobody up.
func TestContactThatIsProbablyGone(t *testing.T) {
	const before, now = "sip:phone@192.0.2.9:5060", "sip:phone@192.0.2.9:6060"

	for _, test := range []struct {
		name     string
		method   string
		change   func(before, now *registration.Binding)
		rings    bool // the old one does
		declines int
		waits    bool
	}{
		{name: "declined: 486", method: "INVITE", declines: 486},
		{name: "declined: 603", method: "INVITE", declines: 603},
		{name: "declined: 500", method: "INVITE", declines: 500},
		{name: "a message that is refused", method: "MESSAGE", declines: 415},
		{name: "the old one rings: it is there", method: "INVITE", rings: true, declines: 486, waits: true},
		{
			name:     "another host",
			method:   "INVITE",
			change:   func(b, _ *registration.Binding) { b.Contact = "sip:phone@192.0.2.10:5060" },
			declines: 486,
			waits:    true,
		},
		{
			name:     "handsets that are known by their instance",
			method:   "INVITE",
			change:   func(b, n *registration.Binding) { b.Instance, n.Instance = "urn:uuid:1", "urn:uuid:2" },
			declines: 486,
			waits:    true,
		},
		{
			name:     "another private identity",
			method:   "INVITE",
			change:   func(b, _ *registration.Binding) { b.Private = "other@" + home },
			declines: 486,
			waits:    true,
		},
		{
			name:     "the old one was refreshed since",
			method:   "INVITE",
			change:   func(b, n *registration.Binding) { b.Expires = n.Expires.Add(time.Minute) },
			declines: 486,
			waits:    true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				began := time.Now()
				path := []string{"<sip:token@192.0.2.9:5060;lr>"}
				old := &registration.Binding{
					Contact:    before,
					Path:       path,
					Private:    "p@" + home,
					Q:          1000,
					Registered: began,
					Expires:    began.Add(time.Hour),
				}
				live := &registration.Binding{
					Contact:    now,
					Path:       path,
					Private:    "p@" + home,
					Q:          1000,
					Registered: began.Add(time.Second),
					Expires:    began.Add(61 * time.Minute),
				}
				if test.change != nil {
					test.change(old, live)
				}
				d.user(bob, registration.Registered).Bindings = []*registration.Binding{old, live}

				d.send(d.pcscf, test.method, bob, "")
				first, second := d.phone.Request(test.method), d.phone.Request(test.method)
				if first.Recipient.String() != now { // the newest first
					first, second = second, first
				}
				if test.method == "INVITE" {
					d.phone.Answer(first, 100)
					d.phone.Answer(second, 100)
				}
				if test.rings {
					d.phone.Answer(second, 180, "To: <"+bob+">;tag=old")
					d.pcscf.Response(180)
				}
				d.phone.Answer(first, test.declines, "To: <"+bob+">;tag=live")
				synctest.Wait()

				if test.waits {
					time.Sleep(20 * time.Second)
					d.pcscf.All()
					d.phone.Answer(second, 488, "To: <"+bob+">;tag=old")
				}
				d.pcscf.Response(test.declines)
				if took := time.Since(began); !test.waits && took > 5*time.Second {
					t.Errorf("the caller waited %s", took)
				}
			})
		})
	}
}

// TestAnswerAfterTheCallHasFailed: a callee that answers when the call has failed is released, and so is the caller: nobody talks without
// paying.
func TestAnswerAfterTheCallHasFailed(t *testing.T) {
	withDesk(t, func(d *desk) { d.charge.Terminating = true }, func(t *testing.T, d *desk) {
		began := time.Now()
		path := []string{"<sip:token@192.0.2.9:5060;lr>"}
		d.user(bob, registration.Registered).Bindings = []*registration.Binding{
			{
				Contact:    "sip:phone@192.0.2.9:5060",
				Path:       path,
				Private:    "p@" + home,
				Q:          1000,
				Registered: began,
				Expires:    began.Add(time.Hour),
			},
			{
				Contact:    "sip:phone@192.0.2.9:6060",
				Path:       path,
				Private:    "p@" + home,
				Q:          1000,
				Registered: began.Add(time.Second),
				Expires:    began.Add(61 * time.Minute),
			},
		}
		d.send(d.pcscf, "INVITE", bob, "", "Record-Route: <sip:192.0.2.1;lr>")
		live, old := d.phone.Request("INVITE"), d.phone.Request("INVITE")
		if live.Recipient.Port != 6060 {
			live, old = old, live
		}
		d.phone.Answer(old, 100)
		d.phone.Answer(live, 486, "To: <"+bob+">;tag=live")
		failed := d.pcscf.Response(486)
		d.pcscf.Send(
			scscfAddress,
			"ACK "+bob+" SIP/2.0",
			"Via: "+failed.Via().Value(),
			"Max-Forwards: 70",
			"From: "+sip.Value(failed, "From"),
			"To: "+sip.Value(failed, "To"),
			"Call-ID: "+failed.CallID().Value(),
			"CSeq: 1 ACK",
		)
		d.wantAsked("1#0", "3#1 used 0s cause 486")
		d.phone.Request("ACK")
		d.phone.Answer(d.phone.Request("CANCEL"), 200)

		d.phone.Answer(
			old,
			200,
			"To: <"+bob+">;tag=old",
			"Contact: <sip:phone@192.0.2.9:5060>",
			"Record-Route: "+sip.Value(old, "Record-Route"),
			"Record-Route: <sip:192.0.2.1;lr>",
		)
		d.phone.Answer(d.phone.Request("BYE"), 200)

		passed := false
		for { // the 486, which nobody acknowledges, is repeated
			m := d.pcscf.Next()
			if r, request := m.(*sip.Request); request {
				d.pcscf.Answer(r, 481)
				break
			}
			passed = passed || m.(*sip.Response).IsSuccess()
		}
		if !passed {
			t.Error("the 200 did not go upstream (RFC 3261 §16.7 5)")
		}
		d.wantAsked("1#0", "3#1 used 0s cause 486")
	})
}

// TestFurtherCalleeEndsWithTheCharging: a further callee that the caller keeps is in the call no longer than somebody pays for it (RFC
// 3261 §13.2.2.4).
func TestFurtherCalleeEndsWithTheCharging(t *testing.T) {
	const (
		first, second = "sip:callee@192.0.2.2:5060", "sip:second@192.0.2.2:5060"
		toSecond      = "callee: c at " + second
		fromSecond    = "caller: c"
	)

	answers := func(d *desk, invite *sip.Request) {
		d.icscf.Answer(invite, 200, "To: <"+bob+">;tag=c", "Contact: <"+second+">", "Record-Route: "+sip.Value(invite, "Record-Route"),
			"Record-Route: <sip:192.0.2.1;lr>")
		d.pcscf.Response(200)
		d.inSecond(invite, "ACK")
		d.icscf.Request("ACK")
		synctest.Wait()
	}

	for _, test := range []struct {
		name string
		run  func(d *desk, invite *sip.Request) // after which the call is over
		want []string                           // BYEs since then
	}{
		{"the first is hung up", func(d *desk, invite *sip.Request) {
			answers(d, invite)
			d.within(invite, "BYE")
		}, []string{"callee: b at " + first, toSecond, fromSecond}},
		{"after a restart", func(d *desk, invite *sip.Request) {
			answers(d, invite)
			d.crash(time.Second)
			d.within(invite, "BYE")
		}, []string{"callee: b at " + first, toSecond, fromSecond}},
		{"the credit ends", func(d *desk, invite *sip.Request) {
			answers(d, invite)
			d.mu.Lock()
			d.ocs = noCredit
			d.mu.Unlock()
			time.Sleep(595 * time.Second)
		}, []string{"callee: b at " + first, toSecond, "caller: b", fromSecond}},
		{"it answers when the first has been hung up", func(d *desk, invite *sip.Request) {
			d.within(invite, "BYE")
			d.icscf.Answer(d.icscf.Request("BYE"), 200)
			d.pcscf.Response(200)
			answers(d, invite)
		}, []string{toSecond, fromSecond}},
		{"it is hung up before, as a caller should", func(d *desk, invite *sip.Request) {
			answers(d, invite)
			d.inSecond(invite, "BYE")
			d.icscf.Answer(d.icscf.Request("BYE"), 200)
			d.pcscf.Response(200)
			d.wantAsked("1#0")
			d.within(invite, "BYE")
		}, []string{"callee: b at " + first}},
		{"its BYE did not arrive", func(d *desk, invite *sip.Request) {
			answers(d, invite)
			d.inSecond(invite, "BYE")
			d.icscf.Answer(d.icscf.Request("BYE"), 483)
			d.pcscf.Response(483)
			d.within(invite, "BYE")
		}, []string{"callee: b at " + first, toSecond, fromSecond}},
		{"it has moved by a re-INVITE", func(d *desk, invite *sip.Request) {
			answers(d, invite)
			d.inSecond(invite, "INVITE")
			d.icscf.Answer(d.icscf.Request("INVITE"), 200, "Contact: <sip:moved@192.0.2.2:5060>")
			d.pcscf.Response(200)
			d.inSecond(invite, "ACK")
			d.icscf.Request("ACK")
			d.within(invite, "BYE")
		}, []string{"callee: b at " + first, "callee: c at sip:moved@192.0.2.2:5060", fromSecond}},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				test.run(d, d.talk())

				var got []string
				for range 10 { // rounds of answers, which come in no order
					time.Sleep(lateBye)
					synctest.Wait()
					for _, m := range d.icscf.All() {
						if r, request := m.(*sip.Request); request && r.Method == "BYE" {
							tag, _ := r.To().Params.Get("tag")
							got = append(got, "callee: "+tag+" at "+r.Recipient.String())
							d.icscf.Answer(r, 200)
						}
					}
					for _, m := range d.pcscf.All() {
						if r, request := m.(*sip.Request); request && r.Method == "BYE" {
							tag, _ := r.From().Params.Get("tag")
							got = append(got, "caller: "+tag)
							d.pcscf.Answer(r, 200)
						}
					}
				}

				slices.Sort(got)
				got = slices.Compact(got) // some were repeated before they were answered
				slices.Sort(test.want)
				if !slices.Equal(got, test.want) {
					t.Errorf("BYEs to\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
				}
				if n := d.server.calls.Len(); n != 0 {
					t.Errorf("%d calls are left", n)
				}
			})
		})
	}
}

// inSecond sends a request of the caller to the second callee that answered, with the tag c.
func (d *desk) inSecond(invite *sip.Request, method string) {
	d.t.Helper()
	d.send(
		d.pcscf,
		method,
		"sip:second@192.0.2.2:5060",
		d.route,
		"To: <"+bob+">;tag=c",
		"Call-ID: "+invite.CallID().Value(),
	)
}
