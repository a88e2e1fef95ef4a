// Package push sends RTR (TS 29.228 §6.1.3) and PPR (§6.2.2) to the S-CSCFs, CLR, IDR, DSR and RSR (TS 29.272 §5.2) to the MMEs, from
// the queue in the store; and PNR (TS 29.328 §6.1.4) to application servers.
package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// Config sets how often, and how long, a request to an S-CSCF or MME is repeated.
type Config struct {
	Attempts int           `yaml:"attempts"` // before an unanswered request is given up
	RetryMin time.Duration `yaml:"retry_min"`
	RetryMax time.Duration `yaml:"retry_max"` // the wait doubles up to this
	Keep     time.Duration `yaml:"keep"`      // how long finished requests can be looked up
}

// Sender sends requests from a queue in the store, so that neither a lost connection nor a restart loses them.
type Sender struct {
	store   *subscriber.Store
	node    *diameter.Node
	config  Config
	eps     *subscriber.EPS
	log     *slog.Logger
	wake    chan struct{}
	results *prometheus.CounterVec

	mu   sync.Mutex
	busy map[string]string // hosts with a line, and their realm if known
}

// Options are what a Sender needs.
type Options struct {
	Store   *subscriber.Store // holds the queue
	Node    *diameter.Node
	EPS     *subscriber.EPS // of SIMs without their own
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// New returns a Sender. Run sends.
func New(c Config, o Options) *Sender {
	s := &Sender{
		store: o.Store, node: o.Node, config: c, eps: o.EPS, log: o.Log, wake: make(chan struct{}, 1), busy: map[string]string{},
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_hss_pushes_total", Help: "RTR, PPR, CLR, IDR, DSR, RSR and PNR that have ended, by what came of them.",
		}, []string{"command", "state"}),
	}
	o.Metrics.MustRegister(s.results)

	return s
}

// Wake tells the sender that something has been queued.
func (s *Sender) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

const (
	idle      = time.Minute // between polls of the queue without a Wake
	batch     = 256
	lines     = 64 // S-CSCFs, MMEs and AAA servers served at the same time
	ofRealms  = 48 // of these, in realms of MMEs and AAA servers: a request to a host that is gone waits for another node of its realm
	ofRealm   = 16 // of these, in one realm
	atATime   = 32 // requests that a line takes from the queue
	storeWait = 5 * time.Second
	// look is how often the queue is polled when the HSS is not alone: another one may have queued what only this one can send.
	look = time.Second
)

// Run sends until ctx ends. Each S-CSCF and MME has its own line, which sends its requests in order: a silent one delays only itself.
func (s *Sender) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()

	for ctx.Err() == nil {
		next := s.hand(ctx, &running)
		timer := time.NewTimer(min(idle, max(time.Until(next), 10*time.Millisecond)))

		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}

		timer.Stop()
	}

	return nil
}

// hand gives due requests to lines, and returns when the next is due. A line that ends wakes it for the rest.
func (s *Sender) hand(ctx context.Context, running *sync.WaitGroup) (next time.Time) {
	now := time.Now()
	except, room := s.occupied()

	if !room {
		return now.Add(idle)
	}

	due, next, err := s.store.Due(ctx, now, batch, except)
	if err == nil {
		err = errors.Join(s.store.ForgetPushes(ctx, now.Add(-s.config.Keep)), s.store.ForgetWatches(ctx, now))
	}

	if err != nil {
		if ctx.Err() == nil {
			s.log.Error("the queue of requests to S-CSCFs and MMEs cannot be read", "cause", err)
		}

		return now.Add(s.config.RetryMin)
	}

	switch {
	case len(due) == batch: // there may be more, for hosts that get no line now
		next = now
	case next.IsZero():
		next = now.Add(idle)
	}

	if soon := now.Add(look); s.store.Shared() && soon.Before(next) {
		next = soon
	}

	byHost := map[string][]*subscriber.Push{}

	for _, push := range due {
		if len(byHost[push.ServerHost]) < atATime {
			byHost[push.ServerHost] = append(byHost[push.ServerHost], push)
		}
	}

	for host, pushes := range byHost {
		if !s.claim(host, pushes[0].ServerRealm) {
			continue
		}

		running.Go(func() {
			s.line(ctx, pushes)
			s.end(host)
			s.Wake()
		})
	}

	return next
}

// line sends requests to one node, one after the other.
func (s *Sender) line(ctx context.Context, pushes []*subscriber.Push) {
	var left []uint64 // left to another HSS

	for _, push := range pushes {
		if !s.send(ctx, push) {
			left = append(left, push.ID)
		}
	}

	if len(left) == 0 || ctx.Err() != nil {
		return
	}

	if err := s.store.Postpone(ctx, left, time.Now().Add(look)); err != nil { // so that they do not come again at once
		s.log.Error("requests to S-CSCFs and MMEs cannot be put off", "cause", err)
		s.pause(ctx)
	}
}

