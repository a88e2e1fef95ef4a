package binding

import (
	"errors"
	"iter"
	"net/netip"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// Reasons why no sender of a request is found.
var (
	ErrUnknown = errors.New("this source is not registered here, or not without its security associations")
	ErrAnother = errors.New("P-Preferred-Identity is of another registration at this source than Contact")
	ErrSeveral = errors.New(
		"several are registered at this source, and neither Contact, P-Preferred-Identity nor From says which of them sends",
	)
)

// Claim is what a request states about its sender, and what is known of it.
type Claim struct {
	Source    netip.AddrPort
	Stream    bool     // by a connection: its port says less than a datagram's, since each connection has a new one
	Protected bool     // by a security association
	AnyPort   bool     // Contact is believed from any port of the handset's address, even by UDP in clear
	Alone     bool     // the only handset at the address is taken for the sender, whatever Contact says
	Contact   string   // URI
	Preferred []string // URIs of P-Preferred-Identity
	From      string   // URI
	Emergency bool     // of two registrations of the same user, the one for emergency calls is meant; else the other
}

// Sender returns the binding of a request's sender: of the handsets that registered from its address and port (else, as a new connection
// has a new port, from its address with its Contact; by UDP in clear only from the port where the handset is served) those with its
// Contact, of these the one with its P-Preferred-Identity, then with its From. Within one registration any identity will do; of two
// registrations one would pay for the other, so ambiguity is an error.
func (t *Table) Sender(c Claim) (*Binding, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()

	address := c.Source.Addr()
	believed := func(b *Binding) bool {
		return b.Registered && b.Protected() == c.Protected && b.Flow.Remote.Addr() == address
	}
	here := func(b *Binding) bool { return believed(b) && b.Flow.Remote == c.Source }

	preferred := ""

	for _, uri := range c.Preferred {
		if preferred = t.identity(uri, believed); preferred != "" {
			break
		}
	}

	contact := key{address, contactKey(c.Contact)}
	withContact := func(b *Binding) bool { return believed(b) && contactKey(b.Contact) == contact.contact }
	withContactHere := func(b *Binding) bool { return here(b) && withContact(b) }
	withContactElsewhere := func(b *Binding) bool { return withContact(b) && (c.Protected || c.AnyPort || b.servedAt(c.Source)) }

	switch {
	case first(t.byKey.all(contact), withContactHere) != nil:
		return t.among(t.byKey.all(contact), withContactHere, preferred, c)
	case c.Stream && first(t.byKey.all(contact), believed) != nil:
		return t.among(t.byKey.all(contact), withContact, preferred, c)
	case first(t.bySource.all(c.Source), here) != nil:
		return t.among(t.bySource.all(c.Source), here, preferred, c)
	case first(t.byKey.all(contact), withContactElsewhere) != nil:
		return t.among(t.byKey.all(contact), withContactElsewhere, preferred, c)
	case c.Alone:
		if b, one := sole(t.byHost.all(address), believed, c.Emergency); one {
			return b, nil
		}
	}

	return nil, ErrUnknown
}

// servedAt reports whether a handset listens at an address that it did not register from.
func (b *Binding) servedAt(source netip.AddrPort) bool {
	stated, found := b.Stated()
	return b.ToContact && found && stated == source
}

// among chooses by the identities. At least one binding is meant; preferred is the identity of some binding at the address, or "".
func (t *Table) among(all iter.Seq[*Binding], meant func(*Binding) bool, preferred string, c Claim) (*Binding, error) {
	if preferred != "" {
		all = t.byIdentity.all(preferred)
		if first(all, meant) == nil {
			return nil, ErrAnother
		}
	}

	if b, one := sole(all, meant, c.Emergency); one {
		return b, nil
	}

	if identity := t.identity(c.From, meant); identity != "" {
		all = func(yield func(*Binding) bool) {
			for b := range t.byIdentity.all(identity) {
				if (preferred == "" || b.has(preferred)) && !yield(b) {
					return
				}
			}
		}

		if b, one := sole(all, meant, c.Emergency); one {
			return b, nil
		}
	}

	return nil, ErrSeveral
}

// identity returns a public identity in the form of the index, if one of the bindings meant has it; else "".
func (t *Table) identity(uri string, meant func(*Binding) bool) string {
	canonical, err := ims.CanonicalIdentity(uri)
	if err != nil || first(t.byIdentity.all(canonical), meant) == nil {
		return ""
	}

	return canonical
}

func (b *Binding) has(canonical string) bool {
	for _, identity := range b.Identities {
		if ims.SameIdentity(identity, canonical) {
			return true
		}
	}

	return false
}

func first(all iter.Seq[*Binding], meant func(*Binding) bool) *Binding {
	for b := range all {
		if meant(b) {
			return b
		}
	}

	return nil
}

// sole returns the only binding, or one of several of the same user: each asserts the same identities and charges the same account. The
// registration for emergency calls (TS 24.229 §5.1.6.2) is taken before the others, or after them.
func sole(all iter.Seq[*Binding], meant func(*Binding) bool, emergency bool) (only *Binding, one bool) {
	for b := range all {
		switch {
		case !meant(b):
		case only == nil:
			only = b
		case only.Private != b.Private || only.Default() != b.Default():
			return nil, false
		case b.Emergency == emergency:
			only = b
		}
	}

	return only, only != nil
}

// contactKey returns the part of a Contact that distinguishes handsets: within a dialog a handset may give other parameters than it
// registered.
func contactKey(uri string) string {
	end := strings.LastIndexByte(uri, '@') + 1
	if cut := strings.IndexAny(uri[end:], ";?"); cut >= 0 {
		uri = uri[:end+cut]
	}

	return strings.ToLower(strings.TrimSuffix(uri, ":5060"))
}
