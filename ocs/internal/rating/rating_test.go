package rating

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func price(n int64) *int64 { return &n }

func TestCost(t *testing.T) {
	tests := []struct {
		name  string
		rate  Rate
		unit  Unit
		units uint64
		want  int64
	}{
		{name: "not answered", rate: Rate{ConnectionFee: 5, Price: 1, Interval: 1}, unit: Seconds},
		{name: "per second", rate: Rate{Price: 1, Interval: 1, Increment: 1}, unit: Seconds, units: 700, want: 700},
		{name: "per minute in seconds", rate: Rate{Price: 60, Interval: 60, Increment: 1}, unit: Seconds, units: 61, want: 61},
		{name: "per started minute", rate: Rate{Price: 100, Interval: 60, Increment: 60}, unit: Seconds, units: 61, want: 200},
		{name: "three whole minutes", rate: Rate{Price: 100, Interval: 60, Increment: 60}, unit: Seconds, units: 180, want: 300},
		{
			name:  "60/1, within the initial block",
			rate:  Rate{Price: 60, Interval: 60, Initial: 60, Increment: 1},
			unit:  Seconds,
			units: 7,
			want:  60,
		},
		{name: "60/1, beyond it", rate: Rate{Price: 60, Interval: 60, Initial: 60, Increment: 1}, unit: Seconds, units: 67, want: 67},
		{name: "30/6", rate: Rate{Price: 10, Interval: 60, Initial: 30, Increment: 6}, unit: Seconds, units: 31, want: 6},
		{name: "a third of a unit is rounded up", rate: Rate{Price: 1, Interval: 3, Increment: 1}, unit: Seconds, units: 1, want: 1},
		{name: "once, not for each", rate: Rate{Price: 1, Interval: 3, Increment: 1}, unit: Seconds, units: 4, want: 2},
		{name: "free seconds", rate: Rate{Price: 1, Interval: 1, FreeSeconds: 30, ConnectionFee: 7}, unit: Seconds, units: 30, want: 7},
		{name: "beyond free seconds", rate: Rate{Price: 1, Interval: 1, FreeSeconds: 30, ConnectionFee: 7}, unit: Seconds, units: 31, want: 8},
		{
			name:  "a kilobyte is begun",
			rate:  Rate{VolumePrice: 5, VolumeInterval: 1024, VolumeIncrement: 1024},
			unit:  Octets,
			units: 1025,
			want:  10,
		},
		{name: "by the octet", rate: Rate{VolumePrice: 5, VolumeInterval: 1000}, unit: Octets, units: 1001, want: 6},
		{name: "messages", rate: Rate{EventPrice: price(9)}, unit: Events, units: 3, want: 27},
		{name: "more than all money", rate: Rate{Price: MaxPrice, Interval: 1}, unit: Seconds, units: 1 << 63, want: Unpayable},
	}
	for _, test := range tests {
		if got := test.rate.Cost(test.unit, test.units); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestFind(t *testing.T) {
	group := uint32(200)
	second := func(prefix string, p int64) Rate { return Rate{Prefix: prefix, Price: p, Interval: 1} }
	video, called := second("+1", 7), second("+1", 0)
	video.RatingGroup, called.Direction = &group, Terminating
	tariff := Tariff{Name: "t", Rates: []Rate{second("+1", 1), second("+1900", 9), video, called, second("112", 0)}}
	if err := tariff.Validate(); err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct {
		name string
		s    Service
		want int64
	}{
		{"the prefix", Service{Number: "+1555"}, 1},
		{"the longer one", Service{Number: "+19005"}, 9},
		{"the longer one goes before the rating group", Service{Number: "+19005", RatingGroup: &group}, 9},
		{"the rating group's own", Service{Number: "+1555", RatingGroup: &group}, 7},
		{"the called party's own", Service{Number: "+1555", Terminating: true}, 0},
		{"the rating group goes before the direction", Service{Number: "+1555", RatingGroup: &group, Terminating: true}, 7},
		{"a short number", Service{Number: "112"}, 0},
	} {
		if r, err := tariff.Find(test.s); err != nil || r.Price != test.want {
			t.Errorf("%s: %+v %v, want %d", test.name, r, err, test.want)
		}
	}

	for _, number := range []string{"+49", "", "1"} {
		if _, err := tariff.Find(Service{Number: number}); !errors.Is(err, errNoRate) {
			t.Errorf("%q: %v, want no rate", number, err)
		}
	}
}

func TestValidate(t *testing.T) {
	good := Rate{Prefix: "+1", Price: 1, Interval: 1}
	for _, test := range []struct {
		change func(*Tariff)
		want   string
	}{
		{func(*Tariff) {}, ""},
		{func(t *Tariff) { t.Name = "" }, "name"},
		{func(t *Tariff) { t.Rates = nil }, "rates"},
		{func(t *Tariff) { t.Rates = append(t.Rates, good) }, "already"},
		{func(t *Tariff) { t.Rates[0].Price = -1 }, "negative"},
		{func(t *Tariff) { t.Rates[0].Price = MaxPrice + 1 }, "beyond"},
		{func(t *Tariff) { t.Rates[0].Interval = 0 }, "interval"},
		{func(t *Tariff) { t.Rates[0] = Rate{} }, "nothing is priced"},
		{func(t *Tariff) { t.Rates[0].VolumePrice = 1 }, "volume_interval"},
		{func(t *Tariff) { t.Rates[0].Prefix = "one" }, "prefix"},
		{func(t *Tariff) { t.Rates[0].Prefix = "1+" }, "prefix"},
		{func(t *Tariff) { t.Rates[0].Prefix = strings.Repeat("1", 33) }, "longer"},
		{func(t *Tariff) { t.Rates[0].Direction = "up" }, "direction"},
	} {
		tariff := Tariff{Name: "t", Rates: []Rate{good}}
		test.change(&tariff)
		err := tariff.Validate()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
}

func TestNormalise(t *testing.T) {
	n := Numbering{International: []string{"00", "011"}, CountryCode: "49", Trunk: "0"}
	for uri, want := range map[string]string{
		"tel:+1-555-0001":                       "+15550001",
		"tel:0015550001":                        "+15550001",
		"tel:01115550001":                       "+15550001",
		"tel:030123":                            "+4930123",
		"tel:112":                               "112",
		"tel:*100#":                             "*100#",
		"tel:*100%23":                           "*100#",
		"sip:+15550001@example.org;user=phone":  "+15550001",
		"sip:0015550001@example.org":            "+15550001",
		"sip:+1555000%31@example.org":           "+15550001",
		"sip:+15550001:pw@example.org":          "+15550001",
		"sip:%2B1-555(00)0%31:p;w@example.org":  "+15550001",
		"sip:bob@example.org":                   "",
		"sip:example.org":                       "",
		"tel:5550001;phone-context=example.org": "5550001",
		"+15550001":                             "+15550001",
		"":                                      "",
		"tel:00":                                "+490",
	} {
		if got := n.Normalise(uri); got != want {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
	}
}

func rate(t *rapid.T) Rate {
	return Rate{
		ConnectionFee: rapid.Int64Range(0, 1000).Draw(t, "fee"), Price: rapid.Int64Range(0, 100_000).Draw(t, "price"),
		Interval: rapid.Int64Range(1, 3600).Draw(t, "interval"), Initial: rapid.Int64Range(0, 120).Draw(t, "initial"),
		Increment: rapid.Int64Range(0, 3600).Draw(t, "increment"), FreeSeconds: rapid.Int64Range(0, 600).Draw(t, "free"),
		VolumePrice: rapid.Int64Range(0, 100_000).Draw(t, "volume price"), VolumeInterval: rapid.Int64Range(1, 1<<30).Draw(t, "volume interval"),
		VolumeIncrement: rapid.Int64Range(0, 1<<20).Draw(t, "volume increment"), EventPrice: price(rapid.Int64Range(0, 1000).Draw(t, "event")),
	}
}

var unit = rapid.SampledFrom([]Unit{Seconds, Octets, Events})

func TestCostNeverFalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, u, n := rate(t), unit.Draw(t, "unit"), rapid.Uint64Range(0, 1<<51).Draw(t, "units")
		if r.Cost(u, n+1) < r.Cost(u, n) {
			t.Fatalf("%d %s cost %d, one more %d", n, u, r.Cost(u, n), r.Cost(u, n+1))
		}
	})
}

// However the use of a call is split into reports, the differences add up to the price of the whole.
func TestReportsDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, u := rate(t), unit.Draw(t, "unit")
		var total uint64
		var paid int64
		for _, used := range rapid.SliceOfN(rapid.Uint64Range(0, 5000), 0, 20).Draw(t, "reports") {
			paid += r.Cost(u, total+used) - r.Cost(u, total)
			total += used
		}
		if paid != r.Cost(u, total) {
			t.Fatalf("%d paid in parts, %d for the whole", paid, r.Cost(u, total))
		}
	})
}

