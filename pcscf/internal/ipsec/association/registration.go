package association

import (
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Established makes the set by which a registration was made the registration's: it lives as long as the registration plus Grace, and not
// shorter than the sets that it replaces (TS 33.203 §7.4).
func (p *Table) Established(flow stack.Flow, seconds uint32) {
	p.mu.Lock()

	a := p.lookup(flow)
	if a == nil || a.removing || a.state == ending {
		p.mu.Unlock()
		return
	}

	life := time.Duration(seconds)*time.Second + p.settings.Grace

	if a.state == temporary {
		a.state = established
		p.outcomes.WithLabelValues("established").Inc()

		for _, other := range p.byHandset[a.set.UE] {
			if other != a && other.state == established && other.with(a) {
				other.state = replaced
				life = max(life, other.remaining())
				p.keep.Keep(keptOf(other))
			}
		}
	} else {
		life = max(life, a.remaining())
	}

	p.live(a, life, "the registration ended")
	kept := keptOf(a)
	p.mu.Unlock()

	if err := p.kernel.Prolong(a.set, life); err != nil {
		p.log.Error("security associations cannot be prolonged", "set", a.set.String(), "cause", err)
	}

	p.keep.Keep(kept)
}

// Ended ends the sets of a registration once the last messages have left through them: the 200 of the de-registration and the NOTIFY (TS
// 24.229 §5.2.5.1).
func (p *Table) Ended(flow stack.Flow) {
	p.mu.Lock()
	defer p.mu.Unlock()

	a := p.lookup(flow)
	if a == nil {
		return
	}

	for _, other := range p.byHandset[a.set.UE] {
		if other == a || other.state == replaced && other.with(a) {
			p.end(other, "the registration ended")
		}
	}
}

// RemoveAll removes all sets from the kernel.
func (p *Table) RemoveAll(why string) {
	p.mu.Lock()

	var all []*association
	for _, sets := range p.byHandset {
		all = append(all, slices.Clone(sets)...)
	}

	p.mu.Unlock()

	for _, a := range all {
		p.remove(a, why)
	}
}

// Close stops all timers and leaves the kernel as it is.
func (p *Table) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()

	for _, sets := range p.byHandset {
		for _, a := range sets {
			a.timer.Stop()
		}
	}
}
