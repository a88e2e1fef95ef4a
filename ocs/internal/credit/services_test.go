package credit

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// identified returns a service of a rating group with Service-Identifiers.
func identified(m ro.MultipleServicesCreditControl, identifiers ...uint32) ro.MultipleServicesCreditControl {
	m.ServiceIdentifiers = identifiers
	return m
}

// RFC 8506 §8.16: the Service-Identifiers identify the service, even within one rating group; without any, it is the whole rating group.
func TestServicesOfOneRatingGroup(t *testing.T) {
	for name, steps := range map[string][]step{
		"two services of one group are two": {
			{ccr("s", ro.Initial, 0, identified(service(1, 100, -1), 5), identified(service(1, 200, -1), 6)), "[2001,100,200]", money{700, 300}},
			{ccr("s", ro.Update, 1, identified(service(1, 50, 100), 5)), "[2001,50]", money{650, 250}},
			{ccr("s", ro.Terminate, 2, identified(service(1, -1, 50), 5), identified(service(1, -1, 10), 6)), "[2001]", money{840, 0}},
		},
		"the order of identifiers says nothing": {
			{ccr("s", ro.Initial, 0, identified(service(1, 100, -1), 5, 6)), "[2001,100]", money{900, 100}},
			{ccr("s", ro.Update, 1, identified(service(1, 100, 100), 6, 5)), "[2001,100]", money{800, 100}},
		},
		"use of a service counts against the quota of its whole group": {
			{ccr("s", ro.Initial, 0, service(1, 100, -1)), "[2001,100]", money{900, 100}},
			{
				ccr("s", ro.Update, 1, identified(service(1, -1, 30), 5), identified(service(1, -1, 20), 6), service(1, 10, -1)),
				"[2001,10]",
				money{940, 10},
			},
			{ccr("s", ro.Terminate, 2, identified(service(1, -1, 10), 5)), "[2001]", money{940, 0}},
		},
		"services without a group": {
			{
				ccr("s", ro.Initial, 0, ro.MultipleServicesCreditControl{
					ServiceIdentifiers: []uint32{5},
				}, ro.MultipleServicesCreditControl{ServiceIdentifiers: []uint32{6}}),
				"[2001,60,60]",
				money{880, 120},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.account(t, "15550001", 1000)
			b.tariff(t, perSecond())
			b.play(t, steps)
		})
	}
}

// RFC 8506 §5.1.2: a client that requests each service separately opens its session without any, and nothing is reserved.
func TestInitialWithoutServices(t *testing.T) {
	open := func(indicator *uint32) *ro.CCR {
		q := ccr("s", ro.Initial, 0)
		q.MultipleServicesIndicator = indicator
		return q
	}

	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"multiple services are supported", []step{
			{open(is(uint32(1))), "[2001]", money{1000, 0}},
			{ccr("s", ro.Update, 1, service(1, 100, -1)), "[2001,100]", money{900, 100}},
			{ccr("s", ro.Terminate, 2, service(1, -1, 40)), "[2001]", money{960, 0}},
		}},
		{"they are not", []step{{open(is(uint32(0))), "[2001,60]", money{940, 60}}}},
		{"nothing is said of them", []step{{open(nil), "[2001,60]", money{940, 60}}}},
		{"they are, and units are asked for as a whole", []step{{func() *ro.CCR {
			q := open(is(uint32(1)))
			q.RequestedServiceUnit = &ro.ServiceUnit{Time: is(uint32(7))}
			return q
		}(), "[2001,7]", money{993, 7}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, nil)
			b.account(t, "15550001", 1000)
			b.tariff(t, perSecond())
			b.play(t, test.steps)
			if sessions := b.sessions(t); len(sessions) == 1 && sessions[0].Expires.Before(time.Now().Add(b.config.Validity)) {
				t.Errorf("supervised until %v only", sessions[0].Expires)
			}
		})
	}
}

