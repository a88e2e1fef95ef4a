package session

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// ended returns the registrar's change for a contact that has ended, and further contact changes.
func ended(contact *registration.Binding, event registration.ContactEvent, more ...registration.ContactChange) registration.Change {
	return registration.Change{Contacts: append([]registration.ContactChange{{Binding: contact, Event: event}}, more...)}
}

// released fails the test unless a BYE comes with this in its Reason, and answers it.
func (d *desk) released(peer *memory.Peer, why string) {
	d.t.Helper()
	bye := peer.Request("BYE")
	if !strings.Contains(sip.Value(bye, "Reason"), why) {
		d.t.Errorf("BYE says %q, want %q", sip.Value(bye, "Reason"), why)
	}
	peer.Answer(bye, 200)
}

// TestSessionsOfARegistrationThatEnds: the sessions of a registration that ends are released, on both sides and at the OCS, whoever ended
// it; those of another contact are not (TS 24.229 §5.4.1.4, §5.4.1.5).
func TestSessionsOfARegistrationThatEnds(t *testing.T) {
	for _, event := range []registration.ContactEvent{
		registration.ContactUnregistered, registration.ContactExpired, registration.ContactDeactivated, registration.ContactRejected,
	} {
		t.Run("the caller's/"+string(event), func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.talk()
				time.Sleep(10 * time.Second)
				d.server.calls.Changed(ended(&registration.Binding{ID: 8}, event))
				d.server.calls.Changed(ended(&registration.Binding{ID: phone}, registration.ContactRefreshed))
				d.pcscf.Silent()
				d.server.calls.Changed(ended(&registration.Binding{ID: phone}, event))
				d.released(d.pcscf, string(event))
				d.released(d.icscf, string(event))
				d.wantAsked("1#0", "3#1 used 10s cause 0")
				if d.server.calls.Len() != 0 {
					t.Error("the call is still there")
				}
			})
		})

		t.Run("the callee's/"+string(event), func(t *testing.T) {
			withDesk(t, func(d *desk) { d.user(bob, registration.Registered) }, func(t *testing.T, d *desk) {
				d.send(d.icscf, "INVITE", bob, "", "Record-Route: <sip:192.0.2.1;lr>")
				invite := d.phone.Request("INVITE")
				d.phone.Answer(invite, 200, "To: <"+bob+">;tag=b", "Contact: <sip:phone@192.0.2.9:5060>")
				d.icscf.Response(200)
				synctest.Wait()
				d.server.calls.Changed(ended(&registration.Binding{ID: phone}, event))
				d.released(d.phone, string(event))
				d.released(d.pcscf, string(event))
			})
		})
	}

	t.Run("while it rings: CANCEL, and 480", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.send(d.pcscf, "INVITE", bob, serviceRoute)
			invite := d.icscf.Request("INVITE")
			d.icscf.Answer(invite, 180, "To: <"+bob+">;tag=b")
			d.pcscf.Response(180)
			d.server.calls.Changed(ended(&registration.Binding{ID: phone}, registration.ContactDeactivated))
			cancel := d.icscf.Request("CANCEL")
			if got := sip.Value(cancel, "Reason"); !strings.Contains(got, "deactivated") {
				t.Errorf("CANCEL says %q", got)
			}
			d.icscf.Answer(cancel, 200)
			d.icscf.Answer(invite, 487, "To: <"+bob+">;tag=b")
			if r := d.pcscf.Response(480); !strings.Contains(sip.Value(r, "Reason"), "deactivated") {
				t.Errorf("480 says %q", sip.Value(r, "Reason"))
			}
			d.icscf.Request("ACK")
			d.wantAsked("1#0", "3#1 used 0s cause 0")
		})
	})

	t.Run("while it rings, and the answer is faster", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.send(d.pcscf, "INVITE", bob, serviceRoute, "Record-Route: <sip:192.0.2.1;lr>")
			invite := d.icscf.Request("INVITE")
			d.icscf.Answer(invite, 180, "To: <"+bob+">;tag=b")
			d.pcscf.Response(180)
			d.server.calls.Changed(ended(&registration.Binding{ID: phone}, registration.ContactDeactivated))
			d.icscf.Answer(d.icscf.Request("CANCEL"), 481)
			d.icscf.Answer(invite, 200, "To: <"+bob+">;tag=b", "Contact: <sip:callee@192.0.2.2:5060>")
			d.pcscf.Response(200)
			d.released(d.pcscf, "deactivated")
			d.released(d.icscf, "deactivated")
			d.wantAsked("1#0", "3#1 used 0s cause 0")
		})
	})

	t.Run("before the answer", func(t *testing.T) {
		withDesk(t, func(d *desk) { d.user(bob, registration.Registered) }, func(t *testing.T, d *desk) {
			d.send(d.icscf, "INVITE", bob, "", "Record-Route: <sip:192.0.2.1;lr>")
			invite := d.phone.Request("INVITE")
			d.mu.Lock()
			delete(d.users, bob)
			d.mu.Unlock()
			d.phone.Answer(invite, 200, "To: <"+bob+">;tag=b", "Contact: <sip:phone@192.0.2.9:5060>")
			d.icscf.Response(200)
			d.released(d.phone, "the registration has ended")
			d.released(d.pcscf, "the registration has ended")
		})
	})

	t.Run("not when the handset registers from another address while it rings", func(t *testing.T) {
		withDesk(
			t,
			func(d *desk) { d.user(bob, registration.Registered).Bindings[0].Instance = "urn:uuid:1" },
			func(t *testing.T, d *desk) {
				d.send(d.icscf, "INVITE", bob, "", "Record-Route: <sip:192.0.2.1;lr>")
				invite := d.phone.Request("INVITE")
				next := d.user(bob, registration.Registered).Bindings[0]
				next.ID, next.Contact, next.Instance = 9, "sip:phone@192.0.2.10:5060", "urn:uuid:1"
				d.phone.Answer(invite, 200, "To: <"+bob+">;tag=b", "Contact: <sip:phone@192.0.2.9:5060>")
				d.icscf.Response(200)
				synctest.Wait()
				d.phone.Silent()

				d.server.calls.Changed(ended(&registration.Binding{ID: 9}, registration.ContactExpired)) // the call is with that one
				d.released(d.phone, "the registration has ended")
				d.released(d.pcscf, "the registration has ended")
			},
		)
	})

	t.Run("after a restart", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.talk()
			d.stop()
			d.start()
			synctest.Wait()
			d.pcscf.Silent()
			d.server.calls.Changed(ended(&registration.Binding{ID: phone}, registration.ContactExpired))
			d.released(d.pcscf, "expired")
			d.released(d.icscf, "expired")
		})
	})

	t.Run("over a restart", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.talk()
			d.stop()
			d.user(alice, registration.Registered).Bindings[0].ID = 9
			d.start()
			d.released(d.pcscf, "the registration has ended")
			d.released(d.icscf, "the registration has ended")
		})
	})

	t.Run("a handset that moves has its calls go on", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.talk()
			old, fresh := &registration.Binding{
				ID:       phone,
				Instance: "i",
				Contact:  "sip:old",
			}, &registration.Binding{
				ID:       8,
				Instance: "i",
				Contact:  "sip:new",
			}
			d.server.calls.Changed(
				ended(
					old,
					registration.ContactUnregistered,
					registration.ContactChange{Binding: fresh, Event: registration.ContactRegistered},
				),
			)
			d.pcscf.Silent()
			d.server.calls.Changed(
				ended(
					fresh,
					registration.ContactUnregistered,
					registration.ContactChange{
						Binding: &registration.Binding{ID: 10, Instance: "j", Contact: "sip:other"},
						Event:   registration.ContactRegistered,
					},
				),
			)
			d.released(d.pcscf, "unregistered")
			d.released(d.icscf, "unregistered")
		})
	})
}

