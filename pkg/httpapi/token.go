package httpapi

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// TokenVariable is the environment variable that says where the token of this machine's functions is, to all of them and to their
// commands alike.
const TokenVariable = "DIALTONE_ADMIN_TOKEN_FILE"

// defaultTokenFile returns where the functions that a user runs, and the commands of the same user, find their token.
func defaultTokenFile() string {
	if file := os.Getenv(TokenVariable); file != "" {
		return file
	}

	folder, err := os.UserConfigDir()
	if err != nil { // without a home
		folder = "var"
	}

	return filepath.Join(folder, "dialtone", "admin.token")
}

// MakeDefaultToken makes the token of this user unless there is one. The file is "" if it cannot be made.
func MakeDefaultToken() (file string, err error) {
	file = defaultTokenFile()
	if _, err := readToken(file); err != nil {
		return "", err
	}

	return file, nil
}

// readToken reads a token from its file, and makes one that only the owner can read if there is none. Several functions may do so at
// the same time: all get the same.
func readToken(file string) (string, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		if err := makeToken(file); err != nil {
			return "", err
		}

		text, err = os.ReadFile(file)
	}

	if err != nil {
		return "", err
	}

	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("%s is empty: delete it, and another is made", file)
	}

	return token, nil
}

func makeToken(file string) error {
	folder := filepath.Dir(file)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}

	own, err := os.CreateTemp(folder, ".admin.token-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(own.Name())

	_, err = own.WriteString(rand.Text() + "\n")
	if err := errors.Join(err, own.Sync(), own.Close()); err != nil {
		return err
	}

	if err := os.Link(own.Name(), file); err != nil && !errors.Is(err, os.ErrExist) { // there at once as a whole, or another's
		return err
	}

	return nil
}

// TokenFor returns the token that a command of this machine sends to base: what is in file (the default one if empty). Other machines
// are not told it.
func TokenFor(base, file string) string {
	if !here(base) {
		return ""
	}

	if file == "" {
		file = defaultTokenFile()
	}

	text, err := os.ReadFile(file)
	if err != nil { // 401 will say what is needed
		return ""
	}

	return strings.TrimSpace(string(text))
}

// Local returns a client of a function of this machine, with the token of this machine.
func Local(base string) Client { return Client{Base: base, Token: TokenFor(base, "")} }

// here reports whether base is at an address of this machine.
func here(base string) bool {
	at, err := url.Parse(base)
	if err != nil {
		return false
	}

	if at.Hostname() == "localhost" {
		return true
	}

	address, err := netip.ParseAddr(at.Hostname())
	if err != nil {
		return false
	}

	if address.IsLoopback() {
		return true
	}

	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}

	for _, o := range own {
		if prefix, err := netip.ParsePrefix(o.String()); err == nil && prefix.Addr().Unmap() == address.Unmap() {
			return true
		}
	}

	return false
}
