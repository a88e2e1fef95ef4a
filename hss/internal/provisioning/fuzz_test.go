package provisioning

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/test/scratch"
)

var errUndo = errors.New("undo")

// A body is refused with a client error, or creates a subscriber that is shown as it was made and can be put again.
func FuzzNewSubscriber(f *testing.F) {
	folder := scratch.Dir(f)
	store, err := subscriber.Open(
		f.Context(),
		subscriber.Config{DSN: filepath.Join(folder, "hss.db"), KeyFile: filepath.Join(folder, "keys")},
		slog.New(slog.DiscardHandler),
	)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { store.Close() })

	if err := store.Update(f.Context(), func(tx *subscriber.Tx) error {
		return tx.SaveProfile(&subscriber.ServiceProfile{Name: DefaultProfile})
	}); err != nil {
		f.Fatal(err)
	}

	const keys = `"authentication":{"k":"465b5ce8b199b49faa5f0a2ee238a6bc","opc":"cd63cb71954a9f4e48a5994e37a02baf"}`
	for _, seed := range []string{
		`{"imsi":"001010000000001","msisdn":"15550001",` + keys + `}`,
		`{"user":"alice","authentication":{"password":"secret","algorithm":"sha-256"}}`,
		`{"name":"a","private_identities":[{"identity":"a@b",` + keys +
			`,"registration_sets":[2]}],"registration_sets":[{"number":1,"public_identities":[{"identity":"sip:a@b"}]},{"number":2,` +
			`"public_identities":[{"identity":"tel:+1-555"},{"identity":"sip:x-!.*!@b","kind":"service","application_server":"sip:as"}]}]}`,
		`{"imsi":"001010000000001","authentication":{"algorithm":"tuak","k":"00","op":"zz","sqn":"ffffffffffff"}}`,
		`{"registration_sets":[{"number":1,"public_identities":[{"identity":"sip:!(!@b","kind":"service"}]}]}`,
		`[]`, `{"imsi":1}`, ``,
	} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, body string) {
		var problem *httpapi.Error

		request, err := httpapi.Decode[NewSubscriber](httptest.NewRequest("POST", "/subscribers", strings.NewReader(body)))
		if err != nil {
			if !errors.As(err, &problem) || problem.Status/100 != 4 {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}

		document, err := request.document("home.org")
		if err == nil {
			err = store.Update(t.Context(), func(tx *subscriber.Tx) error {
				s := new(subscriber.Subscription)
				if err := apply(tx, s, document); err != nil {
					return err
				}
				if err := tx.Save(s); err != nil {
					return err
				}

				again, err := tx.Named(s.Name)
				if err != nil {
					t.Fatalf("%q: saved, but not there: %v", body, err)
				}
				if err := tx.Profiles(again); err != nil {
					return err
				}

				made, read := show(s), show(again)
				if a, b := text(t, made), text(t, read); a != b {
					t.Fatalf("made\n%s\nread\n%s", a, b)
				}
				if err := apply(tx, again, read); err != nil {
					t.Fatalf("%q: what is shown is refused: %v\n%s", body, err, text(t, read))
				}
				if err := tx.Save(again); err != nil {
					t.Fatalf("%q: what is shown cannot be saved: %v", body, err)
				}

				return errUndo
			})
		}

		if err != nil && !errors.Is(err, errUndo) && (!errors.As(err, &problem) || problem.Status/100 != 4) {
			t.Fatalf("%q: %v", body, err)
		}
	})
}

func text(t *testing.T, document any) string {
	t.Helper()

	encoded, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}

	return string(encoded)
}

func TestCanonical(t *testing.T) {
	for identity, want := range map[string]string{
		"sip:Alice@Home.Org":     "sip:Alice@home.org",
		"tel:+1-555-0001":        "tel:+15550001",
		"sip:home.org":           "sip:home.org",
		"sip:chat-!.*!@home.org": "sip:chat-!.*!@home.org",
		"sip:alice@home.org;x=y": "",
		"sips:alice@home.org":    "",
		"tel:5550001":            "",
		"tel:+15550001;ext=1":    "",
		"mailto:alice@home.org":  "",
		"http:!.*!":              "",
		"sip:":                   "",
		"sip:@home.org":          "",
		"sip:alice bob@home.org": "",
		"sip:alice@home.org\x00": "",
		"sip:" + strings.Repeat("a", 300) + "@home.org": "",
	} {
		got, err := canonical(identity)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v, want %q", identity, got, err, want)
		}
	}
}
