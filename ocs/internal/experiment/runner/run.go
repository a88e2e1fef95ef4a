// Package runner plays the runs of an experiment: an OCS is started for each, subscribers do what the scenario says, by real Ro, and what
// is seen of it is written down.
package runner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/clock"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/client"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/results"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/timeline"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/traffic"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// run is one run of one point.
type run struct {
	point      *scenario.Point
	scenario   *scenario.Scenario
	repetition int
	seed       uint64
	folder     string
	binary     string
	progress   *progress

	start, end time.Time
	timeline   *timeline.Timeline
	host       *host
	wire       atomic.Pointer[wire]
	link       *client.Link
	client     *client.Client
	books      books
	tally      *results.Tally
	writer     *results.Writer
	files      []*os.File // of traces
	sessions   int        // begun
	later      *rand.Rand // of top-ups
	expected   map[string]bool
	ctx        context.Context //nolint:containedctx // of the events
	cancel     context.CancelFunc
	failure    error

	mu    sync.Mutex
	asked []string        // sessions that the OCS wants to hear of, in virtual time
	begun map[string]bool // those that it may ask for now
}

// seedOf returns the seed of a repetition, which is the same for all points.
func seedOf(s *scenario.Scenario, repetition int) uint64 {
	return traffic.Stream(s.Seed, "repetition", repetition).Uint64()
}

// play plays the run and returns its figures.
func (r *run) play(ctx context.Context) (_ *results.Run, err error) {
	r.ctx, r.cancel = context.WithCancel(ctx)
	defer r.cancel()

	defer func() { err = errors.Join(err, r.close()) }()

	if err := r.prepare(); err != nil {
		return nil, err
	}

	if err := r.populate(); err != nil {
		return nil, err
	}

	r.planOutages()
	r.observe()

	if err := r.timeline.Run(r.ctx, r.end, func() bool { return false }); err != nil {
		return nil, r.cause(err)
	}

	r.client.HangUp()

	last := r.end.Add(time.Duration(r.scenario.Client.ReportAttempts+1) * r.scenario.Client.Tx * 2)
	if err := r.timeline.Run(r.ctx, last, func() bool { return r.client.Open() == 0 }); err != nil {
		return nil, r.cause(err)
	}

	if r.failure != nil {
		return nil, r.failure
	}

	money, err := r.books.read(ctx)
	if err != nil {
		return nil, err
	}

	return &results.Run{
		Point: r.point.Name, Values: r.point.Values, Repetition: r.repetition, Seed: r.seed,
		Figures: r.tally.Final(money.revenue, money.uncollected, r.books.added),
		Latency: r.tally.Latency(), Series: r.tally.Series(),
	}, nil
}

// prepare starts the OCS and connects to it.
func (r *run) prepare() (err error) {
	s := r.scenario

	var lives clock.Clock = clock.System{}

	if s.Time == scenario.VirtualTime {
		r.timeline = timeline.Virtual(s.Start.UTC(), s.Grain())
		lives = r.timeline
	}

	work := filepath.Join(r.folder, "ledger")
	if err := os.RemoveAll(work); err != nil { // of a run that was broken off
		return err
	}

	if r.host, err = newHost(s, lives, work, r.binary); err != nil {
		return err
	}

	if err := r.host.start(r.ctx); err != nil {
		return err
	}

	r.begun, r.expected = map[string]bool{}, map[string]bool{}

	if err := r.connect(); err != nil {
		return err
	}

	r.books.api = r.host.api
	if err := r.books.open(r.ctx, s); err != nil {
		return err
	}

	prices, err := newPrices(s)
	if err != nil {
		return err
	}

	if r.writer, err = results.NewWriter(r.folder, s.Sessions); err != nil {
		return err
	}

	if r.timeline == nil {
		r.timeline = timeline.Real()
	}

	r.start = r.timeline.Now()
	r.end = r.start.Add(s.Duration)
	r.tally = results.NewTally(r.start, s)
	r.later = traffic.Stream(r.seed, "later")
	r.link = client.NewLink(r.ctx, client.LinkOptions{
		Timeline: r.timeline, Scenario: s, Random: traffic.Stream(r.seed, "network"),
		Wire: func(ctx context.Context, q *ro.CCR) (*ro.CCA, error) { return r.wire.Load().call(ctx, q) },
	})
	r.client = client.New(client.Options{
		Timeline: r.timeline, Policy: &s.Client, Link: r.link, Price: prices.price, Ended: r.ended,
		Answered: func(took time.Duration) { r.tally.Answered(r.timeline.Now(), took) },
	})

	return nil
}

// connect connects to an OCS that has just been started.
func (r *run) connect() error {
	w, err := connect(r.ctx, r.scenario, r.host.ro, r.isAsked)
	if err != nil {
		return err
	}

	r.wire.Store(w)

	return r.settle()
}

// settle waits until the OCS does in virtual time what it does regularly, so that every run begins alike.
func (r *run) settle() error {
	const least, calm = 2, 10 * look // an OCS watches its sessions, and forgets what is old

	if r.timeline == nil || r.scenario.Time != scenario.VirtualTime {
		return nil
	}

	seen, since := 0, time.Now()

	return await(r.ctx, "the OCS to keep its sessions", func() bool {
		if n := r.timeline.Regular(); n != seen {
			seen, since = n, time.Now()
		}

		return seen >= least && time.Since(since) >= calm
	})
}

