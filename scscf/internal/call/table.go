// Package call holds the calls that this S-CSCF is in the route of, from the INVITE to the BYE: their dialogs, the parties of their
// requests, their charging, their session timers, and their release (TS 24.229 §5.4.5). They are kept over a restart.
//
// Where a request goes, and whether it may, is decided by package session.
package call

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/journal"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// Registrations are the registrations that calls belong to.
type Registrations interface {
	// Registration returns the registration of an identity, including one that was kept over a restart and has no profile yet.
	Registration(public string) (*registration.Registration, bool)
}

// Options are the dependencies of a Table.
type Options struct {
	Stack         *stack.Stack
	Endpoint      *stack.Endpoint // named in Record-Route
	Registrations Registrations
	Charging      *charging.Trigger
	Outcomes      *prometheus.CounterVec // by case, method and outcome
	Log           *slog.Logger
	Metrics       prometheus.Registerer
}

// Table holds all calls. Each ends by a BYE, by a failure of its INVITE, or by its release.
type Table struct {
	stack         *stack.Stack
	endpoint      *stack.Endpoint
	registrations Registrations
	charging      *charging.Trigger
	outcomes      *prometheus.CounterVec
	log           *slog.Logger

	mu       sync.Mutex
	secret   []byte                        // of entries
	calls    map[string]*Call              // by the token of their entries
	contacts map[uint32]map[*Call]struct{} // calls by the contact of their user
	restored []*Call                       // until Resume
	journal  *journal.Journal[keptCall]    // nil: calls end with the process

	ctx     context.Context // for the table's own requests, until Close
	stop    context.CancelFunc
	running sync.WaitGroup
}

const maxCalls = 100_000 // calls at the same time

// errTooMany is the error for a call beyond the limit.
var errTooMany = errors.New("the S-CSCF is in as many calls as it can be")

// New returns a Table without calls.
func New(o Options) *Table {
	ctx, stop := context.WithCancel(context.Background())
	t := &Table{
		stack: o.Stack, endpoint: o.Endpoint, registrations: o.Registrations, charging: o.Charging, outcomes: o.Outcomes, log: o.Log,
		secret: []byte(rand.Text()), calls: map[string]*Call{}, contacts: map[uint32]map[*Call]struct{}{}, ctx: ctx, stop: stop,
	}

	o.Metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "dialtone_scscf_calls", Help: "Calls that this S-CSCF is in the route of, one for each side it serves.",
	}, func() float64 { return float64(t.Len()) }))

	return t
}

// Len returns the number of calls.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()

	return len(t.calls)
}

// New adds the call of an INVITE that is about to go on.
func (t *Table) New(tx *stack.ServerTransaction, p Party) (*Call, error) {
	c := &Call{table: t, Party: p, entry: entriesOf(t.secret, tx.Request(), p), tx: tx, invite: tx.Request()}

	t.mu.Lock()
	defer t.mu.Unlock()

	if len(t.calls) >= maxCalls {
		return nil, errTooMany
	}

	if t.calls[c.entry.token] != nil {
		c.entry = randomEntries()
	}

	t.calls[c.entry.token] = c

	return c, nil
}

// forget removes a call, once.
func (t *Table) forget(c *Call) {
	if t.find(c.entry.token) != c {
		return
	}

	c.leaveJournal()

	t.mu.Lock()
	delete(t.calls, c.entry.token)
	t.unbind(c)
	t.mu.Unlock()
}

func (t *Table) find(token string) *Call {
	t.mu.Lock()
	defer t.mu.Unlock()

	return t.calls[token]
}

// Abroad reports whether a Route entry of this S-CSCF belongs to a call with another network, whose party sends its requests here from
// anywhere.
func (t *Table) Abroad(entry sip.Uri) bool {
	c := t.find(tokenOf(entry.User))

	return c != nil && c.Abroad
}
