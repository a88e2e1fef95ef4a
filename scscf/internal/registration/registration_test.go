package registration

import (
	"testing"
	"time"
)

// TestContactsAreNotForEmergencies: nobody is connected to a contact for emergency calls (TS 24.229 §5.4.8).
func TestContactsAreNotForEmergencies(t *testing.T) {
	now := time.Now()
	r := &Registration{Bindings: []*Binding{
		{Contact: "sip:alice@10.0.0.1", Expires: now.Add(time.Minute)},
		{Contact: "sip:alice@10.0.0.2;sos", Expires: now.Add(time.Minute)},
	}}

	if alive := r.Contacts(now, false); len(alive) != 1 || alive[0] != r.Bindings[0] {
		t.Errorf("%d contacts, want the one that is not for emergencies", len(alive))
	}
	if alive := r.Contacts(now, true); len(alive) != 2 {
		t.Errorf("a centre that calls back reaches %d contacts, want both", len(alive))
	}
}