// ended writes a session down.
func (r *run) ended(s *results.Session, begun time.Time, noCredit bool) {
	r.tally.Add(s, begun)

	if err := r.writer.Write(s); err != nil {
		r.fail(err)
	}

	if noCredit {
		r.outOfCredit(s.Group, s.Account)
	}
}

// fail ends the run.
func (r *run) fail(err error) {
	if r.failure == nil {
		r.failure = err
	}

	r.cancel()
}

func (r *run) cause(err error) error {
	if r.failure != nil {
		return r.failure
	}

	return err
}

// isAsked takes a request of the OCS for a session. It comes from outside of the timeline.
func (r *run) isAsked(session string, abort bool) bool {
	if r.scenario.Time == scenario.VirtualTime {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asked = append(r.asked, session)

		return r.begun[session]
	}

	there := make(chan bool, 1)
	r.timeline.Post(func() {
		if abort {
			there <- r.client.Abort(session)
		} else {
			there <- r.client.ReAuthorise(session)
		}
	})

	select {
	case <-r.ctx.Done():
		return false
	case is := <-there:
		return is
	}
}

// topUp pays into an account. The OCS asks for sessions that were told that their units are the last; in virtual time no time passes until
// it has asked for all of them.
func (r *run) topUp(account string, amount int64) {
	if !r.books.there() || r.link.Dead {
		return
	}

	if r.scenario.Time == scenario.RealTime {
		go func() {
			if err := r.books.topUp(r.ctx, account, amount); err != nil && r.ctx.Err() == nil {
				r.timeline.Post(func() { r.fail(fmt.Errorf("top-up of %s: %w", account, err)) })
			}
		}()

		return
	}

	var waiting []string
	if r.scenario.OCS.ReAuth.Enabled && !r.link.Silent {
		waiting = r.client.Ending(account)
	}

	r.mu.Lock()
	r.asked = nil
	r.begun = map[string]bool{}

	for _, id := range waiting {
		r.begun[id] = true
	}
	r.mu.Unlock()

	if err := r.books.topUp(r.ctx, account, amount); err != nil {
		r.fail(fmt.Errorf("top-up of %s: %w", account, err))
		return
	}

	err := await(r.ctx, "the OCS to ask for the sessions of an account that was topped up", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()

		return !slices.ContainsFunc(waiting, func(id string) bool { return !slices.Contains(r.asked, id) })
	})
	if err != nil {
		r.fail(err)
		return
	}

	for _, id := range waiting {
		r.client.ReAuthorise(id)
	}
}

// samples is the number of looks at the OCS's books in a run.
const samples = 200

// observe plans the looks at the books.
func (r *run) observe() {
	interval := max(r.scenario.Duration/samples, 100*time.Millisecond)

	var see func()

	see = func() {
		r.see()
		r.timeline.After(interval, see)
	}
	see()
}

func (r *run) see() {
	now := r.timeline.Now()
	r.progress.at(r, now)

	if r.link.Dead || !r.books.there() {
		return
	}

	money, err := r.books.read(r.ctx)
	if err != nil {
		if r.ctx.Err() == nil {
			r.fail(err)
		}

		return
	}

	if h := r.host.holder; h != nil {
		held, err := h.Held(r.ctx)
		if err != nil {
			r.fail(err)
			return
		}

		money.reserved = float64(held)
	}

	r.tally.Observe(now, results.Sample{
		Balance: r.books.paid + r.books.added - money.revenue - money.reserved, Reserved: money.reserved, Revenue: money.revenue,
		Open: float64(r.client.Open()), Requests: float64(r.link.Sent),
	})
}

// planOutages plans when the OCS cannot be reached.
func (r *run) planOutages() {
	for _, o := range r.scenario.Outages {
		begin, over := r.start.Add(o.At), r.start.Add(o.At+o.For)

		if o.Kind == scenario.Silence {
			r.timeline.At(begin, func() { r.link.Silent = true })
			r.timeline.At(over, func() { r.link.Silent = false })

			continue
		}

		r.timeline.At(begin, func() {
			if err := r.kill(); err != nil {
				r.fail(err)
			}
		})
		r.timeline.At(over, func() {
			if err := r.revive(); err != nil {
				r.fail(err)
			}
		})
	}
}

// kill kills the OCS.
func (r *run) kill() error {
	if err := r.books.killed(r.ctx); err != nil {
		return err
	}

	r.link.Dead = true

	return errors.Join(r.wire.Load().close(), r.host.stop())
}

// revive starts the OCS anew on its ledger.
func (r *run) revive() error {
	if err := r.host.start(r.ctx); err != nil {
		return err
	}

	if err := r.connect(); err != nil {
		return err
	}

	r.link.Dead = false

	return nil
}

// close ends all that was started, and removes the ledger.
func (r *run) close() (err error) {
	if w := r.wire.Load(); w != nil && (r.link == nil || !r.link.Dead) {
		err = w.close()
	}

	if r.host != nil {
		err = errors.Join(err, r.host.stop(), os.RemoveAll(r.host.folder))
	}

	if r.writer != nil {
		err = errors.Join(err, r.writer.Close())
	}

	for _, file := range r.files {
		err = errors.Join(err, file.Close())
	}

	return err
}