// pause delays a line whose results could not be saved.
func (s *Sender) pause(ctx context.Context) {
	timer := time.NewTimer(s.config.RetryMin)
	defer timer.Stop()

	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// occupied returns who gets no line now, and whether anybody does.
func (s *Sender) occupied() (except subscriber.Except, room bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	inRealms, byRealm := s.realms()
	except.Hosts, except.AllRealms = slices.Collect(maps.Keys(s.busy)), inRealms >= ofRealms

	for realm, count := range byRealm {
		if count >= ofRealm {
			except.Realms = append(except.Realms, realm)
		}
	}

	return except, len(s.busy) < lines
}

// realms counts the lines in realms; the lock is held.
func (s *Sender) realms() (all int, byRealm map[string]int) {
	byRealm = map[string]int{}

	for _, realm := range s.busy {
		if realm != "" {
			byRealm[realm]++
			all++
		}
	}

	return all, byRealm
}

// claim opens a host's line, and reports whether it did: there is none yet, and room for one.
func (s *Sender) claim(host, realm string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	if _, busy := s.busy[host]; busy || len(s.busy) >= lines {
		return false
	}

	if all, byRealm := s.realms(); realm != "" && (all >= ofRealms || byRealm[realm] >= ofRealm) {
		return false
	}

	s.busy[host] = realm

	return true
}

func (s *Sender) end(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()

	delete(s.busy, host)
}

// send sends a push. It returns false if it leaves the push to another HSS.
func (s *Sender) send(ctx context.Context, push *subscriber.Push) bool {
	if ctx.Err() != nil {
		return true // stays pending for the next run
	}

	result, err := s.exchange(ctx, push)
	if ctx.Err() != nil {
		return true
	}

	if s.ofAnother(push, err) {
		return false
	}

	s.conclude(push, result, err, time.Now().UTC())

	if push.State != subscriber.PushPending {
		s.results.WithLabelValues(string(push.Command), string(push.State)).Inc()
	}

	level := slog.LevelInfo
	if push.State != subscriber.PushDelivered {
		level = slog.LevelWarn
	}

	s.log.Log(ctx, level, "request of the HSS", "push", push.ID, "command", string(push.Command), "peer", push.ServerHost,
		"impi", push.PrivateIdentity, "state", string(push.State), "attempt", push.Attempts, "result", push.Result)

	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWait)
	defer cancel()

	if err := s.store.SavePush(saving, push); err != nil {
		s.log.Error("what came of a request cannot be recorded", "cause", err)
		s.pause(ctx)
	}

	return true
}

// kind returns what the push is about.
func kind(push *subscriber.Push) string {
	switch {
	case push.ToMME():
		return "MME"
	case push.Command == subscriber.SWxRTR || push.Command == subscriber.SWxPPR:
		return "AAA server"
	case push.Command == subscriber.PNR:
		return "application server"
	default:
		return "S-CSCF"
	}
}

// ofAnother reports whether the S-CSCF may be connected to another HSS on the same database, which gets the time of all attempts.
func (s *Sender) ofAnother(push *subscriber.Push, err error) bool {
	return s.store.Shared() && errors.Is(err, diameter.ErrUnroutable) &&
		time.Since(push.Created) < max(look, s.config.RetryMax)*time.Duration(s.config.Attempts)
}

func (s *Sender) exchange(ctx context.Context, push *subscriber.Push) (diameter.Result, error) {
	switch push.Command {
	case subscriber.RTR:
		return s.terminate(ctx, push)
	case subscriber.CLR:
		return s.cancelLocation(ctx, push)
	case subscriber.SWxRTR:
		return s.terminateAtAAA(ctx, push)
	case subscriber.SWxPPR:
		return s.pushToAAA(ctx, push)
	case subscriber.IDR:
		return s.insertSubscriberData(ctx, push)
	case subscriber.DSR:
		return s.deleteSubscriberData(ctx, push)
	case subscriber.PNR:
		return s.pushNotification(ctx, push)
	case subscriber.RSR:
		return s.reset(ctx, push)
	default:
		return s.pushProfile(ctx, push)
	}
}

// conclude records the outcome of an attempt: a node that does not know the user (any more) counts as informed, a permanent failure is
// final, as is that of a node without the command, and anything else is repeated. USER_UNKNOWN has the same code on Cx, S6a, SWx and Sh.
func (s *Sender) conclude(push *subscriber.Push, result diameter.Result, err error, now time.Time) {
	push.Attempts++
	push.Finished = now

	switch {
	case errors.Is(err, errOutdated), errors.Is(err, errNothingNew):
		push.State, push.Result = subscriber.PushDelivered, err.Error()
		return
	case err != nil:
		push.Result = err.Error()
	case result.Successful():
		push.State, push.Result = subscriber.PushDelivered, describe(result)
		return
	case result == cx.ErrorUserUnknown:
		push.State, push.Result = subscriber.PushDelivered, "the "+kind(push)+" does not know the user"
		return
	case result.Code/1000 == 5, result == diameter.CommandUnsupported:
		push.State, push.Result = subscriber.PushRefused, describe(result)
		return
	default:
		push.Result = describe(result)
	}

	if push.Attempts >= s.config.Attempts {
		push.State = subscriber.PushFailed
		return
	}

	push.Finished = time.Time{}
	push.Next = now.Add(min(s.config.RetryMax, s.config.RetryMin<<min(push.Attempts-1, 20)))
}

func describe(r diameter.Result) string {
	name := map[diameter.Result]string{
		cx.Success: "DIAMETER_SUCCESS", cx.UnableToComply: "DIAMETER_UNABLE_TO_COMPLY", cx.ErrorTooMuchData: "DIAMETER_ERROR_TOO_MUCH_DATA",
		cx.ErrorNotSupportedUserData: "DIAMETER_ERROR_NOT_SUPPORTED_USER_DATA", diameter.CommandUnsupported: "DIAMETER_COMMAND_UNSUPPORTED",
	}[r]
	if name == "" {
		return r.Error()
	}

	return fmt.Sprintf("%s (%d)", name, r.Code)
}
