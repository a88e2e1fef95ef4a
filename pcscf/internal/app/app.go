// Package app puts a P-CSCF together: its configuration, its endpoints, and the procedures between them.
package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/dialtone-ims/dialtone/pcscf/internal/alert"
	"github.com/dialtone-ims/dialtone/pcscf/internal/gm"
	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec"
	"github.com/dialtone-ims/dialtone/pcscf/internal/protection"
	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Config is the whole configuration.
type Config struct {
	service.Common `yaml:",inline"`
	HomeDomain     string       `yaml:"home_domain"`
	VisitedNetwork string       `yaml:"visited_network"`
	Interrogator   string       `yaml:"icscf"`         // SIP URI of the home network's I-CSCF
	SIP            stack.Config `yaml:"sip"`           // the endpoint Mw faces the core, all others face handsets
	MaxBindings    int          `yaml:"max_bindings"`  // handsets at the same time
	MaxDialogs     int          `yaml:"max_dialogs"`   // of one handset at the same time
	RegEvent       bool         `yaml:"reg_event"`     // subscribe to the registrations of the users served
	ServiceRoute   string       `yaml:"service_route"` // enforce: another Route is refused; replace: it is replaced
	ByAddress      gm.ByAddress `yaml:"by_address"`    // never, stream or always
	Data           string       `yaml:"data"`          // folder of the journal; empty: registrations are not kept
	IPsec          ipsec.Config `yaml:"ipsec"`

	Protection protection.Config `yaml:"protection"`
	Emergency  Emergency         `yaml:"emergency"`
	Bearer     Bearer            `yaml:"bearer"`
	Diameter   diameter.Config   `yaml:"diameter"` // used if bearers are asked for
}

const mw = "Mw"

// Default returns the configuration of the lab.
func Default() Config {
	home := config.Home()
	c := Config{
		Common:         service.DefaultCommon("127.0.0.10:9090"),
		HomeDomain:     home,
		VisitedNetwork: home,
		Interrogator:   "sip:icscf." + home + ":5060",
		SIP: stack.DefaultConfig(
			stack.EndpointConfig{
				Name:       "Gm",
				Address:    "127.0.0.10:5060",
				Transports: []string{"udp", "tcp"},
				Names:      []string{"pcscf." + home},
				Timers:     stack.HandsetTimers(),
			},
			stack.EndpointConfig{Name: mw, Address: "127.0.0.10:5070", Transports: []string{"udp", "tcp"}},
		),
		MaxBindings:  100_000,
		MaxDialogs:   1000,
		RegEvent:     true,
		ServiceRoute: "replace",
		ByAddress:    gm.Stream,
		IPsec:        ipsec.Default(),
		Protection:   protection.Default(),
		Emergency:    defaultEmergency(),
		Bearer:       defaultBearer(),
		Diameter:     diameter.DefaultConfig("pcscf."+home, home),
	}
	c.Diameter.LocalAddress = "127.0.0.10"
	c.SIP.Resolver.Hosts["icscf."+home] = []string{"127.0.0.11"}
	c.SIP.Resolver.Hosts["scscf."+home] = []string{"127.0.0.12"}

	return c
}

// Validate returns an error if the configuration cannot work.
func (c *Config) Validate() error {
	switch {
	case c.HomeDomain == "" || c.VisitedNetwork == "":
		return errors.New("home_domain and visited_network are needed")
	case c.MaxBindings <= 0 || c.MaxDialogs <= 0:
		return errors.New("max_bindings and max_dialogs must be positive")
	case c.ServiceRoute != "enforce" && c.ServiceRoute != "replace":
		return fmt.Errorf("service_route: %q is neither enforce nor replace", c.ServiceRoute)
	case c.ByAddress != gm.Never && c.ByAddress != gm.Stream && c.ByAddress != gm.Always:
		return fmt.Errorf("by_address: %q is none of never, stream, always", c.ByAddress)
	case !slices.ContainsFunc(c.SIP.Endpoints, func(e stack.EndpointConfig) bool { return e.Name == mw }) || len(c.SIP.Endpoints) < 2:
		return errors.New("sip.endpoints: one must be named Mw, and another is needed for handsets")
	}

	if _, err := sip.ParseURI(c.Interrogator); err != nil {
		return fmt.Errorf("icscf: %w", err)
	}

	return errors.Join(c.Common.Validate(), c.SIP.Validate(), c.IPsec.Validate(c.Data), c.Protection.Validate(),
		c.validateBearers(), c.validateEmergency())
}

// bound returns the stack's endpoints: those of the configuration and the protected ones. Endpoints towards handsets have the timers of TS
// 24.229 §7.7 unless they set their own.
func (c *Config) bound(protected []stack.EndpointConfig) stack.Config {
	bound := c.SIP
	bound.Endpoints = slices.Concat(bound.Endpoints, protected)

	for i, e := range bound.Endpoints {
		if e.Name != mw {
			bound.Endpoints[i] = stack.HandsetTimers().For(e)
		}
	}

	return bound
}

