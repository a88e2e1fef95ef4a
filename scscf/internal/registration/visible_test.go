package registration

import (
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

// TestVisibleChange: what others see of changes with emergency registrations (TS 24.229 §5.4.8).
func TestVisibleChange(t *testing.T) {
	normal, sos := &Binding{Contact: "sip:a@10.0.0.1"}, &Binding{Contact: "sip:a@10.0.0.1;sos"}
	with := func(bindings ...*Binding) *Registration { return &Registration{State: Registered, Bindings: bindings} }
	of := func(b *Binding, e ContactEvent) []ContactChange { return []ContactChange{{b, e}} }

	for _, test := range []struct {
		name    string
		change  Change
		kind    ifc.RegistrationType
		seen    bool
		visible int // bindings afterwards
	}{
		{
			name: "no emergency", seen: true, visible: 1, kind: ifc.ReRegistration,
			change: Change{Before: with(normal), After: with(normal), Contacts: of(normal, ContactRegistered), Type: ifc.ReRegistration},
		},
		{name: "an emergency registration, the first", change: Change{After: with(sos), Contacts: of(sos, ContactRegistered)}},
		{
			name: "the other one behind it", seen: true, visible: 1, kind: ifc.InitialRegistration,
			change: Change{Before: with(sos), After: with(sos, normal), Contacts: of(normal, ContactRegistered), Type: ifc.ReRegistration},
		},
		{
			name: "the other one ends before it", seen: true, kind: ifc.DeRegistration,
			change: Change{Before: with(sos, normal), After: with(sos), Contacts: of(normal, ContactExpired), Type: ifc.ReRegistration},
		},
		{
			name: "the emergency registration ends", visible: 1, kind: ifc.ReRegistration,
			change: Change{Before: with(sos, normal), After: with(normal), Contacts: of(sos, ContactExpired), Type: ifc.ReRegistration},
		},
		{
			name: "the profile changes", seen: true, visible: 1, kind: ifc.ReRegistration,
			change: Change{Before: with(sos, normal), After: with(sos, normal), Cause: ByProfile, Type: ifc.ReRegistration},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, seen := test.change.Visible()
			if seen != test.seen {
				t.Fatalf("seen: %t", seen)
			}
			if n := len(got.After.Bindings); n != test.visible || got.Registered() != (n > 0) || seen && got.Type != test.kind {
				t.Errorf("%d bindings, registered: %t, type %v", n, got.Registered(), got.Type)
			}
			for _, c := range got.Contacts {
				if c.Binding.Emergency() {
					t.Error("it tells of the emergency contact")
				}
			}
		})
	}
}
