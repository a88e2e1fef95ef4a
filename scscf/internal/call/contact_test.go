package call

import (
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// TestSentFrom: the contact that a caller's INVITE came from.
func TestSentFrom(t *testing.T) {
	user := registration.User{Registration: &registration.Registration{Bindings: []*registration.Binding{
		{ID: 1, Contact: "sip:a@10.0.0.1:5060", Path: []string{"<sip:one@192.0.2.1:5070;lr>"}},
		{ID: 2, Contact: "sip:a@10.0.0.2:5060", Path: []string{"<sip:two@192.0.2.1:5070;lr>"}},
	}}}
	only := registration.User{Registration: &registration.Registration{Bindings: user.Bindings[:1]}}

	for _, test := range []struct {
		name, record, contact string
		user                  registration.User
		want                  uint32
	}{
		{name: "by the P-CSCF's token", record: "<sip:two@192.0.2.1:5070;lr>", contact: "<sip:a@10.0.0.1:5060>", user: user, want: 2},
		{name: "by its Contact", record: "<sip:x@192.0.2.1:5070;lr>", contact: "<sip:a@10.0.0.2:5060>", user: user, want: 2},
		{name: "neither", record: "<sip:x@192.0.2.1:5070;lr>", contact: "<sip:a@10.0.0.3>", user: user},
		{name: "neither, and there is but one", record: "<sip:x@192.0.2.1:5070;lr>", contact: "<sip:a@10.0.0.3>", user: only, want: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			invite, err := sip.NewRequest("INVITE", "sip:bob@ims.example")
			if err != nil {
				t.Fatal(err)
			}
			sip.Add(invite, "Record-Route", test.record)
			sip.Add(invite, "Contact", test.contact)
			recorded, _ := sip.RecordRoutes(invite)
			contacts, _, _ := sip.Contacts(invite)
			if got := sentFrom(test.user, recorded, contacts); got != test.want {
				t.Errorf("contact %d, want %d", got, test.want)
			}
		})
	}
}
