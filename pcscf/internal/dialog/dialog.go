// Package dialog holds the dialogs that pass through the P-CSCF (TS 24.229 §5.2.6.3.4, §5.2.6.4.4): the handset of each, and its route to
// the core. The number of a handset's dialogs is limited, and every entry expires.
package dialog

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrTooMany is returned when the handset has max_dialogs dialogs.
var ErrTooMany = errors.New("the handset has as many dialogs at once as max_dialogs allows")

// Key names a dialog as the handset sees it. It includes the handset's token, so that nothing another handset sends affects the dialog.
type Key struct {
	Token  string // of the handset's binding
	CallID string
	Local  string // tag of the handset
	Remote string // tag of the other side
}

// Dialog is a dialog of a handset.
type Dialog struct {
	Routes []string     // from this P-CSCF to the core, in the order of Route
	Target string       // URI of the other side's Contact
	Urgent bool         // of an emergency call
	Centre []netip.Addr // where an emergency call went to
}

type entry struct {
	Dialog
	expires time.Time
	early   *Initial // the request whose provisional response made it; nil once confirmed
}

// handset holds the dialogs and pending requests of one binding, until it ends.
type handset struct {
	token    string
	dialogs  map[Key]entry
	initials map[*Initial]time.Time // pending requests, and when each is assumed to have ended
	ended    bool                   // the registration has ended: nothing is added any more
}

func (h *handset) count() int { return len(h.dialogs) + len(h.initials) }

// Table holds the dialogs of all handsets.
type Table struct {
	limit int       // of one handset
	ended func(Key) // nil: not called

	// Idle, unless it is nil, is told of each handset whose last dialog is forgotten because its time is over, by its token, and without
	// the table's lock. It is set before Run.
	Idle func(token string)

	mu       sync.Mutex
	handsets map[string]*handset // by token
	sides    map[Key]int         // by the key without token: how many handsets claim this side of a dialog
	urgent   urgent
}

// NewTable returns a table in which each handset may have at most limit dialogs. It calls ended, unless that is nil, with each dialog that
// it drops. The table's lock is held then: ended must not call the table.
func NewTable(limit int, ended func(Key)) *Table {
	return &Table{limit: limit, ended: ended, handsets: map[string]*handset{}, sides: map[Key]int{}, urgent: urgent{}}
}

// Initial is a pending initial request, and the dialogs that its responses make.
type Initial struct {
	table    *Table
	owner    *handset
	half     Key
	dialog   Dialog
	early    []Key
	over     chan struct{} // closed by Over
	answered bool          // with a 2xx; not changed once over is closed
}

// Begin reserves room for the dialog that an initial request may make, if the handset may have one more. Over ends the request. half is the
// dialog's key without the tag of the side that has not answered yet; d is what is known of the dialog already.
func (t *Table) Begin(half Key, d Dialog, lasts time.Duration) (*Initial, error) {
	t.mu.Lock()
	defer t.mu.Unlock()

	token := strings.Clone(half.Token)

	h := t.handsets[token]
	if h == nil {
		h = &handset{token: token, dialogs: map[Key]entry{}, initials: map[*Initial]time.Time{}}
	}

	if !t.room(h, t.most(d)) {
		return nil, ErrTooMany
	}

	t.handsets[token] = h

	// The strings may be parts of a message, which must not be kept for them.
	half = Key{token, strings.Clone(half.CallID), strings.Clone(half.Local), strings.Clone(half.Remote)}
	i := &Initial{table: t, owner: h, half: half, dialog: d, over: make(chan struct{})}
	h.initials[i] = time.Now().Add(lasts)

	if d.Urgent {
		t.urgent.add(half)
	}

	return i, nil
}

// drop drops an initial request. It is called with the lock held.
func (t *Table) drop(h *handset, i *Initial) {
	if _, found := h.initials[i]; !found {
		return
	}

	delete(h.initials, i)

	if i.dialog.Urgent {
		t.urgent.remove(i.half)
	}
}

