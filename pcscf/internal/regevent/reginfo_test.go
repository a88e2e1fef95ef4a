package regevent

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const example = `<?xml version="1.0"?>
<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full">
  <registration aor="sip:joe@example.com" id="as9" state="active">
    <contact id="76" state="active" event="registered" duration-registered="7322" q="0.8" expires="600" callid="c&amp;d" cseq="7">
      <uri>sip:joe@pc887.example.com</uri><unknown-param name="+sip.instance">"&lt;urn:uuid:1&gt;"</unknown-param>
    </contact>
    <contact id="77" state="terminated" event="expired" duration-registered="3600" q="0.5"><uri> sip:joe@university.edu </uri></contact>
  </registration>
  <registration aor="tel:+1" id="as10" state="init"/>
</reginfo>`

func TestParse(t *testing.T) {
	got, err := parse([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	left := uint32(600)
	want := document{Full: true, Registrations: []registration{
		{AOR: "sip:joe@example.com", Contacts: []contact{
			{URI: "sip:joe@pc887.example.com", Active: true, Event: "registered", Expires: &left, CallID: "c&d", CSeq: 7},
			{URI: "sip:joe@university.edu", Event: "expired"},
		}},
		{AOR: "tel:+1", Terminated: true},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func written(version int, state, registrations string) string {
	return fmt.Sprintf(`<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="%d" state="%s">%s</reginfo>`, version, state, registrations)
}

func TestParseRefuses(t *testing.T) {
	contact := `<contact id="1" state="active" event="registered"><uri>sip:a@b</uri></contact>`

	for name, body := range map[string]string{
		"nothing":              "",
		"another document":     `<presence xmlns="urn:ietf:params:xml:ns:pidf"/>`,
		"no namespace":         `<reginfo version="0" state="full"/>`,
		"no version":           `<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" state="full"/>`,
		"a version below 0":    written(-1, "full", ""),
		"another state":        written(0, "some", ""),
		"another registration": written(0, "full", `<registration aor="sip:a@b" id="1" state="perhaps"/>`),
		"another contact": written(
			0,
			"full",
			`<registration aor="sip:a@b" id="1" state="active"><contact id="1" state="maybe" event="x"><uri>sip:a@b</uri></contact></registration>`,
		),
		"a contact without URI": written(
			0,
			"full",
			`<registration aor="sip:a@b" id="1" state="active"><contact id="1" state="active" event="x"/></registration>`,
		),
		"an open element":      strings.TrimSuffix(written(0, "full", ""), "</reginfo>"),
		"an entity of its own": `<!DOCTYPE r [<!ENTITY x "y">]>` + written(0, "full", `<registration aor="&x;" id="1" state="active"/>`),
		"too many contacts": written(0, "full", `<registration aor="sip:a@b" id="1" state="active">`+
			strings.Repeat(contact, maxContacts+1)+`</registration>`),
		"too many registrations":    written(0, "full", strings.Repeat(`<registration aor="sip:a@b" id="1" state="active"/>`, maxContacts+1)),
		"more octets than it needs": written(0, "full", strings.Repeat(" ", maxDocument)),
	} {
		if d, err := parse([]byte(body)); err == nil {
			t.Errorf("%s: read as %+v", name, d)
		}
	}
}

// entry returns a registration from a short form: "sip:a@b active sip:c1=registered,sip:c2=deactivated".
func entry(text string) string {
	fields := strings.Fields(text)
	b := fmt.Sprintf(`<registration aor="%s" id="x" state="%s">`, fields[0], fields[1])

	for _, c := range strings.Split(strings.Join(fields[2:], ","), ",") {
		uri, event, found := strings.Cut(c, "=")
		if !found {
			continue
		}
		state := "active"
		switch event {
		case "expired", "deactivated", "rejected", "unregistered", "probation":
			state = "terminated"
		}
		b += fmt.Sprintf(`<contact id="%s" state="%s" event="%s" expires="60"><uri>%s</uri></contact>`, uri, state, event, uri)
	}

	return b + "</registration>"
}

func TestApply(t *testing.T) {
	const (
		full    = "full"
		partial = "partial"
	)

	type step struct {
		version int
		state   string
		entries []string
		want    string
	}

	both := []string{"sip:a@x active sip:c1=registered", "tel:+1 active sip:c1=created"}

	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"RFC 3680 §5.2 a contact deactivated in full", []step{
			{0, full, both, "joined sip:c1 sip:a@x; joined sip:c1 tel:+1"},
			{1, full, []string{"sip:a@x terminated sip:c1=deactivated", "tel:+1 terminated sip:c1=deactivated"}, "ended sip:c1 deactivated"},
		}},
		{"in part", []step{
			{0, full, both, "joined sip:c1 sip:a@x; joined sip:c1 tel:+1"},
			{1, partial, []string{"sip:a@x terminated sip:c1=rejected", "tel:+1 terminated sip:c1=rejected"}, "ended sip:c1 rejected"},
		}},
		{"one of two contacts", []step{
			{0, full, []string{"sip:a@x active sip:c1=registered,sip:c2=registered"}, "joined sip:c1 sip:a@x; joined sip:c2 sip:a@x"},
			{1, partial, []string{"sip:a@x active sip:c2=unregistered"}, "ended sip:c2 unregistered"},
		}},
		{"one of two identities leaves: the contact stays", []step{
			{0, full, both, "joined sip:c1 sip:a@x; joined sip:c1 tel:+1"},
			{1, partial, []string{"tel:+1 terminated sip:c1=deactivated"}, "left sip:c1 tel:+1"},
		}},
		{"a registration terminated without a word of its contacts", []step{
			{0, full, both, "joined sip:c1 sip:a@x; joined sip:c1 tel:+1"},
			{1, partial, []string{"sip:a@x terminated", "tel:+1 terminated"}, "ended sip:c1 deactivated"},
		}},
		{"one identity more", []step{
			{0, full, both[:1], "joined sip:c1 sip:a@x"},
			{1, partial, []string{"tel:+1 active sip:c1=created"}, "joined sip:c1 tel:+1"},
		}},
		{"TS 24.229 §5.4.1.4 shortened", []step{
			{0, full, both[:1], "joined sip:c1 sip:a@x"},
			{1, partial, []string{"sip:a@x active sip:c1=shortened"}, "shortened sip:c1"},
		}},
		{"refreshed: nothing changes", []step{
			{0, full, both[:1], "joined sip:c1 sip:a@x"},
			{1, partial, []string{"sip:a@x active sip:c1=refreshed"}, ""},
		}},
		{"§6.2 an older document", []step{
			{5, full, both[:1], "joined sip:c1 sip:a@x"},
			{5, partial, []string{"sip:a@x terminated sip:c1=rejected"}, "old"},
			{4, full, []string{"sip:a@x terminated sip:c1=rejected"}, "old"},
		}},
		{"§6.2 one was lost: the whole state is asked for, and what is there is taken", []step{
			{0, full, both[:1], "joined sip:c1 sip:a@x"},
			{2, partial, []string{"sip:a@x terminated sip:c1=rejected"}, "missed; ended sip:c1 rejected"},
		}},
		{"a partial one first", []step{
			{0, partial, both[:1], "missed; joined sip:c1 sip:a@x"},
		}},
		{"full ones may be lost", []step{
			{0, full, both[:1], "joined sip:c1 sip:a@x"},
			{7, full, []string{"sip:a@x active sip:c2=registered"}, "joined sip:c2 sip:a@x; ended sip:c1 deactivated"},
		}},
		{"RFC 3261 §19.1.4 a contact that is written otherwise stays", []step{
			{0, full, []string{"sip:a@x active sip:c@c1=registered"}, "joined sip:c@c1 sip:a@x"},
			{1, full, []string{"sip:a@x active sip:%63@C1=refreshed"}, "joined sip:%63@C1 sip:a@x"},
		}},
		{"an end that nobody knew the beginning of", []step{
			{0, full, []string{"sip:a@x terminated sip:c9=expired"}, "ended sip:c9 expired"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s state
			for i, step := range test.steps {
				var body strings.Builder
				for _, e := range step.entries {
					body.WriteString(entry(e))
				}
				d, err := parse([]byte(written(step.version, step.state, body.String())))
				if err != nil {
					t.Fatal(err)
				}
				if got := short(s.apply(d)); got != step.want {
					t.Errorf("document %d: %q, want %q", i+1, got, step.want)
				}
			}
		})
	}
}

func short(o outcome) string {
	var all []string
	if o.Old {
		all = append(all, "old")
	}
	if o.Missed {
		all = append(all, "missed")
	}
	for _, i := range o.Joined {
		all = append(all, "joined "+i.Contact+" "+i.AOR)
	}
	for _, i := range o.Left {
		all = append(all, "left "+i.Contact+" "+i.AOR)
	}
	for _, c := range o.Shortened {
		all = append(all, "shortened "+c.URI)
	}
	for _, c := range o.Ended {
		all = append(all, "ended "+c.URI+" "+c.Event)
	}

	return strings.Join(all, "; ")
}

// Any document is read within bounds, and two documents of the same state give the same state.
func FuzzDocument(f *testing.F) {
	f.Add([]byte(example), []byte(written(1, "partial", entry("sip:joe@example.com terminated sip:joe@pc887.example.com=rejected"))))
	f.Add(
		[]byte(written(0, "full", entry("sip:a@x active sip:c1=registered"))),
		[]byte(written(2, "partial", entry("sip:a@x active sip:c1=shortened"))),
	)
	f.Add(
		[]byte(
			`<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="4294967295" state="full"><registration aor="" id="" state="terminated"/>`+
				`</reginfo>`,
		),
		[]byte("<"),
	)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var s state
		for _, body := range [][]byte{first, second} {
			d, err := parse(body)
			if err != nil {
				continue
			}
			o := s.apply(d)
			for _, active := range s.active {
				if len(active.identities) == 0 {
					t.Errorf("%q is kept without an identity", active.uri)
				}
				for _, c := range o.Ended {
					if c.URI == active.uri {
						t.Errorf("%q has ended and is active", active.uri)
					}
				}
			}
			if again := s.apply(d); !again.Old || len(again.Ended) > 0 {
				t.Errorf("the same document again: %+v", again)
			}
		}
	})
}
