package subscriber

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/hss/internal/vault"
)

// Secrets are what a private identity shares with its SIM or its user. OP is nil if OPc was entered.
type Secrets struct {
	K, OP, OPc []byte
	Password   []byte
}

// Secrets opens what is sealed of a private identity.
func (s *Store) Secrets(p *PrivateIdentity) (Secrets, error) {
	var opened Secrets

	for _, f := range fields(p, &opened) {
		plain, err := s.vault.Unseal(p.Identity, f.name, *f.sealed)
		if err != nil {
			return Secrets{}, err
		}

		*f.plain = plain
	}

	return opened, nil
}

// SetSecrets seals the secrets into the identity, which the caller then saves.
func (s *Store) SetSecrets(p *PrivateIdentity, secrets Secrets) {
	for _, f := range fields(p, &secrets) {
		*f.sealed = s.vault.Seal(p.Identity, f.name, *f.plain)
	}
}

type secretField struct {
	name   string
	sealed *[]byte
	plain  *[]byte
}

func fields(p *PrivateIdentity, s *Secrets) []secretField {
	return []secretField{
		{"k", &p.SealedK, &s.K},
		{"op", &p.SealedOP, &s.OP},
		{"opc", &p.SealedOPc, &s.OPc},
		{"password", &p.SealedPassword, &s.Password},
	}
}

// reseal opens everything of an identity, and seals it again if that was done with an older key.
func (s *Store) reseal(tx *gorm.DB, p *PrivateIdentity) error {
	secrets, err := s.Secrets(p)
	if err != nil {
		return err
	}

	old := false
	for _, f := range fields(p, &secrets) {
		old = old || *f.sealed != nil && vault.KeyOf(*f.sealed) != s.vault.Current()
	}

	if !old {
		return nil
	}

	s.SetSecrets(p, secrets)

	return tx.Model(p).Select("SealedK", "SealedOP", "SealedOPc", "SealedPassword").Updates(p).Error
}

// SecretsOf finds a private identity by name and opens its secrets.
func (s *Store) SecretsOf(ctx context.Context, identity string) (*PrivateIdentity, Secrets, error) {
	p := new(PrivateIdentity)

	result := s.db.Read.WithContext(ctx).Where("identity = ?", identity).Limit(1).Find(p)
	if result.Error != nil {
		return nil, Secrets{}, fmt.Errorf("secrets of %s: %w", identity, result.Error)
	}

	if result.RowsAffected == 0 {
		return nil, Secrets{}, ErrNotFound
	}

	secrets, err := s.Secrets(p)

	return p, secrets, err
}
