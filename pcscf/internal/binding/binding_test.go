package binding

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

func at(source string) stack.Flow {
	return stack.Flow{Transport: "UDP", Remote: netip.MustParseAddrPort(source)}
}

func registered(token, private, contact, source string) *Binding {
	return &Binding{Token: token, Private: private, Contact: contact, Flow: at(source), Registered: true, Expires: time.Now().Add(time.Minute)}
}

func put(t *testing.T, table *Table, bindings ...*Binding) {
	t.Helper()
	for _, b := range bindings {
		if err := table.Put(b); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSender(t *testing.T) {
	table := NewTable(Limits{Bindings: 20}, nil, nil)
	defer table.Close()

	of := func(b *Binding, identities ...string) *Binding { b.Identities = identities; return b }
	put(t, table,
		of(registered("a", "alice", "sip:a@10.0.0.1", "10.0.0.1:5060"), "sip:alice@x", "tel:+1"),
		registered("b", "bob", "sip:b@10.0.0.2", "10.0.0.2:5060"),
		of(registered("c", "carol", "sip:c@10.0.0.2:5062", "10.0.0.2:5062"), "sip:carol@x"),
		// Behind one socket: a phone with two accounts, and a gateway whose users have one Contact.
		of(registered("e", "erin", "sip:e@10.0.0.4:5070", "10.0.0.4:5070"), "sip:erin@x", "tel:+5"),
		of(registered("f", "frank", "sip:f@10.0.0.4:5070", "10.0.0.4:5070"), "sip:frank@x", "tel:+6"),
		of(registered("g", "grace", "sip:gw@10.0.0.5", "10.0.0.5:5060"), "sip:grace@x", "tel:+7"),
		of(registered("h", "heidi", "sip:gw@10.0.0.5", "10.0.0.5:5060"), "sip:heidi@x", "tel:+8"),
		// One user, registered twice by the same socket.
		of(registered("i", "ivan", "sip:i1@10.0.0.6", "10.0.0.6:5060"), "sip:ivan@x"),
		of(registered("j", "ivan", "sip:i2@10.0.0.6", "10.0.0.6:5060"), "sip:ivan@x"),
	)
	elsewhere := registered("k", "kate", "sip:k@10.0.0.8", "10.0.0.8:40000")
	elsewhere.ToContact = true
	put(t, table, elsewhere)
	ending := registered("d", "dave", "sip:d@10.0.0.3", "10.0.0.3:5060")
	put(t, table, ending, ending.Ending("deactivated"))
	secure := registered("s", "sybil", "sip:s@10.0.0.7:5060", "10.0.0.7:5060")
	secure.Flow.Server = &stack.Endpoint{}
	put(t, table, secure)

	for _, test := range []struct {
		name, source string
		claim        Claim
		want         string
		err          error
	}{
		{name: "by address and port", source: "10.0.0.1:5060", claim: Claim{}, want: "a"},
		{name: "by address and port, another Contact", source: "10.0.0.2:5062", claim: Claim{Contact: "sip:x@10.0.0.2"}, want: "c"},
		{
			name:   "by a datagram from its port, with the Contact of another port",
			source: "10.0.0.2:5062",
			claim:  Claim{Contact: "sip:b@10.0.0.2"},
			want:   "c",
		},
		{
			name:   "by a connection that another opened, with the own Contact",
			source: "10.0.0.2:5062",
			claim:  Claim{Contact: "sip:b@10.0.0.2", Stream: true},
			want:   "b",
		},
		{name: "by address and Contact", source: "10.0.0.2:40000", claim: Claim{Contact: "sip:b@10.0.0.2", AnyPort: true}, want: "b"},
		{
			name:   "by another port's datagram, which writes the Contact of another process",
			source: "10.0.0.2:40000",
			claim:  Claim{Contact: "sip:b@10.0.0.2"},
			err:    ErrUnknown,
		},
		{name: "by the port that it registered from", source: "10.0.0.8:40000", claim: Claim{Contact: "sip:k@10.0.0.8"}, want: "k"},
		{name: "by the port of its Contact, where it is served", source: "10.0.0.8:5060", claim: Claim{Contact: "sip:k@10.0.0.8"}, want: "k"},
		{name: "by neither", source: "10.0.0.8:40001", claim: Claim{Contact: "sip:k@10.0.0.8"}, err: ErrUnknown},
		{
			name:   "a Contact with other parameters",
			source: "10.0.0.2:40000",
			claim:  Claim{Contact: "sip:b@10.0.0.2:5060;transport=tcp", AnyPort: true},
			want:   "b",
		},
		{name: "the only one there", source: "10.0.0.1:40000", claim: Claim{Contact: "sip:x@10.0.0.1", Alone: true}, want: "a"},
		{name: "the only one there, which is not believed", source: "10.0.0.1:40000", claim: Claim{Contact: "sip:x@10.0.0.1"}, err: ErrUnknown},
		{name: "not the only one there", source: "10.0.0.2:40000", claim: Claim{Contact: "sip:x@10.0.0.2", Alone: true}, err: ErrUnknown},
		{name: "nobody there", source: "10.0.0.9:5060", claim: Claim{Contact: "sip:a@10.0.0.1", Alone: true}, err: ErrUnknown},
		{
			name:   "one whose registration has ended",
			source: "10.0.0.3:5060",
			claim:  Claim{Contact: "sip:d@10.0.0.3", Alone: true},
			err:    ErrUnknown,
		},
		{
			name:   "in clear from where one registered by associations",
			source: "10.0.0.7:5060",
			claim:  Claim{Contact: "sip:s@10.0.0.7:5060", Alone: true},
			err:    ErrUnknown,
		},
		{name: "by associations", source: "10.0.0.7:5060", claim: Claim{Protected: true}, want: "s"},

		{name: "two accounts: by Contact", source: "10.0.0.4:5070", claim: Claim{Contact: "sip:e@10.0.0.4:5070"}, want: "e"},
		{
			name:   "by Contact, whatever From says",
			source: "10.0.0.4:5070",
			claim:  Claim{Contact: "sip:f@10.0.0.4:5070", From: "sip:erin@x"},
			want:   "f",
		},
		{
			name:   "by Contact and preferred identity",
			source: "10.0.0.4:5070",
			claim:  Claim{Contact: "sip:f@10.0.0.4:5070", Preferred: []string{"tel:+6"}},
			want:   "f",
		},
		{
			name:   "Contact of one, preferred identity of the other",
			source: "10.0.0.4:5070",
			claim:  Claim{Contact: "sip:f@10.0.0.4:5070", Preferred: []string{"tel:+5"}},
			err:    ErrAnother,
		},
		{
			name:   "preferred identity of another at that address",
			source: "10.0.0.2:5060",
			claim:  Claim{Contact: "sip:b@10.0.0.2", Preferred: []string{"sip:carol@x"}},
			err:    ErrAnother,
		},
		{
			name:   "a preferred identity that is nobody's here: the default one of who has the Contact",
			source: "10.0.0.4:5070",
			claim:  Claim{Contact: "sip:f@10.0.0.4:5070", Preferred: []string{"tel:+1"}},
			want:   "f",
		},
		{
			name:   "another Contact: by preferred identity",
			source: "10.0.0.4:5070",
			claim:  Claim{Contact: "sip:x@10.0.0.4", Preferred: []string{"sip:erin@X:5060"}},
			want:   "e",
		},
		{name: "by the second of two", source: "10.0.0.4:5070", claim: Claim{Preferred: []string{"<<>>", "tel:+6"}}, want: "f"},
		{name: "by From", source: "10.0.0.4:5070", claim: Claim{From: "sip:+6@x;user=phone"}, want: "f"},
		{name: "by nothing", source: "10.0.0.4:5070", claim: Claim{From: "sip:anonymous@anonymous.invalid"}, err: ErrSeveral},
		{
			name:   "one Contact for all: by preferred identity",
			source: "10.0.0.5:5060",
			claim:  Claim{Contact: "sip:gw@10.0.0.5", Preferred: []string{"tel:+8"}, From: "sip:grace@x"},
			want:   "h",
		},
		{name: "one Contact for all: by From", source: "10.0.0.5:5060", claim: Claim{Contact: "sip:gw@10.0.0.5", From: "sip:grace@x"}, want: "g"},
		{
			name:   "one Contact for all, and nothing else",
			source: "10.0.0.5:5060",
			claim:  Claim{Contact: "sip:gw@10.0.0.5", From: "sip:erin@x"},
			err:    ErrSeveral,
		},
		{
			name:   "one Contact for all, by a new connection",
			source: "10.0.0.5:40000",
			claim:  Claim{Contact: "sip:gw@10.0.0.5", From: "sip:grace@x", Stream: true},
			want:   "g",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.claim.Source = netip.MustParseAddrPort(test.source)
			got := ""
			b, err := table.Sender(test.claim)
			if err == nil {
				got = b.Token
			}
			if got != test.want || !errors.Is(err, test.err) {
				t.Errorf("%q %v, want %q %v", got, err, test.want, test.err)
			}
		})
	}

	if b, err := table.Sender(Claim{Source: netip.MustParseAddrPort("10.0.0.6:5060")}); err != nil || b.Private != "ivan" {
		t.Errorf("two registrations of one user: %v %v", b, err)
	}
	if _, found := table.At(netip.MustParseAddrPort("10.0.0.1:40000")); found {
		t.Error("somebody registered from exactly where nobody did")
	}
}

func TestToken(t *testing.T) {
	table := NewTable(Limits{Bindings: 10}, nil, nil)
	defer table.Close()
	put(t, table, registered("a", "alice", "sip:c", "10.0.0.1:5060"))

	address := netip.MustParseAddr("10.0.0.1")
	if got := table.Token(address, "sip:c", "alice", ""); got != "a" {
		t.Errorf("the handset's own token is %q", got)
	}
	put(t, table, registered("w", "alice", "sip:alice@host", "10.0.0.3:5060"))
	if got := table.Token(netip.MustParseAddr("10.0.0.3"), "sip:%61lice@HOST;x=1", "alice", ""); got != "w" {
		t.Errorf("RFC 3261 §19.1.4: the token of an equal contact is %q", got)
	}
	moved := registered("m", "alice", "sip:m", "10.0.0.1:5070")
	moved.Instance = "urn:m;"
	put(t, table, moved)
	if got := table.Token(netip.MustParseAddr("10.0.0.9"), "sip:n", "alice", "urn:m;"); got != "m" {
		t.Errorf("the token of the handset that has moved is %q", got)
	}
	for _, other := range []string{
		table.Token(address, "sip:c", "mallory", "urn:a;"),
		table.Token(address, "sip:d", "alice", ""),
		table.Token(address, "sip:d", "alice", "urn:a;2"),
		table.Token(netip.MustParseAddr("10.0.0.2"), "sip:c", "alice", "urn:b;"),
	} {
		if other == "a" || len(other) != 16 {
			t.Errorf("another gets the token %q", other)
		}
	}
}

func TestFull(t *testing.T) {
	table := NewTable(Limits{Bindings: 2}, nil, nil)
	defer table.Close()
	put(t, table, registered("a", "alice", "sip:a", "10.0.0.1:5060"), registered("b", "bob", "sip:b", "10.0.0.2:5060"))

	if err := table.Put(registered("c", "carol", "sip:c", "10.0.0.3:5060")); !errors.Is(err, ErrFull) || table.Room("c", false) {
		t.Errorf("a third: %v", err)
	}
	if !table.Room("a", false) {
		t.Error("no room for a refresh")
	}
	put(t, table, registered("a", "alice", "sip:a", "10.0.0.1:5061"))
	remove(table, "b")
	put(t, table, registered("c", "carol", "sip:c", "10.0.0.3:5060"))
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan string, 10)
		table := NewTable(Limits{Bindings: 10}, func(b *Binding) { ended <- b.Token + b.Ended }, nil)
		defer table.Close()

		put(t, table, registered("a", "alice", "sip:a", "10.0.0.1:5060"), registered("b", "bob", "sip:b", "10.0.0.2:5060"))
		time.Sleep(50 * time.Second)
		put(t, table, registered("a", "alice", "sip:a", "10.0.0.1:5060")) // a refresh
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if got := <-ended; got != "b" || table.Len() != 1 {
			t.Errorf("%s ended, %d left", got, table.Len())
		}

		b, _ := table.ByToken("a")
		if !table.Replace(b, b.Ending("rejected")) {
			t.Fatal("it is not there")
		}
		if table.Replace(b, b) {
			t.Error("what was replaced is put back")
		}
		time.Sleep(Linger + time.Second)
		synctest.Wait()
		if got := <-ended; got != "arejected" || table.Len() != 0 {
			t.Errorf("%s ended, %d left", got, table.Len())
		}
		if table.byKey.len()+table.bySource.len()+table.byHost.len()+table.byIdentity.len()+len(table.byUser)+len(table.timers) != 0 {
			t.Errorf("left behind: %v %v %v %v %v %v", table.byKey, table.bySource, table.byHost, table.byIdentity, table.byUser, table.timers)
		}
	})
}

