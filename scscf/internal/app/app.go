package app

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/asregister"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/hss"
	"github.com/dialtone-ims/dialtone/scscf/internal/regevent"
	"github.com/dialtone-ims/dialtone/scscf/internal/registrar"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
	"github.com/dialtone-ims/dialtone/scscf/internal/schedule"
	"github.com/dialtone-ims/dialtone/scscf/internal/session"
)

type scscf struct {
	stack     *stack.Stack
	node      *diameter.Node
	registrar *registrar.Registrar
	regEvent  *regevent.Server
	servers   *asregister.Server
	schedule  *schedule.Queue
	charging  *charging.Trigger
	sessions  *session.Server
}

// Build returns the S-CSCF.
func Build(_ context.Context, c *Config, env *service.Env) (service.Runner, error) {
	shared, err := c.sharedSets()
	if err != nil {
		return nil, err
	}

	node, err := diameter.New(
		c.Diameter,
		[]diameter.Application{cx.Application, ro.Application},
		diameter.Options{Log: env.Log, Metrics: env.Metrics, Tap: env.Tap},
	)
	if err != nil {
		return nil, err
	}

	entry := &entry{}

	stack, err := stack.New(c.SIP, entry, stack.Options{
		Log: env.Log, Metrics: env.Metrics, Tap: env.Tap, Screen: c.Protection.Core.Screen(entry.abroad),
	})
	if err != nil {
		return nil, err
	}

	queue := schedule.New()
	endpoint := stack.Endpoint(c.SIP.Endpoints[0].Name)
	home := hss.New(hss.Options{Node: node, ServerName: c.ServerName, SharedSets: len(shared) > 0})
	registrations := registrar.New(c.Registrar, registrar.Options{
		HSS:          home,
		Schedule:     queue,
		HomeDomain:   c.HomeDomain,
		ServiceRoute: serviceRoute(endpoint),
		SharedIFC:    shared,
		Log:          env.Log,
		Metrics:      env.Metrics,
	})
	home.Serve(registrations)

	if c.Data != "" {
		if err := registrations.Restore(c.Data); err != nil {
			return nil, err
		}
	}

	watchers := regevent.New(c.RegEvent, regevent.Options{
		Registrations: registrations, Sender: stack, Endpoint: endpoint, Contact: notifier(endpoint), HomeDomain: c.HomeDomain,
		MaxBody: c.SIP.Limits.MaxMessage / 2, Schedule: queue, Log: env.Log, Metrics: env.Metrics,
	})
	servers := asregister.New(c.ThirdParty, asregister.Options{
		Sender:     stack,
		Endpoint:   endpoint,
		ServerName: c.ServerName,
		HomeDomain: c.HomeDomain,
		MaxBody:    c.SIP.Limits.MaxMessage / 2,
		Log:        env.Log,
		Metrics:    env.Metrics,
		End: func(ctx context.Context, public string) error {
			_, err := registrations.Deregister(ctx, public, registration.ByApplicationServer)
			return err
		},
	})
	registrations.Observe(servers.Changed)
	registrations.Observe(watchers.Changed)

	serveAdmin(env.Admin, registrations, node, c.HomeDomain)

	sessions, trigger, err := newSessions(c, env, stack, endpoint, node, home, registrations)
	if err != nil {
		return nil, err
	}

	s := &scscf{
		stack: stack, node: node, registrar: registrations, regEvent: watchers, servers: servers, schedule: queue,
		charging: trigger, sessions: sessions,
	}
	entry.router = &router{
		starting:  starting{reached: func() bool { return node.Reached(cx.Application.ID) }, log: env.Log},
		registrar: registrations,
		regEvent:  watchers,
		sessions:  sessions,
	}

	return s, nil
}

// Run serves until ctx ends.
func (s *scscf) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.node.Run(ctx) })
	group.Go(func() error { return s.stack.Run(ctx) })
	group.Go(func() error { s.schedule.Run(ctx); return nil })
	group.Go(func() error { s.registrar.Run(ctx, s.cxReady); return nil })
	group.Go(func() error { s.regEvent.Run(ctx); return nil })
	group.Go(func() error { s.servers.Run(ctx); return nil })

	group.Go(func() error { s.sessions.Calls().Resume(ctx, s.awaitOCS); return nil })

	return errors.Join(group.Wait(), s.sessions.Calls().Close(), s.charging.Close(), s.registrar.Close())
}

// Ready returns an error until the HSS is connected.
func (s *scscf) Ready() error { return s.node.Ready() }

// cxReady returns an error until the HSS, whatever the other peers, is connected.
func (s *scscf) cxReady() error {
	if !s.open(cx.Application.ID) {
		return errNoHSS
	}

	return nil
}

// open reports whether a peer that serves an application can be reached.
func (s *scscf) open(application uint32) bool {
	return slices.ContainsFunc(s.node.Peers(), func(p diameter.PeerStatus) bool {
		return p.State == "open" && slices.Contains(p.Applications, application)
	})
}