// The price is the exact one rounded up by less than one minor unit.
func TestNoCentIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, n := rate(t), rapid.Uint64Range(1, 1<<40).Draw(t, "seconds")
		charged := new(big.Rat)
		if beyond := int64(n) - r.FreeSeconds; beyond > 0 {
			seconds := r.Initial
			if more := beyond - r.Initial; more > 0 {
				step := max(r.Increment, 1)
				seconds += (more + step - 1) / step * step
			}
			charged.Mul(new(big.Rat).SetInt64(seconds), big.NewRat(r.Price, r.Interval))
		}
		exact := charged.Add(charged, new(big.Rat).SetInt64(r.ConnectionFee))
		above := new(big.Rat).Sub(new(big.Rat).SetInt64(r.Cost(Seconds, n)), exact)
		if above.Sign() < 0 || above.Cmp(big.NewRat(1, 1)) >= 0 {
			t.Fatalf("%d seconds cost %d, exactly %s", n, r.Cost(Seconds, n), exact.FloatString(3))
		}
	})
}

func TestAffordable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, u := rate(t), unit.Draw(t, "unit")
		used, wanted := rapid.Uint64Range(0, 10_000).Draw(t, "used"), rapid.Uint64Range(0, 10_000).Draw(t, "wanted")
		budget := rapid.Int64Range(-10, 1_000_000).Draw(t, "budget")

		n := r.Affordable(u, used, wanted, budget)
		if r.Cost(u, used+n)-r.Cost(u, used) > budget && n > 0 {
			t.Fatalf("%d %s cost more than %d", n, u, budget)
		}
		if n < wanted && r.Cost(u, used+n+1)-r.Cost(u, used) <= budget {
			t.Fatalf("%d %s are afforded, one more fits too", n, u)
		}
	})
}

