package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
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
	group.AddCommand(planCheck(), c.planDiff())

	return group
}

// planCheck returns the command that looks for faults. A plan that can be used but cannot be meant ends with status 1, too.
func planCheck() *cobra.Command {
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
					return fmt.Errorf("--since: %w", err)
				}
			}

			notices, err := rating.Check(text, since.Truncate(time.Hour))
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

func (c *client) rate() *cobra.Command {
	group := &cobra.Command{
		Use:   "rate",
		Short: "what a use costs, and why",
		Long:  "What a use costs under a price plan, and why.\n\n" + unit,
	}
	group.AddCommand(c.rateExplain())

	return group
}

func (c *client) rateExplain() *cobra.Command {
	var (
		plan, at                string
		s                       rating.Service
		seconds, octets, events uint64
		group                   uint32
		services                []uint
	)

	explain := &cobra.Command{
		Use:   "explain --plan PLAN",
		Short: "price a use line by line: which rate, why not the others, what each part costs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := c.find(cmd, plan)
			if err != nil {
				return err
			}

			when, err := p.Time(at, time.Now())
			if err != nil {
				return fmt.Errorf("--at: %w", err)
			}

			if cmd.Flags().Changed("rating-group") {
				s.RatingGroup = &group
			}

			for _, id := range services {
				s.Identifiers = append(s.Identifiers, uint32(id))
			}

			for _, use := range []struct {
				unit  rating.Unit
				units uint64
			}{{rating.Seconds, seconds}, {rating.Octets, octets}, {rating.Events, events}} {
				if use.units > 0 {
					err = errors.Join(err, explainUse(cmd.OutOrStdout(), p, s, use.unit, use.units, when))
				}
			}

			return err
		},
	}
	flags := explain.Flags()
	flags.StringVar(&plan, "plan", "", "file, or name of a tariff of the OCS")
	flags.StringVar(&s.Number, "to", "", "called number in international form: +1555…")
	flags.StringVar(&s.Calling, "from", "", "calling number")
	flags.StringVar(
		&at,
		"at",
		"",
		"beginning of the use, as \"2026-03-29 01:59\" in the plan's zone, or RFC 3339; now, if it is left out",
	)
	flags.Uint64Var(&seconds, "seconds", 0, "of a call")
	flags.Uint64Var(&octets, "octets", 0, "of data")
	flags.Uint64Var(&events, "events", 0, "messages")
	flags.Uint64Var(&s.Before, "before", 0, "what was used in the tiers' day, week or month before")
	flags.BoolVar(&s.Terminating, "called", false, "for the side that is called")
	flags.StringVar(&s.Visited, "visited", "", "network that is visited (IMS-Visited-Network-Identifier)")
	flags.StringVar(&s.Access, "access", "", "LTE, NR or WLAN")
	flags.StringVar(&s.Media, "media", "", "voice or video")
	flags.StringVar(&s.Message, "message", "", "SMS or MMS")
	flags.Uint32Var(&group, "rating-group", 0, "of the service")
	flags.UintSliceVar(&services, "service", nil, "Service-Identifier")
	flags.StringVar(&s.Context, "context", "", "Service-Context-Id, as 32260@3gpp.org")
	explain.MarkFlagsOneRequired("seconds", "octets", "events")
	_ = explain.MarkFlagRequired("plan")

	return explain
}

// explainUse prints the bill of a use, and a verdict on each rate at each time when the rate changes.
func explainUse(out io.Writer, p *rating.Plan, s rating.Service, unit rating.Unit, units uint64, at time.Time) error {
	meter := p.Meter(s, unit)
	bill := meter.Bill(meter.Add(nil, at, units))

	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	defer w.Flush()

	if len(bill.Lines) > 0 {
		row(w, "LINE", "RATE", "FROM", "USED", "CHARGED", "PRICE", "TIER", "AMOUNT")
	}

	for i := range bill.Lines {
		row(w, cells(p, &bill.Lines[i])...)
	}

	_, unpriced := meter.Rate(at)
	if unpriced == nil {
		row(w, "total", "", "", "", "", "", "", bill.Total)
	}

	fmt.Fprintln(w)

	for _, since := range append([]time.Time{at}, borders(meter, unit, at, units)...) {
		row(w, "AT "+p.Shown(since), "")

		for _, v := range p.Explain(s, unit, since) {
			mark := "  " + v.Rate
			if v.Used {
				mark = "> " + v.Rate
			}

			row(w, mark, v.Why)
		}

		fmt.Fprintln(w)
	}

	return unpriced
}

// maxShown is how many changes of the rate are explained.
const maxShown = 20

func borders(meter *rating.Meter, unit rating.Unit, at time.Time, units uint64) (all []time.Time) {
	if unit != rating.Seconds {
		return nil
	}

	end := (&rating.Part{At: at, Units: units}).End()
	for next, is := meter.Border(at); is && next.Before(end) && len(all) < maxShown; next, is = meter.Border(next) {
		all = append(all, next)
	}

	return all
}

func cells(p *rating.Plan, line *rating.Line) []any {
	count := func(n uint64) string {
		if n == 0 {
			return ""
		}

		return fmt.Sprint(n)
	}
	from, price, tier, amount := "", "", "", line.Amount

	if line.At != nil {
		from = p.Shown(*line.At)
	}

	if line.Per > 0 {
		price = fmt.Sprintf("%d/%d", line.Price, line.Per)
	}

	if line.Tier > 0 {
		tier = fmt.Sprint(line.Tier)
	}

	if line.Within {
		amount = "(" + amount + ")"
	}

	return []any{line.What, line.Rate, from, count(line.Units), count(line.Charged), price, tier, amount}
}
