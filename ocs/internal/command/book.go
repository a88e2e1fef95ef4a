package command

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/ocs/internal/api"
	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/reauth"
)

const clock = "2006-01-02 15:04:05"

func (c *client) session() *cobra.Command {
	var account, after string

	var limit int

	list := &cobra.Command{
		Use:   "list",
		Short: "list charging sessions that are open",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(
				c,
				cmd,
				"GET",
				query("/sessions", map[string]string{"account": account, "after": after, "limit": fmt.Sprint(limit)}),
				nil,
				func(w io.Writer, all []credit.Session) {
					row(w, "ACCOUNT", "CALLED", "STARTED", "USED", "CHARGED", "RESERVED", "TARIFF", "SESSION")

					for _, s := range all {
						row(
							w,
							s.Account,
							s.Called,
							s.Started.Format(clock),
							fmt.Sprintf("%ds", s.Used),
							s.Charged,
							s.Reserved,
							fmt.Sprintf("%s/%d", s.Tariff, s.TariffVersion),
							s.ID,
						)
					}
				},
			)
		},
	}
	list.Flags().StringVar(&account, "account", "", "only of this account")
	list.Flags().StringVar(&after, "after", "", "those after this session")
	list.Flags().IntVar(&limit, "limit", 0, "at most so many (100)")

	reauthorise := &cobra.Command{
		Use: "reauth SESSION", Short: "have the network function report, and ask for credit anew (RAR)", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(c, cmd, "POST", "/sessions/"+url.PathEscape(args[0])+"/reauth", nil, showAsked)
		},
	}
	abort := &cobra.Command{
		Use: "abort SESSION", Short: "have the network function end the session (ASR)", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(c, cmd, "DELETE", "/sessions/"+url.PathEscape(args[0]), nil, showAsked)
		},
	}

	group := &cobra.Command{Use: "session", Short: "charging sessions that are open", Long: "Charging sessions that are open.\n\n" + unit}
	group.AddCommand(list, reauthorise, abort, c.sessionClose())

	return group
}

// sessionClose returns the command that ends a session by asking its network function, or by force without asking.
func (c *client) sessionClose() *cobra.Command {
	var force bool

	command := &cobra.Command{
		Use: "close SESSION", Short: "end a session (ASR); with --force also one whose network function is gone", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/sessions/" + url.PathEscape(args[0])
			if force {
				return ask(c, cmd, "DELETE", path+"?force=true", nil, func(w io.Writer, closed api.Closed) {
					row(w, "ACCOUNT", "CHARGED", "RETURNED", "SESSION")
					row(w, closed.Account, closed.Charged, closed.Returned, closed.Session)
				})
			}

			asked := true
			err := ask(c, cmd, "DELETE", path, nil, func(w io.Writer, a reauth.Answer) {
				showAsked(w, a)
				asked = a.Outcome == reauth.Asked
			})
			if err == nil && !asked {
				err = errors.New("the network function will not end it; if it is gone: --force")
			}

			return err
		},
	}
	command.Flags().BoolVar(&force, "force", false, "give back what is reserved at once, and ask nobody; what is reported later is not paid")

	return command
}

func showAsked(w io.Writer, a reauth.Answer) {
	row(w, "COMMAND", "OUTCOME", "RESULT", "DETAIL")
	row(w, a.Command, a.Outcome, a.Result, a.Detail)
}

func (c *client) ledger() *cobra.Command {
	var (
		account, session, before string
		limit                    int
	)

	show := &cobra.Command{
		Use:     "show",
		Aliases: []string{"list"},
		Short:   "accounts and movements, the newest first",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := query("/ledger", map[string]string{"account": account, "session": session, "before": before, "limit": fmt.Sprint(limit)})

			return ask(c, cmd, "GET", path, nil, func(w io.Writer, l api.Ledger) {
				if l.MoreAccounts {
					fmt.Fprintln(cmd.ErrOrStderr(), "there are more accounts: ocs account list")
				}

				showLedger(w, l)
			})
		},
	}
	show.Flags().StringVar(&account, "account", "", "only of this account")
	show.Flags().StringVar(&session, "session", "", "only movements of this charging session")
	show.Flags().IntVar(&limit, "limit", 0, "at most so many movements (100)")
	show.Flags().StringVar(&before, "before", "", "those before this movement")

	audit := &cobra.Command{
		Use:   "audit",
		Short: "look at every entry; fails if the ledger does not add up",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sound := true

			err := ask(c, cmd, "GET", "/ledger/audit", nil, func(w io.Writer, a ledger.Audit) {
				fmt.Fprintf(
					w,
					"%d movements, %d entries: balances add up to %d, entries to %d\n",
					a.Movements,
					a.Entries,
					a.SumOfBalances,
					a.SumOfEntries,
				)

				for _, finding := range a.Findings {
					fmt.Fprintln(w, finding)
				}

				sound = len(a.Findings) == 0 && a.SumOfBalances == 0 && a.SumOfEntries == 0
			})
			if err == nil && !sound {
				err = errors.New("the ledger does not add up")
			}

			return err
		},
	}

	group := &cobra.Command{Use: "ledger", Short: "every movement of money", Long: "Every movement of money.\n\n" + unit}
	group.AddCommand(show, audit)

	return group
}

