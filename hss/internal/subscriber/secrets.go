package subscriber

import (
	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/hss/internal/vault"
)

// Secrets are what a private identity shares with its SIM or user. OP is nil if OPc was entered.
type Secrets struct {
	K, OP, OPc []byte
	Password   []byte
}

// secrets unseals the secrets of a private identity.
func (s *Store) secrets(p *PrivateIdentity) (Secrets, error) {
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

// setSecrets seals the secrets into the identity, which the caller then saves.
func (s *Store) setSecrets(p *PrivateIdentity, secrets Secrets) {
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

// reseal unseals everything of an identity, and seals it again if that was done with an older key.
func (s *Store) reseal(tx *gorm.DB, p *PrivateIdentity) error {
	secrets, err := s.secrets(p)
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

	s.setSecrets(p, secrets)

	return tx.Model(p).Select("SealedK", "SealedOP", "SealedOPc", "SealedPassword").Updates(p).Error
}
