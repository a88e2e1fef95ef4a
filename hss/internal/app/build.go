package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dialtone-ims/dialtone/hss/internal/appserver"
	"github.com/dialtone-ims/dialtone/hss/internal/attempt"
	"github.com/dialtone-ims/dialtone/hss/internal/authentication"
	"github.com/dialtone-ims/dialtone/hss/internal/eps"
	"github.com/dialtone-ims/dialtone/hss/internal/procedure"
	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/push"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/hss/internal/wlan"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
	"github.com/dialtone-ims/dialtone/pkg/diameter/swx"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/service"
)

// function is the built HSS.
type function struct {
	Node *diameter.Node

	store  *subscriber.Store
	pushes *push.Sender
}

// Build opens the store, binds the Diameter address and puts the API on the admin HTTP.
func Build(ctx context.Context, c *Config, env *service.Env) (service.Runner, error) {
	stored := c.store()
	if err := os.MkdirAll(filepath.Dir(stored.KeyFile), 0o700); err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}

	store, err := subscriber.Open(ctx, stored, env.Log)
	if err != nil {
		return nil, err
	}

	h, err := build(ctx, c, env, store)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}

	return h, nil
}

func build(ctx context.Context, c *Config, env *service.Env, store *subscriber.Store) (*function, error) {
	if err := firstProfile(ctx, store); err != nil {
		return nil, err
	}

	node, err := diameter.New(
		c.Diameter,
		[]diameter.Application{cx.Application, s6a.Application, swx.Application, sh.Application},
		diameter.Options{Log: env.Log, Metrics: env.Metrics, Tap: env.Tap},
	)
	if err != nil {
		return nil, err
	}

	pushes := push.New(c.Push, push.Options{Store: store, Node: node, EPS: &c.S6a.EPS, Log: env.Log, Metrics: env.Metrics})
	store.OnQueued(pushes.Wake)

	attempts := attempt.NewLog()
	centre := authentication.NewCentre(env.Log, env.Metrics)

	procedure.New(c.policy(), procedure.Options{
		Store: store, Wake: pushes.Wake, Attempts: attempts, Centre: centre, Log: env.Log,
	}).Serve(node)
	eps.New(c.S6a, eps.Options{
		Store: store, Wake: pushes.Wake, Centre: centre, Log: env.Log, Attempts: attempts, Domain: c.Domain,
	}).Serve(node)
	wlan.New(c.SWx, wlan.Options{
		Store: store, EPS: &c.S6a.EPS, Wake: pushes.Wake, Centre: centre, Log: env.Log, Attempts: attempts, Domain: c.Domain,
	}).Serve(node)

	servers := appserver.New(c.Sh, appserver.Options{Store: store, Log: env.Log})
	if err := servers.Forget(ctx); err != nil {
		return nil, err
	}

	servers.Serve(node)
	provisioning.New(provisioning.Options{Store: store, Domain: c.Domain, Attempts: attempts, Wake: pushes.Wake}).Serve(env.Admin)
	env.Admin.Handle(httpapi.Get("/diameter/peers", "Diameter connections", func() peers { return peers{node.Peers()} }))
	env.Metrics.MustRegister(population{store})

	return &function{Node: node, store: store, pushes: pushes}, nil
}

type peers struct {
	Peers []diameter.PeerStatus `json:"peers"`
}

// firstProfile creates the service profile that subscribers get by default: no services.
func firstProfile(ctx context.Context, store *subscriber.Store) error {
	return store.Update(ctx, func(tx *subscriber.Tx) error {
		_, err := tx.Profile(provisioning.DefaultProfile)
		if errors.Is(err, subscriber.ErrNotFound) {
			return tx.SaveProfile(&subscriber.ServiceProfile{Name: provisioning.DefaultProfile})
		}

		return err
	})
}

// Run serves until ctx ends, and closes the store after its last use.
func (h *function) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return h.Node.Run(ctx) })
	group.Go(func() error { return h.pushes.Run(ctx) })

	return errors.Join(group.Wait(), h.store.Close())
}

const pingTime = 2 * time.Second

// Ready returns an error unless subscribers can be looked up and registrations stored.
func (h *function) Ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), pingTime)
	defer cancel()

	if err := h.store.Alive(ctx); err != nil {
		return err
	}

	return h.Node.Ready()
}

// population exports the numbers of stored subscribers, counted on each scrape.
type population struct{ store *subscriber.Store }

var (
	subscribersTotal = prometheus.NewDesc("dialtone_hss_subscribers", "IMS subscriptions in the database.", nil, nil)
	privateTotal     = prometheus.NewDesc("dialtone_hss_private_identities", "Private identities in the database.", nil, nil)
	publicTotal      = prometheus.NewDesc("dialtone_hss_public_identities", "Public identities in the database.", nil, nil)
	watchesTotal     = prometheus.NewDesc("dialtone_hss_notification_subscriptions", "Subscriptions of application servers.", nil, nil)
	repositoryTotal  = prometheus.NewDesc("dialtone_hss_repository_data", "Services with data of public identities.", nil, nil)
	registeredTotal  = prometheus.NewDesc("dialtone_hss_registered", "Private identities that are registered.", nil, nil)
)

func (population) Describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		subscribersTotal, privateTotal, publicTotal, registeredTotal, watchesTotal, repositoryTotal,
	} {
		descriptions <- d
	}
}

func (p population) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), pingTime)
	defer cancel()

	var counts subscriber.Counts

	err := p.store.View(ctx, func(tx *subscriber.Tx) (err error) {
		counts, err = tx.Count()
		return err
	})

	for description, value := range map[*prometheus.Desc]int64{
		subscribersTotal: counts.Subscriptions,
		privateTotal:     counts.PrivateIdentities,
		publicTotal:      counts.PublicIdentities,
		registeredTotal:  counts.Registered,
		watchesTotal:     counts.Watches,
		repositoryTotal:  counts.Repository,
	} {
		if err != nil { // an unknown number is not exported
			metrics <- prometheus.NewInvalidMetric(description, err)
			continue
		}

		metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, float64(value))
	}
}