func showLedger(w io.Writer, l api.Ledger) {
	names := map[uint64]string{}

	row(w, "ACCOUNT", "KIND", "BALANCE")

	for _, a := range l.Accounts {
		names[a.ID] = a.Name + " " + a.Kind
		row(w, a.Name, a.Kind, a.Balance)
	}

	row(w, "sum", "", l.SumOfBalances)
	fmt.Fprintln(w)
	row(w, "MOVEMENT", "AT", "KIND", "AMOUNT", "FROM", "TO", "SESSION OR NOTE")

	for _, m := range l.Movements {
		var from, to string

		var amount int64

		for _, e := range m.Entries {
			name := names[e.AccountID]
			if name == "" {
				name = fmt.Sprint("account ", e.AccountID)
			}

			if e.Amount < 0 {
				from = name
			} else {
				to, amount = name, e.Amount
			}
		}

		row(w, m.ID, m.At.Format(clock), m.Kind, amount, from, to, strings.TrimSpace(m.Session+" "+m.Note))
	}
}

func (c *client) cdr() *cobra.Command {
	var (
		account, session, from, to, before, format string
		limit                                      int
	)

	list := &cobra.Command{
		Use:   "list",
		Short: "list records of what was charged, the newest first",
		Long: "List records of what was charged, the newest first.\n\nSETUP is from the INVITE to the answer, or to the end if there was none: " +
			"nobody pays for it.\nTALK is from the answer to the end, as the S-CSCF has reported it, in seconds that have begun: AMOUNT is " +
			"for that.\n--format json and csv have both as times (started, answered, ended), duration_seconds for both together, and " +
			"billed_seconds for TALK.\n\n" + unit,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			parameters := map[string]string{
				"account": account,
				"session": session,
				"from":    from,
				"to":      to,
				"before":  before,
				"limit":   fmt.Sprint(limit),
			}
			if format == "table" {
				return ask(c, cmd, "GET", query("/cdrs", parameters), nil, showCDRs)
			}

			parameters["format"] = format

			if err := c.Copy(cmd.Context(), query("/cdrs", parameters), cmd.OutOrStdout()); err != nil {
				return err
			}

			c.more(cmd)

			return nil
		},
	}
	list.Flags().StringVar(&account, "account", "", "only of this account")
	list.Flags().StringVar(&session, "session", "", "only of this charging session")
	list.Flags().StringVar(&from, "from", "", "ended at this time or later, as in 2026-01-31T00:00:00Z")
	list.Flags().StringVar(&to, "to", "", "ended before this time")
	list.Flags().StringVar(&before, "before", "", "those before the record with this number")
	list.Flags().IntVar(&limit, "limit", 0, "at most so many (100, up to 10000)")
	list.Flags().StringVar(&format, "format", "table", "table, json, jsonl or csv")

	group := &cobra.Command{Use: "cdr", Short: "records of what was charged", Long: "Records of what was charged.\n\n" + unit}
	group.AddCommand(list)

	return group
}

func showCDRs(w io.Writer, all []credit.CDR) {
	row(w, "NUMBER", "KIND", "ACCOUNT", "CALLING", "CALLED", "ENDED", "SETUP", "TALK", "AMOUNT", "CAUSE", "Q.850")

	for _, r := range all {
		row(
			w,
			r.ID,
			r.Kind,
			r.Account,
			r.Calling,
			r.Called,
			r.Ended.Format(clock),
			setup(r),
			talk(r),
			r.Amount,
			r.Cause,
			r.Q850,
		)
	}
}

// setup returns the time from the INVITE to the answer of a call, or to its end.
func setup(r credit.CDR) string {
	if !r.OfCall() {
		return ""
	}

	until := r.Ended
	if r.Answered != nil {
		until = *r.Answered
	}

	return fmt.Sprintf("%ds", max(0, until.Sub(r.Started)/time.Second))
}

// talk returns the reported time from the answer of a call to its end.
func talk(r credit.CDR) string {
	if !r.OfCall() {
		return ""
	}

	return fmt.Sprintf("%ds", r.Billed)
}
