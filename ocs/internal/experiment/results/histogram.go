package results

import (
	"math"
	"time"
)

// Histogram counts times in classes of equal width on a logarithmic scale: 20 to each tenfold, from 10 µs on.
type Histogram struct {
	Counts [classes]uint64 `json:"counts"`
	Sum    float64         `json:"sum_ms"`
	N      uint64          `json:"n"`
}

const (
	perTenfold = 20
	classes    = 160
	shortest   = 0.01 // ms
)

// Add counts a time.
func (h *Histogram) Add(d time.Duration) {
	ms := float64(d) / float64(time.Millisecond)

	class := 0
	if ms > shortest {
		class = min(classes-1, int(math.Log10(ms/shortest)*perTenfold))
	}

	h.Counts[class]++
	h.Sum += ms
	h.N++
}

// Merge adds another histogram.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.Counts {
		h.Counts[i] += n
	}

	h.Sum += other.Sum
	h.N += other.N
}

// Edge returns where a class begins, in milliseconds.
func Edge(class int) float64 { return shortest * math.Pow(10, float64(class)/perTenfold) }

func (h *Histogram) mean() float64 {
	if h.N == 0 {
		return 0
	}

	return h.Sum / float64(h.N)
}

// quantile returns the upper edge of the class in which the quantile is.
func (h *Histogram) quantile(q float64) float64 {
	rank, seen := uint64(math.Ceil(q*float64(h.N))), uint64(0)

	for class, n := range h.Counts {
		if seen += n; n > 0 && seen >= rank {
			return Edge(class + 1)
		}
	}

	return 0
}
