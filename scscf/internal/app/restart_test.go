package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/scscf/internal/registrar"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// TestRegistrationsSurviveARestart: a registration outlives the process; its profile comes back from the HSS by NO_ASSIGNMENT.
func TestRegistrationsSurviveARestart(t *testing.T) {
	h := startHSS(t)
	directory := t.TempDir()
	keep := func(c *Config) { c.Data = directory }

	c := startWith(t, h, keep)
	phone := newHandset(t, c)
	wantStatus(t, phone.registerFully("Contact: "+phone.contact()+`;+sip.instance="<urn:uuid:1>";q=0.5`), 200)
	before, _ := c.scscf.registrar.Lookup(public)
	c.stop()

	// A crash in the middle of a line does no harm.
	file, err := os.OpenFile(filepath.Join(directory, "registrations.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"id":9,"registra`); err != nil {
		t.Fatal(err)
	}
	file.Close()

	c = startWith(t, h, keep)
	h.awaitAssignments(t, "1 0")
	await(t, "the profile", func() bool { _, found := c.scscf.registrar.Lookup(public); return found })

	after, _ := c.scscf.registrar.Lookup(number)
	want, got := *before.Bindings[0], *after.Bindings[0]
	if want.Expires.Unix() != got.Expires.Unix() || want.Contact != got.Contact || want.Params != got.Params || got.Q != 500 ||
		want.Path[0] != got.Path[0] ||
		want.ID != got.ID || want.CallID != got.CallID || want.CSeq != got.CSeq ||
		after.State != registration.Registered ||
		after.Default() != public {
		t.Errorf("before: %+v\nafter: %+v", want, got)
	}
	if !strings.Contains(c.log.String(), "cannot be read") {
		t.Error("nothing was said of the line that was cut off")
	}

	// The handset goes on where it was.
	phone.core = c
	wantStatus(t, phone.registerFully("Contact: *", "Expires: 0"), 200)
	h.awaitAssignments(t, "1 0 5")
	c.stop()

	c = startWith(t, h, keep)
	if g := c.scscf.registrar.Snapshot(); len(g) != 0 {
		t.Errorf("a registration that ended came back: %+v", g[0])
	}
}

func TestHSSHasGivenARestoredUserAway(t *testing.T) {
	h := startHSS(t)
	directory := t.TempDir()
	keep := func(c *Config) { c.Data = directory }

	c := startWith(t, h, keep)
	phone := newHandset(t, c)
	wantStatus(t, phone.registerFully("Contact: "+phone.contact()), 200)
	c.stop()

	h.set(func(h *testHSS) { h.refuseSA[cx.NoAssignment] = cx.UnableToComply })
	c = startWith(t, h, keep)
	h.awaitAssignments(t, "1 0")
	await(t, "the end of the registration", func() bool { return len(c.scscf.registrar.Snapshot()) == 0 })
}

func TestContactsThatEndedDuringTheRestart(t *testing.T) {
	h := startHSS(t)
	directory := t.TempDir()
	keep := func(c *Config) { c.Data, c.Registrar.ExpiryGrace, c.Registrar.MinExpires = directory, 0, time.Second }

	c := startWith(t, h, keep)
	phone := newHandset(t, c)
	wantStatus(t, phone.registerFully("Contact: "+phone.contact()+";expires=1"), 200)
	g, _ := c.scscf.registrar.Lookup(public)
	c.stop()
	<-time.After(time.Until(g.Bindings[0].Expires))

	c = startWith(t, h, keep)
	await(t, "the end of the registration", func() bool { return len(c.scscf.registrar.Snapshot()) == 0 })
	await(t, "the word to the HSS", func() bool { return strings.HasSuffix(h.assignments(), "4") })
}

func TestTwoProcessesCannotKeepInOnePlace(t *testing.T) {
	h := startHSS(t)
	directory := t.TempDir()
	startWith(t, h, func(c *Config) { c.Data = directory })

	other := registrar.New(registrar.DefaultPolicy(), registrar.Options{})
	if err := other.Restore(directory); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("the second: %v", err)
	}
}
