package ledger

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/pkg/database"
)

// knowledge is what a transaction knows of the ledger without asking again, and what it has not written yet.
type knowledge struct {
	gathers bool // of a group: movements are written at its end

	version database.Version // of the file that it was read from
	purses  map[string]Purse
	payers  map[string]string // the account's name, by identity
	memo    map[string]any

	movements []*Movement
	changes   map[uint64]int64 // of balances, by account
}

// mostKnown is how many accounts are kept between transactions.
const mostKnown = 1 << 16

func newKnowledge() *knowledge {
	return &knowledge{purses: map[string]Purse{}, payers: map[string]string{}, memo: map[string]any{}, changes: map[uint64]int64{}}
}

// Group runs f in a transaction that serves many requests: what they read is known to those behind them, and their movements are written
// together at its end. If anything fails, nothing has happened for any of them. Keys name what f may change besides accounts; groups of
// other processes with one of them wait for this one, and so do those with one of its accounts. To everybody else it is an Update.
func (s *Store) Group(ctx context.Context, keys []string, f func(tx Tx) error) error {
	if err := s.turn.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("ledger: waiting for its turn: %w", err)
	}
	defer s.turn.Release(1)

	var known *knowledge

	err := s.db.Update(s.within(ctx), func(db *gorm.DB) (err error) {
		if known, err = s.recall(db, keys); err != nil {
			return err
		}

		tx := Tx{db, s, known}
		if err := errors.Join(f(tx), ctx.Err()); err != nil {
			return err
		}

		return tx.write()
	})

	if !s.db.Shared {
		if s.kept = known; err != nil || len(known.purses) > mostKnown || len(known.payers) > mostKnown {
			s.kept = nil
		}
	}

	return err
}

// within returns the context of a transaction's statements. Those on a file do not wait, and one that could be cancelled would cost each of
// them a goroutine.
func (s *Store) within(ctx context.Context) context.Context {
	if s.db.Shared {
		return ctx
	}

	return context.WithoutCancel(ctx)
}

// recall returns what a group knows when it begins: on a file, all that was known before, unless somebody else has written meanwhile; on a
// server nothing, because others write there, but it has the locks of its keys.
func (s *Store) recall(db *gorm.DB, keys []string) (k *knowledge, err error) {
	if s.db.Shared {
		k = newKnowledge()
		k.gathers = true

		return k, s.lock(db, keys)
	}

	version, err := s.db.Version(db)
	if err != nil {
		return nil, err
	}

	if k = s.kept; k == nil || k.version != version {
		k = newKnowledge()
		k.gathers, k.version = true, version
	}

	return k, nil
}

// lock takes the locks of a group, those of its keys in an order that all groups share.
func (s *Store) lock(db *gorm.DB, keys []string) error {
	numbers := make([]int64, len(keys))

	for i, key := range keys {
		h := fnv.New64a()
		_, _ = h.Write([]byte(key))
		numbers[i] = int64(h.Sum64())
	}

	slices.Sort(numbers)

	ctx, pool := db.Statement.Context, db.Statement.ConnPool
	if _, err := pool.ExecContext(ctx, "SELECT pg_advisory_xact_lock_shared($1)", int64(oneAtATime)); err != nil {
		return err
	}

	_, err := pool.ExecContext(ctx, "SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key", slices.Compact(numbers))

	return err
}

// Memo returns what f returned before, while nobody else has changed the ledger.
func Memo[T any](tx Tx, key string, f func() (T, error)) (T, error) {
	if v, known := tx.about.memo[key]; known {
		return v.(T), nil
	}

	v, err := f()
	if err == nil && tx.about.gathers {
		tx.about.memo[key] = v
	}

	return v, err
}

// Foresee reads the accounts of these names, and those that pay for these identities, in few statements. On a server it locks them.
func (tx Tx) Foresee(names, uris []string) error {
	if err := tx.identified(uris); err != nil {
		return err
	}

	for _, uri := range uris {
		if name, found := tx.about.payers[uri]; found {
			names = append(names, name)
		}
	}

	return tx.fetch(names)
}

// identified reads whose these identities are.
func (tx Tx) identified(uris []string) error {
	var unknown []string

	for _, uri := range uris {
		if _, known := tx.about.payers[uri]; !known {
			unknown = append(unknown, uri)
		}
	}

	if len(unknown) == 0 {
		return nil
	}

	found, err := tx.store.identities.FindIn(tx.DB, "uri", unknown, "")
	if err != nil {
		return err
	}

	for _, identity := range found {
		tx.about.payers[identity.URI] = identity.Account
	}

	return nil
}

// fetch reads purses. In a group on a server each is locked until its end, in the order of names.
func (tx Tx) fetch(names []string) error {
	var unknown []string

	for _, name := range names {
		if _, known := tx.about.purses[name]; !known {
			unknown = append(unknown, name)
		}
	}

	if len(unknown) == 0 {
		return nil
	}

	behind := ""
	if tx.store.db.Shared && tx.about.gathers {
		behind = "AND kind IN ('" + Subscriber + "', '" + Reserved + "') ORDER BY name, kind FOR UPDATE"
	}

	slices.Sort(unknown)

	rows, err := tx.store.accounts.FindIn(tx.DB, "name", slices.Compact(unknown), behind)
	if err != nil {
		return err
	}

	halves := map[string]Purse{}

	for _, row := range rows {
		p := halves[row.Name]

		switch row.Kind {
		case Subscriber:
			p.Account = row
		case Reserved:
			p.Reserved = row
		}

		halves[row.Name] = p
	}

	for name, p := range halves {
		if p.Account != nil && p.Reserved != nil {
			p.Account.owner, p.Reserved.owner = p.Account.ID, p.Account.ID
			tx.about.purses[name] = p
		}
	}

	return nil
}
