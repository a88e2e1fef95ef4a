// Package registrar is the registrar of the S-CSCF (TS 24.229 §5.4.1). It challenges handsets, holds their registrations, and informs
// the HSS, the application servers and the watchers of the reg event about changes.
package registrar

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/scscf/internal/background"
	"github.com/dialtone-ims/dialtone/scscf/internal/profile"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
	"github.com/dialtone-ims/dialtone/scscf/internal/schedule"
)

// HomeSubscriberServer is the Cx client. An answer may have any result; an error means that there was no answer.
type HomeSubscriberServer interface {
	MultimediaAuth(ctx context.Context, req *cx.MAR) (*cx.MAA, error)
	ServerAssignment(ctx context.Context, req *cx.SAR) (*cx.SAA, error)
}

// Options are the dependencies of a registrar. Log, HSS and Schedule are needed.
type Options struct {
	HSS          HomeSubscriberServer
	Schedule     *schedule.Queue
	HomeDomain   string
	ServiceRoute string // URI, without brackets
	SharedIFC    map[int][]ifc.InitialFilterCriterion
	Log          *slog.Logger
	Metrics      prometheus.Registerer
}

// Registrar holds the registrations of the S-CSCF.
type Registrar struct {
	machine               *fsm.Machine[State, Event, Action]
	authenticationMachine *fsm.Machine[AuthenticationState, AuthenticationEvent, AuthenticationAction]

	policy          Policy
	homeDomain      string
	serviceRoute    string
	store           *store
	authentications *authentications
	profiles        *profile.Cache
	locks           *locks
	work            *background.Queue
	journal         *journal
	hss             HomeSubscriberServer
	schedule        *schedule.Queue
	observers       []registration.Observer
	log             *slog.Logger
	metrics         metrics
	contactIDs      atomic.Uint32
	recordIDs       atomic.Uint64
}

const workers = 32 // SARs of expired registrations at the same time

// New returns a registrar without registrations.
func New(policy Policy, o Options) *Registrar {
	r := &Registrar{
		machine: Machine, authenticationMachine: AuthenticationMachine,
		policy: policy, homeDomain: o.HomeDomain, serviceRoute: o.ServiceRoute,
		store: newStore(policy.MaxRegistrations), authentications: newAuthentications(policy.MaxChallenges),
		profiles: profile.New(o.SharedIFC), locks: newLocks(), work: background.New(workers),
		hss: o.HSS, schedule: o.Schedule, log: o.Log,
	}
	r.metrics = newMetrics(o.Metrics, r)

	return r
}

// Lookup returns the registration that serves a canonical public identity (pkg/ims CanonicalIdentity). It neither blocks nor allocates.
// An identity that is neither registered here nor served as an unregistered one is not found; FetchUnregistered then asks the HSS.
func (r *Registrar) Lookup(public string) (registration.User, bool) {
	record := r.store.find(public)
	if record == nil {
		return registration.User{}, false
	}

	return userOf(record.current.Load(), public)
}

func userOf(g *registration.Registration, public string) (registration.User, bool) {
	if g == nil { // it has just ended
		return registration.User{}, false
	}

	identity := g.Find(public)
	if identity == nil || identity.Profile == nil {
		return registration.User{}, false
	}

	return registration.User{Registration: g, Public: identity}, true
}

func (r *Registrar) contactID() uint32 { return r.contactIDs.Add(1) }

func (r *Registrar) newRecord() *record { return &record{registrar: r, id: r.recordIDs.Add(1)} }
