package registrar

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unicode/utf8"
	"unique"

	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func keptRegistration(contact string) *registration.Registration {
	return &registration.Registration{
		State:      registration.Registered,
		Private:    private1,
		Identities: []registration.Identity{{URI: public1, Barred: true}, {URI: number1, DisplayName: "Alice"}},
		Bindings: []*registration.Binding{
			{
				Contact:    contact,
				Private:    private1,
				Identity:   public1,
				ID:         7,
				Q:          1000,
				Expires:    time.Unix(2e9, 0),
				Registered: time.Unix(1e9, 0),
			},
		},
		ChargingHandle: unique.Make(registration.ChargingInfo{EventPrimary: "aaa://e"}),
	}
}

// TestJournalIsRewritten: the file does not grow with the number of changes, and after rewriting it holds the current registrations.
func TestJournalIsRewritten(t *testing.T) {
	const tolerated = 10_000 // lines out of date

	directory := t.TempDir()
	log := slog.New(slog.DiscardHandler)

	j, _, err := openJournal(directory, log)
	if err != nil {
		t.Fatal(err)
	}

	stays, goes := &record{id: 1}, &record{id: 2}
	stays.current.Store(keptRegistration("sip:a@x"))
	goes.current.Store(keptRegistration("sip:b@x"))

	for range tolerated + 100 {
		j.mark(stays)
		j.mark(goes)
		if err := j.flush(func() int { return 2 }, func() []*record { return []*record{stays, goes} }); err != nil {
			t.Fatal(err)
		}
	}

	goes.current.Store(nil)
	j.mark(goes)
	if err := j.flush(func() int { return 1 }, func() []*record { return []*record{stays} }); err != nil {
		t.Fatal(err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}

	text, err := os.ReadFile(filepath.Join(directory, journalName))
	if err != nil || bytes.Count(text, []byte("\n")) > tolerated {
		t.Errorf("%d lines, %v", bytes.Count(text, []byte("\n")), err)
	}

	j, registrations, err := openJournal(directory, log)
	if err != nil || len(registrations) != 1 {
		t.Fatalf("%v %v", registrations, err)
	}
	defer j.close()

	g := registrations[1]
	if c, given := g.Charging(); !given || c.EventPrimary != "aaa://e" || g.Bindings[0].Contact != "sip:a@x" || g.Default() != number1 ||
		g.Identities[1].DisplayName != "Alice" {
		t.Errorf("%+v", g)
	}
}

// FuzzEntry: encoding/json reads back what the quick encoder writes.
func FuzzEntry(f *testing.F) {
	f.Add(uint64(1), "sip:alice@192.0.2.1", `;+sip.instance="<urn:uuid:1>"`, "<sip:p;lr>", uint32(7), uint16(500), true)
	f.Add(uint64(0), "\x00\xff\u2028", "", "", uint32(0), uint16(0), false)

	f.Fuzz(func(t *testing.T, id uint64, contact, params, path string, cseq uint32, q uint16, barred bool) {
		if !utf8.ValidString(contact + params + path) {
			return // JSON has no others
		}

		k := &kept{
			Private:    params,
			Identities: []keptIdentity{{URI: contact, DisplayName: path, Barred: barred}},
			Charging:   &registration.ChargingInfo{EventPrimary: path},
			Bindings: []*registration.Binding{{
				Contact: contact, Params: params, Path: []string{path, contact}, Private: path, Identity: contact, Instance: params, CallID: path,
				CSeq: cseq, RegID: cseq + 1, ID: cseq + 2, Q: q, Expires: time.Unix(int64(cseq), int64(q)), Registered: time.Unix(int64(q), 0),
			}},
		}

		var back entry
		line := appendEntry(nil, id, k)
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if difference := cmp.Diff(entry{ID: id, Registration: k}, back, cmpopts.EquateApproxTime(0)); difference != "" {
			t.Fatalf("%s\n%s", line, difference)
		}
	})
}

// FuzzJournal: with any file a start neither fails nor restores a registration that could not be served.
func FuzzJournal(f *testing.F) {
	f.Add(
		[]byte(
			`{"id":1,"registration":{"private":"a","identities":[{"uri":"sip:a@b"}],"bindings":[{"contact":"sip:x","private":"a","q":5}]}}`,
		),
	)
	f.Add([]byte(`{"id":1}`))
	f.Add([]byte(`{"id":1,"registration":{"identities":[{"uri":"sip:!(!@b"}],"bindings":[null]}}`))

	f.Fuzz(func(t *testing.T, line []byte) {
		registrations := map[uint64]*registration.Registration{}
		_ = restoreLine(line, registrations)

		for _, g := range registrations {
			if len(g.Identities) == 0 || len(g.Bindings) == 0 || g.State != registration.Registered || !g.ProfileMissing() {
				t.Fatalf("%+v", g)
			}
			_ = g.Contacts(time.Now(), false)
			_ = g.Associated()
		}
	})
}
