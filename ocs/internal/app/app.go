// Package app assembles an OCS: its configuration, Ro, the ledger and the API.
package app

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dialtone-ims/dialtone/ocs/internal/api"
	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/reauth"
	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/service"
)

// Config is the whole configuration.
type Config struct {
	service.Common `yaml:",inline"`
	Data           string          `yaml:"data"` // folder of the ledger
	DSN            string          `yaml:"dsn"`  // postgres://… instead of it
	Diameter       diameter.Config `yaml:"diameter"`
	Credit         credit.Config   `yaml:"credit"`
	ReAuth         reauth.Config   `yaml:"reauth"`
}

// Default returns the configuration of the lab.
func Default() Config {
	home := config.Home()
	c := Config{
		Common: service.DefaultCommon("127.0.0.14:9090"), Data: "var/ocs",
		Diameter: diameter.DefaultConfig("ocs."+home, home), Credit: credit.DefaultConfig(), ReAuth: reauth.DefaultConfig(),
	}
	c.Diameter.Listen = []diameter.Listener{{Address: "127.0.0.14:3868"}}
	c.Diameter.Peers = []diameter.Peer{{Host: "scscf." + home, Realm: home}}

	return c
}

// Validate returns an error if the configuration cannot work.
func (c *Config) Validate() error {
	if c.Data == "" && c.DSN == "" {
		return errors.New("data or dsn is needed")
	}

	return errors.Join(c.Common.Validate(), c.Diameter.Validate(), c.Credit.Validate(), c.ReAuth.Validate())
}

type ocs struct {
	node   *diameter.Node
	store  *ledger.Store
	server *credit.Server
	asker  *reauth.Asker
}

// Build builds the OCS.
func Build(_ context.Context, c *Config, env *service.Env) (service.Runner, error) {
	return BuildWith(c, env, ledger.Options{})
}

// BuildWith builds an OCS that lives by another clock, or whose ledger need not outlast a loss of power.
func BuildWith(c *Config, env *service.Env, o ledger.Options) (service.Runner, error) {
	dsn := c.DSN
	if dsn == "" {
		dsn = filepath.Join(c.Data, "ledger.db")
	}

	store, err := ledger.Open(dsn, o)
	if err != nil {
		return nil, err
	}

	node, err := diameter.New(
		c.Diameter,
		[]diameter.Application{ro.Application},
		diameter.Options{Log: env.Log, Metrics: env.Metrics, Tap: env.Tap},
	)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}

	server, err := credit.New(c.Credit, credit.Options{Store: store, Log: env.Log, Metrics: env.Metrics})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}

	diameter.Handle(node, server.CreditControl)

	asker := reauth.New(c.ReAuth, reauth.Options{
		Network: network{node}, Store: store, Supervision: c.Credit.Supervision, Log: env.Log, Metrics: env.Metrics,
	})

	api.New(api.Options{Store: store, Asker: asker, Close: server.Close, Domain: config.Home()}).Serve(env.Admin)
	env.Admin.Handle(httpapi.Get("/peers", "Diameter connections", node.Peers))

	return &ocs{node: node, store: store, server: server, asker: asker}, nil
}

// Run serves until ctx ends.
func (o *ocs) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return o.node.Run(ctx) })
	group.Go(func() error { return o.server.Run(ctx) })
	group.Go(func() error { return o.asker.Run(ctx) })

	return errors.Join(group.Wait(), o.store.Close())
}

// Held returns what is reserved at this moment: the metric may be as it was a while ago.
func (o *ocs) Held(ctx context.Context) (int64, error) { return o.store.Held(ctx) }

// network sends the OCS's own requests over Ro.
type network struct{ node *diameter.Node }

func (n network) ReAuth(ctx context.Context, q *ro.RAR) (*ro.RAA, error) {
	return diameter.Call[ro.RAA](ctx, n.node, q)
}

func (n network) Abort(ctx context.Context, q *ro.ASR) (*ro.ASA, error) {
	return diameter.Call[ro.ASA](ctx, n.node, q)
}

const readiness = 2 * time.Second // for the database to answer

// Ready returns an error unless the database answers: an OCS depends on nothing else.
func (o *ocs) Ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), readiness)
	defer cancel()

	return o.store.Alive(ctx)
}
