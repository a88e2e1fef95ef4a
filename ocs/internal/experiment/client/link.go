package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/timeline"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// Wire sends a request to the OCS and waits for the answer.
type Wire func(ctx context.Context, q *ro.CCR) (*ro.CCA, error)

// Link is the network between the network function and the OCS: it loses messages, delays them, and lets requests come twice. In virtual
// time a request is on the real wire at the one instant of its arrival; in real time others pass meanwhile.
type Link struct {
	timeline *timeline.Timeline
	network  *scenario.Network
	random   *rand.Rand
	wire     Wire
	ctx      context.Context //nolint:containedctx // of the run
	real     bool

	Silent bool // all messages are lost
	Dead   bool // there is nobody to connect to
	Sent   uint64
}

// LinkOptions are what a Link needs.
type LinkOptions struct {
	Timeline *timeline.Timeline
	Scenario *scenario.Scenario
	Random   *rand.Rand
	Wire     Wire
}

// NewLink returns a link that lives as long as ctx.
func NewLink(ctx context.Context, o LinkOptions) *Link {
	return &Link{
		timeline: o.Timeline, network: &o.Scenario.Network, random: o.Random, wire: o.Wire, ctx: ctx,
		real: o.Scenario.Time == scenario.RealTime,
	}
}

// errDead is the error of a request to an OCS that is not there.
var errDead = errors.New("the OCS cannot be reached")

// send sends a request. done is called when the answer comes, or when the request cannot be sent; if a message is lost, it never is.
func (l *Link) send(q *ro.CCR, done func(*ro.CCA, error)) {
	l.Sent++

	// The same numbers are drawn for each request, so that what happens to one does not change what happens to the next.
	lostThere, lostBack, twice := l.random.Float64(), l.random.Float64(), l.random.Float64()
	there, back := l.delay(), l.delay()

	switch {
	case l.Dead:
		l.timeline.After(0, func() { done(nil, errDead) })
		return
	case l.Silent || lostThere < l.network.Loss:
		return
	}

	answered := func(a *ro.CCA, err error) {
		switch {
		case l.Silent || err == nil && lostBack < l.network.Loss:
		case back > 0:
			l.timeline.After(back, func() { done(a, err) })
		default:
			done(a, err)
		}
	}

	l.later(there, func() { l.deliver(q, answered) })

	if twice < l.network.Duplication {
		l.later(there+l.delay(), func() { l.deliver(q, func(*ro.CCA, error) {}) })
	}
}

func (l *Link) later(d time.Duration, do func()) {
	if d <= 0 {
		do()
		return
	}

	l.timeline.After(d, do)
}

func (l *Link) delay() time.Duration {
	if !l.network.Delay.Is() {
		return 0
	}

	return time.Duration(l.network.Delay.Draw(l.random) * float64(time.Second))
}

// deliver has a request on the wire. The message is a copy: the Diameter node completes it.
func (l *Link) deliver(q *ro.CCR, answered func(*ro.CCA, error)) {
	if l.Silent {
		return
	}

	if l.Dead {
		answered(nil, errDead)
		return
	}

	message := *q

	if !l.real {
		answered(l.wire(l.ctx, &message))
		return
	}

	go func() {
		a, err := l.wire(l.ctx, &message)
		l.timeline.Post(func() { answered(a, err) })
	}()
}
