package ledger

import "fmt"

// Posting is a group of movements that are written together. Balances of the accounts given change at once, so that the next movement can
// be decided on; the database's change with Write.
type Posting struct {
	tx        Tx
	about     Movement
	movements []Movement
	touched   []*Account
	before    map[*Account]int64
	err       error
}

// Posting begins a posting. Each account must always be given by the same pointer.
func (tx Tx) Posting(session, note string) *Posting {
	return &Posting{tx: tx, about: Movement{Session: session, Note: note}, before: map[*Account]int64{}}
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

	p.movements = append(p.movements, Movement{
		At: p.tx.Now(), Kind: kind, Session: p.about.Session, Note: p.about.Note, Reference: p.about.Reference,
		Entries: []Entry{{AccountID: from.ID, Amount: -amount}, {AccountID: to.ID, Amount: amount}},
	})

	for _, a := range []*Account{from, to} {
		if _, known := p.before[a]; !known {
			p.before[a], p.touched = a.Balance, append(p.touched, a)
		}
	}

	from.Balance -= amount
	to.Balance += amount

	if from.Kind == Reserved && from.Balance < 0 {
		p.err = fmt.Errorf("ledger: %s of %d: %s has less than that reserved", kind, amount, from.Name)
	}
}

// Moved calls f for each movement that is to be written.
func (p *Posting) Moved(f func(kind string, amount int64)) {
	for _, m := range p.movements {
		f(m.Kind, m.Entries[1].Amount)
	}
}

// Write writes the movements and the resulting balances.
func (p *Posting) Write() error {
	if p.err != nil || len(p.movements) == 0 {
		return p.err
	}

	if err := p.tx.Create(&p.movements).Error; err != nil {
		return fmt.Errorf("ledger: %w", err)
	}

	for _, a := range p.touched {
		if a.Balance == p.before[a] {
			continue
		}

		if err := p.tx.Exec("UPDATE accounts SET balance = balance + ? WHERE id = ?", a.Balance-p.before[a], a.ID).Error; err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
	}

	return nil
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

// cash returns the account that top-ups come from.
func (tx Tx) cash() *Account {
	own := tx.store.cash
	return &own
}
