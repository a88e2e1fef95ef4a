package ledger

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/dialtone-ims/dialtone/test/postgres"
	"github.com/dialtone-ims/dialtone/test/scratch"
)

func TestMain(m *testing.M) {
	status := m.Run()
	postgres.Stop()
	os.Exit(status)
}

// each runs a test on SQLite and on PostgreSQL.
func each(t *testing.T, f func(*testing.T, *Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, open(t, filepath.Join(scratch.Dir(t), "ledger.db"))) })
	t.Run("postgres", func(t *testing.T) { f(t, open(t, postgres.Database(t))) })
}

func open(t *testing.T, dsn string) *Store {
	t.Helper()

	s, err := Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})

	return s
}

type failer interface {
	Helper()
	Fatalf(string, ...any)
}

func sound(t failer, s *Store) {
	t.Helper()

	ctx := contextOf(t)
	balances, entries, err := s.Sum(ctx)
	if err != nil || balances != 0 || entries != 0 {
		t.Fatalf("balances add up to %d, entries to %d: %v", balances, entries, err)
	}
	audit, err := s.Audit(ctx)
	if err != nil || len(audit.Findings) > 0 || audit.SumOfBalances != 0 || audit.SumOfEntries != 0 {
		t.Fatalf("audit: %+v %v", audit, err)
	}
}

func purse(t *testing.T, s *Store, name string) (p Purse) {
	t.Helper()

	err := s.Update(t.Context(), func(tx Tx) (err error) {
		p, err = tx.Purse(name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	return p
}

func TestSumIsZeroAtEveryInstant(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		if err := s.Add(t.Context(), "alice", "", nil, 1000); err != nil {
			t.Fatal(err)
		}

		rapid.Check(t, func(r *rapid.T) {
			err := s.Update(t.Context(), func(tx Tx) error {
				p, err := tx.Purse("alice")
				if err != nil {
					return err
				}
				revenue, posting := tx.Revenue(), tx.Posting("s", "")
				for range rapid.IntRange(0, 4).Draw(r, "movements") {
					all := rapid.Permutation([]*Account{p.Account, p.Reserved, revenue}).Draw(r, "between")
					posting.Move("any", all[0], all[1], rapid.Int64Range(-1, 500).Draw(r, "amount"))
				}
				if rapid.Bool().Draw(r, "fails") {
					return errors.Join(posting.Write(), errors.New("something else went wrong"))
				}
				return posting.Write()
			})
			_ = err // whether it was done or not, nothing is lost
			sound(r, s)
			if p := purse(t, s, "alice"); p.Reserved.Balance < 0 {
				r.Fatalf("%d reserved", p.Reserved.Balance)
			}
		})
	})
}

func TestMoneyIsNotSpentTwice(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		if err := s.Add(t.Context(), "alice", "", nil, 100); err != nil {
			t.Fatal(err)
		}

		var spenders sync.WaitGroup
		for range 16 {
			spenders.Go(func() {
				for range 5 {
					err := s.Update(t.Context(), func(tx Tx) error {
						p, err := tx.Purse("alice")
						if err != nil || p.Account.Balance < 7 {
							return err
						}
						posting := tx.Posting("s", "")
						posting.Move("debit", p.Account, tx.Revenue(), 7)

						return posting.Write()
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		spenders.Wait()

		if p := purse(t, s, "alice"); p.Account.Balance != 2 {
			t.Errorf("80 attempts to spend 7 of 100 leave %d, want 2", p.Account.Balance)
		}
		sound(t, s)
	})
}

func TestNothingIsChangedAfterwards(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		if err := s.Add(t.Context(), "alice", "", nil, 100); err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{
			"UPDATE movements SET amount = 1000 WHERE amount = 100",
			"UPDATE movements SET kind = 'gift'",
			"DELETE FROM movements",
		} {
			if err := s.db.Write.Exec(statement).Error; err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("%s: %v", statement, err)
			}
		}
		sound(t, s)
	})
}

func TestAuditFinds(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		if err := s.Add(t.Context(), "alice", "", nil, 100); err != nil {
			t.Fatal(err)
		}
		if err := s.db.Write.Exec("UPDATE accounts SET balance = balance + 1 WHERE name = 'alice' AND kind = 'subscriber'").Error; err != nil {
			t.Fatal(err)
		}
		if err := s.db.Write.Exec("INSERT INTO movements (kind, to_account, amount) VALUES ('gift', 1, 5)").Error; err != nil {
			t.Fatal(err)
		}
		audit, err := s.Audit(t.Context())
		if err != nil || len(audit.Findings) != 3 || audit.SumOfBalances != 1 || audit.SumOfEntries != 5 {
			t.Errorf("%+v %v, want a movement and two accounts", audit, err)
		}
		if balances, entries, err := s.Sum(t.Context()); balances != 1 || entries != 5 || err != nil {
			t.Errorf("sums %d and %d, %v", balances, entries, err)
		}
	})
}

