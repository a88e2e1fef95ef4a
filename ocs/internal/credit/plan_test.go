package credit

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// plan publishes a price plan.
func (b *bench) plan(t failer, text string) {
	t.Helper()

	plan, err := rating.Read([]byte(text))
	if err != nil {
		t.Fatalf("%v", err)
	}

	plan.Tariff.Name = "standard"
	if err := Publish(context.Background(), b.store, &plan.Tariff); err != nil {
		t.Fatalf("%v", err)
	}
}

// standard returns the plan in force.
func (b *bench) standard(t failer) *rating.Plan {
	t.Helper()

	plan, err := b.tariffs.current(b.store.Read(context.Background()), "standard")
	if err != nil {
		t.Fatalf("%v", err)
	}

	return plan
}

const eveningPlan = `
periods:
  evening: [{from: "20:00", to: "24:00"}]
rates:
  - {name: day, prefix: "", price: 2, interval: 1, volume_price: 2, volume_interval: 1000}
  - {name: evening, prefix: "", when: [evening], price: 1, interval: 1, volume_price: 1, volume_interval: 1000}
`

// yesterday returns a time of the day before, which a request may report.
func yesterday(hour, minute, second int) time.Time {
	return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1).
		Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second)
}

func at(when time.Time, q *ro.CCR) *ro.CCR {
	q.EventTimestamp = when
	return q
}

// A call that crosses a border is priced part by part from its answer, which its CDR shows line by line, and the border is announced (RFC
// 8506 §8.20).
func TestCallOverABorder(t *testing.T) {
	b := newBench(t, nil)
	b.account(t, "15550001", 1000)
	b.plan(t, eveningPlan)

	border := yesterday(20, 0, 0)

	a := b.send(t, at(yesterday(19, 59, 0), ccr("s", ro.Initial, 0, service(1, 120, -1))))
	if got := a.MultipleServicesCreditControl[0].Granted.TariffTimeChange; !got.Equal(border) {
		t.Errorf("the border is announced at %s, want %s", got, border)
	}

	if m := b.money(t, "15550001"); m.Reserved != 180 { // as if it were answered at once
		t.Errorf("%d are reserved, want 60 s at 2 and 60 s at 1", m.Reserved)
	}

	a = b.send(t, at(yesterday(20, 0, 30), ccr("s", ro.Update, 1, service(1, 60, 60)))) // answered at 19:59:30
	if got := a.MultipleServicesCreditControl[0].Granted.TariffTimeChange; !got.IsZero() {
		t.Errorf("a border is announced at %s, after the last of the day's calls", got)
	}

	if m := b.money(t, "15550001"); m.Balance+m.Reserved != 1000-90 {
		t.Errorf("%+v, want 30 s at 2 and 30 s at 1 paid", m)
	}

	b.send(t, at(yesterday(20, 1, 30), ccr("s", ro.Terminate, 2, service(1, -1, 60))))

	record := b.cdrs(t)[0]
	if record.Amount != 150 || len(record.Charges) != 1 {
		t.Fatalf("%+v", record)
	}

	var lines []string
	for _, line := range record.Charges[0].Lines {
		lines = append(lines, fmt.Sprintf("%s %s %d %s", line.Rate, line.At.Format(time.TimeOnly), line.Units, line.Amount))
	}

	if want := []string{"day 19:59:30 30 60", "evening 20:00:00 90 90"}; !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}

	if again, _ := record.Rerated(b.standard(t)); again != record.Amount {
		t.Errorf("rated again it costs %d", again)
	}
	b.audited(t)
}

