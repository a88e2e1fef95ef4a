package binding

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

func at(source string) sip.Flow {
	return sip.Flow{Transport: "UDP", Remote: netip.MustParseAddrPort(source)}
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

func TestBySource(t *testing.T) {
	table := NewTable(10, nil)
	defer table.Close()

	put(t, table,
		registered("a", "alice", "sip:a@10.0.0.1", "10.0.0.1:5060"),
		registered("b", "bob", "sip:b@10.0.0.2", "10.0.0.2:5060"),
		registered("c", "carol", "sip:c@10.0.0.2:5062", "10.0.0.2:5062"),
	)
	ending := registered("d", "dave", "sip:d@10.0.0.3", "10.0.0.3:5060")
	put(t, table, ending, ending.Ending("deactivated"))

	for _, test := range []struct{ name, source, contact, want string }{
		{"by address and port", "10.0.0.2:5062", "sip:b@10.0.0.2", "c"},
		{"by address and Contact", "10.0.0.2:40000", "sip:b@10.0.0.2", "b"},
		{"the only one there", "10.0.0.1:40000", "sip:x@10.0.0.1", "a"},
		{"not the only one there", "10.0.0.2:40000", "sip:x@10.0.0.2", ""},
		{"nobody there", "10.0.0.9:5060", "sip:a@10.0.0.1", ""},
		{"one whose registration has ended", "10.0.0.3:5060", "sip:d@10.0.0.3", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ""
			if b, found := table.BySource(netip.MustParseAddrPort(test.source), test.contact); found {
				got = b.Token
			}
			if got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}

	if _, found := table.At(netip.MustParseAddrPort("10.0.0.1:40000")); found {
		t.Error("somebody registered from exactly where nobody did")
	}
}

func TestToken(t *testing.T) {
	table := NewTable(10, nil)
	defer table.Close()
	put(t, table, registered("a", "alice", "sip:c", "10.0.0.1:5060"))

	address := netip.MustParseAddr("10.0.0.1")
	if got := table.Token(address, "sip:c", "alice"); got != "a" {
		t.Errorf("the handset's own token is %q", got)
	}
	for _, other := range []string{
		table.Token(address, "sip:c", "mallory"), table.Token(address, "sip:d", "alice"), table.Token(netip.MustParseAddr("10.0.0.2"), "sip:c", "alice"),
	} {
		if other == "a" || len(other) != 16 {
			t.Errorf("another gets the token %q", other)
		}
	}
}

func TestFull(t *testing.T) {
	table := NewTable(2, nil)
	defer table.Close()
	put(t, table, registered("a", "alice", "sip:a", "10.0.0.1:5060"), registered("b", "bob", "sip:b", "10.0.0.2:5060"))

	if err := table.Put(registered("c", "carol", "sip:c", "10.0.0.3:5060")); !errors.Is(err, ErrFull) || table.Room("c") {
		t.Errorf("a third: %v", err)
	}
	if !table.Room("a") {
		t.Error("no room for a refresh")
	}
	put(t, table, registered("a", "alice", "sip:a", "10.0.0.1:5061"))
	table.Remove("b")
	put(t, table, registered("c", "carol", "sip:c", "10.0.0.3:5060"))
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan string, 10)
		table := NewTable(10, func(b *Binding) { ended <- b.Token + b.Ended })
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
		if len(table.byKey)+len(table.bySource)+len(table.byHost)+len(table.byUser)+len(table.timers) != 0 {
			t.Errorf("left behind: %v %v %v %v %v", table.byKey, table.bySource, table.byHost, table.byUser, table.timers)
		}
	})
}

// All handsets behind one address: the table stays fast.
func BenchmarkRefreshBehindOneAddress(b *testing.B) {
	table := NewTable(10_000, nil)
	defer table.Close()

	for i := range 10_000 {
		_ = table.Put(registered(fmt.Sprint("t", i), fmt.Sprint("u", i), fmt.Sprint("sip:", i), fmt.Sprintf("10.0.0.1:%d", i+1024)))
	}

	for i := 0; b.Loop(); i++ {
		n := i % 10_000
		_ = table.Put(registered(fmt.Sprint("t", n), fmt.Sprint("u", n), fmt.Sprint("sip:", n), fmt.Sprintf("10.0.0.1:%d", n+1024)))
	}
}
