// Package reauth sends the OCS's own requests to network functions: to re-authorise a session (RFC 8506 §5.5), or to end it (RFC 6733
// §8.5).
package reauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// Config sets when network functions are asked to re-authorise, and how often.
type Config struct {
	Enabled  bool          `yaml:"enabled"`  // after top-ups and blocking; the API always can
	Attempts int           `yaml:"attempts"` // until an answer
	Wait     time.Duration `yaml:"wait"`     // between them
}

// DefaultConfig returns the configuration of the lab.
func DefaultConfig() Config { return Config{Enabled: true, Attempts: 3, Wait: 2 * time.Second} }

// Validate returns an error if the configuration cannot work.
func (c *Config) Validate() error {
	if c.Attempts < 1 || c.Attempts > 100 || c.Wait < 0 || c.Wait > time.Minute {
		return errors.New("reauth: attempts must be 1 to 100, wait at most a minute")
	}

	return nil
}

// Network sends requests to network functions.
type Network interface {
	ReAuth(ctx context.Context, q *ro.RAR) (*ro.RAA, error)
	Abort(ctx context.Context, q *ro.ASR) (*ro.ASA, error)
}

// Outcome is the outcome of a request to a network function.
type Outcome string

const (
	Asked   Outcome = "asked"   // the network function will do it
	Unknown Outcome = "unknown" // it does not know the session any more
	Refused Outcome = "refused" // it refuses, or cannot
	Silent  Outcome = "no answer"
)

// outcome returns the outcome of an answer (RFC 8506 §5.5, RFC 6733 §8.3.2, §8.5.2).
func outcome(result diameter.Result, err error) Outcome {
	switch {
	case err != nil:
		return Silent
	case result.Successful():
		return Asked
	case result == ro.UnknownSessionID:
		return Unknown
	default:
		return Refused
	}
}

// Answer is the outcome of one request, for the operator who caused it.
type Answer struct {
	Session string  `json:"session"`
	Command string  `json:"command"` // RAR or ASR
	Outcome Outcome `json:"outcome"`
	Result  uint32  `json:"result,omitempty"` // Result-Code
	Detail  string  `json:"detail,omitempty"`
}

// Asker sends the requests. Its methods are safe for concurrent use.
type Asker struct {
	config      Config
	supervision time.Duration
	network     Network
	store       *ledger.Store
	log         *slog.Logger
	outcomes    *prometheus.CounterVec
	waiting     chan job
}

type job struct {
	session  string
	attempts int
}

const (
	maxWaiting = 10_000
	inFlight   = 8
)

// Options are what an Asker needs.
type Options struct {
	Network     Network
	Store       *ledger.Store
	Supervision time.Duration // how long a session unknown to its network function stays open
	Log         *slog.Logger
	Metrics     prometheus.Registerer
}

// New returns an Asker. Run sends what is queued.
func New(c Config, o Options) *Asker {
	a := &Asker{
		config: c, supervision: o.Supervision, network: o.Network, store: o.Store, log: o.Log, waiting: make(chan job, maxWaiting),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_ocs_reauthorisations_total", Help: "RAR and ASR sent, by what came of them.",
		}, []string{"command", "outcome"}),
	}
	o.Metrics.MustRegister(a.outcomes)

	return a
}

// ReAuthorise asks the network function of a session to report, and to request credit anew.
func (a *Asker) ReAuthorise(ctx context.Context, id string) (*Answer, error) {
	s, err := a.session(ctx, id)
	if err != nil {
		return nil, err
	}

	q := &ro.RAR{Type: ro.AuthorizeOnly}
	q.SessionID, q.DestinationHost, q.DestinationRealm = s.ID, s.ClientHost, s.ClientRealm

	answer, err := a.network.ReAuth(ctx, q)
	if answer == nil {
		answer = &ro.RAA{}
	}

	return a.conclude(ctx, s, "RAR", answer.Result, answer.ErrorMessage, err)
}

// Abort asks the network function of a session to end it. One that does not support ASR is asked to request credit anew: the OCS will
// refuse that.
func (a *Asker) Abort(ctx context.Context, id string) (*Answer, error) {
	s, err := a.session(ctx, id)
	if err != nil {
		return nil, err
	}

	q := &ro.ASR{}
	q.SessionID, q.DestinationHost, q.DestinationRealm = s.ID, s.ClientHost, s.ClientRealm

	answer, err := a.network.Abort(ctx, q)
	if answer == nil {
		answer = &ro.ASA{}
	}

	concluded, err := a.conclude(ctx, s, "ASR", answer.Result, answer.ErrorMessage, err)
	if err == nil && concluded.Outcome == Refused {
		return a.ReAuthorise(ctx, id)
	}

	return concluded, err
}

// ErrClient is returned for a session that began before its network function was recorded.
var ErrClient = errors.New("the network function of the session is not known")

func (a *Asker) session(ctx context.Context, id string) (*credit.Session, error) {
	s := new(credit.Session)
	if err := a.store.Read(ctx).Where("id = ?", id).Take(s).Error; err != nil {
		return nil, err
	}

	if s.ClientHost == "" {
		return nil, ErrClient
	}

	return s, nil
}

// conclude records the outcome of a request. If the network function does not know the session, a last report may be on its way; if none
// comes within the supervision time, the session is closed.
func (a *Asker) conclude(
	ctx context.Context,
	s *credit.Session,
	command string,
	result diameter.Result,
	text string,
	failure error,
) (*Answer, error) {
	came := outcome(result, failure)
	answer := &Answer{Session: s.ID, Command: command, Outcome: came, Result: result.Code, Detail: text}

	a.outcomes.WithLabelValues(command, string(came)).Inc()

	if failure != nil {
		answer.Detail = failure.Error()
	}

	level := slog.LevelInfo
	if came == Refused || came == Silent {
		level = slog.LevelWarn
	}

	a.log.Log(ctx, level, "network function asked", "command", command, "session_id", s.ID, "account", s.Account, "peer", s.ClientHost,
		"outcome", string(came), "result", result.Code, "detail", answer.Detail)

	if came != Unknown {
		return answer, nil
	}

	until := a.store.Now().Add(a.supervision)

	err := a.store.Update(ctx, func(tx ledger.Tx) error {
		return tx.Model(&credit.Session{}).Where("id = ? AND expires > ?", s.ID, until).Update("expires", until).Error
	})
	if err != nil {
		return nil, fmt.Errorf("session %s: %w", s.ID, err)
	}

	return answer, nil
}
