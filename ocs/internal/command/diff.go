package command

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
)

// planDiff returns the command that rates recorded CDRs under two plans.
func (c *client) planDiff() *cobra.Command {
	var file string

	diff := &cobra.Command{
		Use:   "diff A B --cdrs FILE",
		Short: "rate recorded CDRs under two plans, and show who pays more",
		Long: "Rates recorded CDRs under two plans: files, or names of tariffs. The CDRs are those of cdr list --format jsonl or json. " +
			"Refunds are left out.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var plans [2]*rating.Plan

			for i, name := range args {
				var err error
				if plans[i], err = c.find(cmd, name); err != nil {
					return err
				}
			}

			text, err := read(cmd, file)
			if err != nil {
				return err
			}

			records, err := readCDRs(text)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}

			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			showDiff(w, args, rerate(plans, records))

			return w.Flush()
		},
	}
	diff.Flags().StringVar(&file, "cdrs", "", "file, - is standard input")
	_ = diff.MarkFlagRequired("cdrs")

	return diff
}

// readCDRs reads JSON lines, or an array.
func readCDRs(text []byte) (all []credit.CDR, err error) {
	if start := bytes.TrimSpace(text); len(start) > 0 && start[0] == '[' {
		return all, json.Unmarshal(text, &all)
	}

	const longest = 1 << 20

	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, longest)

	for number := 1; lines.Scan(); number++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}

		var one credit.CDR
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}

		all = append(all, one)
	}

	return all, lines.Err()
}

// paid is what one account would pay.
type paid struct {
	account string
	records int
	costs   [2]int64
	without [2]int // records without a price
}

func (p *paid) more() int64 { return p.costs[1] - p.costs[0] }

func (p *paid) add(other *paid) {
	p.records += other.records

	for i := range p.costs {
		p.costs[i] += other.costs[i]
		p.without[i] += other.without[i]
	}
}

func rerate(plans [2]*rating.Plan, records []credit.CDR) (all []*paid) {
	accounts := map[string]*paid{}

	for i := range records {
		if records[i].Refunds != "" {
			continue
		}

		p := accounts[records[i].Account]
		if p == nil {
			p = &paid{account: records[i].Account}
			accounts[p.account] = p
			all = append(all, p)
		}

		p.records++

		for j, plan := range plans {
			cost, priced := records[i].Rerated(plan)
			p.costs[j] += cost

			if !priced {
				p.without[j]++
			}
		}
	}

	slices.SortFunc(all, func(a, b *paid) int {
		return cmp.Or(cmp.Compare(b.more(), a.more()), cmp.Compare(a.account, b.account))
	})

	return all
}

func showDiff(w io.Writer, names []string, all []*paid) {
	total := paid{account: "all"}

	row(w, "ACCOUNT", "CDRS", names[0], names[1], "MORE")

	for _, p := range all {
		row(w, p.account, p.records, p.costs[0], p.costs[1], p.more())
		total.add(p)
	}

	row(w, total.account, total.records, total.costs[0], total.costs[1], total.more())

	for i, name := range names {
		if total.without[i] > 0 {
			row(w, fmt.Sprintf("%d CDRs have no price under %s", total.without[i], name))
		}
	}
}
