// Package command is the command line of a running OCS: it uses the OCS's API.
package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// All returns the commands, except the one that serves.
func All() []*cobra.Command {
	c := &client{}
	c.Next = &c.next
	groups := []*cobra.Command{c.account(), c.tariff(), c.plan(), c.rate(), c.session(), c.ledger(), c.cdr()}

	address := os.Getenv("DIALTONE_OCS_ADMIN_ADDRESS") // as the OCS itself reads it
	if address == "" {
		address = "127.0.0.14:9090"
	}

	for _, group := range groups {
		flags := group.PersistentFlags()
		flags.StringVar(&c.Base, "api", "http://"+address, "admin HTTP of the OCS")
		flags.StringVar(&c.Token, "token", "", "bearer token of the admin HTTP (DIALTONE_OCS_ADMIN_TOKEN); without it that of this machine")
		flags.BoolVar(&c.json, "json", false, "print JSON: what the API answers, or the command finds")
		group.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return inWords(err) })
		group.PersistentPreRun = func(*cobra.Command, []string) { c.authorise() }
	}

	return append(groups, experiment())
}

type client struct {
	httpapi.Client
	json bool
	next string // page of the last list
}

var unread = regexp.MustCompile(`strconv\.Parse(\w+): parsing "[^"]*": (.*)$`)

// inWords says what a value on the command line should be.
func inWords(err error) error {
	found := unread.FindStringSubmatch(err.Error())
	if found == nil {
		return err
	}

	should := map[string]string{"Uint": "a whole number from 0 on", "Int": "a whole number", "Bool": "true or false"}[found[1]]

	switch {
	case should == "":
		should = "another value"
	case strings.Contains(found[2], "range"):
		should += ", and a smaller one"
	}

	return errors.New(strings.TrimSuffix(err.Error(), found[0]) + "it should be " + should)
}

// writeJSON prints what a command has found by itself.
func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")

	return encoder.Encode(value)
}

// authorise finds the token if the command line does not give it.
func (c *client) authorise() {
	if c.Token == "" {
		c.Token = os.Getenv("DIALTONE_OCS_ADMIN_TOKEN")
	}

	if c.Token == "" {
		c.Token = httpapi.TokenFor(c.Base, os.Getenv("DIALTONE_OCS_ADMIN_TOKEN_FILE"))
	}
}

// ask sends one request and prints the answer: as JSON, or with show.
func ask[T any](c *client, cmd *cobra.Command, method, path string, in any, show func(w io.Writer, answer T)) error {
	var text json.RawMessage
	if err := c.Do(cmd.Context(), method, path, in, &text); err != nil {
		return err
	}

	defer c.more(cmd)

	if c.json {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, text, "", "  "); err != nil {
			return err
		}

		_, err := fmt.Fprintln(cmd.OutOrStdout(), pretty.String())

		return err
	}

	var answer T
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}

	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	show(table, answer)

	return table.Flush()
}

// more tells after a list that there is more of it, if so.
func (c *client) more(cmd *cobra.Command) { httpapi.WriteMore(cmd.ErrOrStderr(), c.next) }

// row writes one line of a table.
func row(w io.Writer, cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		if texts[i] = fmt.Sprint(cell); texts[i] == "" {
			texts[i] = "-"
		}
	}

	fmt.Fprintln(w, strings.Join(texts, "\t"))
}

// query returns a path with the parameters that are not empty.
func query(path string, parameters map[string]string) string {
	values := url.Values{}

	for name, value := range parameters {
		if value != "" && value != "0" {
			values.Set(name, value)
		}
	}

	if len(values) == 0 {
		return path
	}

	return path + "?" + values.Encode()
}
