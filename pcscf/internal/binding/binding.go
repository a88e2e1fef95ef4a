// Package binding holds the handsets that the P-CSCF serves (TS 24.229 §5.2.2): who registered from where, and the routes given by the
// core. It is bounded, and every entry ends with its registration.
package binding

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// ErrFull is returned when the table holds max_bindings handsets.
var ErrFull = errors.New("the P-CSCF serves as many handsets as its configuration allows")

// ErrGuests is returned when the limit of unregistered handsets with emergency calls is reached.
var ErrGuests = errors.New("as many handsets that are not registered have emergency calls as emergency.max_unregistered allows")

// ErrGuestsHere is returned when as many unregistered handsets at one address have emergency calls as may.
var ErrGuestsHere = fmt.Errorf("%d handsets that are not registered have emergency calls from this address, and no more may", guestsHere)

// guestsHere is how many guests there may be at one IPv4 address, or in one IPv6 network of 64 bits, which is what a handset is given.
const guestsHere = 4

// Binding is one registered contact. It is never changed once it is in the table: a refresh replaces it.
type Binding struct {
	Token        string // names the binding in Path and Record-Route
	Private      string
	Contact      string // URI as registered
	Instance     string // +sip.instance and reg-id of the Contact (RFC 5626 §4.1), as InstanceOf writes them; "" when it has none
	Flow         stack.Flow
	ToContact    bool     // requests go to the Contact, not to the source of the REGISTER
	Identities   []string // P-Associated-URI, the default one first
	ServiceRoute []string
	Expires      time.Time // end of the registration, or of the wait for the answer to a challenge
	Registered   bool      // false between the first REGISTER and its 200, and when the registration has ended
	Ended        string    // why it ended; the binding stays for Linger, so that last requests of the core reach the handset
	Emergency    bool      // for emergency calls alone (TS 24.229 §5.2.10)
	// Guest tells a handset that has made an emergency call without a registration, for as long as the call lasts. It is Emergency, and
	// never Registered. When its last call is over it has Ended.
	Guest bool

	Restored time.Time // when it was restored from an earlier process, whose dialogs are not known; zero: it was not

	CallID string // of the REGISTER that made the registration what it is, with its CSeq
	CSeq   uint32
	// Order is the order in which the REGISTERs that made and ended it were forwarded to the registrar: answers may overtake each other. 0:
	// by an earlier process.
	Order uint64
}

// Stated returns the address and port in the Contact, if the address is the handset's.
func (b *Binding) Stated() (netip.AddrPort, bool) {
	u, err := sip.ParseURI(b.Contact)
	if err != nil {
		return netip.AddrPort{}, false
	}

	address, err := netip.ParseAddr(strings.Trim(u.Host, "[]"))
	if err != nil || address.Unmap() != b.Flow.Remote.Addr() || u.Port < 0 || u.Port > 65535 {
		return netip.AddrPort{}, false
	}

	return netip.AddrPortFrom(b.Flow.Remote.Addr(), cmp.Or(uint16(u.Port), 5060)), true
}

// Linger is how long a binding stays after its registration was taken away: the NOTIFY that informs the handset uses it, and may have to be
// repeated (64*T1).
const Linger = 32 * time.Second

// Ending returns the binding with its registration ended for this reason.
func (b *Binding) Ending(why string) *Binding {
	ending := *b
	ending.Registered, ending.Ended, ending.Expires = false, why, time.Now().Add(Linger)

	return &ending
}

// Default returns the identity asserted for a handset that states no preference (TS 24.229 §5.2.6.3.3).
func (b *Binding) Default() string {
	if len(b.Identities) == 0 {
		return ""
	}

	return b.Identities[0]
}

// Protected reports whether the handset registered through security associations: requests outside them are not accepted as its own.
func (b *Binding) Protected() bool { return b.Flow.Server != nil }

type key struct {
	address netip.Addr
	contact string // from contactKey
}

// Table holds all bindings of the P-CSCF.
type Table struct {
	limits Limits

	mu         sync.RWMutex
	guests     map[*Binding]struct{}
	byToken    map[string]*Binding
	byKey      index[key]
	bySource   index[netip.AddrPort]
	byHost     index[netip.Addr]
	byIdentity index[string]         // by public identity, in its canonical form
	byUser     map[string][]*Binding // by private identity
	timers     map[string]*time.Timer
	ended      func(*Binding)
	keeper     Keeper // nil: nothing is saved across restarts
}

// Limits bound the number of handsets at the same time.
type Limits struct {
	Bindings int // other than guests'; a tenth more is for emergency registrations
	Guests   int
}