// Overruns are settled after all reservations of the session have been returned, whatever the order of services.
func TestOverrunsWhateverTheOrder(t *testing.T) {
	one, two := service(1, -1, 80), service(2, -1, 10)

	for name, reports := range map[string][]*ro.CCR{
		"the overrun first":               {ccr("s", ro.Terminate, 1, one, two)},
		"the overrun last":                {ccr("s", ro.Terminate, 1, two, one)},
		"the other service is not named":  {ccr("s", ro.Update, 1, two), ccr("s", ro.Terminate, 2, one)},
		"the overrun before all is known": {ccr("s", ro.Update, 1, one), ccr("s", ro.Terminate, 2, two)},
		"in updates":                      {ccr("s", ro.Update, 1, one, two), ccr("s", ro.Terminate, 2)},
		"and so the other way round":      {ccr("s", ro.Update, 1, two, one), ccr("s", ro.Terminate, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.account(t, "15550001", 100)
			b.tariff(t, perSecond())
			b.send(t, ccr("s", ro.Initial, 0, service(1, 50, -1), service(2, 50, -1)))
			for _, q := range reports {
				b.send(t, q)
			}
			if got := b.money(t, "15550001"); got != (money{10, 0}) {
				t.Errorf("%+v, want 90 charged", got)
			}
			if r := b.cdrs(t)[0]; r.Amount != 90 || r.Uncollected != 0 {
				t.Errorf("record: %d charged, %d not", r.Amount, r.Uncollected)
			}
			b.audited(t)
		})
	}
}

// TestMoneyWhateverTheOrder generalises this to any use of any services: a session costs what was used, as far as there is money for it.
func TestMoneyWhateverTheOrder(t *testing.T) {
	fewChecks(t)
	rapid.Check(t, func(r *rapid.T) {
		services := rapid.IntRange(2, 4).Draw(r, "services")
		balance := rapid.Int64Range(0, 400).Draw(r, "balance")
		wanted := rapid.SliceOfN(rapid.Int64Range(1, 100), services, services).Draw(r, "wanted")
		used := rapid.SliceOfN(rapid.Int64Range(0, 150), services, services).Draw(r, "used")
		overdraft := rapid.Int64Range(0, 50).Draw(r, "overdraft")
		order := rapid.Permutation(indices(services)).Draw(r, "order")
		cut := rapid.IntRange(0, services).Draw(r, "in the first report")

		b := newBench(t, func(c *Config) { c.Overdraft = overdraft })
		defer b.store.Close()
		b.account(r, "15550001", balance)
		b.tariff(r, perSecond())

		var asked, first, last []ro.MultipleServicesCreditControl
		var sum int64
		for i := range services {
			asked = append(asked, service(uint32(i), wanted[i], -1))
		}
		if a := b.send(r, ccr("s", ro.Initial, 0, asked...)); !a.Result.Successful() {
			return // without a cent there is no session
		}
		for at, i := range order {
			sum += used[i]
			if at < cut {
				first = append(first, service(uint32(i), -1, used[i]))
			} else {
				last = append(last, service(uint32(i), -1, used[i]))
			}
		}
		if cut > 0 {
			b.send(r, ccr("s", ro.Update, 1, first...))
		}
		b.send(r, ccr("s", ro.Terminate, 2, last...))

		want := min(sum, balance+overdraft)
		if record := b.cdrs(r)[0]; record.Amount != want || record.Uncollected != sum-want {
			r.Fatalf(
				"%v used of %v, %d there: %d charged and %d not, want %d and %d",
				used,
				wanted,
				balance,
				record.Amount,
				record.Uncollected,
				want,
				sum-want,
			)
		}
		b.audited(r)
	})
}

func indices(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}

	return all
}