// All handsets behind one socket, which tells them apart by Contact: the table stays fast, and leaves nothing behind.
func TestManyBehindOneSocket(t *testing.T) {
	table := NewTable(Limits{Bindings: 1000}, nil, nil)
	defer table.Close()

	for i := range 1000 {
		b := registered(fmt.Sprint("t", i), fmt.Sprint("u", i), fmt.Sprintf("sip:%d@10.0.0.1", i), "10.0.0.1:5060")
		b.Identities = []string{fmt.Sprintf("sip:%d@x", i)}
		put(t, table, b)
	}
	for i := range 1000 {
		c := Claim{Source: netip.MustParseAddrPort("10.0.0.1:5060"), Contact: fmt.Sprintf("sip:%d@10.0.0.1", i)}
		if b, err := table.Sender(c); err != nil || b.Private != fmt.Sprint("u", i) {
			t.Fatalf("%d: %v %v", i, b, err)
		}
		remove(table, fmt.Sprint("t", i))
		if b, err := table.Sender(c); err == nil && i < 998 {
			t.Fatalf("%d: %v after it has gone", i, b)
		}
	}
	if n := table.byKey.len() + table.bySource.len() + table.byHost.len() + table.byIdentity.len(); n != 0 {
		t.Errorf("%d left behind", n)
	}
}

