package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/lab/internal/ladder"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

const traceTime = 10 * time.Second // for a step to appear in the trace

// Ladders prints the messages of alice's registration and of the call, and checks that every step is there. The record of a call is written
// before its last answer is sent, so that the last steps may still be missing.
func (s *Scenario) Ladders(ctx context.Context, admins []string) error {
	var (
		registration, call []ladder.Step
		missing            error
	)

	wait, cancel := context.WithTimeout(ctx, traceTime)
	defer cancel()

	err := await(wait, func() (bool, error) {
		steps, err := ladder.Collect(wait, admins, s.Place.nodes())
		if err != nil {
			return false, err
		}

		registration, call = s.spans(steps)
		missing = errors.Join(
			inOrder("registration", registration, s.columns(),
				"REGISTER", "UAR", "UAA", "MAR", "MAA", "401", "REGISTER", "UAR", "UAA", "SAR", "SAA", "200"),
			inOrder("call", call, s.columns(), "INVITE", "CCR-I", "CCA-I", "LIR", "LIA", "180", "200", "ACK", "CCR-U", "CCA-U"),
			inOrder("call", call, s.columns(), "ACK", "CCR-U", "BYE", "200"), // the BYE may come while the CCA-U is on its way
			inOrder("call", call, s.columns(), "BYE", "CCR-T", "CCA-T"),      // when the BYE comes, whatever its outcome
			s.givenBack(call),
		)

		return missing == nil, nil
	})
	if missing == nil && err != nil {
		return err
	}

	fmt.Fprint(s.Out, "\nThe registration of alice\n\n")
	ladder.Print(s.Out, registration, s.columns())
	fmt.Fprint(s.Out, "\nThe call of alice to bob\n\n")
	ladder.Print(s.Out, call, s.columns())

	return missing
}

// spans returns the steps of alice's registration, and those of the call.
func (s *Scenario) spans(steps []ladder.Step) (registration, call []ladder.Step) {
	s.mark(steps)

	// The registration of alice: her REGISTER, and the Diameter between its first and its last message. The P-CSCF's subscription to
	// the reg event, which may begin before that last message, is left out, with the LIR that it causes.
	registration = span(steps, func(step ladder.Step) bool {
		return ofRegister(step) && (step.To == "UE alice" || step.From == "UE alice")
	})
	registration = slices.DeleteFunc(slices.Clone(registration), func(step ladder.Step) bool {
		return step.CallID != "" && !ofRegister(step) || strings.HasPrefix(step.Label, "LI")
	})

	// The call: its SIP, its charging, its bearers, and the Diameter of Cx between. What else happens in that time, such as the charging
	// of bob's message, is left out.
	diameter := append(s.asked(s.dialled), s.charging)
	call = span(steps, func(step ladder.Step) bool {
		return step.CallID == s.call || step.Session != "" && slices.Contains(diameter, step.Session)
	})
	call = slices.DeleteFunc(slices.Clone(call), func(step ladder.Step) bool {
		return step.CallID != "" && step.CallID != s.call || strings.HasPrefix(step.Label, "CC") && step.Session != s.charging
	})

	return registration, call
}

// ofRegister reports whether a message is a REGISTER or a response to one.
func ofRegister(step ladder.Step) bool {
	return step.Label == "REGISTER" || strings.Contains(step.Detail, "(REGISTER)")
}

// mark adds to messages that they go through ESP.
func (s *Scenario) mark(steps []ladder.Step) {
	for i := range steps {
		if s.protected(steps[i]) {
			steps[i].Detail = strings.TrimSpace(steps[i].Detail + "  ESP")
		}
	}
}

// protected reports whether a message belongs into an association: anything on Gm except the first REGISTER and its 401.
func (s *Scenario) protected(step ladder.Step) bool {
	return s.Place.Protected && (strings.HasPrefix(step.From, "UE") || strings.HasPrefix(step.To, "UE")) && step.Remote.Port() != handsetPort
}

