package runner

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/ocs/internal/api"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/records"
)

// books are the OCS's accounts, as its API shows them. Without an API there is nothing to see.
type books struct {
	api   httpapi.Client
	last  map[string]float64 // counters when last read
	lost  map[string]float64 // what they were when the OCS was killed
	paid  float64            // into the accounts at first
	added float64            // by top-ups
	count int                // of top-ups
}

func (b *books) there() bool { return b.api.Base != "" }

// open makes tariffs and accounts.
func (b *books) open(ctx context.Context, s *scenario.Scenario) error {
	if !b.there() {
		return nil
	}

	for name, tariff := range s.Tariffs {
		text, err := json.Marshal(tariff)
		if err != nil {
			return fmt.Errorf("tariffs.%s: %w", name, err)
		}

		if err := b.api.Do(ctx, "PUT", "/tariffs/"+name, json.RawMessage(text), nil); err != nil {
			return fmt.Errorf("tariffs.%s: %w", name, err)
		}
	}

	var some []api.NewAccount

	flush := func() error {
		if len(some) == 0 {
			return nil
		}

		defer func() { some = some[:0] }()

		return b.api.Do(ctx, "POST", "/accounts/bulk", some, nil)
	}

	for g := range s.Population {
		group := &s.Population[g]
		members := max(1, group.Members)

		for first := 0; first < group.Count; first += members {
			account := api.NewAccount{Name: accountOf(group, first), Tariff: group.Tariff, Balance: group.Balance}
			for i := first; i < min(first+members, group.Count); i++ {
				account.Identities = append(account.Identities, "tel:"+numberOf(g, i))
			}

			some = append(some, account)
			b.paid += float64(group.Balance)

			if len(some) == records.AtOnce {
				if err := flush(); err != nil {
					return fmt.Errorf("population.%s: %w", group.Name, err)
				}
			}
		}
	}

	return flush()
}

// accountOf returns the name of the account of a subscriber.
func accountOf(g *scenario.Group, subscriber int) string {
	return fmt.Sprintf("%s-%06d", g.Name, subscriber/max(1, g.Members))
}

// numberOf returns the number of a subscriber, in a country that does not exist.
func numberOf(group, subscriber int) string {
	return fmt.Sprintf("+999%02d%07d", group%100, subscriber)
}

// topUp pays into an account.
func (b *books) topUp(ctx context.Context, account string, amount int64) error {
	b.count++
	b.added += float64(amount)

	return b.api.Do(ctx, "POST", "/accounts/"+account+"/top-up", api.TopUp{
		Amount: amount, Note: "experiment", Reference: fmt.Sprint("experiment-", b.count),
	}, nil)
}

// The metrics that are read.
const (
	debited  = `dialtone_ocs_minor_units_total{kind="debit"}`
	refunded = `dialtone_ocs_minor_units_total{kind="refund"}`
	overrun  = "dialtone_ocs_overrun_minor_units_total"
	reserved = "dialtone_ocs_reserved_minor_units"
)

// state is what the OCS's metrics say.
type state struct{ revenue, uncollected, reserved float64 }

// read reads the metrics. Counters of an OCS that was killed begin at zero again, so that what they were is added.
func (b *books) read(ctx context.Context) (state, error) {
	if !b.there() {
		return state{}, nil
	}

	var text bytes.Buffer
	if err := b.api.Copy(ctx, "/metrics", &text); err != nil {
		return state{}, err
	}

	now := map[string]float64{}

	for lines := bufio.NewScanner(&text); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")

		switch name {
		case debited, refunded, overrun, reserved:
			number, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return state{}, fmt.Errorf("metric %s: %w", name, err)
			}

			now[name] = number
		}
	}

	b.last = now
	total := func(name string) float64 { return now[name] + b.lost[name] }

	return state{revenue: total(debited) - total(refunded), uncollected: total(overrun), reserved: now[reserved]}, nil
}

// killed keeps what the counters were.
func (b *books) killed(ctx context.Context) error {
	if _, err := b.read(ctx); err != nil {
		return err
	}

	if b.lost == nil {
		b.lost = map[string]float64{}
	}

	for _, name := range []string{debited, refunded, overrun} {
		b.lost[name] += b.last[name]
	}

	return nil
}
