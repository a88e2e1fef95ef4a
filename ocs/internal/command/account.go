package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/ocs/internal/api"
)

func (c *client) account() *cobra.Command {
	group := &cobra.Command{
		Use: "account", Short: "prepaid accounts",
		Long: "Prepaid accounts. NAME is that of an account, or an identity that pays from it, in any form: MSISDN, tel:, sip:, imsi:, " +
			"user or user@domain.\n\n" + unit,
	}
	group.AddCommand(c.accountAdd(), c.accountShow(), c.accountList(), c.accountTopUp(), c.accountSet(), c.accountClose())

	return group
}

func showAccounts(w io.Writer, all []api.Account) {
	row(w, "NAME", "BALANCE", "RESERVED", "TARIFF", "STATE", "IDENTITIES")

	for _, a := range all {
		state := "open"

		switch {
		case a.Closed != nil:
			state = "closed"
		case a.Blocked:
			state = "blocked"
		}

		row(w, a.Name, a.Balance, a.Reserved, a.Tariff, state, strings.Join(a.Identities, " "))
	}
}

func showAccount(w io.Writer, a api.Account) { showAccounts(w, []api.Account{a}) }

func accountPath(name string) string { return "/accounts/" + url.PathEscape(name) }

// minor is an amount of money as typed.
type minor int64

// unit is the help text on amounts.
const unit = "Amounts of money are whole numbers of the smallest unit of the currency (cents): 1050 is 10.50."

// Set parses an amount. A decimal point is refused, so that 10 and 10.00 cannot be confused.
func (m *minor) Set(text string) error {
	amount, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%q is no amount: amounts are whole numbers of the smallest unit (cents), %s", text, instead(text))
	}

	*m = minor(amount)

	return nil
}

// instead returns the right form of an amount with a point, or an example.
func instead(text string) string {
	whole, part, found := strings.Cut(strings.Replace(text, ",", ".", 1), ".")
	digits := strings.TrimLeft(whole+part, "0")

	if found && len(part) == 2 && whole != "" && digits != "" && strings.Trim(digits, "0123456789") == "" {
		return digits + " for " + text
	}

	return "1050 for 10.50"
}

// UnmarshalJSON reads an amount from a file: a number, or the text of CSV.
func (m *minor) UnmarshalJSON(value []byte) error {
	text := string(value)
	if json.Unmarshal(value, &text) != nil { // a number
		text = string(value)
	}

	if err := m.Set(text); err != nil {
		return fmt.Errorf("balance: %w", err)
	}

	return nil
}

func (m *minor) String() string { return strconv.FormatInt(int64(*m), 10) }

// Type implements pflag.Value.
func (m *minor) Type() string { return "AMOUNT" }

func (c *client) accountAdd() *cobra.Command {
	var (
		n     api.NewAccount
		file  string
		after int
		pass  bool
	)

	add := &cobra.Command{
		Use:   "add NAME",
		Short: "open an account, or those of a file",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case file != "" && len(args) == 0 && len(n.Identities) == 0:
				return c.addFile(cmd, file, after, pass, n)
			case pass && file == "":
				return errors.New("--skip-existing is for --file")
			case file != "" || len(args) == 0:
				return errors.New("give the NAME of an account, or --file without --identity")
			}

			n.Name = args[0]

			return ask(c, cmd, "POST", "/accounts", n, func(w io.Writer, a api.Account) {
				for _, warning := range a.Warnings {
					fmt.Fprintln(cmd.ErrOrStderr(), "warning:", warning)
				}

				showAccount(w, a)
			})
		},
	}
	add.Flags().StringVar(
		&file,
		"file",
		"",
		"many: an array of JSON, JSON lines, or CSV, also those that the HSS takes; - for the standard input",
	)
	add.Flags().IntVar(&after, "after", 0, "of the file, only what is behind this `line`")
	add.Flags().BoolVar(&pass, "skip-existing", false, "of a file, pass over accounts and payers that are there already")
	add.Flags().StringSliceVar(&n.Identities, "identity", nil, "who pays from it: tel:+1…, sip:…, imsi:…, nai:…; may be repeated")
	add.Flags().Var((*minor)(&n.Balance), "balance", "first money, in cents: 1050 is 10.50; of a file, for those without")
	add.Flags().StringVar(&n.Tariff, "tariff", "", "price list, if not the configured one; of a file, for those without")

	return add
}

func (c *client) accountShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "show one account",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(c, cmd, "GET", accountPath(args[0]), nil, showAccount)
		},
	}
}

func (c *client) accountList() *cobra.Command {
	var identity, after string

	var limit int

	list := &cobra.Command{Use: "list", Short: "list accounts by name", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return ask(
			c,
			cmd,
			"GET",
			query("/accounts", map[string]string{"identity": identity, "after": after, "limit": fmt.Sprint(limit)}),
			nil,
			showAccounts,
		)
	}}
	list.Flags().StringVar(&identity, "identity", "", "only the account that this identity pays from")
	list.Flags().IntVar(&limit, "limit", 0, "at most so many (100)")
	list.Flags().StringVar(&after, "after", "", "those after this name")

	return list
}

func (c *client) accountTopUp() *cobra.Command {
	var t api.TopUp

	topUp := &cobra.Command{
		Use:   "top-up NAME AMOUNT",
		Short: "bring money, in cents: 1050 is 10.50",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := (*minor)(&t.Amount).Set(args[1]); err != nil {
				return err
			}

			return ask(c, cmd, "POST", accountPath(args[0])+"/top-up", t, showAccount)
		},
	}
	topUp.Flags().StringVar(&t.Note, "note", "", "what for")
	topUp.Flags().StringVar(&t.Reference, "reference", "", "of the payment: the same one again brings nothing")

	return topUp
}

func (c *client) accountSet() *cobra.Command {
	var (
		tariff         string
		identities     []string
		block, unblock bool
	)

	set := &cobra.Command{
		Use:   "set NAME",
		Short: "change an account",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var change api.Change
			if cmd.Flags().Changed("tariff") {
				change.Tariff = &tariff
			}

			if cmd.Flags().Changed("identity") {
				change.Identities = &identities
			}

			if block || unblock {
				change.Blocked = &block
			}

			return ask(c, cmd, "PATCH", accountPath(args[0]), change, showAccount)
		},
	}
	set.Flags().StringVar(&tariff, "tariff", "", `price list of calls from now on; "" for the configured one`)
	set.Flags().StringSliceVar(&identities, "identity", nil, "instead of those it has; may be repeated")
	set.Flags().BoolVar(&block, "block", false, "nothing new may begin on it")
	set.Flags().BoolVar(&unblock, "unblock", false, "the opposite")
	set.MarkFlagsMutuallyExclusive("block", "unblock")
	set.MarkFlagsOneRequired("tariff", "identity", "block", "unblock")

	return set
}

func (c *client) accountClose() *cobra.Command {
	return &cobra.Command{
		Use:   "close NAME",
		Short: "pay an account out and close it for ever",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.Do(cmd.Context(), "DELETE", accountPath(args[0]), nil, nil)
		},
	}
}
