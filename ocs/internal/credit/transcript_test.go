package credit

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/fsm/transcript"
)

// Each row of the session's table is walked, and a change of any row changes what the OCS does.
func TestSessionTranscript(t *testing.T) {
	b := newBench(t, func(c *Config) { c.SessionOwner = ownerRealm })
	b.tariff(t, perSecond())

	number := 15550000

	transcript.Test(t, "testdata/session.txt", Machine,
		func(machine *fsm.Machine[State, Event, Action], walk func(func(*transcript.Command) string)) {
			d := &desk{bench: b, t: t, account: fmt.Sprint(number)}
			d.session = "session;" + d.account
			b.machine = machine.Observed(func(row fsm.Row[State, Event, Action], found bool) {
				if found {
					d.state = row.To
				}
			})
			number++

			walk(d.do)
		})
}

// desk does the commands of a transcript with an OCS.
type desk struct {
	*bench
	t                *testing.T
	account, session string
	state            State // the machine's after its last step
}

func (d *desk) do(c *transcript.Command) string {
	var said string

	switch c.Cmd {
	case "situation":
		balance := int64(100)
		for _, arg := range c.CmdArgs {
			if arg.Key == "balance" {
				_, _ = fmt.Sscan(arg.Vals[0], &balance)
			}
		}

		d.bench.account(d.t, d.account, balance)

		return ""
	case "ccr":
		a, err := d.CreditControl(d.t.Context(), d.request(c))
		if err != nil {
			said = "error: " + strings.ReplaceAll(err.Error(), d.session, "the session")
		} else {
			said = strings.TrimSpace(told(a) + " " + a.ErrorMessage)
			if a.CostInformation != nil {
				said += fmt.Sprintf(" cost %d", a.CostInformation.Value.Digits)
			}
		}
	case "later": // nothing is heard for so long
		period, err := time.ParseDuration(c.CmdArgs[0].Key)
		if err != nil {
			return err.Error()
		}

		err = d.store.Update(d.t.Context(), func(tx ledger.Tx) error {
			for _, s := range d.mine() {
				err := tx.Model(&Session{}).Where("id = ?", s.ID).Update("expires", s.Expires.Add(-period)).Error
				if err != nil {
					return err
				}
			}

			return nil
		})
		if err != nil {
			return err.Error()
		}
	case "supervise":
		silent := func(session *Session) bool { return session.Expires.Before(time.Now()) }
		if _, err := d.close(d.t.Context(), time.Now().UTC(), d.session, Silence, notHeard, silent); err != nil {
			said = "error"
		}
	case "close":
		switch _, err := d.Close(d.t.Context(), d.session); {
		case errors.Is(err, gorm.ErrRecordNotFound):
			said = "there is no such session"
		case err != nil:
			said = "error"
		}
	default:
		return "no such command"
	}

	return said + "\n" + d.came()
}

func (d *desk) request(c *transcript.Command) *ro.CCR {
	kinds := map[string]ro.RequestType{"initial": ro.Initial, "update": ro.Update, "terminate": ro.Terminate, "event": ro.Event}
	number, want, used := uint32(0), int64(-1), int64(-1)
	payer, from := d.account, "scscf"

	for _, arg := range c.CmdArgs[1:] {
		switch arg.Key {
		case "number":
			_, _ = fmt.Sscan(arg.Vals[0], &number)
		case "want":
			_, _ = fmt.Sscan(arg.Vals[0], &want)
		case "used":
			_, _ = fmt.Sscan(arg.Vals[0], &used)
		case "from":
			from = arg.Vals[0]
		case "payer":
			payer = arg.Vals[0]
		}
	}

	q := ccr(d.session, kinds[c.CmdArgs[0].Key], number)
	q.Subscriptions[0].Data = payer
	q.OriginHost, q.OriginRealm = from, "ims.example"

	switch {
	case q.Type == ro.Event:
		action := ro.DirectDebiting
		q.RequestedAction = &action
		q.RequestedServiceUnit = &ro.ServiceUnit{ServiceSpecificUnits: is(uint64(1))}
		q.ServiceInformation.IMS.EventType.SIPMethod = "MESSAGE"
	case want >= 0 || used >= 0:
		q.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{service(1, want, used)}
	}

	return q
}

func (d *desk) mine() (all []Session) { return of[Session](d) }

// of returns the rows of the account.
func of[T any](d *desk) (all []T) {
	if err := d.store.Read(d.t.Context()).Where("account = ?", d.account).Find(&all).Error; err != nil {
		d.t.Fatal(err)
	}

	return all
}

// came returns the ledger's view of the account and the session, and the state.
func (d *desk) came() string {
	var m money

	purse := []ledger.Account{}
	if err := d.store.Read(d.t.Context()).Where("name = ?", d.account).Find(&purse).Error; err != nil {
		d.t.Fatal(err)
	}

	for _, a := range purse {
		if a.Kind == ledger.Reserved {
			m.Reserved = a.Balance
		} else {
			m.Balance = a.Balance
		}
	}

	lines := []string{fmt.Sprintf("balance %d, reserved %d", m.Balance, m.Reserved)}

	for _, s := range d.mine() {
		line := fmt.Sprintf("session of %s: request %d, used %d, charged %d", s.ClientHost, s.Number, s.Used, s.Charged)
		if !s.Expires.IsZero() {
			line += fmt.Sprintf(", Tcc %s", time.Until(s.Expires).Round(time.Minute))
		}

		lines = append(lines, line)
	}

	for _, r := range of[CDR](d) {
		lines = append(lines, fmt.Sprintf("CDR of %s: %s, billed %d, amount %d, %s", r.ClientHost, r.Kind, r.Billed, r.Amount, r.Cause))
	}

	return strings.Join(append(lines, "state: "+d.state.String()), "\n")
}
