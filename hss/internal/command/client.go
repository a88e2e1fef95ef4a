// Package command is the HSS's command line: it uses the same API of a running HSS as everyone else.
package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/hss/internal/app"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// All returns the commands of the HSS, except the one that runs it.
func All() []*cobra.Command {
	return []*cobra.Command{subscribers(), profiles(), attempts(), pushes(), opc(), keys()}
}

// spoken is the help text on how commands take an identity.
const spoken = "An identity may be written in any form: IMSI, user name, MSISDN with or without +, tel: or sip: URI, or user@domain."

// remote is the HSS that a command uses.
type remote struct {
	base, token string
	json        bool
	next        string // page of the last list
}

// flags adds the flags, whose defaults come from the environment of the HSS's own configuration, so that both agree.
func (r *remote) flags(c *cobra.Command) {
	address := os.Getenv("DIALTONE_HSS_ADMIN_ADDRESS")
	if address == "" {
		address = app.Default().Admin.Address
	}

	c.PersistentFlags().StringVar(&r.base, "api", "http://"+address, "admin HTTP of the HSS")
	c.PersistentFlags().StringVar(
		&r.token,
		"token",
		"",
		"bearer token of the admin HTTP (DIALTONE_HSS_ADMIN_TOKEN); without it that of this machine",
	)
	c.PersistentFlags().BoolVar(&r.json, "json", false, "print the API's JSON")
}

func (r *remote) do(c *cobra.Command, method, path string, in, out any) error {
	token := r.token
	if token == "" {
		token = os.Getenv("DIALTONE_HSS_ADMIN_TOKEN")
	}

	if token == "" {
		token = httpapi.TokenFor(r.base, os.Getenv("DIALTONE_HSS_ADMIN_TOKEN_FILE"))
	}

	return httpapi.Client{Base: r.base, Token: token, Next: &r.next}.Do(c.Context(), method, path, in, out)
}

// show prints a document as JSON if requested, else as text.
func (r *remote) show(c *cobra.Command, document any, text func(w io.Writer)) error {
	if !r.json {
		text(c.OutOrStdout())
		return nil
	}

	encoder := json.NewEncoder(c.OutOrStdout())
	encoder.SetIndent("", "  ")

	return encoder.Encode(document)
}

// readFile reads a file, or the standard input for "-".
func readFile(c *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(c.InOrStdin(), 4<<20))
	}

	return os.ReadFile(name)
}

func decodeFile(c *cobra.Command, name string, into any) error {
	content, err := readFile(c, name)
	if err != nil {
		return err
	}

	return decodeFileContent(name, content, into)
}

func decodeFileContent(name string, content []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()

	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}

	return nil
}
