package subscriber

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func next(t *testing.T, s *Store, private string, count int) []uint64 {
	t.Helper()

	var numbers []uint64
	err := s.Update(t.Context(), func(tx *Tx) error {
		who, err := tx.Identities(private, "")
		if err != nil {
			return err
		}
		numbers, err = tx.NextSQN(who.Subscription, who.Private, Cx, count)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	return numbers
}

func TestSequenceNumbers(t *testing.T) { eachDatabase(t, sequenceNumbers) }

func sequenceNumbers(t *testing.T, c Config) {
	s := open(t, c)
	save(t, s, alice(s))

	if diff := cmp.Diff([]uint64{1<<5 | 5, 2<<5 | 5, 3<<5 | 5}, next(t, s, "001@home", 3)); diff != "" {
		t.Error("TS 33.102 C.1.1.1: SEQ rises by one, IND is this HSS's own", diff)
	}

	save(t, s, lookup(t, s, "001@home", "").Subscription) // provisioning leaves the number alone
	if got := next(t, s, "001@home", 1); got[0] != 4<<5|5 {
		t.Errorf("after a change of the subscriber: %x", got)
	}

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, c)
	if got := next(t, s, "001@home", 1); got[0] != 5<<5|5 {
		t.Errorf("after a clean restart: %x", got)
	}

	_ = s.disconnect() // the process dies
	s = open(t, c)
	defer s.Close()
	after := uint64(6)
	if s.file {
		after += lostVectors
	}
	if got := next(t, s, "001@home", 1); got[0] != after<<5|5 {
		t.Errorf("after a crash: %x", got)
	}

	err := s.Update(t.Context(), func(tx *Tx) error {
		who, err := tx.Identities("001@home", "")
		if err != nil {
			return err
		}
		return errors.Join(tx.SetSQN(who.Private, uint64(maxSEQ-1)<<indBits))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := next(t, s, "001@home", 1); got[0]>>5 != maxSEQ {
		t.Errorf("the last number: %x", got)
	}
	err = s.Update(t.Context(), func(tx *Tx) error {
		who, _ := tx.Identities("001@home", "")
		_, err := tx.NextSQN(who.Subscription, who.Private, Cx, 1)
		return err
	})
	if !errors.Is(err, errSQNExhausted) {
		t.Errorf("behind the last number: %v", err)
	}
}

func TestConcurrentVectorsNeverShareANumber(t *testing.T) {
	eachDatabase(t, concurrentVectorsNeverShareANumber)
}

func concurrentVectorsNeverShareANumber(t *testing.T, c Config) {
	s := opened(t, c)
	save(t, s, alice(s))

	var (
		mu   sync.Mutex
		all  []uint64
		wait sync.WaitGroup
	)

	for range 8 {
		wait.Go(func() {
			for range 20 {
				numbers := next(t, s, "001@home", 3)
				mu.Lock()
				all = append(all, numbers...)
				mu.Unlock()
			}
		})
	}
	wait.Wait()

	slices.Sort(all)
	if unique := len(slices.Compact(slices.Clone(all))); unique != 480 {
		t.Errorf("%d numbers of 480 are different", unique)
	}
}
