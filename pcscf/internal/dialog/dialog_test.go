package dialog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func key(token string, n int) Key {
	return Key{Token: token, CallID: fmt.Sprint(n), Local: "a", Remote: "b"}
}

// begun is an initial request of a handset's that may make a dialog.
func begun(t testing.TB, table *Table, token string) *Initial {
	t.Helper()
	i, err := table.Begin(Key{Token: token}, Dialog{}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}

	return i
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(2, nil)
		first := begun(t, table, "alice")
		begun(t, table, "alice")
		if _, err := table.Begin(Key{Token: "alice"}, Dialog{}, time.Minute); !errors.Is(err, ErrTooMany) {
			t.Errorf("a third: %v", err)
		}
		begun(t, table, "bob")

		first.Over(false)
		begun(t, table, "alice") // in its place

		time.Sleep(2 * time.Minute) // their time is over
		i := begun(t, table, "alice")
		if table.Of("alice") != 1 {
			t.Errorf("%d of alice", table.Of("alice"))
		}

		for n := range 1000 { // forks
			_ = i.Confirm(key("alice", n), Dialog{}, time.Minute)
		}
		if n := table.Of("alice"); n > 20 {
			t.Errorf("%d dialogs of one request", n)
		}
	})
}

func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(10, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { table.Run(ctx) })

		i := begun(t, table, "alice")
		_ = i.Confirm(key("alice", 1), Dialog{Target: "sip:x"}, time.Minute)
		i.Over(true)
		table.Prolong(key("alice", 1), "sip:y", time.Second) // not shorter
		time.Sleep(59 * time.Second)
		if d, found := table.Find(key("alice", 1)); !found || d.Target != "sip:y" {
			t.Errorf("%+v %v", d, found)
		}
		table.Prolong(key("alice", 1), "", 5*time.Minute)
		table.Prolong(key("alice", 9), "", 5*time.Minute) // not there
		time.Sleep(4 * time.Minute)
		if _, found := table.Find(key("alice", 1)); !found {
			t.Error("gone although it was prolonged")
		}
		time.Sleep(2 * time.Minute)
		if _, found := table.Find(key("alice", 1)); found {
			t.Error("found when its time is over")
		}
		time.Sleep(sweep)
		synctest.Wait()
		if table.Len() != 0 || table.Of("alice") != 0 {
			t.Errorf("%d left, %d of alice", table.Len(), table.Of("alice"))
		}

		i = begun(t, table, "alice")
		for n := range 3 {
			_ = i.Confirm(key("alice", n), Dialog{}, time.Minute)
		}
		i.Over(true)
		other := begun(t, table, "bob")
		table.Remove(key("alice", 0))
		if n := table.RemoveAll("alice"); n != 2 || table.Len() != 1 {
			t.Errorf("%d of alice removed, %d left", n, table.Len())
		}
		_ = i.Confirm(key("alice", 7), Dialog{}, time.Minute) // a 2xx that comes when the registration is over
		other.Over(false)
		if n := table.Len(); n != 0 {
			t.Errorf("%d left", n)
		}
		cancel()
		running.Wait()
	})
}

// Of a handset whose last dialog is forgotten, and of no other, somebody is told who may ask the table.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(10, nil)
		var idle []string
		table.Idle = func(token string) {
			if table.Of(token) == 0 {
				idle = append(idle, token)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { table.Run(ctx) })

		i := begun(t, table, "alice")
		_ = i.Early(key("alice", 1), Dialog{}, time.Hour)
		_ = i.Confirm(key("alice", 2), Dialog{}, time.Hour)
		i.Over(true)
		j := begun(t, table, "bob")
		_ = j.Confirm(key("bob", 1), Dialog{}, time.Hour)
		_ = j.Early(key("bob", 2), Dialog{}, time.Hour)
		j.Over(true)
		table.Remove(key("alice", 2))
		time.Sleep(lostFork + sweep)
		synctest.Wait()
		if len(idle) != 1 || idle[0] != "alice" {
			t.Errorf("idle are %q", idle)
		}
		cancel()
		running.Wait()
	})
}

// One handset's dialog is its own, whatever another one does with the same Call-ID and tags.
func TestDialogsOfTwoHandsets(t *testing.T) {
	table := NewTable(10, nil)
	a, b := begun(t, table, "alice"), begun(t, table, "bob")
	_ = a.Confirm(key("alice", 1), Dialog{Target: "sip:x"}, time.Minute)
	_ = b.Early(key("bob", 1), Dialog{Target: "sip:evil"}, time.Minute)
	b.Over(false)
	if d, found := table.Find(key("alice", 1)); !found || d.Target != "sip:x" {
		t.Errorf("alice's dialog is %+v %v", d, found)
	}
}