// towardsHandsets returns the configured endpoints that face handsets.
func (c *Config) towardsHandsets() []stack.EndpointConfig {
	return slices.DeleteFunc(slices.Clone(c.SIP.Endpoints), func(e stack.EndpointConfig) bool { return e.Name == mw })
}

type pcscf struct {
	stack  *stack.Stack
	proxy  *gm.Proxy
	access *ipsec.Access
	state  *state
	alerts *alert.Alerts

	bearers *bearers
}

// entry is the proxy as given to the stack, which is built first. The proxy is set before anything runs.
type entry struct{ *gm.Proxy }

func (e *entry) screen(flow stack.Flow, m sip.Message) error { return e.Screen(flow, m) }

func (e *entry) stray(flow stack.Flow, r *sip.Response) stack.Passer { return e.Stray(flow, r) }

func (e *entry) urgent(flow stack.Flow, r *sip.Request) bool { return e.Urgent(flow, r) }

// Build builds the P-CSCF.
func Build(_ context.Context, c *Config, env *service.Env) (_ service.Runner, err error) {
	emergencies, err := c.emergencies()
	if err != nil {
		return nil, err
	}

	state, err := openState(c.Data, env.Log)
	if err != nil {
		return nil, err
	}

	defer func() {
		if err != nil {
			err = errors.Join(err, state.close())
		}
	}()

	asking, err := openBearers(c, env)
	if err != nil {
		return nil, err
	}

	defer func() {
		if err != nil {
			err = errors.Join(err, asking.close())
		}
	}()

	access, err := ipsec.New(&c.IPsec, ipsec.Options{
		Endpoints: c.towardsHandsets(),
		Kept:      state.sets,
		Keeper:    state.keeper(),
		Log:       env.Log,
	})
	if err != nil {
		return nil, err
	}

	defer func() {
		if err != nil {
			err = errors.Join(err, access.Close())
		}
	}()

	entry := &entry{}

	stack, err := stack.New(c.bound(access.Endpoints()), entry, stack.Options{
		Log: env.Log, Metrics: env.Metrics, Tap: env.Tap, Screen: entry.screen, Stray: entry.stray,
		Urgent: entry.urgent,
	})
	if err != nil {
		return nil, err
	}

	security, err := protected(access, stack, env)
	if err != nil {
		return nil, err
	}

	emergencies.Alerts = c.alerts(stack, env)

	guard := protection.New(c.Protection, protection.Options{Log: env.Log, Metrics: env.Metrics})
	proxy := gm.New(c.procedures(), gm.Options{
		Stack:     stack,
		Gm:        c.endpointsOf(stack),
		Mw:        stack.Endpoint(mw),
		Security:  security,
		Journal:   state.bindingKeeper(),
		Guard:     guard,
		Bearers:   asking.of(c),
		Emergency: emergencies,
		Log:       env.Log,
		Metrics:   env.Metrics,
	})
	entry.Proxy = proxy

	state.restore(stack, proxy)
	serveAdmin(env.Admin, proxy, guard, access, c.HomeDomain)

	return &pcscf{stack: stack, proxy: proxy, access: access, state: state, alerts: emergencies.Alerts, bearers: asking}, nil
}

// procedures returns the part of the configuration that the procedures of Gm read.
func (c *Config) procedures() gm.Config {
	g := gm.Config{
		HomeDomain:     c.HomeDomain,
		VisitedNetwork: c.VisitedNetwork,
		Interrogator:   c.Interrogator,
		Enforce:        c.ServiceRoute == "enforce",
		ByAddress:      c.ByAddress,
		MaxBindings:    c.MaxBindings,
		MaxGuests:      c.Emergency.MaxUnregistered,
		MaxDialogs:     c.MaxDialogs,
	}

	if c.RegEvent {
		g.Subscriptions = c.MaxBindings
	}

	return g
}

// endpointsOf returns the endpoints towards handsets.
func (c *Config) endpointsOf(s *stack.Stack) []*stack.Endpoint {
	var all []*stack.Endpoint
	for _, e := range c.towardsHandsets() {
		all = append(all, s.Endpoint(e.Name))
	}

	return all
}

// protected returns how the signalling of handsets is protected.
func protected(access *ipsec.Access, s *stack.Stack, env *service.Env) (gm.Security, error) {
	switch associations, err := access.Protect(s, env.Metrics); {
	case err != nil:
		return nil, err
	case associations == nil:
		return gm.Open{}, nil
	default:
		return associations, nil
	}
}

// Run serves until ctx ends.
func (p *pcscf) Run(ctx context.Context) error {
	defer p.proxy.Close()

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.stack.Run(ctx) })
	group.Go(func() error { p.proxy.Run(ctx); return nil })

	group.Go(func() error { p.access.Run(ctx); return nil })

	group.Go(func() error { p.alerts.Run(ctx); return nil })

	group.Go(func() error { return p.bearers.run(ctx, p.proxy.AskForSignalling) })

	return errors.Join(group.Wait(), p.access.Close(), p.bearers.close(), p.state.close())
}

// Ready returns nil: a P-CSCF depends on no peer.
func (p *pcscf) Ready() error { return nil }
