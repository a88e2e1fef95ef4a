package dialog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func key(n int) Key { return Key{CallID: fmt.Sprint(n), Local: "a", Remote: "b"} }

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(2)
		for i := range 2 {
			if err := table.Begin(key(i), "alice", time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		if err := table.Begin(key(2), "alice", time.Minute); !errors.Is(err, ErrTooMany) {
			t.Errorf("a third: %v", err)
		}
		if err := table.Begin(key(1), "alice", time.Minute); err != nil {
			t.Errorf("one that is there: %v", err)
		}
		if err := table.Begin(key(3), "bob", time.Minute); err != nil {
			t.Errorf("another handset: %v", err)
		}

		time.Sleep(2 * time.Minute) // their time is over
		if err := table.Begin(key(2), "alice", time.Minute); err != nil || table.Of("alice") != 1 {
			t.Errorf("%v, %d of alice", err, table.Of("alice"))
		}

		for i := range 1000 { // forks
			_ = table.Put(key(100+i), Dialog{Token: "alice"}, time.Minute)
		}
		if n := table.Of("alice"); n > 20 {
			t.Errorf("%d dialogs of one request", n)
		}
	})
}

func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(10)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { table.Run(ctx) })

		_ = table.Put(key(1), Dialog{Token: "alice", Target: "sip:x"}, time.Minute)
		table.Prolong(key(1), "sip:y", time.Second) // not shorter
		time.Sleep(59 * time.Second)
		if d, found := table.Find(key(1)); !found || d.Target != "sip:y" {
			t.Errorf("%+v %v", d, found)
		}
		table.Prolong(key(1), "", 5*time.Minute)
		table.Prolong(key(9), "", 5*time.Minute) // not there
		time.Sleep(4 * time.Minute)
		if _, found := table.Find(key(1)); !found {
			t.Error("gone although it was prolonged")
		}
		time.Sleep(2 * time.Minute)
		if _, found := table.Find(key(1)); found {
			t.Error("found when its time is over")
		}
		time.Sleep(sweep)
		synctest.Wait()
		if table.Len() != 0 || table.Of("alice") != 0 {
			t.Errorf("%d left, %d of alice", table.Len(), table.Of("alice"))
		}

		for i := range 3 {
			_ = table.Put(key(i), Dialog{Token: "alice"}, time.Minute)
		}
		_ = table.Put(key(7), Dialog{Token: "bob"}, time.Minute)
		table.Remove(key(0))
		if n := table.RemoveAll("alice"); n != 2 || table.Len() != 1 {
			t.Errorf("%d of alice removed, %d left", n, table.Len())
		}
		cancel()
		running.Wait()
	})
}
