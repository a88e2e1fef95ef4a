package registrar

import (
	"testing"

	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// TestFlowFailed: a contact that its P-CSCF has lost ends, and the HSS is told if it was the last (RFC 5626 §5.3.1); one that was
// registered again in the meantime stays, and so does that of another handset.
func TestFlowFailed(t *testing.T) {
	contacts := func(t *testing.T, l *lab) []*registration.Binding {
		t.Helper()
		user, found := l.r.Lookup(public1)
		if !found {
			return nil
		}

		return user.Bindings
	}

	withLab(t, nil, func(t *testing.T, l *lab) {
		l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
		l.callID = "call-2"
		l.wantStatus(l.register("tablet@ims.example", public1, "Contact: <sip:alice@192.0.2.2>"), 200)
		all := contacts(t, l)
		l.changes = nil

		l.r.FlowFailed(public1, all[1])
		l.wantEvents("deactivated")
		if left := contacts(t, l); len(left) != 1 || left[0] != all[0] {
			t.Fatalf("left: %v", left)
		}
		l.r.FlowFailed(public1, all[1]) // reported twice
		l.r.FlowFailed("sip:nobody@ims.example", all[0])
		l.wantEvents("deactivated")

		l.r.FlowFailed(public1, all[0])
		if left := contacts(t, l); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
		l.wantEvents("deactivated deactivated")
		l.wantAssigned("1 1 4 4") // REGISTRATION of both, TIMEOUT_DEREGISTRATION of both
	})

	withLab(t, nil, func(t *testing.T, l *lab) {
		l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
		old := contacts(t, l)[0]
		l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
		l.changes = nil
		l.r.FlowFailed(public1, old)
		l.wantEvents("")
		if left := contacts(t, l); len(left) != 1 {
			t.Errorf("a contact that was registered again is gone: %v", left)
		}
	})
}
