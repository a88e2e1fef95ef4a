// Package dialog is what the P-CSCF remembers of the dialogs that go through it (TS 24.229 §5.2.6.3.4, §5.2.6.4.4): whose they
// are and by which route the core is reached in them. It is bounded for each handset, and every entry ends.
package dialog

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrTooMany is the answer when a handset has as many dialogs as it may.
var ErrTooMany = errors.New("the handset has as many dialogs at once as max_dialogs allows")

// Key names a dialog as the handset sees it. While an initial request is on its way Remote is empty.
type Key struct {
	CallID string
	Local  string // tag of the handset; of the caller while the handset has not answered
	Remote string // tag of the other side
}

// Dialog is one that a handset has.
type Dialog struct {
	Token  string   // of the handset's binding
	Routes []string // from this P-CSCF to the core, in the order of Route
	Target string   // URI of the other side's Contact
}

type entry struct {
	Dialog
	expires time.Time
}

// Table holds the dialogs of all handsets.
type Table struct {
	limit int // of one handset

	mu      sync.Mutex
	entries map[Key]entry
	byToken map[string][]Key
}

// NewTable lets each handset have at most limit dialogs.
func NewTable(limit int) *Table {
	return &Table{limit: limit, entries: map[Key]entry{}, byToken: map[string][]Key{}}
}

// Begin keeps the place of a dialog that an initial request may make, if the handset may have one more.
func (t *Table) Begin(k Key, token string, lasts time.Duration) error {
	return t.put(k, Dialog{Token: token}, lasts, t.limit)
}

// Put keeps a dialog for some time, or for another time if it is known. A request that forks may make several in the place of
// one: they are let in beyond the limit, but not without end.
func (t *Table) Put(k Key, d Dialog, lasts time.Duration) error {
	const forks = 16
	return t.put(k, d, lasts, 2*t.limit+forks)
}

func (t *Table) put(k Key, d Dialog, lasts time.Duration, limit int) error {
	t.mu.Lock()
	defer t.mu.Unlock()

	expires := time.Now().Add(lasts)

	if _, known := t.entries[k]; known {
		t.entries[k] = entry{d, expires}
		return nil
	}

	if len(t.byToken[d.Token]) >= limit {
		t.clear(d.Token)

		if len(t.byToken[d.Token]) >= limit {
			return ErrTooMany
		}
	}

	// The strings may be parts of a message, which must not be kept for them.
	k = Key{strings.Clone(k.CallID), strings.Clone(k.Local), strings.Clone(k.Remote)}
	d.Token, d.Target = strings.Clone(d.Token), strings.Clone(d.Target)

	t.entries[k] = entry{d, expires}
	t.byToken[d.Token] = append(t.byToken[d.Token], k)

	return nil
}

// clear forgets the dialogs of a handset whose time is over. It is called with the lock held.
func (t *Table) clear(token string) {
	now := time.Now()

	for _, k := range slices.Clone(t.byToken[token]) {
		if t.entries[k].expires.Before(now) {
			t.remove(k)
		}
	}
}

// Find finds a dialog.
func (t *Table) Find(k Key) (Dialog, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()

	e, found := t.entries[k]
	if !found || e.expires.Before(time.Now()) {
		return Dialog{}, false
	}

	return e.Dialog, true
}

// Prolong makes a dialog last so long from now, if that is longer than it would, and takes a new target unless that is empty.
func (t *Table) Prolong(k Key, target string, lasts time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()

	e, found := t.entries[k]
	if !found {
		return
	}

	if expires := time.Now().Add(lasts); expires.After(e.expires) {
		e.expires = expires
	}

	if target != "" && target != e.Target {
		e.Target = strings.Clone(target)
	}

	t.entries[k] = e
}

// Remove forgets a dialog.
func (t *Table) Remove(k Key) {
	t.mu.Lock()
	defer t.mu.Unlock()

	t.remove(k)
}

// remove is called with the lock held.
func (t *Table) remove(k Key) {
	e, found := t.entries[k]
	if !found {
		return
	}

	delete(t.entries, k)

	left := slices.DeleteFunc(t.byToken[e.Token], func(other Key) bool { return other == k })
	if len(left) == 0 {
		delete(t.byToken, e.Token)
	} else {
		t.byToken[e.Token] = left
	}
}

// RemoveAll forgets the dialogs of a handset whose registration is over, without another word to anybody (TS 24.229
// §5.2.8.1.4), and says how many they were.
func (t *Table) RemoveAll(token string) int {
	t.mu.Lock()
	defer t.mu.Unlock()

	keys := t.byToken[token]
	for _, k := range keys {
		delete(t.entries, k)
	}

	delete(t.byToken, token)

	return len(keys)
}

// Of is how many dialogs a handset has.
func (t *Table) Of(token string) int {
	t.mu.Lock()
	defer t.mu.Unlock()

	return len(t.byToken[token])
}

// Len is how many dialogs there are.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()

	return len(t.entries)
}

const sweep = time.Minute

// Run forgets dialogs whose time is over until ctx ends.
func (t *Table) Run(ctx context.Context) {
	ticker := time.NewTicker(sweep)
	defer ticker.Stop()

	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			t.mu.Lock()
			for k, e := range t.entries {
				if e.expires.Before(now) {
					t.remove(k)
				}
			}
			t.mu.Unlock()
		}
	}
}