// Awaited returns the pending initial request that would make this dialog.
func (t *Table) Awaited(k Key) (*Initial, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()

	h := t.handsets[k.Token]
	if h == nil {
		return nil, false
	}

	for i := range h.initials {
		if i.half.CallID == k.CallID && (i.half.Local == "" || i.half.Local == k.Local) && (i.half.Remote == "" || i.half.Remote == k.Remote) {
			return i, true
		}
	}

	return nil, false
}

// Await waits at most atMost for the final response, and reports whether the request may still make a dialog: there is no response yet, or
// it was a 2xx.
func (i *Initial) Await(ctx context.Context, atMost time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()

	select {
	case <-i.over:
		return i.answered
	case <-ctx.Done():
		return true
	}
}

// Dialog returns what was known of the dialog when the request came.
func (i *Initial) Dialog() Dialog { return i.dialog }

// room reports whether a handset may have one more dialog, after dropping those that have expired.
func (t *Table) room(h *handset, limit int) bool {
	if h.count() >= limit {
		t.clear(h, time.Now())
	}

	return h.count() < limit
}

// forget is called with the lock held.
func (t *Table) forget(h *handset, k Key) {
	e, found := h.dialogs[k]
	if !found {
		return
	}

	delete(h.dialogs, k)
	t.leave(h)

	if e.Urgent {
		t.urgent.remove(k)
	}

	side := k.side()
	if t.sides[side]--; t.sides[side] == 0 {
		delete(t.sides, side)
	}

	if t.ended != nil {
		t.ended(k)
	}
}

// leave drops a handset that has nothing left. It is called with the lock held.
func (t *Table) leave(h *handset) {
	if h.count() == 0 && t.handsets[h.token] == h {
		delete(t.handsets, h.token)
	}
}

// side returns the key of this side of the dialog, whoever has it.
func (k Key) side() Key {
	k.Token = ""
	return k
}

// Taken reports whether any handset has this side of a dialog.
func (t *Table) Taken(k Key) bool {
	t.mu.Lock()
	defer t.mu.Unlock()

	return t.sides[k.side()] > 0
}

// clear drops what has expired.
func (t *Table) clear(h *handset, now time.Time) {
	for k, e := range h.dialogs {
		if e.expires.Before(now) {
			t.forget(h, k)
		}
	}

	for i, expires := range h.initials {
		if expires.Before(now) {
			t.drop(h, i)
		}
	}

	t.leave(h)
}

// Early records the dialog that a provisional response makes. A confirmed dialog stays as it is.
func (i *Initial) Early(k Key, d Dialog, lasts time.Duration) error { return i.put(k, d, lasts, i) }

// Confirm records the dialog that a 2xx makes, even after Over.
func (i *Initial) Confirm(k Key, d Dialog, lasts time.Duration) error { return i.put(k, d, lasts, nil) }

func (i *Initial) put(k Key, d Dialog, lasts time.Duration, early *Initial) error {
	const forks = 16 // a request that forks makes several in place of one: beyond the limit, but bounded

	i.table.mu.Lock()
	defer i.table.mu.Unlock()

	h := i.owner
	if h.ended {
		return nil // and nobody looks it up any more
	}

	if other := i.table.handsets[h.token]; other != nil { // it was dropped with nothing left, and has begun something since
		h, i.owner = other, other
	}

	old, found := h.dialogs[k]

	switch {
	case found && old.early == nil && early != nil:
		return nil
	case !found && !i.table.room(h, i.table.most(i.dialog)+i.table.limit+forks):
		return ErrTooMany
	case !found: // the strings may be parts of a message, which must not be kept for them
		k = Key{strings.Clone(k.Token), strings.Clone(k.CallID), strings.Clone(k.Local), strings.Clone(k.Remote)}
		i.table.sides[k.side()]++

		if i.dialog.Urgent {
			i.table.urgent.add(k)
		}
	}

	if d.Urgent = i.dialog.Urgent; found {
		d.Urgent = old.Urgent
	}

	d.Target = strings.Clone(d.Target)
	i.table.handsets[h.token] = h
	h.dialogs[k] = entry{d, time.Now().Add(lasts), early}

	if early != nil && !found {
		i.early = append(i.early, k)
	}

	return nil
}