// NewTable returns a table within these limits. It calls ended, unless that is nil, with each binding that expires. keeper saves the
// registered bindings across restarts; nil: none are saved.
func NewTable(limits Limits, ended func(*Binding), keeper Keeper) *Table {
	return &Table{
		limits:     limits,
		guests:     map[*Binding]struct{}{},
		byToken:    map[string]*Binding{},
		byKey:      newIndex[key](),
		bySource:   newIndex[netip.AddrPort](),
		byHost:     newIndex[netip.Addr](),
		byIdentity: newIndex[string](),
		byUser:     map[string][]*Binding{},
		timers:     map[string]*time.Timer{},
		ended:      ended,
		keeper:     keeper,
	}
}

// Token returns the token of this user's handset at this address for this contact, or a new one. A handset that names its instance keeps
// its token, and with it its dialogs, when it registers from another address or with another Contact: the S-CSCF, too, replaces the earlier
// contact (RFC 5626 §6). An emergency registration stands beside the other one (TS 24.229 §5.1.6.2).
func (t *Table) Token(address netip.Addr, contact, private, instance string) string {
	t.mu.RLock()
	defer t.mu.RUnlock()

	moved := ""

	for _, b := range t.byUser[private] {
		switch {
		case b.Flow.Remote.Addr() == address && emergency.SameContact(b.Contact, contact):
			return b.Token
		case b.Registered && instance != "" && b.Instance == instance && emergency.Contact(b.Contact) == emergency.Contact(contact):
			moved = b.Token
		}
	}

	if moved != "" {
		return moved
	}

	return rand.Text()[:16]
}

// InstanceOf returns the part of a Contact that identifies its handset, and its flow where the registrar distinguishes flows (RFC 5626
// §4.1, §4.2), or "".
func InstanceOf(c sip.Contact, outbound bool) string {
	instance, flow, err := sip.Instance(c, outbound)
	if err != nil || instance == "" { // with an error the registrar refuses it
		return ""
	}

	return strings.ToLower(instance) + ";" + strconv.FormatUint(uint64(flow), 10)
}

// Replace stores b in the place of old, unless old is not in the table any more.
func (t *Table) Replace(old, b *Binding) bool {
	t.mu.Lock()
	defer t.mu.Unlock()

	return t.byToken[old.Token] == old && t.put(b) == nil
}

// Put stores b until b.Expires, replacing the binding with its token.
func (t *Table) Put(b *Binding) error {
	gone, err := t.putWithRoom(b)
	if gone != nil && t.ended != nil {
		t.ended(gone)
	}

	return err
}

// putWithRoom is Put, and returns the guest that has given way.
func (t *Table) putWithRoom(b *Binding) (gone *Binding, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if b.Guest && t.byToken[b.Token] == nil {
		if gone, err = t.giving(b.Flow.Remote.Addr()); err != nil {
			return nil, err
		}
	}

	if gone != nil {
		t.drop(gone)
	}

	return gone, t.put(b)
}

// giving returns the guest that gives way to another one at this address, nil where there is a place: one whose calls are over, for it
// keeps nobody from calling. It is called with the lock held.
func (t *Table) giving(address netip.Addr) (*Binding, error) {
	var oldest, oldestHere *Binding

	here := 0

	for b := range t.guests {
		neighbour := site(b.Flow.Remote.Addr()) == site(address)
		if neighbour {
			here++
		}

		if b.Ended == "" {
			continue
		}

		if oldest == nil || b.Expires.Before(oldest.Expires) {
			oldest = b
		}

		if neighbour && (oldestHere == nil || b.Expires.Before(oldestHere.Expires)) {
			oldestHere = b
		}
	}

	switch {
	case here >= guestsHere && oldestHere == nil:
		return nil, ErrGuestsHere
	case here >= guestsHere:
		return oldestHere, nil
	case len(t.guests) >= t.limits.Guests && oldest == nil:
		return nil, ErrGuests
	case len(t.guests) >= t.limits.Guests:
		return oldest, nil
	}

	return nil, nil
}

// site returns the network that is one handset's, as far as can be told.
func site(address netip.Addr) netip.Prefix {
	address = address.Unmap().WithZone("")

	bits := address.BitLen()
	if address.Is6() {
		bits = 64
	}

	return netip.PrefixFrom(address, bits).Masked()
}

// Restore stores a binding that the keeper holds already.
func (t *Table) Restore(b *Binding) error {
	t.mu.Lock()
	defer t.mu.Unlock()

	return t.store(b)
}