func TestAccounts(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		yes, other := true, "night"

		for _, test := range []struct {
			name string
			do   func() error
			want error
		}{
			{"add", func() error { return s.Add(ctx, "alice", "", []string{"tel:+1", "tel:+1"}, 5) }, nil},
			{"add again", func() error { return s.Add(ctx, "alice", "", nil, 0) }, ErrExists},
			{"an identity of somebody else's", func() error { return s.Add(ctx, "bob", "", []string{"tel:+2", "tel:+1"}, 5) }, ErrExists},
			{"after which there is no trace of bob", func() error { return s.TopUp(ctx, "bob", 1, "", "") }, ErrUnknown},
			{"nothing", func() error { return s.TopUp(ctx, "alice", 0, "", "") }, ErrAmount},
			{"less", func() error { return s.TopUp(ctx, "alice", -1, "", "") }, ErrAmount},
			{"more than there is", func() error { return s.TopUp(ctx, "alice", MaxBalance-5, "", "") }, ErrAmount},
			{"top-up", func() error { return s.TopUp(ctx, "alice", 10, "note", "voucher 1") }, nil},
			{"the same again", func() error { return s.TopUp(ctx, "alice", 10, "note", "voucher 1") }, nil},
			{"another", func() error { return s.TopUp(ctx, "alice", 10, "note", "voucher 2") }, nil},
			{"a used reference with another amount", func() error { return s.TopUp(ctx, "alice", 11, "note", "voucher 2") }, ErrReference},
			{"and with none", func() error { return s.TopUp(ctx, "alice", 0, "note", "voucher 2") }, ErrReference},
			{"change", func() error {
				return s.Change(ctx, "alice", Change{Tariff: &other, Blocked: &yes, Identities: &[]string{"tel:+2"}})
			}, nil},
			{"the old identity is free", func() error { return s.Add(ctx, "bob", "", []string{"tel:+1"}, 0) }, nil},
			{"a used reference for another account", func() error { return s.TopUp(ctx, "bob", 10, "note", "voucher 1") }, ErrReference},
			{"change nobody", func() error { return s.Change(ctx, "carol", Change{}) }, ErrUnknown},
		} {
			if err := test.do(); !errors.Is(err, test.want) {
				t.Fatalf("%s: %v, want %v", test.name, err, test.want)
			}
		}

		p := purse(t, s, "alice")
		if p.Account.Balance != 25 || p.Account.Tariff != "night" || !p.Account.Blocked {
			t.Errorf("%+v, want 5 and two vouchers of 10", p.Account)
		}

		reserve := func(amount int64) {
			err := s.Update(ctx, func(tx Tx) error {
				p, err := tx.Purse("alice")
				if err != nil {
					return err
				}
				posting := tx.Posting("s", "")
				if amount > 0 {
					posting.Move("reserve", p.Account, p.Reserved, amount)
				} else {
					posting.Move("release", p.Reserved, p.Account, -amount)
				}
				return posting.Write()
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		reserve(20)
		if err := s.Closed(ctx, "alice"); !errors.Is(err, ErrInUse) {
			t.Errorf("closed while 20 are reserved: %v", err)
		}
		reserve(-20)
		if err := s.Closed(ctx, "alice"); err != nil {
			t.Error(err)
		}
		if p := purse(t, s, "alice"); p.Account.Balance != 0 || p.Account.Closed == nil {
			t.Errorf("closed: %+v", p.Account)
		}
		if err := s.TopUp(ctx, "alice", 1, "", ""); !errors.Is(err, ErrUnknown) {
			t.Errorf("top-up of a closed account: %v", err)
		}
		sound(t, s)
	})
}

func contextOf(t failer) context.Context {
	if owner, ok := t.(interface{ Context() context.Context }); ok {
		return owner.Context()
	}

	return context.Background()
}

// The network's own accounts come in the same order in every ledger.
func TestOrder(t *testing.T) {
	for range 5 { // maps have no order
		var kinds []string
		s := open(t, filepath.Join(scratch.Dir(t), "ledger.db"))
		own := s.Read(t.Context()).Model(&Account{}).Where("name = ?", Network)
		if err := own.Order("id").Pluck("kind", &kinds).Error; err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(kinds, []string{cash, Revenue, forward}) {
			t.Fatal(kinds)
		}
	}
}
