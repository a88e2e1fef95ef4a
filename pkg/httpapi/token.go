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

// TokenVariable is the environment variable with the path of this machine's token, for all functions and their commands.
const TokenVariable = "DIALTONE_ADMIN_TOKEN_FILE"

// defaultTokenFile returns the token file of a user's functions and commands.
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

// MakeDefaultToken creates this user's token unless it exists. The file is "" if it cannot be created.
func MakeDefaultToken() (file string, err error) {
	file = defaultTokenFile()
	if _, err := readToken(file); err != nil {
		return "", err
	}

	return file, nil
}

// readToken reads a token from its file, or creates the file, readable by its owner only. Several functions may do so at the same time: all
// get the same token.
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

	if err := os.Link(own.Name(), file); err != nil && !errors.Is(err, os.ErrExist) { // complete at once, or another's
		return err
	}

	return nil
}

// TokenFor returns the token that a command sends to base: that in file (the default one if empty) for a base on this machine, "" for other
// machines.
func TokenFor(base, file string) string {
	if !here(base) {
		return ""
	}

	if file == "" {
		file = defaultTokenFile()
	}

	text, err := os.ReadFile(file)
	if err != nil { // 401 will tell what is needed
		return ""
	}

	return strings.TrimSpace(string(text))
}

// Local returns a client of a function on this machine, with this machine's token.
func Local(base string) Client { return Client{Base: base, Token: TokenFor(base, "")} }

// here reports whether base is on this machine.
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
