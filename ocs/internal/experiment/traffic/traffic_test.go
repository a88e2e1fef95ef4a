package traffic

import (
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

func TestQuantity(t *testing.T) {
	for text, want := range map[string]Quantity{
		"120": 120, "1.5": 1.5, "90s": 90, "2m": 120, `"1h30m"`: 5400, "20ms": 0.02, "5 MB": 5e6, "1GiB": 1 << 30, "10 kB": 1e4, "1 KiB": 1024,
	} {
		var got struct{ Value Quantity }
		if err := yaml.Unmarshal([]byte("value: "+text), &got); err != nil || got.Value != want {
			t.Errorf("%s: %v, %v, want %v", text, got.Value, err, want)
		}
	}

	for q, want := range map[Quantity]string{10800: "10800", 0.5: "0.5", 0: "0"} {
		if text, err := yaml.Marshal(q); err != nil || strings.TrimSpace(string(text)) != want {
			t.Errorf("%v is written %s, %v", float64(q), text, err)
		}
	}

	var q Quantity
	if err := yaml.Unmarshal([]byte("a lot"), &q); err == nil || !strings.Contains(err.Error(), `"a lot" is no number`) {
		t.Errorf("%v", err)
	}
}

// Each distribution has its mean, and the lognormal one its deviation.
func TestDistributions(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "values.txt")
	if err := os.WriteFile(file, []byte("# seconds\n10\n20\n\n60\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct {
		of              Distribution
		mean, deviation float64
	}{
		{Distribution{Kind: constant, Mean: 7}, 7, 0},
		{Distribution{Kind: uniform, From: 10, To: 20}, 15, 2.887},
		{Distribution{Kind: exponential, Mean: 120}, 120, 120},
		{Distribution{Kind: lognormal, Mean: 150, Deviation: 100}, 150, 100},
		{Distribution{Kind: empirical, Values: []Quantity{1, 3}}, 2, 1},
		{Distribution{Kind: empirical, File: file}, 30, 21.602},
		{Distribution{Kind: exponential, Mean: 100, Most: 100}, 63.212, 36.1},
	} {
		if err := test.of.Prepare(os.Open); err != nil {
			t.Fatal(err)
		}

		const n = 200_000
		random, sum, squares := Stream(1, test.of.Kind), 0.0, 0.0

		for range n {
			x := test.of.Draw(random)
			sum += x
			squares += x * x
		}

		mean := sum / n
		deviation := math.Sqrt(max(0, squares/n-mean*mean))
		if math.Abs(mean-test.mean) > 0.02*test.mean || math.Abs(deviation-test.deviation) > 0.05*test.deviation+1e-6 {
			t.Errorf("%+v: mean %.2f, deviation %.2f, want %.2f, %.2f", test.of, mean, deviation, test.mean, test.deviation)
		}
	}
}

func TestDistributionsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.txt")
	if err := os.WriteFile(file, []byte("1\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	for want, d := range map[string]Distribution{
		`distribution "normal" is none of`:         {Kind: "normal"},
		"a exponential distribution needs":         {Kind: exponential},
		"a uniform distribution needs from and to": {Kind: uniform, From: 2, To: 1},
		"a lognormal distribution needs":           {Kind: lognormal, Mean: 1},
		"an empirical distribution needs values":   {Kind: empirical},
		`bad.txt, line 2: "two" is no number`:      {Kind: empirical, File: file},
		"-1 cannot be drawn":                       {Kind: empirical, Values: []Quantity{-1}},
		"none.txt: no such file":                   {Kind: empirical, File: filepath.Join(t.TempDir(), "none.txt")},
	} {
		if err := d.Prepare(os.Open); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", d, err, want)
		}
	}
}

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func arrivalsOf(a Arrivals, seed uint64, days int) (at []time.Time) {
	s := a.Source(Stream(seed, "arrivals"), monday)
	for next := s.Next(); next.Before(monday.Add(time.Duration(days) * day)); next = s.Next() {
		if !next.Before(monday) {
			at = append(at, next)
		}
	}

	return at
}

