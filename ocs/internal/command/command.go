// Package command is the command line of a running OCS: it talks to the OCS's API.
package command

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/ocs/internal/api"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// All are the commands besides serving.
func All() []*cobra.Command {
	c := &client{}
	groups := []*cobra.Command{c.account(), c.tariff(), c.shown("session", "charging sessions that are open", "/sessions"),
		c.shown("cdr", "records of what was charged", "/cdrs"), c.shown("ledger", "accounts, movements and their sums", "/ledger")}

	for _, group := range groups {
		group.PersistentFlags().StringVar(&c.Base, "api", "http://127.0.0.14:9090", "admin address of the OCS")
		group.PersistentFlags().StringVar(&c.Token, "token", os.Getenv("DIALTONE_OCS_TOKEN"), "bearer token, if the OCS wants one")
	}

	return groups
}

type client struct{ httpapi.Client }

// call does one request and prints the answer.
func (c *client) call(cmd *cobra.Command, method, path string, in any) error {
	var answer json.RawMessage
	if err := c.Do(cmd.Context(), method, path, in, &answer); err != nil {
		return err
	}

	_, err := fmt.Fprintln(cmd.OutOrStdout(), string(answer))

	return err
}

func (c *client) shown(name, short, path string) *cobra.Command {
	group := &cobra.Command{Use: name, Short: short}

	var account string

	list := &cobra.Command{Use: "list", Short: "list " + short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return c.call(cmd, "GET", path+"?account="+url.QueryEscape(account), nil)
	}}
	list.Flags().StringVar(&account, "account", "", "only of this account")
	group.AddCommand(list)

	return group
}

func (c *client) account() *cobra.Command {
	group := &cobra.Command{Use: "account", Short: "prepaid accounts"}

	var n api.NewAccount

	add := &cobra.Command{Use: "add NAME", Short: "open an account", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		n.Name = args[0]
		return c.call(cmd, "POST", "/accounts", n)
	}}
	add.Flags().StringSliceVar(&n.Identities, "identity", nil, "who pays from it: tel:+1…, sip:…, imsi:…; may be repeated")
	add.Flags().Int64Var(&n.Balance, "balance", 0, "first money, in minor units")
	add.Flags().StringVar(&n.Tariff, "tariff", "", "price list, if not the configured one")

	var t api.TopUp

	topUp := &cobra.Command{Use: "top-up NAME AMOUNT", Short: "bring money, in minor units", Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
		if _, err := fmt.Sscan(args[1], &t.Amount); err != nil {
			return fmt.Errorf("amount %q: %w", args[1], err)
		}

		return c.call(cmd, "POST", "/accounts/"+url.PathEscape(args[0])+"/top-up", t)
	}}
	topUp.Flags().StringVar(&t.Note, "note", "", "what for")

	group.AddCommand(add, topUp,
		&cobra.Command{Use: "list", Short: "list all accounts", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			return c.call(cmd, "GET", "/accounts", nil)
		}},
		&cobra.Command{Use: "show NAME", Short: "show one account", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, "GET", "/accounts/"+url.PathEscape(args[0]), nil)
		}})

	return group
}

func (c *client) tariff() *cobra.Command {
	group := &cobra.Command{Use: "tariff", Short: "price lists"}
	group.AddCommand(
		&cobra.Command{Use: "list", Short: "list all price lists", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			return c.call(cmd, "GET", "/tariffs", nil)
		}},
		&cobra.Command{Use: "set NAME FILE", Short: "make a price list what a JSON file says; running calls keep their price", Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[1])
			if err != nil {
				return err
			}

			t := rating.Tariff{Name: args[0]}
			if err := json.Unmarshal(text, &t); err != nil {
				return fmt.Errorf("%s: %w", args[1], err)
			}

			return c.call(cmd, "PUT", "/tariffs/"+url.PathEscape(args[0]), t)
		}})

	return group
}
