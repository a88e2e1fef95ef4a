package vault

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func create(t *testing.T) (*Vault, string) {
	t.Helper()

	path := filepath.Join(t.TempDir(), "keys")
	v, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}

	return v, path
}

func TestKeyFileIsPrivateAndNeverReplaced(t *testing.T) {
	_, path := create(t)

	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if _, err := Create(path); err == nil {
		t.Error("a key file was replaced")
	}
}

func TestSealedOpensOnlyInItsPlace(t *testing.T) {
	v, _ := create(t)
	secret := []byte("465b5ce8b199b49f")
	sealed := v.Seal("001@home", "k", secret)

	if bytes.Contains(sealed, secret) {
		t.Fatal("the secret is readable")
	}
	if bytes.Equal(sealed, v.Seal("001@home", "k", secret)) {
		t.Error("sealed twice the same")
	}
	if plain, err := v.Unseal("001@home", "k", sealed); err != nil || !bytes.Equal(plain, secret) {
		t.Fatalf("%q, %v", plain, err)
	}

	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1

	for name, try := range map[string]func() ([]byte, error){
		"another identity": func() ([]byte, error) { return v.Unseal("002@home", "k", sealed) },
		"another field":    func() ([]byte, error) { return v.Unseal("001@home", "opc", sealed) },
		"one bit changed":  func() ([]byte, error) { return v.Unseal("001@home", "k", changed) },
		"cut":              func() ([]byte, error) { return v.Unseal("001@home", "k", sealed[:10]) },
		"plain text":       func() ([]byte, error) { return v.Unseal("001@home", "k", bytes.Repeat([]byte("a"), 60)) },
	} {
		if plain, err := try(); err == nil {
			t.Errorf("%s: opened to %q", name, plain)
		}
	}

	if v.Seal("001@home", "op", nil) != nil {
		t.Error("nothing was sealed to something")
	}
}

func TestRotation(t *testing.T) {
	old, path := create(t)
	sealed := old.Seal("a", "k", []byte("secret"))

	id, err := AddKey(path)
	if err != nil || id != 2 {
		t.Fatalf("key %d, %v", id, err)
	}

	v, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := v.Unseal("a", "k", sealed); err != nil || string(plain) != "secret" {
		t.Errorf("old value: %q, %v", plain, err)
	}
	if KeyOf(v.Seal("a", "k", []byte("x"))) != 2 {
		t.Error("sealed with an old key")
	}

	other, _ := create(t)
	if _, err := other.Unseal("a", "k", sealed); err == nil || !strings.Contains(err.Error(), "not this database's") {
		t.Errorf("another vault: %v", err)
	}
	if _, err := other.Unseal("a", "k", v.Seal("a", "k", []byte("x"))); err == nil || !strings.Contains(err.Error(), "key 2") {
		t.Errorf("a key that is not there: %v", err)
	}
}

func TestBadKeyFiles(t *testing.T) {
	good := "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	tests := []struct {
		name, content string
		mode          os.FileMode
		want          string
	}{
		{"readable by others", "1 " + good, 0o644, "chmod 600"},
		{"empty", "# nothing\n", 0o600, "no key"},
		{"no id", good, 0o600, "key id"},
		{"not base64", "1 ???", 0o600, "not base64"},
		{"short key", "1 AAAA", 0o600, "key 1"},
		{"twice", "1 " + good + "\n1 " + good, 0o600, "twice"},
	}

	for _, test := range tests {
		path := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(path, []byte(test.content), test.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}

	if _, err := Open(filepath.Join(t.TempDir(), "none")); !Missing(err) {
		t.Errorf("no file: %v", err)
	}
}

func FuzzUnseal(f *testing.F) {
	path := filepath.Join(f.TempDir(), "keys")
	v, err := Create(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(v.Seal("a", "k", []byte("x")))
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, sealed []byte) { _, _ = v.Unseal("a", "k", sealed) })
}