// TestFlowFailed: a contact whose P-CSCF answers 430 is reported to the registrar, and holds nobody up; the caller never sees 430 (RFC
// 5626 §11.5).
func TestFlowFailed(t *testing.T) {
	for name, live := range map[string]int{"and no other": 0, "and another one answers": 200, "and another one is busy": 486} {
		t.Run(name, func(t *testing.T) {
			withDesk(t, func(d *desk) {
				g := d.user(bob, registration.Registered)
				if live != 0 {
					other := *g.Bindings[0]
					other.ID, other.Contact, other.Instance = 8, "sip:live@192.0.2.9:5060", "live"
					g.Registration.Bindings = append(g.Bindings, &other)
				}
			}, func(t *testing.T, d *desk) {
				d.send(d.icscf, "MESSAGE", bob, "")
				want := 480
				for range 1 + min(live, 1) {
					r := d.phone.Request("MESSAGE")
					if r.Recipient.User == "live" {
						d.phone.Answer(r, live)
						want = live
					} else {
						d.phone.Answer(r, 430)
					}
				}
				d.icscf.Response(want)
				synctest.Wait()
				if got := strings.Join(d.failed, ", "); got != bob+" sip:phone@192.0.2.9:5060" {
					t.Errorf("failed: %q", got)
				}
			})
		})
	}
}
