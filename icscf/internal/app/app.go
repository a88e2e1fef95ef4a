// Package app puts an I-CSCF together: its configuration, SIP, Cx, and the procedures between them.
package app

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dialtone-ims/dialtone/icscf/internal/interrogation"
	"github.com/dialtone-ims/dialtone/icscf/internal/selection"
	"github.com/dialtone-ims/dialtone/pkg/border"
	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Config is the whole configuration.
type Config struct {
	service.Common `yaml:",inline"`
	HomeDomain     string            `yaml:"home_domain"`
	SIP            stack.Config      `yaml:"sip"`
	Protection     border.Config     `yaml:"protection"`
	Diameter       diameter.Config   `yaml:"diameter"`
	ServerTimeout  time.Duration     `yaml:"scscf_timeout"`
	Avoid          time.Duration     `yaml:"scscf_avoid"`
	Servers        selection.Servers `yaml:"scscfs"`
}

// Default returns the configuration of the lab.
func Default() Config {
	home := config.Home()
	c := Config{
		Common:     service.DefaultCommon("127.0.0.11:9090"),
		HomeDomain: home,
		SIP: stack.DefaultConfig(
			stack.EndpointConfig{Name: "Mw", Address: "127.0.0.11:5060", Transports: []string{"udp", "tcp"}, Names: []string{"icscf." + home, home}},
		),
		Protection: border.Config{Core: border.Core{}},
		Diameter:   diameter.DefaultConfig("icscf."+home, home),
		Servers:    selection.Servers{{Name: "sip:scscf." + home + ":5060"}},

		ServerTimeout: 5 * time.Second,
		Avoid:         30 * time.Second,
	}
	c.SIP.Resolver.Hosts["scscf."+home] = []string{"127.0.0.12"}
	c.Diameter.LocalAddress = "127.0.0.11"
	c.Diameter.Peers = []diameter.Peer{{Host: "hss." + home, Realm: home, Address: "127.0.0.13:3868"}}

	return c
}

// Validate returns an error if the configuration cannot work.
func (c *Config) Validate() error {
	if c.HomeDomain == "" || c.ServerTimeout <= 0 || c.Avoid < 0 {
		return errors.New("home_domain and scscf_timeout are needed, and scscf_avoid must not be negative")
	}

	if len(c.SIP.Endpoints) == 0 {
		return errors.New("sip.endpoints: the I-CSCF needs one")
	}

	return errors.Join(c.Common.Validate(), c.SIP.Validate(), c.Diameter.Validate(), c.Servers.Validate())
}

type icscf struct {
	stack *stack.Stack
	node  *diameter.Node
}

// entry passes the stack's calls to the Interrogator, which is made after the stack. It is set before anything runs.
type entry struct{ *interrogation.Interrogator }

// Build builds the I-CSCF.
func Build(_ context.Context, c *Config, env *service.Env) (service.Runner, error) {
	node, err := diameter.New(
		c.Diameter,
		[]diameter.Application{cx.Application},
		diameter.Options{Log: env.Log, Metrics: env.Metrics, Tap: env.Tap},
	)
	if err != nil {
		return nil, err
	}

	entry := &entry{}

	stack, err := stack.New(c.SIP, entry, stack.Options{
		Log: env.Log, Metrics: env.Metrics, Tap: env.Tap, Screen: c.Protection.Core.Screen(nil),
	})
	if err != nil {
		return nil, err
	}

	entry.Interrogator = interrogation.New(interrogation.Config{
		HomeDomain: c.HomeDomain, Servers: c.Servers, ServerTimeout: c.ServerTimeout, Avoid: c.Avoid,
	}, interrogation.Options{
		Stack:   stack,
		HSS:     client{node},
		Reached: func() bool { return node.Reached(cx.Application.ID) },
		Log:     env.Log,
		Metrics: env.Metrics,
	})

	env.Admin.Handle(httpapi.Get("/peers", "Diameter connections", node.Peers))

	return &icscf{stack: stack, node: node}, nil
}

// Run serves until ctx ends.
func (i *icscf) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return i.node.Run(ctx) })
	group.Go(func() error { return i.stack.Run(ctx) })

	return group.Wait()
}

// Ready returns an error until the HSS is connected.
func (i *icscf) Ready() error { return i.node.Ready() }

// client sends the Cx queries of the procedures.
type client struct{ node *diameter.Node }

func (c client) UserAuthorization(ctx context.Context, q *cx.UAR) (*cx.UAA, error) {
	return diameter.Call[cx.UAA](ctx, c.node, q)
}

func (c client) LocationInfo(ctx context.Context, q *cx.LIR) (*cx.LIA, error) {
	return diameter.Call[cx.LIA](ctx, c.node, q)
}
