package command

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
)

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

			s.Number, s.Calling = normalised(s.Number), normalised(s.Calling)

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

			var all []explained

			for _, use := range []struct {
				unit  rating.Unit
				units uint64
			}{{rating.Seconds, seconds}, {rating.Octets, octets}, {rating.Events, events}} {
				if use.units > 0 {
					one := explainUse(p, s, use.unit, use.units, when)
					all, err = append(all, one), errors.Join(err, one.unpriced)
				}
			}

			if c.json {
				return errors.Join(writeJSON(cmd.OutOrStdout(), all), err)
			}

			for i := range all {
				showExplained(cmd.OutOrStdout(), p, &all[i])
			}

			return err
		},
	}
	flags := explain.Flags()
	flags.StringVar(&plan, "plan", "", "file, or name of a tariff of the OCS")
	flags.StringVar(&s.Number, "to", "", "called number: +1555…, 001555…, tel:+1555…; as dialled, for short numbers")
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

// normalised returns a number as the OCS rates it, with the numbering that it has by default.
func normalised(number string) string {
	numbering := credit.DefaultConfig().Numbering
	if number == "" {
		return ""
	}

	return numbering.Normalise(number)
}

// explained is what a use costs, and why.
type explained struct {
	Number   string       `json:"number,omitempty"`
	Unit     rating.Unit  `json:"unit"`
	Units    uint64       `json:"units"`
	At       time.Time    `json:"at"`
	Bill     *rating.Bill `json:"bill,omitempty"`
	Unpriced string       `json:"unpriced,omitempty"` // why it cannot be used
	Verdicts []verdicts   `json:"verdicts"`           // from each time on at which the rate changes

	unpriced error
}

type verdicts struct {
	At    time.Time        `json:"at"`
	Rates []rating.Verdict `json:"rates"`
}

func explainUse(p *rating.Plan, s rating.Service, unit rating.Unit, units uint64, at time.Time) explained {
	meter := p.Meter(s, unit)
	e := explained{Number: s.Number, Unit: unit, Units: units, At: at}

	if _, e.unpriced = meter.Rate(at); e.unpriced != nil {
		e.Unpriced = e.unpriced.Error()
		e.Verdicts = []verdicts{{at, p.Explain(s, unit, at)}}

		return e
	}

	bill := meter.Bill(meter.Add(nil, at, units))
	e.Bill = &bill

	for _, since := range append([]time.Time{at}, borders(meter, unit, at, units)...) {
		e.Verdicts = append(e.Verdicts, verdicts{since, p.Explain(s, unit, since)})
	}

	return e
}

// showExplained prints the bill of a use, and a verdict on each rate at each time when the rate changes.
func showExplained(out io.Writer, p *rating.Plan, e *explained) {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	defer w.Flush()

	if e.Bill != nil {
		row(w, "LINE", "RATE", "FROM", "USED", "CHARGED", "PRICE", "TIER", "AMOUNT")

		for i := range e.Bill.Lines {
			row(w, cells(p, &e.Bill.Lines[i])...)
		}

		row(w, "total", "", "", "", "", "", "", e.Bill.Total)
		fmt.Fprintf(w, "PRICE and AMOUNT are in minor units (cents)\n\n")
	}

	for _, since := range e.Verdicts {
		fmt.Fprintln(w, "AT "+p.Shown(since.At))

		for _, v := range since.Rates {
			mark := "  " + v.Rate
			if v.Used {
				mark = "> " + v.Rate
			}

			row(w, mark, v.Why)
		}

		fmt.Fprintln(w)
	}
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
		price = fmt.Sprintf("%s/%d", minorUnits(line.Price, p.Decimals), line.Per)
	}

	if line.Tier > 0 {
		tier = fmt.Sprint(line.Tier)
	}

	if line.Within {
		amount = "(" + amount + ")"
	}

	return []any{line.What, line.Rate, from, count(line.Units), count(line.Charged), price, tier, amount}
}

// minorUnits returns a price of a plan, which may have decimals, in minor units.
func minorUnits(price int64, decimals int) string {
	if decimals == 0 {
		return fmt.Sprint(price)
	}

	digits := fmt.Sprintf("%0*d", decimals+1, price)

	return digits[:len(digits)-decimals] + "." + digits[len(digits)-decimals:]
}
