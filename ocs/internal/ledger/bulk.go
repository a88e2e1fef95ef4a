package ledger

import (
	"context"
	"fmt"
)

// New is an account to be made.
type New struct {
	Name, Tariff string
	Identities   []string
	Amount       int64 // initial
}

// AddAll makes several accounts in one transaction: all of them, or none; refused is then the index of the cause.
func (s *Store) AddAll(ctx context.Context, all []New) (refused int, err error) {
	err = s.Update(ctx, func(tx Tx) error {
		taken, uris, err := tx.among(all)
		if err != nil {
			return err
		}

		var (
			accounts   []*Account
			identities []*Identity
			now        = s.Now()
		)

		for i, n := range all {
			refused = i

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

			accounts = append(
				accounts,
				&Account{Name: n.Name, Kind: Subscriber, Tariff: n.Tariff, Created: now},
				&Account{Name: n.Name, Kind: Reserved, Created: now},
			)
		}

		refused = -1

		return tx.addAll(all, accounts, identities)
	})

	return refused, err
}

// among returns which of these names and identities exist, and to which accounts the identities belong.
func (tx Tx) among(all []New) (names map[string]bool, uris map[string]string, err error) {
	var (
		wanted, wantedURIs []string
		found              []string
		owned              []Identity
	)

	for _, n := range all {
		wanted, wantedURIs = append(wanted, n.Name), append(wantedURIs, n.Identities...)
	}

	names, uris = map[string]bool{}, map[string]string{}

	if err := tx.Model(&Account{}).Where("name IN ?", wanted).Pluck("name", &found).Error; err != nil {
		return nil, nil, err
	}

	for _, name := range found {
		names[name] = true
	}

	for len(wantedURIs) > 0 { // databases limit the values in one query
		some := wantedURIs[:min(len(wantedURIs), 500)]
		wantedURIs = wantedURIs[len(some):]

		if err := tx.Where("uri IN ?", some).Find(&owned).Error; err != nil {
			return nil, nil, err
		}

		for _, identity := range owned {
			uris[identity.URI] = identity.Account
		}

		owned = nil
	}

	return names, uris, nil
}

func (tx Tx) addAll(all []New, accounts []*Account, identities []*Identity) error {
	const atOnce = 500 // rows

	if err := tx.CreateInBatches(accounts, atOnce).Error; err != nil {
		return err
	}

	if len(identities) > 0 {
		if err := tx.CreateInBatches(identities, atOnce).Error; err != nil {
			return err
		}
	}

	cash, posting := tx.cash(), tx.Posting("", "first money")
	for i, n := range all {
		posting.Move("top-up", cash, accounts[2*i], n.Amount)
	}

	return posting.Write()
}
