package regevent

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// TestDocumentWithoutEnd: a document too large for one NOTIFY goes in several: each identity is sent once, with its contacts.
func TestDocumentWithoutEnd(t *testing.T) {
	large := ";x=" + strings.Repeat("'", 1000) // five times as large in XML

	for _, test := range []struct {
		name       string
		identities int
		params     string
		want       string
		unknown    bool
	}{
		{name: "one that fits", identities: 3, params: ";audio", want: "0 full active", unknown: true},
		{name: "many identities", identities: 14, params: ";audio", want: "0 full active, 1 partial active, 2 partial active", unknown: true},
		{name: "a large parameter", identities: 2, params: large, want: "0 full active, 1 partial active"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.s.maxBody = 2000

				b := bindingOf(1, "sip:a@192.0.2.1")
				b.Params = test.params
				g := registered(b)
				for i := len(g.Identities) - 1; i < test.identities; i++ {
					g.Identities = append(
						g.Identities,
						registration.Identity{URI: fmt.Sprintf("sip:alice%d@ims.example", i), Profile: g.Identities[0].Profile},
					)
				}
				d.set(g)
				d.watch()
				d.wantNotified(test.want)

				told := map[string]bool{}
				for _, r := range d.sent {
					if n := len(r.Body()); n > d.s.maxBody {
						t.Errorf("a body of %d octets", n)
					}

					var document reginfo
					if err := xml.Unmarshal(r.Body(), &document); err != nil {
						t.Fatal(err)
					}
					for _, r := range document.Registrations {
						if told[r.AOR] || r.State != "active" || len(r.Contacts) != 1 || r.Contacts[0].URI != b.Contact ||
							len(r.Contacts[0].Unknown) > 0 != test.unknown {
							t.Errorf("%+v", r)
						}
						told[r.AOR] = true
					}
				}
				if len(told) != test.identities {
					t.Errorf("%d identities are told, want %d", len(told), test.identities)
				}
			})
		})
	}

	t.Run("the end", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			b := bindingOf(1, "sip:a@192.0.2.1")
			b.Params = large
			d.set(registered(b))
			d.watch()
			synctest.Wait()
			d.s.maxBody, d.sent = 2000, nil

			d.happen(nil, registration.ContactChange{Binding: b, Event: registration.ContactExpired})
			d.wantNotified("1 partial active, 2 partial terminated;reason=noresource")
			if n := d.s.count(); n != 0 {
				t.Errorf("%d subscriptions are left", n)
			}
		})
	})
}
