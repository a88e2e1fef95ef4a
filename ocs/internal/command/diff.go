package command

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

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
			"Refunds are left out, and so are those for which one of the plans has no price: they are named.",
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

			d := rerate(plans, args, records)
			if c.json {
				return writeJSON(cmd.OutOrStdout(), d)
			}

			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			d.show(w)

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
		if err := json.Unmarshal(text, &all); err != nil {
			return nil, noCDR(err)
		}

		return all, nil
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
			return nil, fmt.Errorf("line %d: %w", number, noCDR(err))
		}

		all = append(all, one)
	}

	return all, lines.Err()
}

// noCDR says why a text is no CDR.
func noCDR(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("no CDR: %s cannot be a %s", kind.Field, kind.Value)
	}

	return fmt.Errorf("no CDR in JSON: %w", err)
}

// difference is what the accounts would pay under two plans.
type difference struct {
	Plans    []string   `json:"plans"`
	Accounts []*paid    `json:"accounts"`
	Unpriced []unpriced `json:"unpriced,omitempty"`
}

// paid is what one account would pay.
type paid struct {
	Account string   `json:"account"`
	Records int      `json:"cdrs"`
	Costs   [2]int64 `json:"costs"`
}

func (p *paid) more() int64 { return p.Costs[1] - p.Costs[0] }

func (p *paid) add(records int, costs [2]int64) {
	p.Records += records

	for i := range p.Costs {
		p.Costs[i] += costs[i]
	}
}

// unpriced is a record that is in no sum, for one of the plans has no price for it: under that it would not have been.
type unpriced struct {
	Account string    `json:"account"`
	Session string    `json:"session"`
	Called  string    `json:"called,omitempty"`
	Started time.Time `json:"started"`
	Under   []string  `json:"under"` // the plans
}

func rerate(plans [2]*rating.Plan, names []string, records []credit.CDR) *difference {
	d := &difference{Plans: names, Accounts: []*paid{}}
	accounts := map[string]*paid{}

	for i := range records {
		r := &records[i]
		if r.Refunds != "" {
			continue
		}

		var (
			costs   [2]int64
			without []string
		)

		for j, plan := range plans {
			cost, priced := r.Rerated(plan)
			if costs[j] = cost; !priced {
				without = append(without, names[j])
			}
		}

		if len(without) > 0 {
			d.Unpriced = append(d.Unpriced, unpriced{
				Account: r.Account, Session: r.Session, Called: r.Called, Started: r.Started, Under: without,
			})

			continue
		}

		p := accounts[r.Account]
		if p == nil {
			p = &paid{Account: r.Account}
			accounts[p.Account] = p
			d.Accounts = append(d.Accounts, p)
		}

		p.add(1, costs)
	}

	slices.SortFunc(d.Accounts, func(a, b *paid) int {
		return cmp.Or(cmp.Compare(b.more(), a.more()), cmp.Compare(a.Account, b.Account))
	})

	return d
}

// maxUnpriced is how many records without a price are shown; --json has all.
const maxUnpriced = 50

func (d *difference) show(w io.Writer) {
	total := paid{Account: "all"}

	row(w, "ACCOUNT", "CDRS", d.Plans[0], d.Plans[1], "MORE")

	for _, p := range d.Accounts {
		row(w, p.Account, p.Records, p.Costs[0], p.Costs[1], p.more())
		total.add(p.Records, p.Costs)
	}

	row(w, total.Account, total.Records, total.Costs[0], total.Costs[1], total.more())

	if len(d.Unpriced) == 0 {
		return
	}

	fmt.Fprintf(w, "\nleft out of both sums: %d without a price\n", len(d.Unpriced))
	row(w, "ACCOUNT", "CALLED", "STARTED", "SESSION", "NO PRICE UNDER")

	for _, u := range d.Unpriced[:min(len(d.Unpriced), maxUnpriced)] {
		row(w, u.Account, u.Called, u.Started.Format(clock), u.Session, strings.Join(u.Under, ", "))
	}

	if more := len(d.Unpriced) - maxUnpriced; more > 0 {
		fmt.Fprintf(w, "and %d more: --json has all\n", more)
	}
}
