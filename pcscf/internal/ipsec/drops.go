package ipsec

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/ipsec"
)

const (
	lookEvery = 10 * time.Second
	sayEvery  = 10 * time.Minute // per counter
)

// drops watches the kernel's counters of packets dropped because of IPsec.
type drops struct {
	read func() ([]ipsec.Statistic, error)
	log  *slog.Logger
	desc *prometheus.Desc

	start map[string]uint64 // as found at the start; not changed any more
}

// drop is a counter that has moved since the P-CSCF started.
type drop struct {
	Counter    string `json:"counter"`
	Count      uint64 `json:"count"`
	SinceStart uint64 `json:"since_start"`
	Means      string `json:"means"`
}

func watchDrops(read func() ([]ipsec.Statistic, error), log *slog.Logger) *drops {
	d := &drops{read: read, log: log, start: map[string]uint64{}, desc: prometheus.NewDesc(
		"dialtone_pcscf_xfrm_total",
		"Packets that the kernel dropped for IPsec's sake, by its own counter; of the whole network namespace, since the kernel started.",
		[]string{"counter"},
		nil,
	)}

	for _, s := range d.statistics() {
		d.start[s.Name] = s.Count
	}

	return d
}

func (d *drops) statistics() []ipsec.Statistic {
	all, err := d.read()
	if err != nil {
		d.log.Warn("the kernel's counters of IPsec cannot be read", "cause", err)
	}

	return all
}

// moved returns the counters that have moved since the start.
func (d *drops) moved() []drop {
	all := []drop{}

	for _, s := range d.statistics() {
		if start := d.start[s.Name]; s.Count > start {
			all = append(all, drop{s.Name, s.Count, s.Count - start, s.Meaning()})
		}
	}

	return all
}

// Run logs, until ctx ends, which counters move, and what that means.
func (d *drops) Run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()

	type word struct {
		count uint64
		at    time.Time
	}

	said := map[string]word{}

	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, m := range d.moved() {
				if last := said[m.Counter]; m.SinceStart > last.count && now.Sub(last.at) >= sayEvery {
					d.log.Warn("the kernel drops packets of IPsec", "counter", m.Counter, "packets", m.SinceStart-last.count, "hint", m.Means)
					said[m.Counter] = word{m.SinceStart, now}
				}
			}
		}
	}
}

// Describe implements prometheus.Collector.
func (d *drops) Describe(to chan<- *prometheus.Desc) { to <- d.desc }

// Collect implements prometheus.Collector. If the kernel does not count, there are no metrics.
func (d *drops) Collect(to chan<- prometheus.Metric) {
	for _, s := range d.statistics() {
		to <- prometheus.MustNewConstMetric(d.desc, prometheus.CounterValue, float64(s.Count), s.Name)
	}
}
