package processors

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestGovernor(t *testing.T) {
	type step struct {
		load  float64
		times int
		want  int
	}

	for name, test := range map[string]struct {
		limit int
		steps []step
	}{
		"falls to one when there is little to do": {
			8,
			[]step{{0.1, patience - 1, 8}, {0.1, 1, 4}, {0.1, patience, 2}, {0.1, patience, 1}, {0.1, 100, 1}},
		},
		"grows at once, by doubling":        {8, []step{{0, 3 * patience, 1}, {0.7, 1, 2}, {1.3, 1, 4}, {2.5, 1, 8}, {7, 1, 8}}},
		"a lull is not calm":                {2, []step{{0.1, patience - 1, 2}, {1, 1, 2}, {0.1, patience - 1, 2}, {0.1, 1, 1}}},
		"stays where half would be too few": {4, []step{{1.3, 100, 4}}},
		"an odd number":                     {3, []step{{0.1, patience, 2}, {0.1, patience, 1}, {0.9, 1, 2}, {1.9, 1, 3}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := governor{limit: test.limit, processors: test.limit}
			for i, s := range test.steps {
				var got int
				for range s.times {
					got = g.next(s.load)
				}
				if got != s.want {
					t.Fatalf("step %d: %d processors, want %d", i, got, s.want)
				}
			}
		})
	}
}

func TestGovern(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")

	was := runtime.GOMAXPROCS(4)
	defer runtime.GOMAXPROCS(was)

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		go Govern(ctx)

		time.Sleep(2*patience*interval + interval)
		if got := runtime.GOMAXPROCS(0); got >= 4 {
			t.Errorf("%d processors of 4 for nothing to do", got)
		}

		cancel()
		synctest.Wait()
		if got := runtime.GOMAXPROCS(0); got != 4 {
			t.Errorf("%d processors are left, there were 4", got)
		}
	})
}

func TestEnvironmentStands(t *testing.T) {
	t.Setenv("GOMAXPROCS", "3")

	was := runtime.GOMAXPROCS(0)
	Govern(t.Context())

	if got := runtime.GOMAXPROCS(0); got != was {
		t.Errorf("%d processors, want those of the environment: %d", got, was)
	}
}