// All handsets behind one address: the table stays fast.
func BenchmarkRefreshBehindOneAddress(b *testing.B) {
	table := NewTable(Limits{Bindings: 10_000}, nil, nil)
	defer table.Close()

	for i := range 10_000 {
		_ = table.Put(registered(fmt.Sprint("t", i), fmt.Sprint("u", i), fmt.Sprint("sip:", i), fmt.Sprintf("10.0.0.1:%d", i+1024)))
	}

	for i := 0; b.Loop(); i++ {
		n := i % 10_000
		_ = table.Put(registered(fmt.Sprint("t", n), fmt.Sprint("u", n), fmt.Sprint("sip:", n), fmt.Sprintf("10.0.0.1:%d", n+1024)))
	}
}

// remove forgets a binding before its time is over.
func remove(t *Table, token string) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if b := t.byToken[token]; b != nil {
		t.drop(b)
	}
}

// Guests with a call keep their places, at most so many at one address; of those without one the oldest gives way, of the same address
// where that has its share.
func TestGuestPlaces(t *testing.T) {
	var gone []string
	table := NewTable(Limits{Bindings: 1, Guests: 6}, func(b *Binding) { gone = append(gone, b.Token) }, nil)
	defer table.Close()

	guest := func(token, at string) *Binding {
		return &Binding{
			Token: token, Contact: "sip:" + token, Flow: stack.Flow{Remote: netip.MustParseAddrPort(at)}, Emergency: true, Guest: true,
			Expires: time.Now().Add(time.Hour),
		}
	}
	end := func(token string) {
		b, _ := table.ByToken(token)
		table.Replace(b, b.Ending("over"))
	}
	wantGone := func(want ...string) {
		t.Helper()
		if !slices.Equal(gone, want) {
			t.Errorf("gone are %q, want %q", gone, want)
		}
		gone = nil
	}

	put(t, table, guest("a", "[2001:db8::1]:1"), guest("b", "[2001:db8::2]:2"))
	put(t, table, guest("c", "[2001:db8::3]:3"), guest("d", "[2001:db8::4:0:0:1]:4"))
	if err := table.Put(guest("e", "[2001:db8::5]:5")); !errors.Is(err, ErrGuestsHere) {
		t.Errorf("a fifth in one network of 64 bits: %v", err)
	}
	put(t, table, guest("a", "[2001:db8::1]:1"), guest("f", "[2001:db8:0:1::1]:1"), guest("g", "10.0.0.1:5060"))
	if err := table.Put(guest("h", "10.0.0.2:5060")); !errors.Is(err, ErrGuests) {
		t.Errorf("a seventh: %v", err)
	}
	wantGone()

	end("g")
	end("b")
	put(t, table, guest("e", "[2001:db8::5]:5")) // in the place of its neighbour
	wantGone("b")
	put(t, table, guest("h", "10.0.0.2:5060"))
	wantGone("g")

	if err := table.Put(guest("i", "10.0.0.3:5060")); !errors.Is(err, ErrGuests) || table.Len() != 6 {
		t.Errorf("a seventh: %v, with %d there", err, table.Len())
	}
	put(t, table, registered("z", "alice", "sip:a", "10.0.0.1:5060")) // beside them
}
