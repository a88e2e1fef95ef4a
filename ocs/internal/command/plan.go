package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
)

func (c *client) plan() *cobra.Command {
	group := &cobra.Command{
		Use:   "plan",
		Short: "price plans in files",
		Long:  "Price plans in files, before they are published with tariff set.\n\n" + unit,
	}
	group.AddCommand(c.planCheck(), c.planDiff())

	return group
}

// planCheck returns the command that looks for faults. A plan that can be used but cannot be meant ends with status 1, too.
func (c *client) planCheck() *cobra.Command {
	var from string

	check := &cobra.Command{
		Use:   "check FILE",
		Short: "find gaps, overlaps and rates that are never used, with their lines",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := read(cmd, args[0])
			if err != nil {
				return err
			}

			since := time.Now()
			if from != "" {
				if since, err = time.Parse(time.DateOnly, from); err != nil {
					return fmt.Errorf("--since: %q is no day, as 2026-03-29", from)
				}
			}

			notices, err := rating.Check(text, since.Truncate(time.Hour))
			if c.json {
				return writeFindings(cmd.OutOrStdout(), notices, err)
			}

			if err != nil {
				return fmt.Errorf("%s cannot be used:\n%w", args[0], err)
			}

			if len(notices) > 0 {
				return fmt.Errorf("%s can be used, but:\n%w", args[0], notices)
			}

			_, err = fmt.Fprintln(cmd.OutOrStdout(), "no gaps, no overlaps, every rate is used")

			return err
		},
	}
	check.Flags().StringVar(&from, "since", "", "the two years from this day on are looked at; today, if it is left out")

	return check
}

// writeFindings prints what check found as JSON.
func writeFindings(w io.Writer, notices rating.Faults, unusable error) error {
	found := struct {
		Usable   bool          `json:"usable"`
		Findings rating.Faults `json:"findings"`
	}{unusable == nil, append(rating.Faults{}, notices...)}

	var faults rating.Faults
	if errors.As(unusable, &faults) {
		found.Findings = faults
	}

	if err := writeJSON(w, found); err != nil || len(found.Findings) == 0 {
		return err
	}

	return fmt.Errorf("findings: %d", len(found.Findings))
}

// find returns a plan from a file, or of a name from the OCS.
func (c *client) find(cmd *cobra.Command, name string) (*rating.Plan, error) {
	if _, err := os.Stat(name); err == nil || name == "-" {
		text, err := read(cmd, name)
		if err != nil {
			return nil, err
		}

		plan, err := rating.Read(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}

		if plan.Name == "" {
			plan.Name = name
		}

		return plan, nil
	}

	var t rating.Tariff
	if err := c.Do(cmd.Context(), "GET", tariffPath(name), nil, &t); err != nil {
		return nil, fmt.Errorf("there is no file %s, and of the OCS: %w", name, err)
	}

	return rating.Compile(&t)
}