// Volume that is used after the announced change has the price after it; what is not divided counts as before it (RFC 8506 §8.27).
func TestTariffChangeUsage(t *testing.T) {
	const before, after, indeterminate = 0, 1, 2

	octets := func(usage uint32, n uint64) ro.ServiceUnit {
		return ro.ServiceUnit{TariffChangeUsage: is(usage), TotalOctets: &n}
	}

	for name, test := range map[string]struct {
		used []ro.ServiceUnit
		want int64
	}{
		"before and after":  {[]ro.ServiceUnit{octets(before, 4000), octets(after, 6000)}, 14},
		"in another order":  {[]ro.ServiceUnit{octets(after, 6000), octets(before, 4000)}, 14},
		"after only":        {[]ro.ServiceUnit{octets(after, 6000)}, 6},
		"indeterminate":     {[]ro.ServiceUnit{octets(indeterminate, 6000)}, 12},
		"nothing is stated": {[]ro.ServiceUnit{{TotalOctets: is(uint64(6000))}}, 12},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.account(t, "15550001", 1000)
			b.plan(t, eveningPlan)

			data := ro.MultipleServicesCreditControl{
				RatingGroup: is(uint32(1)),
				Requested:   &ro.ServiceUnit{TotalOctets: is(uint64(10000))},
			}

			a := b.send(t, at(yesterday(19, 30, 0), ccr("s", ro.Initial, 0, data)))
			if got := a.MultipleServicesCreditControl[0].Granted.TariffTimeChange; !got.Equal(yesterday(20, 0, 0)) {
				t.Errorf("the border is announced at %s", got)
			}

			data.Used, data.Requested = test.used, nil
			b.send(t, at(yesterday(20, 15, 0), ccr("s", ro.Terminate, 1, data)))

			if record := b.cdrs(t)[0]; record.Amount != test.want {
				t.Errorf("%d, want %d: %+v", record.Amount, test.want, record.Charges)
			}
			b.audited(t)
		})
	}
}

// Services that want the same money share it by the plan, else in proportion, whatever the order of the AVPs.
func TestSharing(t *testing.T) {
	for name, test := range map[string]struct {
		plan    string
		wants   []int64 // of the rating groups 1, 2, …
		balance int64
		want    []uint32
	}{
		"enough for all": {"rates: [{prefix: \"\", price: 1, interval: 1}]", []int64{60, 40}, 100, []uint32{60, 40}},
		"equal wishes":   {"rates: [{prefix: \"\", price: 1, interval: 1}]", []int64{100, 100}, 100, []uint32{50, 50}},
		"in proportion":  {"rates: [{prefix: \"\", price: 1, interval: 1}]", []int64{300, 100}, 100, []uint32{75, 25}},
		"three":          {"rates: [{prefix: \"\", price: 1, interval: 1}]", []int64{100, 100, 200}, 100, []uint32{25, 25, 50}},
		"by what it costs": {
			"rates: [{prefix: \"\", price: 1, interval: 1}, {prefix: \"\", rating_group: 2, price: 3, interval: 1}]",
			[]int64{100, 100},
			100,
			[]uint32{25, 25},
		},
		"by priority": {
			"rates:\n" +
				"- {prefix: \"\", price: 1, interval: 1, quota: {share: 2}}\n" +
				"- {prefix: \"\", rating_group: 2, price: 1, interval: 1, quota: {share: 1}}",
			[]int64{100, 70},
			100,
			[]uint32{30, 70},
		},
		"a part buys no block": {"rates: [{prefix: \"\", price: 60, interval: 60, increment: 60}]", []int64{60, 60}, 100, []uint32{60, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, backwards := range []bool{false, true} {
				b := newBench(t, nil)
				b.account(t, "15550001", test.balance)
				b.plan(t, test.plan)

				var services []ro.MultipleServicesCreditControl
				for i, want := range test.wants {
					services = append(services, service(uint32(i+1), want, -1))
				}
				if backwards {
					slices.Reverse(services)
				}

				got := make([]uint32, len(services))
				for _, m := range b.send(t, ccr("s", ro.Initial, 0, services...)).MultipleServicesCreditControl {
					if m.Granted != nil {
						got[*m.RatingGroup-1] = *m.Granted.Time
					}
				}

				if !slices.Equal(got, test.want) {
					t.Errorf("backwards %t: %d, want %d", backwards, got, test.want)
				}
				b.audited(t)
			}
		})
	}
}

