package ledger

import (
	"context"
	"fmt"
	"slices"
)

// New is an account to be made.
type New struct {
	Name, Tariff string
	Identities   []string
	Amount       int64 // initial
}

// AddAll makes several accounts in one transaction: all of them, or none; refused is then the index of the cause. With skip, those whose
// name or an identity is there already, or in one before them, are passed over. It returns how many are made.
func (s *Store) AddAll(ctx context.Context, all []New, skip bool) (added, refused int, err error) {
	err = s.Tidy(ctx, func(tx Tx) error { // what is known of others stays right
		taken, uris, err := tx.among(all)
		if err != nil {
			return err
		}

		var (
			made       []New
			accounts   []*Account
			identities []*Identity
			now        = s.Now()
		)

		for i, n := range all {
			refused = i

			if skip && (taken[n.Name] || n.paid(uris)) {
				continue
			}

			if taken[n.Name] {
				return fmt.Errorf("account %s: %w", n.Name, ErrExists)
			}

			taken[n.Name] = true

			if n.Amount < 0 || n.Amount >= MaxBalance {
				return ErrAmount
			}

			for _, uri := range n.Identities {
				switch owner, found := uris[uri]; {
				case found && owner == n.Name: // named twice
				case found:
					return fmt.Errorf("identity %s: %w, of account %s", uri, ErrExists, owner)
				default:
					uris[uri] = n.Name
					identities = append(identities, &Identity{URI: uri, Account: n.Name})
				}
			}

			made = append(made, n)
			accounts = append(
				accounts,
				&Account{Name: n.Name, Kind: Subscriber, Tariff: n.Tariff, Created: now, Balance: n.Amount},
				&Account{Name: n.Name, Kind: Reserved, Created: now},
			)
		}

		refused = -1

		if added = len(made); added == 0 {
			return nil
		}

		return tx.addAll(made, accounts, identities)
	})

	return added, refused, err
}

// paid reports whether somebody pays already for one of the identities.
func (n New) paid(uris map[string]string) bool {
	return slices.ContainsFunc(n.Identities, func(uri string) bool { return uris[uri] != "" })
}

// among returns which of these names and identities exist, and to which accounts the identities belong.
func (tx Tx) among(all []New) (names map[string]bool, uris map[string]string, err error) {
	var wanted, wantedURIs []string

	for _, n := range all {
		wanted, wantedURIs = append(wanted, n.Name), append(wantedURIs, n.Identities...)
	}

	names, uris = map[string]bool{}, map[string]string{}

	accounts, err := tx.store.accounts.FindIn(tx.DB, "name", wanted, "")
	if err != nil {
		return nil, nil, err
	}

	for _, account := range accounts {
		names[account.Name] = true
	}

	identities, err := tx.store.identities.FindIn(tx.DB, "uri", wantedURIs, "")

	for _, identity := range identities {
		uris[identity.URI] = identity.Account
	}

	return names, uris, err
}

// addAll writes accounts, with the movements that their first money came by.
func (tx Tx) addAll(all []New, accounts []*Account, identities []*Identity) error {
	if err := tx.store.accounts.Insert(tx.DB, accounts); err != nil {
		return err
	}

	if err := tx.store.identities.Insert(tx.DB, identities); err != nil {
		return err
	}

	names := make([]string, len(all))
	for i, n := range all {
		names[i] = n.Name
	}

	if err := tx.fetch(names); err != nil {
		return err
	}

	cash := tx.store.cash.ID

	for _, n := range all {
		if id := tx.about.purses[n.Name].Account.ID; n.Amount > 0 {
			tx.about.movements = append(tx.about.movements, &Movement{
				At: accounts[0].Created, Kind: "top-up", Note: "first money", Owner: id, FromAccount: cash, ToAccount: id, Amount: n.Amount,
			})
			tx.about.changes[cash] -= n.Amount
		}
	}

	return tx.write()
}
