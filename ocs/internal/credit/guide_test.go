package credit

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// TestChargingGuide plays the examples of the charging guide.
func TestChargingGuide(t *testing.T) {
	guide, err := os.ReadFile("../../../docs/charging.md")
	if err != nil {
		t.Fatal(err)
	}

	example := regexp.MustCompile("(?s)\n### ([^\n]+)\n\n```json\n(.*?)\n```\n\n\\| request [^\n]*\n\\| ---[^\n]*\n((?:\\|[^\n]*\n)+)")
	found := example.FindAllStringSubmatch(string(guide), -1)
	if len(found) < 8 {
		t.Errorf("%d examples, want 8 or more", len(found))
	}
	for _, e := range found {
		t.Run(e[1], func(t *testing.T) { playExample(t, e[2], strings.Split(strings.TrimSpace(e[3]), "\n")) })
	}
}

func playExample(t *testing.T, tariff string, lines []string) {
	var list rating.Tariff
	if err := json.Unmarshal([]byte(tariff), &list); err != nil {
		t.Fatal(err)
	}

	b := newBench(t, nil)
	b.tariff(t, list.Rates...)

	numbers := map[string]uint32{}
	for i, line := range lines {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
		}
		if i == 0 {
			var balance int64
			if _, err := fmt.Sscan(cells[4], &balance); err != nil {
				t.Fatal(err)
			}
			b.account(t, "15550001", balance)
			continue
		}

		name, session, _ := strings.Cut(cells[0], ", ")
		refund := session == "refund" // of the event before
		if refund {
			session = ""
		}
		q := ccr(session, map[string]ro.RequestType{
			"CCR Initial": ro.Initial, "CCR Update": ro.Update, "CCR Terminate": ro.Terminate, "CCR Event": ro.Event,
		}[name], numbers[session])
		q.SessionID = "s;" + session
		numbers[session]++
		if q.Type == ro.Event {
			q.RequestedAction = is(ro.DirectDebiting)
			if refund {
				q.RequestedAction = is(ro.RefundAccount)
			}
		}
		q.RequestedServiceUnit = b.units(t, cells[1])
		if used := b.units(t, cells[2]); used != nil {
			q.UsedServiceUnits = []ro.ServiceUnit{*used}
		}

		a := b.send(t, q)
		got := []string{outcome(a), "", "", ""}
		m := b.money(t, "15550001")
		got[1], got[2] = fmt.Sprint(m.Balance), fmt.Sprint(m.Reserved)
		for _, account := range b.accounts(t) {
			if account.Kind == ledger.Revenue {
				got[3] = fmt.Sprint(account.Balance)
			}
		}
		if want := cells[3:]; strings.Join(got, " | ") != strings.Join(want, " | ") {
			t.Errorf("%s: %s, want %s", cells[0], strings.Join(got, " | "), strings.Join(want, " | "))
		}
	}
	b.audited(t)
}

func (b *bench) units(t *testing.T, cell string) *ro.ServiceUnit {
	t.Helper()

	if cell == "" {
		return nil
	}
	var n uint64
	var unit string
	if _, err := fmt.Sscan(cell, &n, &unit); err != nil {
		t.Fatalf("%q: %v", cell, err)
	}

	return b.granted(
		map[string]rating.Unit{"s": rating.Seconds, "octets": rating.Octets, "events": rating.Events, "minor_units": rating.Money}[unit],
		n,
	)
}

// outcome returns the text of the column "granted".
func outcome(a *Answer) string {
	text := ""

	switch u := a.GrantedServiceUnit; {
	case a.Result != ro.Success:
		return fmt.Sprint(a.Result.Code)
	case u == nil:
		return ""
	case u.Time != nil:
		text = fmt.Sprintf("%d s", *u.Time)
	case u.TotalOctets != nil:
		text = fmt.Sprintf("%d octets", *u.TotalOctets)
	case u.Money != nil:
		text = fmt.Sprintf("%d minor_units", u.Money.Value.Digits)
	default:
		text = fmt.Sprintf("%d events", *u.ServiceSpecificUnits)
	}
	if a.FinalUnitIndication != nil {
		text += ", final"
	}

	return text
}