// lostFork is how long an early dialog may still be confirmed after another callee has answered (RFC 3261 §13.2.2.4: 64*T1).
const lostFork = 32 * time.Second

// Over ends the request. Its early dialogs end with it, or shortly after if it was answered.
func (i *Initial) Over(answered bool) {
	i.table.mu.Lock()
	defer i.table.mu.Unlock()

	h := i.owner
	i.table.drop(h, i)

	select {
	case <-i.over:
	default:
		i.answered = answered
		close(i.over)
	}

	last := time.Now().Add(lostFork)

	for _, k := range i.early {
		switch e := h.dialogs[k]; {
		case e.early != i: // gone, or confirmed
		case !answered:
			i.table.forget(h, k)
		case last.Before(e.expires):
			e.expires = last
			h.dialogs[k] = e
		}
	}

	i.table.leave(h)
}

// Find returns a dialog.
func (t *Table) Find(k Key) (Dialog, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()

	e, found := t.entry(k)
	if !found || e.expires.Before(time.Now()) {
		return Dialog{}, false
	}

	return e.Dialog, true
}

// entry is called with the lock held.
func (t *Table) entry(k Key) (e entry, found bool) {
	if h := t.handsets[k.Token]; h != nil {
		e, found = h.dialogs[k]
	}

	return e, found
}

// Prolong extends a dialog to last this long from now, if that is longer, and sets a new target unless that is empty.
func (t *Table) Prolong(k Key, target string, lasts time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()

	e, found := t.entry(k)
	if !found {
		return
	}

	if expires := time.Now().Add(lasts); expires.After(e.expires) {
		e.expires = expires
	}

	if target != "" && target != e.Target {
		e.Target = strings.Clone(target)
	}

	t.handsets[k.Token].dialogs[k] = e
}

// Remove drops a dialog.
func (t *Table) Remove(k Key) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if h := t.handsets[k.Token]; h != nil {
		t.forget(h, k)
	}
}

// RemoveAll drops the dialogs of a handset whose registration has ended, without sending anything (TS 24.229 §5.2.8.1.4), and returns their
// number. Dialogs that its pending requests still make are not stored.
func (t *Table) RemoveAll(token string) int {
	t.mu.Lock()
	defer t.mu.Unlock()

	h := t.handsets[token]
	if h == nil {
		return 0
	}

	n := h.count()
	h.ended = true

	for k := range h.dialogs {
		t.forget(h, k)
	}

	for i := range h.initials {
		t.drop(h, i)
	}

	delete(t.handsets, token)

	return n
}

// Keys returns the keys of a handset's dialogs.
func (t *Table) Keys(token string) []Key {
	t.mu.Lock()
	defer t.mu.Unlock()

	h := t.handsets[token]
	if h == nil {
		return nil
	}

	return slices.Collect(maps.Keys(h.dialogs))
}

// Of returns the number of a handset's dialogs and unanswered initial requests.
func (t *Table) Of(token string) int {
	t.mu.Lock()
	defer t.mu.Unlock()

	if h := t.handsets[token]; h != nil {
		return h.count()
	}

	return 0
}

// Len returns the number of dialogs and unanswered initial requests of all handsets.
func (t *Table) Len() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()

	for _, h := range t.handsets {
		n += h.count()
	}

	return n
}

const sweep = time.Minute

// Run drops expired dialogs until ctx ends.
func (t *Table) Run(ctx context.Context) {
	ticker := time.NewTicker(sweep)
	defer ticker.Stop()

	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, token := range t.clearAll(now) {
				if t.Idle != nil {
					t.Idle(token)
				}
			}
		}
	}
}

// clearAll forgets what is over, and returns the handsets that have nothing left.
func (t *Table) clearAll(now time.Time) (idle []string) {
	t.mu.Lock()
	defer t.mu.Unlock()

	for token, h := range t.handsets {
		if t.clear(h, now); h.count() == 0 {
			idle = append(idle, token)
		}
	}

	return idle
}