// How units are granted is what the plan says, or the rate.
func TestTermsOfAPlan(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Overdraft = 70 })
	b.account(t, "15550001", 1000)
	b.plan(t, `
quota: {seconds: 30, validity: 120, threshold: 5, holding: 10, failure_handling: continue, overdraft: 50}
rates:
  - {prefix: "", price: 10, interval: 1}
  - {prefix: "", rating_group: 2, price: 1, interval: 1, quota: {seconds: 20, validity: 60, threshold: 3}}
`)

	a := b.send(t, ccr("s", ro.Initial, 0, service(1, 0, -1), service(2, 0, -1)))
	if a.CreditControlFailureHandling == nil || *a.CreditControlFailureHandling != ro.FailureContinue {
		t.Errorf("failure handling: %v", a.CreditControlFailureHandling)
	}

	for i, want := range [][4]uint32{{30, 120, 5, 10}, {20, 60, 3, 10}} {
		m := a.MultipleServicesCreditControl[i]
		if got := [4]uint32{*m.Granted.Time, *m.ValidityTime, *m.TimeQuotaThreshold, *m.QuotaHoldingTime}; got != want {
			t.Errorf("service %d: seconds, validity, threshold, holding %d, want %d", i+1, got, want)
		}
	}

	b.send(t, ccr("s", ro.Terminate, 1, service(1, -1, 110)))
	if m := b.money(t, "15550001"); m.Balance != -50 {
		t.Errorf("the balance is %d, want the overdraft", m.Balance)
	}
}

// A plan in another currency has no prices here.
func TestForeignCurrency(t *testing.T) {
	b := newBench(t, nil)
	b.account(t, "15550001", 1000)
	b.plan(t, "currency: 840\nrates: [{prefix: \"\", price: 1, interval: 1}]")

	if a := b.send(t, ccr("s", ro.Initial, 0, service(1, 0, -1))); a.Result != ro.RatingFailed {
		t.Errorf("%v", a.Result)
	}
}

// What a request tells of access and messages meets the conditions of a plan.
func TestConditionsOverRo(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*ro.IMSInformation)
		want   int64
	}{
		"at home": {func(*ro.IMSInformation) {}, 1},
		"abroad":  {func(i *ro.IMSInformation) { i.VisitedNetwork = "ims.mnc001.mcc208.3gppnetwork.org" }, 2},
		"Wi-Fi": {func(i *ro.IMSInformation) {
			i.AccessNetworkInformation = [][]byte{[]byte("IEEE-802.11;i-wlan-node-id=1")}
		}, 3},
		"LTE": {func(i *ro.IMSInformation) {
			i.AccessNetworkInformation = [][]byte{[]byte("3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=1")}
		}, 4},
		"NR": {func(i *ro.IMSInformation) {
			i.AccessNetworkInformation = [][]byte{[]byte("3GPP-NR-TDD;utran-cell-id-3gpp=1")}
		}, 5},
		"Wi-Fi, as the network says": {func(i *ro.IMSInformation) {
			i.AccessNetworkInformation = [][]byte{[]byte("3GPP-WLAN;network-provided")}
		}, 3},
		"Wi-Fi, which the network denies": {func(i *ro.IMSInformation) {
			i.AccessNetworkInformation = [][]byte{[]byte("IEEE-802.11;i-wlan-node-id=1"), []byte("3GPP-E-UTRAN;network-provided")}
		}, 4},
		"a message":         {func(i *ro.IMSInformation) { i.EventType.SIPMethod = "MESSAGE" }, 6},
		"within the family": {func(i *ro.IMSInformation) { i.CalledPartyAddress = "tel:+15550009" }, 7},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.account(t, "15550001", 1000)
			b.plan(t, `
home: [ims.mnc001.mcc001.3gppnetwork.org]
groups: {family: ["+15550001", "+15550009"]}
rates:
  - {prefix: "", price: 1, interval: 1}
  - {prefix: "", price: 2, interval: 1, visited: [roaming]}
  - {prefix: "", price: 3, interval: 1, access: [WLAN]}
  - {prefix: "", price: 4, interval: 1, access: [LTE]}
  - {prefix: "", price: 5, interval: 1, access: [NR]}
  - {prefix: "", price: 6, interval: 1, messages: [SMS]}
  - {prefix: "", price: 7, interval: 1, within: [family]}
`)

			q := ccr("s", ro.Initial, 0, service(1, 10, -1))
			test.change(q.ServiceInformation.IMS)
			b.send(t, q)

			if m := b.money(t, "15550001"); m.Reserved != 10*test.want {
				t.Errorf("%d are reserved, want %d", m.Reserved, 10*test.want)
			}
		})
	}
}