func TestArrivals(t *testing.T) {
	office := make([]float64, hours)
	for hour := 9; hour < 17; hour++ {
		office[hour] = 1
	}
	office[12] = 3

	const days = 1000

	for _, a := range []Arrivals{
		{Process: poisson, PerDay: 10}, {Process: deterministic, PerDay: 10}, {Process: profile, PerDay: 10, Profile: office},
	} {
		if err := a.Validate(); err != nil {
			t.Fatal(err)
		}

		at := arrivalsOf(a, 7, days)
		if n := float64(len(at)); math.Abs(n-10*days) > 400 {
			t.Errorf("%s: %v arrivals, want about %d", a.Process, n, 10*days)
		}

		intervals, squares := 0.0, 0.0
		byHour := [hours]int{}
		for i := 1; i < len(at); i++ {
			gap := at[i].Sub(at[i-1]).Hours()
			intervals += gap
			squares += gap * gap
			byHour[at[i].Hour()]++
		}

		mean := intervals / float64(len(at)-1)
		variation := math.Sqrt(max(0, squares/float64(len(at)-1)-mean*mean)) / mean

		switch {
		case a.Process == deterministic && variation > 1e-6, a.Process == poisson && math.Abs(variation-1) > 0.05:
			t.Errorf("%s: coefficient of variation %.3f", a.Process, variation)
		case a.Process == profile && (byHour[8] > 0 || byHour[17] > 0 || math.Abs(float64(byHour[12])/float64(byHour[10])-3) > 0.4):
			t.Errorf("by hour: %v", byHour)
		}
	}
}

// The same seed gives the same arrivals, another seed others, and two subscribers do not call at the same times.
func TestStreamsAreIndependent(t *testing.T) {
	a := Arrivals{Process: poisson, PerDay: 10}
	one, again, other := arrivalsOf(a, 1, 30), arrivalsOf(a, 1, 30), arrivalsOf(a, 2, 30)

	if len(one) != len(again) || !one[5].Equal(again[5]) || one[5].Equal(other[5]) {
		t.Errorf("%v, %v, %v", one[5], again[5], other[5])
	}

	if Stream(1, "arrivals", 12).Uint64() == Stream(1, "arrivals", 1, 2).Uint64() || Stream(1, "a").Uint64() == Stream(1, "b").Uint64() {
		t.Error("two streams are one")
	}
}

func TestArrivalsRefused(t *testing.T) {
	for want, a := range map[string]Arrivals{
		`process "uniform" is none of`: {Process: "uniform", PerDay: 1},
		"per_day must be positive":     {Process: poisson},
		"needs profile, and no other":  {Process: poisson, PerDay: 1, Profile: []float64{1}},
		"profile needs 24 weights":     {Process: profile, PerDay: 1, Profile: []float64{1}},
		"weight of an hour":            {Process: profile, PerDay: 1, Profile: []float64{-1}},
		"need its file":                {Process: fromTrace},
	} {
		if err := a.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", a, err, want)
		}
	}
}

func TestTrace(t *testing.T) {
	trace := NewTrace(strings.NewReader("# seconds,subscriber,holding,number\n0.5,0,60\n\n 10 , 3 , 61.5 , +15550002 \n"))

	for _, want := range []Arrival{{500 * time.Millisecond, 0, 60, ""}, {10 * time.Second, 3, 61.5, "+15550002"}} {
		if got, err := trace.Next(); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}

	if _, err := trace.Next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestTraceRefused(t *testing.T) {
	for text, want := range map[string]string{
		"1,2":                      "line 1: \"1,2\": there must be 3 or 4 fields",
		"x,0,1":                    "is no time",
		"-1,0,1":                   "is no time",
		"NaN,0,1":                  "is no time",
		"1,-1,1":                   "is no number of a subscriber",
		"1,0,-1":                   "is no holding time",
		"1,0,Inf":                  "is no holding time",
		"5,0,1\n4,0,1":             "line 2: \"4,0,1\": it comes before",
		strings.Repeat("1", 1<<17): "line 1: bufio.Scanner: token too long",
	} {
		if err := readAll(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %s", text, err, want)
		}
	}
}

func readAll(text string) (err error) {
	trace := NewTrace(strings.NewReader(text))
	for err == nil {
		_, err = trace.Next()
	}

	if errors.Is(err, io.EOF) {
		return nil
	}

	return err
}

// What a trace yields is in order and can be used, whatever the file says.
func FuzzTrace(f *testing.F) {
	f.Add("0.5,0,60\n10,3,61,+1555")
	f.Add("1e300,0,1")
	f.Fuzz(func(t *testing.T, text string) {
		trace, last := NewTrace(strings.NewReader(text)), time.Duration(0)

		for {
			a, err := trace.Next()
			if err != nil {
				return
			}

			if a.After < last || a.Subscriber < 0 || !(a.Holding >= 0) || math.IsInf(a.Holding, 0) {
				t.Fatalf("%+v after %s", a, last)
			}

			last = a.After
		}
	})
}
