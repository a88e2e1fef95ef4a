package rating

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestCost(t *testing.T) {
	tests := []struct {
		name    string
		rate    Rate
		seconds uint64
		want    int64
	}{
		{"not answered", Rate{ConnectionFee: 5, Price: 1, Interval: 1, Increment: 1}, 0, 0},
		{"per second", Rate{Price: 1, Interval: 1, Increment: 1}, 700, 700},
		{"per minute in seconds", Rate{Price: 60, Interval: 60, Increment: 1}, 61, 61},
		{"per started minute", Rate{Price: 100, Interval: 60, Increment: 60}, 61, 200},
		{"a third of a unit is rounded up", Rate{Price: 1, Interval: 3, Increment: 1}, 1, 1},
		{"free seconds", Rate{Price: 1, Interval: 1, Increment: 1, FreeSeconds: 30, ConnectionFee: 7}, 30, 7},
		{"beyond free seconds", Rate{Price: 1, Interval: 1, Increment: 1, FreeSeconds: 30, ConnectionFee: 7}, 31, 8},
	}
	for _, test := range tests {
		if got := test.rate.Cost(test.seconds); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestLongestPrefix(t *testing.T) {
	tariff := Tariff{Name: "t", Rates: []Rate{{Prefix: "+1", Price: 1, Interval: 1, Increment: 1}, {Prefix: "+1900", Price: 9, Interval: 1, Increment: 1}}}
	for number, price := range map[string]int64{"+1555": 1, "+19005": 9} {
		if r, err := tariff.Find(number); err != nil || r.Price != price {
			t.Errorf("%s: %+v %v", number, r, err)
		}
	}
	if _, err := tariff.Find("+49"); !errors.Is(err, ErrNoRate) {
		t.Errorf("no prefix: %v", err)
	}
}

func rate(t *rapid.T) Rate {
	return Rate{
		ConnectionFee: rapid.Int64Range(0, 1000).Draw(t, "fee"),
		Price:         rapid.Int64Range(0, 100_000).Draw(t, "price"),
		Interval:      rapid.Int64Range(1, 3600).Draw(t, "interval"),
		Increment:     rapid.Int64Range(1, 3600).Draw(t, "increment"),
		FreeSeconds:   rapid.Int64Range(0, 600).Draw(t, "free"),
	}
}

func TestCostNeverFalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, n := rate(t), rapid.Uint64Range(0, 1<<33).Draw(t, "seconds")
		if r.Cost(n+1) < r.Cost(n) {
			t.Fatalf("%d seconds cost %d, one more %d", n, r.Cost(n), r.Cost(n+1))
		}
	})
}

func TestAffordable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rate(t)
		used, wanted := rapid.Uint64Range(0, 10_000).Draw(t, "used"), rapid.Uint64Range(0, 10_000).Draw(t, "wanted")
		budget := rapid.Int64Range(0, 1_000_000).Draw(t, "budget")

		n := r.Affordable(used, wanted, budget)
		if r.Cost(used+n)-r.Cost(used) > budget && n > 0 {
			t.Fatalf("%d seconds cost more than %d", n, budget)
		}
		if n < wanted && r.Cost(used+n+1)-r.Cost(used) <= budget {
			t.Fatalf("%d seconds are afforded, one more fits too", n)
		}
	})
}