// If the request leaves the unit open, it is the one that the rate prices.
func TestUnitThatTheRatePrices(t *testing.T) {
	asks := func(units ...ro.ServiceUnit) ro.MultipleServicesCreditControl {
		m := ro.MultipleServicesCreditControl{RatingGroup: is(uint32(1)), Requested: &ro.ServiceUnit{}}
		for _, u := range units {
			if u.Time != nil {
				m.Requested.Time = u.Time
			}
			if u.TotalOctets != nil {
				m.Requested.TotalOctets = u.TotalOctets
			}
			if u.ServiceSpecificUnits != nil {
				m.Requested.ServiceSpecificUnits = u.ServiceSpecificUnits
			}
			if u.Money != nil {
				m.Requested.Money = u.Money
			}
		}
		return m
	}
	second, octets, events := ro.ServiceUnit{
		Time: is(uint32(10)),
	}, ro.ServiceUnit{
		TotalOctets: is(uint64(2048)),
	}, ro.ServiceUnit{
		ServiceSpecificUnits: is(uint64(2)),
	}
	volume := rating.Rate{VolumePrice: 2, VolumeInterval: 1024}
	messages := rating.Rate{EventPrice: is(int64(9))}
	both := rating.Rate{Price: 1, Interval: 1, VolumePrice: 2, VolumeInterval: 1024}

	for name, test := range map[string]struct {
		rate rating.Rate
		m    ro.MultipleServicesCreditControl
		want string
		left int64
	}{
		"empty, and only events have a price": {messages, asks(), "[2001,1]", 1000 - 9},
		"empty, and only volume has a price": {
			rating.Rate{VolumePrice: 2, VolumeInterval: 1 << 20},
			asks(),
			"[2001,10485760]",
			1000 - 20,
		},
		"empty, and time has a price, too":                      {both, asks(), "[2001,60]", 1000 - 60},
		"time and volume, of which volume has a price":          {volume, asks(second, octets), "[2001,2048]", 1000 - 4},
		"time and volume, which both have":                      {both, asks(second, octets), "[2001,10]", 1000 - 10},
		"time, volume and events, of which events have a price": {messages, asks(second, octets, events), "[2001,2]", 1000 - 18},
		"none of them has a price":                              {messages, asks(second, octets), "[5031]", 1000},
		"money beside a unit that has a price":                  {volume, asks(octets, *euro(1)), "[2001,2048]", 1000 - 4},
		"money beside a unit that has none":                     {messages, asks(octets, *euro(1)), `[2001,"100e-2"]`, 900},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.account(t, "15550001", 1000)
			b.tariff(t, test.rate)
			if got := told(b.send(t, ccr("s", ro.Initial, 0, test.m))); got != test.want {
				t.Errorf("session: %s, want %s", got, test.want)
			}
			if got := b.money(t, "15550001"); got.Balance != test.left {
				t.Errorf("%+v, want %d left", got, test.left)
			}
		})
	}

	t.Run("the same for an event", func(t *testing.T) {
		b := newBench(t, nil)
		b.account(t, "15550001", 1000)
		b.tariff(t, messages)
		q := ccr("e", ro.Event, 0)
		q.RequestedAction = is(ro.DirectDebiting)
		q.RequestedServiceUnit = &ro.ServiceUnit{
			Time:                 second.Time,
			TotalOctets:          octets.TotalOctets,
			ServiceSpecificUnits: events.ServiceSpecificUnits,
		}
		if got := told(b.send(t, q)); got != "[2001,2]" || b.money(t, "15550001").Balance != 1000-18 {
			t.Errorf("%s %+v", got, b.money(t, "15550001"))
		}
	})

	t.Run("a quota goes on in its unit", func(t *testing.T) {
		b := newBench(t, nil)
		b.account(t, "15550001", 1000)
		b.tariff(t, both)
		b.play(t, []step{
			{ccr("s", ro.Initial, 0, asks(octets)), "[2001,2048]", money{996, 4}},
			{ccr("s", ro.Update, 1, asks(second, octets)), "[2001,2048]", money{996, 4}},
			{ccr("s", ro.Update, 2, asks(second)), "[5031]", money{1000, 0}},
		})
	})
}

// Use reported in another unit than the quota's is recorded, counted, and logged.
func TestUseInAnotherUnit(t *testing.T) {
	reports := func(units ...ro.ServiceUnit) *ro.CCR {
		return ccr("s", ro.Terminate, 1, ro.MultipleServicesCreditControl{RatingGroup: is(uint32(1)), Used: units})
	}

	for name, test := range map[string]struct {
		q       *ro.CCR
		amount  int64
		unrated string
		level   string
	}{
		"in that of the quota": {reports(ro.ServiceUnit{Time: is(uint32(10))}), 10, "", ""},
		"in another":           {reports(ro.ServiceUnit{TotalOctets: is(uint64(5000))}), 0, "octets 5000", "WARN"},
		"in both, of the same use": {
			reports(ro.ServiceUnit{Time: is(uint32(10)), TotalOctets: is(uint64(5000))}),
			10,
			"octets 5000",
			"INFO",
		},
		"in both, each by itself": {
			reports(ro.ServiceUnit{Time: is(uint32(10))}, ro.ServiceUnit{InputOctets: is(uint64(4000)), OutputOctets: is(uint64(1000))}),
			10,
			"octets 5000",
			"WARN",
		},
		"in money": {reports(*euro(3)), 0, "money 300", "WARN"},
		"of a service that has no price for them": {
			ccr("s", ro.Terminate, 1, ro.MultipleServicesCreditControl{
				RatingGroup: is(uint32(9)),
				Used:        []ro.ServiceUnit{{TotalOctets: is(uint64(7))}},
			}),
			0,
			"octets 7",
			"WARN",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.account(t, "15550001", 1000)
			b.tariff(t, perSecond())
			b.send(t, ccr("s", ro.Initial, 0, service(1, 60, -1)))
			b.send(t, test.q)
			r := b.cdrs(t)[0]
			if r.Amount != test.amount || r.Unrated != test.unrated {
				t.Errorf("%d charged, unrated %q, want %d and %q", r.Amount, r.Unrated, test.amount, test.unrated)
			}

			said := b.said("units that the service is not charged in")
			counted := b.counted(t, "dialtone_ocs_unrated_units_total")
			if (counted > 0) != (test.unrated != "") || (test.level == "") != (len(said) == 0) ||
				test.level != "" && !slices.Contains(said, test.level) {
				t.Errorf("counted %v, said %v, want %s", counted, said, test.level)
			}
		})
	}
}

