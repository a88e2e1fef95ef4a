package ledger

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/database"
)

// Posting is a group of movements that are written together. Balances of the accounts given change at once, so that the next movement can
// be decided on; the database's change with Write.
type Posting struct {
	tx        Tx
	about     Movement
	movements []*Movement
	touched   []touched
	err       error
}

// touched is an account that a posting moves money from or to.
type touched struct {
	*Account
	before int64
}

// Posting begins a posting. Each account must always be given by the same pointer.
func (tx Tx) Posting(session, note string) *Posting {
	return &Posting{tx: tx, about: Movement{Session: session, Note: note}}
}

// Note returns the note of its movements.
func (p *Posting) Note() string { return p.about.Note }

// Move moves an amount from one account to another. Zero moves nothing and leaves no trace.
func (p *Posting) Move(kind string, from, to *Account, amount int64) {
	switch {
	case amount == 0:
		return
	case amount < 0:
		p.err = fmt.Errorf("ledger: %s of %d: an amount cannot be negative", kind, amount)
		return
	}

	p.movements = append(p.movements, &Movement{
		At: p.tx.Now(), Kind: kind, Session: p.about.Session, Note: p.about.Note, Reference: p.about.Reference,
		Owner: max(from.owner, to.owner), FromAccount: from.ID, ToAccount: to.ID, Amount: amount,
	})

	p.touch(from)
	p.touch(to)
	from.Balance -= amount
	to.Balance += amount

	if from.Kind == Reserved && from.Balance < 0 {
		p.err = fmt.Errorf("ledger: %s of %d: %s has less than that reserved", kind, amount, from.Name)
	}
}

func (p *Posting) touch(a *Account) {
	for _, known := range p.touched {
		if known.Account == a {
			return
		}
	}

	p.touched = append(p.touched, touched{a, a.Balance})
}

// Moved calls f for each movement that is to be written.
func (p *Posting) Moved(f func(kind string, amount int64)) {
	for _, m := range p.movements {
		f(m.Kind, m.Amount)
	}
}

// Write writes the movements and the resulting balances, at once or with those of the other requests of its transaction.
func (p *Posting) Write() error {
	if p.err != nil || len(p.movements) == 0 {
		return p.err
	}

	k := p.tx.about
	k.movements = append(k.movements, p.movements...)

	for _, t := range p.touched {
		k.changes[t.ID] += t.Balance - t.before
	}

	if k.gathers {
		return nil
	}

	return p.tx.write()
}

// move returns a posting of one movement.
func (tx Tx) move(about Movement, from, to *Account, amount int64) error {
	p := tx.Posting(about.Session, about.Note)
	p.about.Reference = about.Reference
	p.Move(about.Kind, from, to, amount)

	return p.Write()
}

// Revenue returns the account of revenue. Its balance in this value begins at zero, whatever it is in the ledger.
func (tx Tx) Revenue() *Account {
	own := tx.store.revenue
	return &own
}

// write writes what was gathered. Accounts of the network, which every request changes, come last: a server locks them for the others until
// the end of the transaction.
func (tx Tx) write() error {
	k := tx.about
	if len(k.movements) == 0 {
		return nil
	}

	if err := tx.store.movements.Insert(tx.DB, k.movements); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}

	var amounts []database.Amount

	for id, amount := range k.changes {
		if amount != 0 {
			amounts = append(amounts, database.Amount{ID: id, Amount: amount})
		}
	}

	slices.SortFunc(amounts, func(a, b database.Amount) int {
		return cmp.Or(cmp.Compare(tx.store.rank(a.ID), tx.store.rank(b.ID)), cmp.Compare(a.ID, b.ID))
	})

	if err := tx.store.accounts.Add(tx.DB, "balance", amounts); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}

	k.movements = nil
	clear(k.changes)

	return nil
}

func (s *Store) rank(id uint64) int {
	if id == s.revenue.ID || id == s.cash.ID || id == s.forward.ID {
		return 1
	}

	return 0
}

// cash returns the account that top-ups come from.
func (tx Tx) cash() *Account {
	own := tx.store.cash
	return &own
}
