package call

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/journal"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

const (
	file        = "calls.jsonl"
	secretsFile = "secrets.jsonl"
	entrySecret = "record-route" // key in secretsFile: the secret of the calls' entries
)

// keptCall is the form of an answered call that outlives the process: enough to recognise its BYE, to end it from here, and to go on
// charging.
type keptCall struct {
	Marks   [2]string          `json:"marks"`
	Side    Side               `json:"side"`
	Public  string             `json:"public"`
	Other   string             `json:"other,omitempty"`
	Contact uint32             `json:"contact,omitempty"`
	Charge  string             `json:"charge,omitempty"` // key of the charging session
	Dialog  *sip.ProxyDialog   `json:"dialog,omitempty"`
	Further []*sip.ProxyDialog `json:"further,omitempty"`
	Abroad  bool               `json:"abroad,omitempty"`
	Length  time.Duration      `json:"length"`
	Until   time.Time          `json:"until"`
}

// Restore restores the calls kept in a directory, and keeps calls there from now on. The charging sessions must have been restored
// before. Nothing happens to the calls before Resume.
func (t *Table) Restore(directory string) error {
	j, kept, err := journal.Open[keptCall](directory, file, t.log)
	if err != nil {
		return err
	}

	t.journal = j

	if err := t.restoreSecret(directory); err != nil {
		return err
	}

	t.restore(kept)

	return nil
}

func (t *Table) restore(kept map[string]keptCall) {
	for token, k := range kept {
		if len(t.calls) >= maxCalls {
			break
		}

		if !k.whole() { // not written by us
			t.log.Warn("a kept call cannot be read, and is left out", "impu", k.Public)
			continue
		}

		c := &Call{
			Party:   Party{Side: k.Side, Public: k.Public, Other: k.Other, Abroad: k.Abroad},
			table:   t,
			entry:   entries{token, k.Marks},
			dialog:  k.Dialog,
			further: k.Further,
			length:  k.Length,
			until:   k.Until,
		}

		if k.Charge != "" {
			charge, found := t.charging.Restored(k.Charge, c.Release)
			if !found { // it was settled, and the process ended before the call was forgotten
				c.leaveJournal()
				continue
			}

			c.charge = charge
		}

		t.calls[token] = c
		t.restored = append(t.restored, c)
		c.bind(k.Contact)
	}
}

// whole reports whether a kept call has all that is needed to end it.
func (k *keptCall) whole() bool {
	return k.Dialog != nil && !slices.Contains(k.Further, nil) && (k.Side == Originating || k.Side == Terminating)
}

// restoreSecret restores the kept secret of entries, or keeps this process's.
func (t *Table) restoreSecret(directory string) error {
	j, kept, err := journal.Open[string](directory, secretsFile, t.log)
	if err != nil {
		return err
	}

	if secret := kept[entrySecret]; secret != "" {
		t.secret = []byte(secret)
		return j.Close()
	}

	return errors.Join(j.Keep(entrySecret, string(t.secret)), j.Close())
}

// Resume watches the restored calls again, once SIP works.
func (t *Table) Resume(ctx context.Context, ready func(context.Context)) {
	t.mu.Lock()
	restored := t.restored
	t.restored = nil
	t.mu.Unlock()

	if len(restored) > 0 {
		t.log.Info("calls restored", "count", len(restored))
	}

	t.charging.Resume(ctx, ready)

	for _, c := range restored {
		c.mu.Lock()
		if !c.ended && c.expiry == nil {
			c.expiry = time.AfterFunc(max(0, time.Until(c.until)), c.expired)
		}
		c.mu.Unlock()
		c.verify()
	}
}

// Close stops all calls as they are.
func (t *Table) Close() error {
	t.stop()
	t.running.Wait()

	t.mu.Lock()
	calls := slices.Collect(maps.Values(t.calls))
	t.mu.Unlock()

	for _, c := range calls {
		c.mu.Lock()
		c.stop()
		c.mu.Unlock()
	}

	if t.journal == nil {
		return nil
	}

	return t.journal.Close()
}

// keep writes the state of an answered call. Called with the call's lock held.
func (c *Call) keep() {
	j := c.table.journal
	if j == nil {
		return
	}

	c.table.mu.Lock()
	contact := c.contact
	c.table.mu.Unlock()

	k := keptCall{
		Marks: c.entry.marks, Side: c.Side, Public: c.Public, Other: c.Other, Contact: contact, Dialog: c.dialog, Further: c.further,
		Abroad: c.Abroad, Length: c.length, Until: c.until,
	}
	if c.charge != nil {
		k.Charge = c.charge.Key()
	}

	if err := j.Keep(c.entry.token, k); err != nil {
		c.table.log.Error("a call could not be written; it would be lost at a restart", "impu", c.Public, "cause", err)
	}
}

func (c *Call) leaveJournal() {
	j := c.table.journal
	if j == nil {
		return
	}

	if err := j.Forget(c.entry.token); err != nil {
		c.table.log.Error("the end of a call could not be written", "impu", c.Public, "cause", err)
	}
}