// A grant that leaves exactly nothing is the last (RFC 8506 §5.6), except for units that cost no more.
func TestGrantDownToNothing(t *testing.T) {
	minute := rating.Rate{Price: 60, Interval: 60, Increment: 60}

	for name, test := range map[string]struct {
		balance  int64
		rate     rating.Rate
		services []ro.MultipleServicesCreditControl
		want     string
	}{
		"a second is left":              {61, perSecond(), []ro.MultipleServicesCreditControl{service(1, 60, -1)}, "[2001,60]"},
		"nothing is left":               {60, perSecond(), []ro.MultipleServicesCreditControl{service(1, 60, -1)}, `[2001,60,"final"]`},
		"less than a minute is left":    {119, minute, []ro.MultipleServicesCreditControl{service(1, 60, -1)}, `[2001,60,"final"]`},
		"the minute is paid to its end": {60, minute, []ro.MultipleServicesCreditControl{service(1, 30, -1)}, `[2001,30]`},
		"what is free has no end":       {0, rating.Rate{Interval: 1}, []ro.MultipleServicesCreditControl{service(1, 60, -1)}, `[2001,60]`},
		"the last service takes the rest": {
			90,
			perSecond(),
			[]ro.MultipleServicesCreditControl{service(1, 60, -1), service(2, 30, -1)},
			`[2001,60,"final",30,"final"]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.account(t, "15550001", test.balance)
			b.tariff(t, test.rate)
			if got := told(b.send(t, ccr("s", ro.Initial, 0, test.services...))); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// A session in which one service got nothing is re-authorised after a top-up.
func TestEndingWhereOneServiceIsRefused(t *testing.T) {
	b := newBench(t, nil)
	b.account(t, "15550001", 130)
	b.tariff(t, perSecond(), rating.Rate{RatingGroup: is(uint32(2)), Price: 1000, Interval: 1})
	b.send(t, ccr("s", ro.Initial, 0, service(1, 60, -1), service(2, 60, -1)))

	ending := func() bool { return b.sessions(t)[0].Ending() }
	if !ending() {
		t.Error("a service was refused, and a top-up would change nothing")
	}
	b.send(t, ccr("s", ro.Update, 1, service(1, 60, 30)))
	if !ending() {
		t.Error("the other service has reported, and the refused one is forgotten")
	}
	if err := b.store.TopUp(t.Context(), "15550001", 100_000, "", ""); err != nil {
		t.Fatal(err)
	}
	b.send(t, ccr("s", ro.Update, 2, service(2, 60, -1)))
	if ending() {
		t.Error("both have what they asked for")
	}
}

// Times in CDRs are those of the events, not of the reports.
func TestEventTimestamp(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	at := func(q *ro.CCR, ago time.Duration) *ro.CCR {
		q.EventTimestamp = now.Add(-ago)
		return q
	}

	for name, test := range map[string]struct {
		initial, terminate time.Duration // ago
		started, ended     time.Duration // in the CDR; -1 as it came
	}{
		"reports that waited":             {20 * time.Minute, 10 * time.Minute, 20 * time.Minute, 10 * time.Minute},
		"a clock that is ahead":           {-time.Hour, -time.Hour, -1, -1},
		"a clock that was never set":      {400_000 * time.Hour, 400_000 * time.Hour, -1, -1},
		"the end before the beginning":    {10 * time.Minute, 20 * time.Minute, 10 * time.Minute, 10 * time.Minute},
		"a clock that was put right then": {-time.Hour, time.Second, -1, -1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.account(t, "15550001", 1000)
			b.tariff(t, perSecond())
			before := time.Now()
			b.send(t, at(ccr("s", ro.Initial, 0, service(1, 60, -1)), test.initial))
			b.send(t, at(ccr("s", ro.Terminate, 1, service(1, -1, 30)), test.terminate))

			r := b.cdrs(t)[0]
			for _, look := range []struct {
				what string
				got  time.Time
				want time.Duration
			}{{"started", r.Started, test.started}, {"ended", r.Ended, test.ended}} {
				if look.want < 0 && look.got.Before(before) || look.want >= 0 && !look.got.Equal(now.Add(-look.want)) {
					t.Errorf("%s %v, it is %v; want %v ago", look.what, look.got, now, look.want)
				}
			}
			if name == "reports that waited" && (r.Duration != 600 || !r.Answered.Equal(now.Add(-10*time.Minute-30*time.Second))) {
				t.Errorf("%d s, answered %v", r.Duration, r.Answered)
			}
		})
	}
}

func TestWhoPays(t *testing.T) {
	const imsi, realm = "001010000000001", "ims.mnc001.mcc001.3gppnetwork.org"

	for name, test := range map[string]struct {
		account string
		change  func(*ro.CCR)
	}{
		"a NAI that the account has":              {"nai:Bob@example.org", subscription(ro.NAI, "Bob@EXAMPLE.org")},
		"a NAI that is a SIP URI":                 {"sip:bob@example.org", subscription(ro.NAI, "bob@example.org")},
		"TS 23.003 §13.3 a NAI with an IMSI":      {"imsi:" + imsi, subscription(ro.NAI, imsi+"@"+realm)},
		"TS 23.003 §19.3.2 a NAI of the EPC":      {"imsi:" + imsi, subscription(ro.NAI, "0"+imsi+"@nai.epc.mnc001.mcc001.3gppnetwork.org")},
		"a private identity":                      {"nai:" + imsi + "@" + realm, subscription(ro.Private, imsi+"@"+realm)},
		"E164 as a URI":                           {"tel:+15550003", subscription(ro.E164, "tel:+15550003")},
		"RFC 8506 §8.58 extension with a number":  {"tel:+15550003", extension(ro.SubscriptionIDExtension{E164: "15550003"})},
		"RFC 8506 §8.58 extension with an IMSI":   {"imsi:" + imsi, extension(ro.SubscriptionIDExtension{IMSI: imsi})},
		"RFC 8506 §8.58 extension with a SIP URI": {"sip:bob@example.org", extension(ro.SubscriptionIDExtension{SIPURI: "sip:bob@EXAMPLE.org"})},
		"RFC 8506 §8.58 extension with a NAI":     {"nai:bob@example.org", extension(ro.SubscriptionIDExtension{NAI: "bob@example.org"})},
		"RFC 8506 §8.58 private extension":        {"nai:bob@example.org", extension(ro.SubscriptionIDExtension{Private: "bob@example.org"})},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			if err := b.store.Add(t.Context(), "bob", "", []string{test.account}, 100); err != nil {
				t.Fatal(err)
			}
			b.tariff(t, perSecond())
			q := ccr("s", ro.Initial, 0, service(1, 10, -1))
			test.change(q)
			if a := b.send(t, q); a.Result != ro.Success {
				t.Errorf("%v (%s)", a.Result, a.ErrorMessage)
			}
		})
	}

	b := newBench(t, nil)
	b.tariff(t, perSecond())
	for _, nai := range []string{"", "@", "bob", "bob@", "@example.org", "0" + imsi + "@example.org"} {
		q := ccr(fmt.Sprint("s;", nai), ro.Initial, 0, service(1, 10, -1))
		subscription(ro.NAI, nai)(q)
		if a := b.send(t, q); a.Result != ro.UserUnknown && a.Result != ro.MissingAVP {
			t.Errorf("%q: %v", nai, a.Result)
		}
	}
}

func subscription(kind ro.SubscriptionIDType, data string) func(*ro.CCR) {
	return func(q *ro.CCR) { q.Subscriptions = []ro.SubscriptionID{{Type: kind, Data: data}} }
}

func extension(e ro.SubscriptionIDExtension) func(*ro.CCR) {
	return func(q *ro.CCR) { q.Subscriptions, q.SubscriptionExtensions = nil, []ro.SubscriptionIDExtension{e} }
}