// span returns everything from the first to the last step that belongs.
func span(steps []ladder.Step, belongs func(ladder.Step) bool) []ladder.Step {
	first := slices.IndexFunc(steps, belongs)
	if first < 0 {
		return nil
	}

	last := first
	for i := first; i < len(steps); i++ {
		if belongs(steps[i]) {
			last = i
		}
	}

	return steps[first : last+1]
}

// inOrder checks that these messages occur in this order.
func inOrder(what string, steps []ladder.Step, columns []string, wanted ...string) error {
	at := 0

	for _, step := range steps {
		if !slices.Contains(columns, step.From) || !slices.Contains(columns, step.To) {
			continue // it is not in the diagram
		}

		if at < len(wanted) && strings.HasPrefix(step.Label+" "+step.Detail, wanted[at]) {
			at++
		}
	}

	if at < len(wanted) {
		return fmt.Errorf("the %s has no %s where it should be, after %v", what, wanted[at], wanted[:at])
	}

	return nil
}

type record struct {
	Session  string    `json:"session"`
	Kind     string    `json:"kind"`
	CallID   string    `json:"call_id"`
	Account  string    `json:"account"`
	Billed   int64     `json:"billed_seconds"`
	Amount   int64     `json:"amount"`
	Reserved int64     `json:"reserved_in_all"`
	Returned int64     `json:"returned"`
	Started  time.Time `json:"started"`
}

// Costs prints what the call cost, and checks the sums.
func (s *Scenario) Costs(ctx context.Context) error {
	ocs := httpapi.Local(adminOfOCS)

	var r record
	if err := await(ctx, func() (bool, error) {
		var records []record

		err := ocs.Do(ctx, "GET", "/cdrs?account=alice", nil, &records)
		if i := slices.IndexFunc(records, func(r record) bool { return r.Kind == "call" && r.CallID == s.call }); i >= 0 {
			r = records[i]
		}

		return r.CallID == s.call, err
	}); err != nil {
		return fmt.Errorf("the record of the call: %w", err)
	}

	s.charging = r.Session

	fmt.Fprintf(
		s.Out,
		"\nWhat the call cost alice, in cents (%s)\n\n",
		s.Place.Charging.explain(r.Billed),
	)
	fmt.Fprintf(
		s.Out,
		"  %-10s %8d\n  %-10s %8d\n  %-10s %8d\n",
		"reserved",
		r.Reserved,
		"debited",
		r.Amount,
		"returned",
		r.Returned,
	)

	var book struct {
		Balances int64 `json:"sum_of_balances"`
		Entries  int64 `json:"sum_of_entries"`
		Accounts []struct {
			Name    string `json:"name"`
			Kind    string `json:"kind"`
			Balance int64  `json:"balance"`
		} `json:"accounts"`
	}
	if err := ocs.Do(ctx, "GET", "/ledger", nil, &book); err != nil {
		return err
	}

	fmt.Fprint(s.Out, "\nThe ledger, in cents\n\n")

	for _, account := range book.Accounts {
		fmt.Fprintf(s.Out, "  %-8s %-15s %9d\n", account.Name, account.Kind, account.Balance)
	}

	fmt.Fprintf(s.Out, "  %-8s %-15s %9d\n", "sum", "", book.Balances)

	switch {
	case book.Balances != 0 || book.Entries != 0:
		return fmt.Errorf("the ledger does not add up: %d and %d", book.Balances, book.Entries)
	case !s.Place.Charging.right(r.Billed, r.Amount):
		return fmt.Errorf("%d s were charged %d cents", r.Billed, r.Amount)
	case r.Reserved != r.Amount+r.Returned:
		return fmt.Errorf("reserved %d is not debited %d and returned %d", r.Reserved, r.Amount, r.Returned)
	}

	return nil
}

func await(ctx context.Context, done func() (bool, error)) error {
	for {
		is, err := done()
		if is || err != nil {
			return err
		}

		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
