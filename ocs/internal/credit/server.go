package credit

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/prometheus/client_golang/prometheus"
)

// Server answers credit-control requests.
type Server struct {
	config  Config
	store   *ledger.Store
	log     *slog.Logger
	metrics metrics
	tariffs tariffs
	machine *fsm.Machine[State, Event, Action]
	written *written
	queue   queue
	watched time.Time // when sessions could last be supervised

	shared bool // other OCSs use the same ledger, so that any of them can continue a session
}

// Options are what a Server needs.
type Options struct {
	Store   *ledger.Store // of the sessions, too
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// New returns a server that serves the sessions in the store.
func New(c Config, o Options) (*Server, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}

	written, err := newWritten(o.Store.Database())
	if err != nil {
		return nil, err
	}

	return &Server{
		config: c, store: o.Store, shared: o.Store.Shared(), log: o.Log, metrics: newMetrics(o.Store, o.Metrics), machine: Machine,
		written: written,
	}, nil
}

// patience is how long a request waits for its turn at the ledger: an unanswered network function repeats it.
const patience = 10 * time.Second

// CreditControl answers one CCR. A fault of the request, or of the payer's credit, is an answer; an error is the OCS's own, and has changed
// nothing.
func (s *Server) CreditControl(ctx context.Context, q *ro.CCR) (*Answer, error) {
	began := time.Now()

	ctx, cancel := context.WithDeadline(ctx, began.Add(patience))
	defer cancel()

	if no := storable(q); no != nil { // nor can the answer be saved, which is always the same
		answer := refused(no.result, no.text, no.failed)
		answer.Type, answer.Number = q.Type, q.Number
		s.metrics.requests.WithLabelValues(string(eventOf(q.Type)), label.Result(no.result.Code)).Inc()
		s.log.Info("CCR refused", "request_type", eventOf(q.Type), "result", no.result.Code, "cause", no.text, "peer", q.OriginHost)

		return answer, nil
	}

	one := &request{q: q, deadline: began.Add(patience), done: make(chan struct{})}

	if err := s.wait(ctx, one); err != nil {
		s.metrics.requests.WithLabelValues(string(eventOf(q.Type)), "5012").Inc()
		return nil, fmt.Errorf("%s %s/%d: %w", eventOf(q.Type), q.SessionID, q.Number, err)
	}

	answer := one.answer
	s.metrics.requests.WithLabelValues(string(eventOf(q.Type)), label.Result(answer.Result.Code)).Inc()
	s.metrics.latency.WithLabelValues(string(eventOf(q.Type))).Observe(time.Since(began).Seconds())

	if one.again {
		s.metrics.again.Inc()
		s.log.Info(
			"CCR again: answered as before",
			"session_id", q.SessionID,
			"request_type", eventOf(q.Type),
			"request_number", q.Number,
			"peer", q.OriginHost,
		)

		return answer, nil
	}

	s.report(one.w)

	return answer, nil
}

// exchange is one CCR with its answer, or the end of a supervision, while the machine serves it.
type exchange struct {
	tx       ledger.Tx // for queries: write shows them what the requests before have changed
	batch    *batch
	known    *known // of its session; nil: of none
	q        *ro.CCR
	now      time.Time
	at       time.Time // when it happened, as the request states
	run      fsm.Instance[State, Event, Action]
	session  *Session
	fresh    bool // the session is not in the database yet
	purse    ledger.Purse
	revenue  *ledger.Account
	posting  *ledger.Posting
	msccs    []mscc
	plan     *rating.Plan // of the session
	answer   *Answer      // set: the request is refused, and nothing more is done
	stranger bool         // the session is another network function's: nothing is saved
	late     uint64       // units reported for an unknown session
	unpaid   Units        // reported in units without a price
	beside   Units        // reported beside the charged units
	overrun  int64        // used and not paid
	unrated  int          // services without a price
}

// serve serves a request. The same request may have been answered to another network function.
func (s *Server) serve(b *batch, q *ro.CCR, answeredToAnother bool) (*exchange, error) {
	tx := b.tx
	w := &exchange{tx: tx, batch: b, q: q, now: tx.Now(), revenue: tx.Revenue(), posting: tx.Posting(q.SessionID, "")}
	w.at = happened(q, w.now)
	w.run = s.machine.Start(Idle)

	if accepted := s.config.ServiceContexts; len(accepted) > 0 && !slices.Contains(accepted, q.ServiceContextID) {
		w.answer = refused(ro.RatingFailed, "the service context is not served", &FailedAVP{ServiceContextID: q.ServiceContextID})
		return w, nil
	}

	state, err := s.state(w)
	if err != nil {
		return nil, err
	}

	w.run = s.machine.Start(state)

	if w.session != nil && !s.owns(q, w.session.ClientHost, w.session.ClientRealm) || w.session == nil && answeredToAnother {
		w.stranger = true
		w.answer = refused(ro.AuthorizationRejected, "the session is another network function's", nil)

		return w, nil
	}

	var no *refusal
	if w.msccs, no = s.msccs(q); no != nil {
		w.answer = refused(no.result, no.text, no.failed)
		return w, nil
	}

	return w, s.run(w, s.classify(w))
}

// happened returns when the network function saw what it reports (Event-Timestamp, RFC 6733 §8.21): a report may have waited long for the
// OCS. A time in the future, or an absurd one, is not trusted.
func happened(q *ro.CCR, now time.Time) time.Time {
	const longest = 7 * 24 * time.Hour

	if at := q.EventTimestamp.UTC(); at.Before(now) && now.Sub(at) < longest {
		return at
	}

	return now
}

