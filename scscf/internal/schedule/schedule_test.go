package schedule

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

type mark struct {
	entry Entry
	name  string
	log   *[]string
	then  func()
}

func (m *mark) Due(time.Time) {
	*m.log = append(*m.log, m.name)
	if m.then != nil {
		m.then()
	}
}

func TestEntriesAreDueInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()

		var log []string
		q := New()
		go q.Run(ctx)

		first, second, third := &mark{name: "first", log: &log}, &mark{name: "second", log: &log}, &mark{name: "third", log: &log}
		third.then = func() { q.Set(&first.entry, first, time.Now().Add(time.Second)) }
		now := time.Now()
		q.Set(&third.entry, third, now.Add(3*time.Minute))
		q.Set(&second.entry, second, now.Add(2*time.Minute))
		q.Set(&first.entry, first, now.Add(time.Minute))

		time.Sleep(90 * time.Second)
		synctest.Wait()
		if !slices.Equal(log, []string{"first"}) {
			t.Fatalf("after 90 s: %v", log)
		}

		q.Cancel(&second.entry)
		q.Cancel(&second.entry) // twice does no harm
		q.Set(&third.entry, third, time.Now().Add(time.Hour))
		q.Set(&third.entry, third, time.Now().Add(time.Second))

		time.Sleep(time.Minute)
		synctest.Wait()
		if !slices.Equal(log, []string{"first", "third", "first"}) || q.Len() != 0 {
			t.Fatalf("at the end: %v, %d left", log, q.Len())
		}
	})
}

func TestManyEntriesKeepTheirPlaces(t *testing.T) {
	q := New()
	marks := make([]mark, 2000)
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Now()

	for range 20_000 {
		m := &marks[random.IntN(len(marks))]
		if random.IntN(3) == 0 {
			q.Cancel(&m.entry)
		} else {
			q.Set(&m.entry, m, now.Add(time.Duration(random.IntN(1000))))
		}
	}

	for last, n := int64(0), q.Len(); n > 0; n-- {
		at := q.entries[0].at
		if at < last {
			t.Fatal("the heap is out of order")
		}
		last = at
		if q.pop(now.Add(time.Hour)) == nil {
			t.Fatal("an entry is missing")
		}
	}
	if q.Len() != 0 {
		t.Fatal("entries are left")
	}
}
