package ledger

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/test/scratch"
)

// Writers are served in order of arrival, and one that gives up is not waited for.
func TestWritersAreServedInTheirOrder(t *testing.T) {
	path := filepath.Join(scratch.Dir(t), "ledger.db")

	synctest.Test(t, func(t *testing.T) {
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()

		var (
			writers sync.WaitGroup
			served  []int
			want    []int
		)
		busy, given := make(chan struct{}), make(chan error, 1)
		write := func(ctx context.Context, i int) error {
			return s.Update(ctx, func(tx Tx) error {
				if i < 0 {
					<-busy
					return nil
				}
				served = append(served, i) // one at a time

				return nil
			})
		}

		writers.Go(func() { _ = write(t.Context(), -1) })
		synctest.Wait()
		impatient, giveUp := context.WithCancel(t.Context())

		for i := range 40 {
			want = append(want, i)
			writers.Go(func() {
				if err := write(t.Context(), i); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
			if i == 20 {
				go func() { given <- write(impatient, 1000) }()
				synctest.Wait()
			}
		}

		giveUp()
		if err := <-given; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up: %v", err)
		}
		close(busy)
		writers.Wait()
		if !slices.Equal(served, want) {
			t.Errorf("served in the order %v", served)
		}
	})
}
