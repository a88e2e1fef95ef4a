package credit

import (
	"fmt"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

func (b *bench) terms(t *testing.T, name string, tariff rating.Tariff) {
	t.Helper()

	tariff.Name, tariff.Rates = name, []rating.Rate{perSecond()}
	if err := tariff.Validate(); err != nil {
		t.Fatal(err)
	}
	if err := Publish(t.Context(), b.store, &tariff); err != nil {
		t.Fatal(err)
	}
}

// A tariff's terms for the last units override the configured ones, in the version that the session began with.
func TestFinalUnitsOfATariff(t *testing.T) {
	b := newBench(t, nil)
	b.terms(t, "standard", rating.Tariff{FinalUnit: &rating.FinalUnit{Action: rating.Redirect, Redirect: "http://top-up.example.org"}})
	b.account(t, "15550001", 30)

	b.play(t, []step{{ccr("s", ro.Initial, 0, service(1, 20, -1)), "[2001,20]", money{10, 20}}})
	b.terms(
		t,
		"standard",
		rating.Tariff{
			FinalUnit: &rating.FinalUnit{
				Action:  rating.Restrict,
				Filters: []string{"walled-garden"},
				Rules:   []string{"permit out ip from 192.0.2.1 to any"},
			},
		},
	)

	redirected := func(a *Answer) bool {
		f := a.MultipleServicesCreditControl[0].FinalUnitIndication
		return f != nil && f.Action == ro.FinalRedirect && f.RedirectServer.Address == "http://top-up.example.org" &&
			f.RedirectServer.AddressType == 2
	}
	if a := b.send(t, ccr("s", ro.Update, 1, service(1, 20, 20))); !redirected(a) || *a.MultipleServicesCreditControl[0].Granted.Time != 10 {
		t.Errorf("the last units: %+v", a)
	}

	// RFC 8506 §5.6.2: the last report comes without Requested-Service-Unit; the session stays, and the user can top up.
	if a := b.send(t, ccr("s", ro.Update, 2, service(1, -1, 10))); a.Result != ro.Success {
		t.Errorf("%+v", a)
	}
	s := b.sessions(t)[0]
	if !s.Ending() || time.Until(s.Expires) < b.config.Validity {
		t.Errorf("after the last report the session is %+v", s)
	}

	// Without credit the redirection is at once, without units; so it is at the beginning.
	for _, q := range []*ro.CCR{ccr("s", ro.Update, 3, service(1, 20, 0))} {
		if a := b.send(t, q); a.Result != ro.Success || !redirected(a) || a.MultipleServicesCreditControl[0].Granted != nil {
			t.Errorf("%+v", a)
		}
	}
	a := b.send(t, ccr("u", ro.Initial, 0, service(1, 20, -1)))
	f := a.MultipleServicesCreditControl[0].FinalUnitIndication
	if a.Result != ro.Success || f == nil || f.Action != ro.FinalRestrictAccess || fmt.Sprint(f.FilterIDs) != "[walled-garden]" ||
		string(f.RestrictionFilters[0]) != "permit out ip from 192.0.2.1 to any" {
		t.Errorf("a session of the new version: %+v %+v", a, f)
	}

	if err := b.store.TopUp(t.Context(), "15550001", 100, "", ""); err != nil {
		t.Fatal(err)
	}
	b.play(t, []step{
		{ccr("s", ro.Update, 4, service(1, 20, 0)), "[2001,20]", money{80, 20}},
		{ccr("s", ro.Terminate, 5, service(1, -1, 5)), "[2001]", money{95, 0}},
		{ccr("u", ro.Terminate, 1), "[2001]", money{95, 0}},
	})
	if r := b.cdrs(t)[0]; r.Cause != terminated || r.Amount != 35 {
		t.Errorf("%+v", r)
	}
	b.audited(t)
}

func TestFinalUnitOfATariffIsChecked(t *testing.T) {
	for _, tariff := range []rating.Tariff{
		{FinalUnit: &rating.FinalUnit{}},
		{FinalUnit: &rating.FinalUnit{Action: rating.Redirect}},
		{FinalUnit: &rating.FinalUnit{Action: rating.Restrict}},
		{FinalUnit: &rating.FinalUnit{Action: rating.Terminate, Filters: []string{"x"}}},
		{LowBalance: is(int64(-1))},
	} {
		tariff.Name, tariff.Rates = "t", []rating.Rate{perSecond()}
		if tariff.Validate() == nil {
			t.Errorf("%+v is accepted", tariff)
		}
	}
}

// TS 32.299 §7.2: Low-Balance-Indication depends on what is unspent, not on what is reserved.
func TestLowBalance(t *testing.T) {
	b := newBench(t, func(c *Config) { c.LowBalance, c.ShowBalance = 200, true })
	b.account(t, "15550001", 500)
	b.tariff(t, perSecond())
	event := ccr("e", ro.Event, 0)
	event.RequestedAction = is(ro.DirectDebiting)

	for _, test := range []struct {
		name string
		q    *ro.CCR
		low  uint32
		left int64
	}{
		{"most is reserved, nothing spent", ccr("s", ro.Initial, 0, service(1, 450, -1)), 0, 500},
		{"300 of 500 spent", ccr("s", ro.Update, 1, service(1, 100, 300)), 0, 200},
		{"301", ccr("s", ro.Update, 2, service(1, 100, 1)), 1, 199},
		{"the last report", ccr("s", ro.Terminate, 3, service(1, -1, 99)), 1, 100},
		{"a message", event, 1, 90},
	} {
		a := b.send(t, test.q)
		if a.LowBalanceIndication == nil || *a.LowBalanceIndication != test.low || a.RemainingBalance == nil ||
			a.RemainingBalance.Value.Digits != test.left {
			t.Errorf("%s: %v, %+v, want %d, %d", test.name, a.LowBalanceIndication, a.RemainingBalance, test.low, test.left)
		}
	}

	b.terms(t, "standard", rating.Tariff{LowBalance: is(int64(0))})
	if a := b.send(t, ccr("t", ro.Initial, 0, service(1, 10, -1))); a.LowBalanceIndication != nil {
		t.Error("the tariff wants none")
	}
	b.terms(t, "standard", rating.Tariff{LowBalance: is(int64(50))})
	if a := b.send(t, ccr("u", ro.Initial, 0, service(1, 10, -1))); a.LowBalanceIndication == nil || *a.LowBalanceIndication != 0 {
		t.Error("the tariff wants it below 50")
	}
}

// RFC 8506 §8.33: when its validity ends, the quota is reported, whatever is left of it; the rest is returned, and the new one is valid as
// long again. A client that does not report is closed after Tcc (TestSupervision).
func TestValidityExpires(t *testing.T) {
	b := newBench(t, nil)
	b.account(t, "15550001", 1000)
	b.tariff(t, perSecond())
	first := b.send(t, ccr("s", ro.Initial, 0, service(1, 600, -1)))
	if v := first.MultipleServicesCreditControl[0].ValidityTime; v == nil || *v != 3600 {
		t.Fatalf("Validity-Time %v", v)
	}

	report := service(1, 600, 10)
	report.Used[0].ReportingReason = is(ro.ReasonValidityTime)
	b.play(t, []step{{ccr("s", ro.Update, 1, report), "[2001,600]", money{390, 600}}})
	if left := time.Until(b.sessions(t)[0].Expires); left < b.config.Validity+b.config.Supervision-time.Minute {
		t.Errorf("supervised for %v", left)
	}
}

func TestThresholds(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Threshold, c.ThresholdOctets = 5*time.Second, 1000 })
	b.account(t, "15550001", 1_000_000)
	rate := perSecond()
	rate.VolumePrice, rate.VolumeInterval = 1, 1024
	b.tariff(t, rate)

	octets := ro.MultipleServicesCreditControl{RatingGroup: is(uint32(2)), Requested: &ro.ServiceUnit{TotalOctets: is(uint64(5000))}}
	a := b.send(t, ccr("s", ro.Initial, 0, service(1, 60, -1), octets, service(3, 5, -1)))
	for i, want := range []struct{ time, octets uint32 }{{5, 0}, {0, 1000}, {0, 0}} { // a quota of 5 s is asked for anew at its end
		m := a.MultipleServicesCreditControl[i]
		if value(m.TimeQuotaThreshold) != want.time || value(m.VolumeQuotaThreshold) != want.octets {
			t.Errorf("service %d: %v %v, want %+v", i, value(m.TimeQuotaThreshold), value(m.VolumeQuotaThreshold), want)
		}
	}
}

func value(n *uint32) uint32 {
	if n == nil {
		return 0
	}

	return *n
}