// RFC 3261 §13.2.2.4: early dialogs of callees that did not win end 64*T1 after the answer, and what is confirmed is not lost to
// an early dialog of the same tags.
func TestLostForks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(10, nil)
		i := begun(t, table, "alice")
		for n := range 3 {
			_ = i.Early(key("alice", n), Dialog{}, 15*time.Minute)
		}
		_ = i.Confirm(key("alice", 0), Dialog{}, time.Hour)
		i.Over(true)
		if n := table.Of("alice"); n != 3 {
			t.Errorf("%d dialogs while another 2xx may come, want 3", n)
		}
		time.Sleep(lostFork + time.Second)
		for n := range 3 {
			if _, found := table.Find(key("alice", n)); found != (n == 0) {
				t.Errorf("dialog %d: %v", n, found)
			}
		}

		again := begun(t, table, "alice")
		_ = again.Early(key("alice", 0), Dialog{}, time.Minute)
		again.Over(false)
		if _, found := table.Find(key("alice", 0)); !found {
			t.Error("a confirmed dialog ended with another request")
		}
	})
}

// Whatever happens in whatever order, a handset that has ended its dialogs has none, and the counts are those of what is there.
func TestHistories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { rapid.Check(timeless{t}, history) })
}

// timeless hides the deadline of a test, which is not that of the bubble.
type timeless struct{ testing.TB }

func history(t *rapid.T) {
	tokens := []string{"alice", "bob"}
	table := NewTable(rapid.IntRange(1, 6).Draw(t, "limit"), nil)
	token, number := rapid.SampledFrom(tokens), rapid.IntRange(0, 4)

	type request struct {
		*Initial
		token string
	}

	var running []request

	some := func(t *rapid.T) (int, bool) {
		if len(running) == 0 {
			return 0, false
		}

		return rapid.IntRange(0, len(running)-1).Draw(t, "request"), true
	}

	t.Repeat(map[string]func(*rapid.T){
		"begin": func(t *rapid.T) {
			of := token.Draw(t, "token")
			if i, err := table.Begin(Key{Token: of}, Dialog{}, time.Minute); err == nil {
				running = append(running, request{i, of})
			}
		},
		"early": func(t *rapid.T) {
			if n, ok := some(t); ok {
				_ = running[n].Early(key(running[n].token, number.Draw(t, "dialog")), Dialog{}, time.Minute)
			}
		},
		"confirm": func(t *rapid.T) {
			if n, ok := some(t); ok {
				_ = running[n].Confirm(key(running[n].token, number.Draw(t, "dialog")), Dialog{}, 2*time.Minute)
			}
		},
		"over": func(t *rapid.T) {
			if n, ok := some(t); ok {
				running[n].Over(rapid.Bool().Draw(t, "answered"))
				if rapid.Bool().Draw(t, "forgotten") { // else a late 2xx may follow
					running = append(running[:n:n], running[n+1:]...)
				}
			}
		},
		"bye": func(t *rapid.T) { table.Remove(key(token.Draw(t, "token"), number.Draw(t, "dialog"))) },
		"refresh": func(t *rapid.T) {
			table.Prolong(key(token.Draw(t, "token"), number.Draw(t, "dialog")), "sip:x", 2*time.Minute)
		},
		"time":       func(t *rapid.T) { time.Sleep(time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second) },
		"deregister": func(t *rapid.T) { table.RemoveAll(token.Draw(t, "token")) },
		"": func(t *rapid.T) {
			sum := 0
			for _, of := range tokens {
				n := table.Of(of)
				if most := 2*table.limit + 16; n > most {
					t.Fatalf("%s has %d, more than %d", of, n, most)
				}
				sum += n
			}
			if sum != table.Len() {
				t.Fatalf("%d in all, %d of each", table.Len(), sum)
			}

			sides := map[Key]int{}
			for of, h := range table.handsets {
				if h.count() == 0 || h.token != of {
					t.Fatalf("%s has nothing, and an entry", of)
				}
				for k := range h.dialogs {
					sides[k.side()]++
				}
			}
			if !maps.Equal(sides, table.sides) {
				t.Fatalf("sides %v, want %v", table.sides, sides)
			}
		},
	})

	for _, r := range running {
		r.Over(rapid.Bool().Draw(t, "answered"))
	}
	for _, of := range tokens {
		for n := range 5 {
			table.Remove(key(of, n))
		}
		if n := table.Of(of); n != 0 {
			t.Fatalf("%s has ended all, and %d are left", of, n)
		}
		if _, err := table.Begin(Key{Token: of}, Dialog{}, time.Minute); err != nil {
			t.Fatalf("%s has ended all, and may not begin: %v", of, err)
		}
	}
}
