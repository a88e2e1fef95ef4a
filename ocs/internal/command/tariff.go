package command

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
)

func (c *client) tariff() *cobra.Command {
	group := &cobra.Command{Use: "tariff", Short: "price lists", Long: "Price lists.\n\n" + unit}
	group.AddCommand(c.tariffList(), c.tariffShow(), c.tariffSet(), c.tariffVersions(), c.tariffPrice())

	return group
}

func tariffPath(name string) string { return "/tariffs/" + url.PathEscape(name) }

func showTariff(w io.Writer, t rating.Tariff) {
	fmt.Fprintf(w, "%s, version %d\n", t.Name, t.Version)

	if f := t.FinalUnit; f != nil {
		fmt.Fprintln(w, strings.TrimSpace("last units: "+f.Action+" "+f.Redirect+strings.Join(append(f.Filters, f.Rules...), ", ")))
	}

	if t.LowBalance != nil {
		fmt.Fprintf(w, "low balance: below %d\n", *t.LowBalance)
	}

	if t.Decimals > 0 {
		fmt.Fprintf(w, "prices have %d decimals: 1 is %s minor units (cents)\n", t.Decimals, minorUnits(1, t.Decimals))
	}

	row(w, "RATE", "PREFIX", "TO", "WHEN", "GROUP", "SIDE", "CONNECTION", "TIME", "FREE", "VOLUME", "EVENT", "ONLY")

	for i := range t.Rates {
		r := &t.Rates[i]
		group, time, volume, event := "any", "", "", ""
		if r.RatingGroup != nil {
			group = fmt.Sprint(*r.RatingGroup)
		}

		if r.Prices(rating.Seconds) {
			first := r.Initial
			if first == 0 {
				first = max(r.Increment, 1)
			}

			time = fmt.Sprintf("%d/%ds in %d/%d", r.Price, r.Interval, first, max(r.Increment, 1))
		}

		if r.Prices(rating.Octets) {
			volume = fmt.Sprintf("%d/%d octets in %d", r.VolumePrice, r.VolumeInterval, max(r.VolumeIncrement, 1))
		}

		if r.EventPrice != nil {
			event = fmt.Sprint(*r.EventPrice)
		}

		row(
			w, cmp.Or(r.Name, fmt.Sprintf("rate %d", i+1)), r.Prefix, strings.Join(r.To, ", "), strings.Join(r.When, ", "), group, r.Direction,
			r.ConnectionFee, time, fmt.Sprintf("%ds", r.FreeSeconds), volume, event, only(r),
		)
	}
}

// only returns the conditions of a rate that have no column of their own, and its priority.
func only(r *rating.Rate) string {
	var all []string

	for _, one := range []struct {
		name   string
		values []string
	}{
		{"from", r.From},
		{"within", r.Within},
		{"visited", r.Visited},
		{"access", r.Access},
		{"media", r.Media},
		{"messages", r.Messages},
		{"context", r.Contexts},
	} {
		if len(one.values) > 0 {
			all = append(all, one.name+" "+strings.Join(one.values, ", "))
		}
	}

	if len(r.Services) > 0 {
		all = append(all, "service "+strings.Trim(fmt.Sprint(r.Services), "[]"))
	}

	if r.Priority != 0 {
		all = append(all, fmt.Sprintf("priority %d", r.Priority))
	}

	return strings.Join(all, "; ")
}

func (c *client) tariffList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the price lists in force",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(c, cmd, "GET", "/tariffs", nil, func(w io.Writer, all []rating.Tariff) {
				row(w, "NAME", "VERSION", "RATES")

				for _, t := range all {
					row(w, t.Name, t.Version, len(t.Rates))
				}
			})
		},
	}
}

func (c *client) tariffShow() *cobra.Command {
	var version uint32

	show := &cobra.Command{
		Use:   "show NAME",
		Short: "show a price list",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(c, cmd, "GET", query(tariffPath(args[0]), map[string]string{"version": fmt.Sprint(version)}), nil, showTariff)
		},
	}
	show.Flags().Uint32Var(&version, "version", 0, "this one, not that in force")

	return show
}

func (c *client) tariffSet() *cobra.Command {
	return &cobra.Command{
		Use: "set NAME FILE", Short: "make a price plan what a YAML or JSON file (- is standard input) says; running calls keep their price",
		Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
			text, err := read(cmd, args[1])
			if err != nil {
				return err
			}

			plan, err := rating.Read(text)
			if err != nil {
				return fmt.Errorf("%s: %w", args[1], err)
			}

			for _, doubt := range rating.Doubtful(text) {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", doubt)
			}

			t := plan.Tariff
			t.Name = args[0]

			return ask(c, cmd, "PUT", tariffPath(args[0]), t, showTariff)
		},
	}
}

func read(cmd *cobra.Command, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}

	return os.ReadFile(file)
}

func (c *client) tariffVersions() *cobra.Command {
	return &cobra.Command{
		Use:   "versions NAME",
		Short: "since when each version is or was in force",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(c, cmd, "GET", tariffPath(args[0])+"/versions", nil, func(w io.Writer, all []credit.StoredTariff) {
				row(w, "VERSION", "SINCE")

				for _, t := range all {
					row(w, t.Version, t.Created.Format(clock))
				}
			})
		},
	}
}

// tariffPrice returns the command that rates without charging anybody.
func (c *client) tariffPrice() *cobra.Command {
	var (
		number                  string
		seconds, octets, events uint64
		group                   uint32
		called                  bool
	)

	price := &cobra.Command{
		Use:   "price NAME",
		Short: "what a call, data or messages would cost now; rate explain says why",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(c, cmd, "GET", tariffPath(args[0]), nil, func(w io.Writer, t rating.Tariff) {
				service := rating.Service{Number: normalised(number), Terminating: called}
				if cmd.Flags().Changed("rating-group") {
					service.RatingGroup = &group
				}

				plan, err := rating.Compile(&t)
				if err != nil {
					row(w, err)
					return
				}

				now := time.Now()

				for _, use := range []struct {
					unit  rating.Unit
					units uint64
				}{{rating.Seconds, seconds}, {rating.Octets, octets}, {rating.Events, events}} {
					if use.units == 0 {
						continue
					}

					meter := plan.Meter(service, use.unit)

					switch _, err := meter.Rate(now); {
					case errors.Is(err, rating.ErrNoRate):
						row(w, err)
						return
					case err != nil:
						row(w, use.units, use.unit, "no price")
					default:
						row(w, use.units, use.unit, meter.Cost(meter.Add(nil, now, use.units)))
					}
				}
			})
		},
	}
	price.Flags().StringVar(&number, "number", "", "that is called: +1555…, 001555…, tel:+1555…; as dialled, for short numbers")
	price.Flags().Uint64Var(&seconds, "seconds", 0, "of a call")
	price.Flags().Uint64Var(&octets, "octets", 0, "of data")
	price.Flags().Uint64Var(&events, "events", 0, "messages")
	price.Flags().Uint32Var(&group, "rating-group", 0, "of the service")
	price.Flags().BoolVar(&called, "called", false, "for the side that is called")
	price.MarkFlagsOneRequired("seconds", "octets", "events")

	return price
}