func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{"tel:+1555", "tel:00", "sip:+1@x", "sip:%2B1@x", ":", "tel:", "sip:0@", "\x00"} {
		f.Add(seed)
	}
	n := Numbering{International: []string{"00"}, CountryCode: "49", Trunk: "0"}
	f.Fuzz(func(t *testing.T, uri string) {
		number := n.Normalise(uri)
		if strings.Trim(number, "+0123456789*#") != "" {
			t.Errorf("%q became %q", uri, number)
		}
	})
}

func FuzzTariff(f *testing.F) {
	f.Add([]byte(`{"name":"t","rates":[{"prefix":"+1","price":1,"interval":60,"increment":60,"event_price":3}]}`), uint64(61))
	f.Add(
		[]byte(`{"name":"t","rates":[{"prefix":"","volume_price":1,"volume_interval":1024,"rating_group":1,"direction":"terminating"}]}`),
		uint64(1)<<63,
	)
	f.Fuzz(func(t *testing.T, text []byte, units uint64) {
		var tariff Tariff
		if json.Unmarshal(text, &tariff) != nil || tariff.Validate() != nil {
			return
		}
		for _, r := range tariff.Rates {
			for _, u := range []Unit{Seconds, Octets, Events} {
				if r.Prices(u) && (r.Cost(u, units) < 0 || r.Affordable(u, units, units, 1000) > units) {
					t.Errorf("%+v: %d %s cost %d", r, units, u, r.Cost(u, units))
				}
			}
		}
	})
}