// put is called with the lock held.
func (t *Table) put(b *Binding) error {
	if err := t.store(b); err != nil {
		return err
	}

	switch {
	case t.keeper == nil:
	case b.Registered:
		t.keeper.Keep(b.kept())
	default:
		t.keeper.Forget(b.Token)
	}

	return nil
}

// store is called with the lock held.
func (t *Table) store(b *Binding) error {
	if old := t.byToken[b.Token]; old != nil {
		t.unlink(old)
	} else if !b.Guest && t.full(b.Emergency) {
		return ErrFull
	}

	t.byToken[b.Token] = b
	t.link(b)

	if timer := t.timers[b.Token]; timer != nil {
		timer.Reset(time.Until(b.Expires))
	} else {
		t.timers[b.Token] = time.AfterFunc(time.Until(b.Expires), func() { t.expire(b.Token) })
	}

	return nil
}

// full reports whether there is no room for another binding that is no guest's. It is called with the lock held.
func (t *Table) full(emergency bool) bool {
	limit := t.limits.Bindings
	if emergency {
		limit += max(limit/10, 1)
	}

	return len(t.byToken)-len(t.guests) >= limit
}

// expire drops a binding that has expired, unless it was refreshed while the timer fired.
func (t *Table) expire(token string) {
	t.mu.Lock()

	b := t.byToken[token]
	if b == nil || time.Until(b.Expires) > 0 {
		t.mu.Unlock()
		return
	}

	t.drop(b)
	t.mu.Unlock()

	if t.ended != nil {
		t.ended(b)
	}
}

// drop is called with the lock held.
func (t *Table) drop(b *Binding) {
	t.unlink(b)
	delete(t.byToken, b.Token)

	if t.keeper != nil && b.Registered {
		t.keeper.Forget(b.Token)
	}

	if timer := t.timers[b.Token]; timer != nil {
		timer.Stop()
		delete(t.timers, b.Token)
	}
}

// link is called with the lock held.
func (t *Table) link(b *Binding) {
	host := b.Flow.Remote.Addr()

	t.byKey.add(key{host, contactKey(b.Contact)}, b)
	t.bySource.add(b.Flow.Remote, b)
	t.byHost.add(host, b)

	for _, identity := range b.Identities {
		if canonical, err := ims.CanonicalIdentity(identity); err == nil {
			t.byIdentity.add(canonical, b)
		}
	}

	t.byUser[b.Private] = append(t.byUser[b.Private], b)

	if b.Guest {
		t.guests[b] = struct{}{}
	}
}

// unlink is called with the lock held.
func (t *Table) unlink(b *Binding) {
	host := b.Flow.Remote.Addr()

	t.byKey.remove(key{host, contactKey(b.Contact)}, b)
	t.bySource.remove(b.Flow.Remote, b)
	t.byHost.remove(host, b)

	for _, identity := range b.Identities {
		if canonical, err := ims.CanonicalIdentity(identity); err == nil {
			t.byIdentity.remove(canonical, b)
		}
	}

	delete(t.guests, b)

	rest := slices.DeleteFunc(t.byUser[b.Private], func(other *Binding) bool { return other == b })
	if len(rest) == 0 {
		delete(t.byUser, b.Private)
	} else {
		t.byUser[b.Private] = rest
	}
}

// Of returns the bindings of a private identity.
func (t *Table) Of(private string) []*Binding {
	t.mu.RLock()
	defer t.mu.RUnlock()

	return slices.Clone(t.byUser[private])
}

// ByToken returns the binding that a Path or Record-Route entry of this P-CSCF names.
func (t *Table) ByToken(token string) (*Binding, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()

	b, found := t.byToken[token]

	return b, found
}

// At returns the binding that was registered from exactly this address; of several, always the same one as long as it exists.
func (t *Table) At(source netip.AddrPort) (*Binding, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()

	b := first(t.bySource.all(source), func(b *Binding) bool { return b.Registered })

	return b, b != nil
}

// Room reports whether Put would take a binding with this token: the token is in the table, or the table is not full.
func (t *Table) Room(token string, emergency bool) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()

	return t.byToken[token] != nil || !t.full(emergency)
}

// Len returns the number of bindings in the table.
func (t *Table) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()

	return len(t.byToken)
}

// All returns the bindings, in no order.
func (t *Table) All() []*Binding {
	t.mu.RLock()
	defer t.mu.RUnlock()

	all := make([]*Binding, 0, len(t.byToken))
	for _, b := range t.byToken {
		all = append(all, b)
	}

	return all
}

// Close stops all timers.
func (t *Table) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()

	for _, timer := range t.timers {
		timer.Stop()
	}
}
