// Package vault encrypts the secrets in the subscriber database: K, OP, OPc and passwords. The keys are in a file of their own, so that a
// copy of the database alone reveals nothing.
package vault

import (
	"bufio"
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// Vault seals with its newest key and unseals with any of its keys.
type Vault struct {
	keys    map[uint32]cipher.AEAD
	current uint32
}

const header = 1 + 4 // format, key id

const format = 1

// Create creates a key file that only its owner can read, with one key. It never replaces a file.
func Create(path string) (*Vault, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}

	if err := errors.Join(writeKey(file, 1), file.Sync(), file.Close()); err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}

	return Open(path)
}

// AddKey appends a new key, which seals from the next start on.
func AddKey(path string) (uint32, error) {
	v, err := Open(path)
	if err != nil {
		return 0, err
	}

	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return 0, fmt.Errorf("key file: %w", err)
	}

	id := v.current + 1
	if err := errors.Join(writeKey(file, id), file.Sync(), file.Close()); err != nil {
		return 0, fmt.Errorf("key file: %w", err)
	}

	return id, nil
}

func writeKey(file *os.File, id uint32) error {
	key := make([]byte, chacha20poly1305.KeySize)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	_, err := fmt.Fprintf(file, "%d %s\n", id, base64.StdEncoding.EncodeToString(key))

	return err
}

// Open reads a key file: one line "ID KEY" for each key, the highest id being the current one. A file that others may read is refused. The
// error is fs.ErrNotExist if there is no file.
func Open(path string) (*Vault, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}

	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key file: %s may be read by others (mode %v): chmod 600 it", path, info.Mode().Perm())
	}

	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}

	v := &Vault{keys: map[uint32]cipher.AEAD{}}

	for scanner := bufio.NewScanner(bytes.NewReader(content)); scanner.Scan(); {
		if err := v.add(scanner.Text()); err != nil {
			return nil, fmt.Errorf("key file: %s: %w", path, err)
		}
	}

	if len(v.keys) == 0 {
		return nil, fmt.Errorf("key file: %s holds no key", path)
	}

	return v, nil
}

// Missing reports whether Open failed because there is no key file.
func Missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func (v *Vault) add(line string) error {
	line = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, "#") {
		return nil
	}

	name, encoded, _ := strings.Cut(line, " ")

	id, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		return errors.New("a line does not begin with a key id")
	}

	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return fmt.Errorf("key %d is not base64", id)
	}

	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return fmt.Errorf("key %d: %w", id, err)
	}

	if _, twice := v.keys[uint32(id)]; twice {
		return fmt.Errorf("key %d is there twice", id)
	}

	v.keys[uint32(id)] = aead
	v.current = max(v.current, uint32(id))

	return nil
}

// Seal encrypts a field of an identity. The result is bound to the identity and the field: copied to another row or column, it cannot be
// unsealed.
func (v *Vault) Seal(identity, field string, plain []byte) []byte {
	if plain == nil {
		return nil
	}

	sealed := make([]byte, header+chacha20poly1305.NonceSizeX, header+chacha20poly1305.NonceSizeX+len(plain)+chacha20poly1305.Overhead)
	sealed[0] = format
	binary.BigEndian.PutUint32(sealed[1:], v.current)
	nonce := sealed[header:]
	_, _ = rand.Read(nonce) // never fails (crypto/rand)

	return v.keys[v.current].Seal(sealed, nonce, plain, bound(sealed[:header], identity, field))
}

// Unseal decrypts a field of an identity.
func (v *Vault) Unseal(identity, field string, sealed []byte) ([]byte, error) {
	if sealed == nil {
		return nil, nil
	}

	if len(sealed) < header+chacha20poly1305.NonceSizeX || sealed[0] != format {
		return nil, fmt.Errorf("%s of %s was not sealed by this program", field, identity)
	}

	id := KeyOf(sealed)

	aead, found := v.keys[id]
	if !found {
		return nil, fmt.Errorf("%s of %s is sealed with key %d, which the key file does not hold", field, identity, id)
	}

	nonce, text := sealed[header:header+chacha20poly1305.NonceSizeX], sealed[header+chacha20poly1305.NonceSizeX:]

	plain, err := aead.Open([]byte{}, nonce, text, bound(sealed[:header], identity, field))
	if err != nil {
		return nil, fmt.Errorf(
			"%s of %s does not open with key %d: the key file is not this database's, or the row was changed",
			field,
			identity,
			id,
		)
	}

	return plain, nil
}

// KeyOf returns the id of the key that sealed a value.
func KeyOf(sealed []byte) uint32 {
	if len(sealed) < header {
		return 0
	}

	return binary.BigEndian.Uint32(sealed[1:])
}

// Current returns the id of the key that Seal uses.
func (v *Vault) Current() uint32 { return v.current }

func bound(head []byte, identity, field string) []byte {
	return append(append(append(append([]byte(nil), head...), identity...), 0), field...)
}
