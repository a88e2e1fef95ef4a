package ledger

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func (s *Store) histories(t failer) (movements []Movement) {
	t.Helper()

	if err := s.Read(contextOf(t)).Order("id").Find(&movements).Error; err != nil {
		t.Fatalf("%v", err)
	}

	return movements
}

func balances(t failer, s *Store) string {
	t.Helper()

	var rows []Account
	if err := s.Read(contextOf(t)).Order("id").Find(&rows).Error; err != nil {
		t.Fatalf("%v", err)
	}
	var text []string
	for _, row := range rows {
		text = append(text, fmt.Sprint(row.Name, " ", row.Kind, " ", row.Balance))
	}

	return strings.Join(text, ", ")
}

// last returns the number of the last movement.
func (s *Store) last(t failer) (id uint64) {
	t.Helper()

	if err := s.Read(contextOf(t)).Model(&Movement{}).Select("COALESCE(MAX(id), 0)").Scan(&id).Error; err != nil {
		t.Fatalf("%v", err)
	}

	return id
}

// at dates the last movements, one after the other, as if each were of another day; the rest get the last date.
func (s *Store) at(t failer, from uint64, dates ...time.Time) {
	t.Helper()

	err := s.Update(contextOf(t), func(tx Tx) error {
		if err := unseal(tx.DB); err != nil {
			return err
		}
		for i, when := range dates {
			if err := tx.Model(&Movement{}).Where("id > ?", from+uint64(i)).Update("at", when.UTC()).Error; err != nil {
				return err
			}
		}
		return seal(tx.DB)
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func TestRoll(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx, today := t.Context(), time.Now().UTC()
		yesterday, before := today.Add(-24*time.Hour), today.Add(-48*time.Hour)
		last := func() uint64 {
			all := s.histories(t)
			return all[len(all)-1].ID
		}

		for _, name := range []string{"alice", "bob"} {
			if err := s.Add(ctx, name, "", nil, 1000); err != nil {
				t.Fatal(err)
			}
		}
		call := func(name string, reserved, used int64) {
			t.Helper()
			err := s.Update(ctx, func(tx Tx) error {
				p, err := tx.Purse(name)
				if err != nil {
					return err
				}
				posting := tx.Posting("s", "")
				posting.Move("reserve", p.Account, p.Reserved, reserved)
				posting.Move("debit", p.Reserved, tx.Revenue(), used)
				return posting.Write()
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := s.TopUp(ctx, "alice", 5, "", "voucher 1"); err != nil {
			t.Fatal(err)
		}
		call("alice", 100, 40) // 60 stay reserved: a session lasts
		s.at(t, 0, before)
		mark := last()
		call("alice", 10, 10)
		if err := s.TopUp(ctx, "bob", 7, "", "voucher 2"); err != nil {
			t.Fatal(err)
		}
		s.at(t, mark, yesterday)
		call("bob", 3, 3)
		want := balances(t, s)

		for _, step := range []struct {
			name     string
			before   time.Time
			rolled   int
			openings int
			others   int
		}{
			{name: "nothing is so old", before: before.Add(-time.Hour), others: 10},
			{
				name:     "the first day: alice, what is reserved of her, bob, revenue, cash",
				before:   before.Add(time.Hour),
				rolled:   5,
				openings: 5,
				others:   5,
			},
			{name: "the same again", before: before.Add(time.Hour), openings: 5, others: 5},
			{name: "the second day: openings are not heaped up", before: yesterday.Add(time.Hour), rolled: 3, openings: 5, others: 2},
			{name: "all", before: today.Add(time.Hour), rolled: 2, openings: 5},
		} {
			rolled, err := s.Roll(ctx, step.before)
			if err != nil || rolled != step.rolled {
				t.Errorf("%s: %d, %v, want %d", step.name, rolled, err, step.rolled)
			}
			openings, others := 0, 0
			for _, m := range s.histories(t) {
				if m.Kind == opening {
					openings++
				} else {
					others++
				}
			}
			if openings != step.openings || others != step.others {
				t.Errorf("%s: %d openings and %d others, want %d and %d", step.name, openings, others, step.openings, step.others)
			}
			if got := balances(t, s); got != want {
				t.Errorf("%s: balances\n%s, want\n%s", step.name, got, want)
			}
			sound(t, s)
		}

		for _, again := range []struct {
			account string
			amount  int64
			voucher string
			want    error
		}{
			{"alice", 5, "voucher 1", nil},
			{"bob", 7, "voucher 2", nil},
			{"alice", 1, "voucher 1", ErrReference},
			{"alice", 7, "voucher 2", ErrReference},
		} {
			if err := s.TopUp(ctx, again.account, again.amount, "", again.voucher); !errors.Is(err, again.want) {
				t.Fatalf("%+v: %v", again, err)
			}
		}
		if got := balances(t, s); got != want {
			t.Errorf("a voucher of old brings something again: %s", got)
		}
		for _, statement := range []string{"DELETE FROM movements", "UPDATE movements SET kind = 'gift'"} {
			if err := s.db.Write.Exec(statement).Error; err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("afterwards, %s: %v", statement, err)
			}
		}
	})
}

// Whatever was moved when, and wherever the ledger is rolled up: balances stay, and every account is still the sum of its entries.
func TestRollingChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		if err := s.Add(t.Context(), "alice", "", nil, 100_000); err != nil {
			t.Fatal(err)
		}
		day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

		rapid.Check(t, func(r *rapid.T) {
			var dates []time.Time

			first := s.last(r)
			for range rapid.IntRange(0, 5).Draw(r, "movements") {
				err := s.Update(contextOf(r), func(tx Tx) error {
					p, err := tx.Purse("alice")
					if err != nil {
						return err
					}
					posting := tx.Posting("s", "")
					posting.Move("any", p.Account, p.Reserved, rapid.Int64Range(0, 50).Draw(r, "amount"))
					posting.Move("any", p.Reserved, tx.Revenue(), p.Reserved.Balance/2)
					return posting.Write()
				})
				if err != nil {
					r.Fatalf("%v", err)
				}
				dates = append(dates, day.Add(time.Duration(rapid.IntRange(0, 100).Draw(r, "hour"))*time.Hour))
			}
			s.at(r, first, dates...)

			before := balances(r, s)
			for range 2 {
				err := s.Update(contextOf(r), func(tx Tx) error {
					until := day.Add(time.Duration(rapid.IntRange(0, 120).Draw(r, "until")) * time.Hour)
					_, _, err := tx.roll(until, rapid.Uint64Range(0, first).Draw(r, "behind"), rapid.IntRange(1, 4).Draw(r, "at a time"))
					return err
				})
				if err != nil {
					r.Fatalf("%v", err)
				}
				sound(r, s)
			}
			if after := balances(r, s); after != before {
				r.Fatalf("%s, before %s", after, before)
			}
		})
	})
}