// state finds the session of the request, and returns the state that its last request left it in.
func (s *Server) state(w *exchange) (State, error) {
	if w.q.Type == ro.Event {
		return Idle, nil
	}

	var err error
	if w.known, err = w.batch.of(w.q.SessionID); err != nil {
		return "", err
	}

	if w.known.session != nil {
		w.session = w.known.session
		if w.at.Before(w.session.Started) {
			w.at = w.session.Started
		}

		return Open, nil
	}

	over, err := s.ended(w)
	if over {
		return Ended, err
	}

	return Idle, err
}

// classify returns the event of a request. A request older than one already served would report the same use twice.
func (s *Server) classify(w *exchange) Event {
	if w.session != nil && w.q.Type != ro.Initial && w.q.Number <= w.session.Number {
		return OldNumber
	}

	return eventOf(w.q.Type)
}

// run steps the machine until nothing follows, and saves the session and the money.
func (s *Server) run(w *exchange, event Event) error {
	for event != "" {
		actions, ok := w.run.Step(event)
		if !ok {
			return fmt.Errorf("credit: no row for %s in state %s", event, w.run.State())
		}

		event = ""

		for _, action := range actions {
			next, err := s.do(action, w)
			if err != nil {
				return err
			}

			if next != "" {
				event = next
			}
		}
	}

	if w.answer == nil {
		w.answer = accepted()
	}

	w.saveSession()

	return w.posting.Write()
}

// do does one action. It returns the event that follows, or "".
func (s *Server) do(action Action, w *exchange) (Event, error) {
	switch action {
	case Begin:
		err := s.openSession(w)
		if w.answer != nil {
			return Refused, err
		}

		return PayerFound, err
	case Reserve:
		err := s.reserve(w)
		if err == nil && w.answer.Result.Successful() {
			return Granted, nil
		}

		return Refused, err
	case TakeNumber:
		w.session.Number = w.q.Number
		w.session.ClientHost, w.session.ClientRealm = w.q.OriginHost, w.q.OriginRealm // another network function may have taken over

		return "", nil
	case Debit:
		return "", s.debit(w)
	case ReleaseAll:
		return "", s.releaseAll(w)
	case Supervise:
		return "", s.supervise(w)
	case Record:
		return "", s.record(w)
	case ChargeEvent:
		return "", s.chargeEvent(w)
	case RefuseUnknown:
		w.refuseUnknown()
		return "", nil
	case RefuseBegun:
		w.answer = refused(ro.InvalidAVPValue, "the session has begun already", &FailedAVP{RequestType: &w.q.Type})
		return "", nil
	case RefuseNumber:
		w.answer = refused(ro.InvalidAVPValue, "CC-Request-Number goes back", &FailedAVP{RequestNumber: &w.q.Number})
		return "", nil
	default:
		return "", fmt.Errorf("credit: no such action: %s", action)
	}
}

func (w *exchange) refuseUnknown() {
	for _, mscc := range w.msccs {
		w.late = add(w.late, mscc.used(mscc.measured()))
	}

	w.answer = refused(ro.UnknownSessionID, "there is no such session", nil)
}

// saveSession saves the session by its state: only an open one has a row.
func (w *exchange) saveSession() {
	switch {
	case w.session == nil:
	case w.run.State() == Open:
		w.batch.change(w.known, w.session)
	case !w.fresh:
		w.batch.change(w.known, nil)
	}
}

// report logs and counts the outcome of an exchange, after its transaction.
func (s *Server) report(w *exchange) {
	w.posting.Moved(func(kind string, amount int64) { s.metrics.moved.WithLabelValues(kind).Add(float64(amount)) })
	s.metrics.unrated.Add(float64(w.unrated))
	s.metrics.overrun.Add(float64(w.overrun))

	from := w.posting.Note() // supervision, or the operator
	if w.q != nil {
		from = w.q.OriginHost
	}

	w.logSession(s.log)

	if w.overrun > 0 {
		s.log.Warn("used beyond the credit", "session_id", w.session.ID, "account", w.session.Account, "minor_units", w.overrun, "peer", from)
	}

	for _, unit := range slices.Sorted(maps.Keys(w.unpaid)) {
		s.metrics.unratedUnits.WithLabelValues(string(unit)).Add(float64(w.unpaid[unit]))
	}

	for _, unit := range slices.Sorted(maps.Keys(w.beside)) {
		s.metrics.unratedUnits.WithLabelValues(string(unit)).Add(float64(w.beside[unit]))
	}

	switch {
	case len(w.unpaid) > 0:
		s.log.Warn(
			"use was reported in units that the service is not charged in: nobody pays",
			"session_id", w.session.ID,
			"account", w.session.Account,
			"units", w.unpaid.String(),
			"peer", from,
		)
	case len(w.beside) > 0:
		s.log.Info(
			"use was also reported in units that the service is not charged in",
			"session_id", w.session.ID,
			"units", w.beside.String(),
			"peer", from,
		)
	}

	if w.late > 0 {
		s.metrics.late.Inc()
		s.log.Warn("units were reported for an unknown session: nobody pays", "session_id", w.q.SessionID, "units", w.late, "peer", from)
	}

	if w.stranger {
		s.metrics.strangers.Inc()
		s.log.Warn("a network function has asked for another's session",
			"session_id", w.q.SessionID, "request_type", eventOf(w.q.Type), "peer", from)
	}

	if !w.answer.Result.Successful() {
		s.log.Info(
			"CCR refused",
			"session_id", w.q.SessionID,
			"request_type", eventOf(w.q.Type),
			"result", w.answer.Result.Code,
			"cause", w.answer.ErrorMessage,
			"peer", from,
		)
	}
}
