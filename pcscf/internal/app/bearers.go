package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overrx"
	"github.com/dialtone-ims/dialtone/pcscf/internal/gm"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Bearer configures what is requested of the access network for calls.
type Bearer struct {
	Policy     gm.BearerPolicy            `yaml:"policy"`     // off, best-effort or required
	Endpoints  map[string]gm.BearerPolicy `yaml:"endpoints"`  // the policy for the handsets of an endpoint, by its name
	Signalling bool                       `yaml:"signalling"` // ask to be told when a handset becomes unreachable
	Patience   time.Duration              `yaml:"patience"`   // how long a message with an SDP answer waits for the PCRF's answer
	Media      []string                   `yaml:"media"`      // kinds of m-lines that bearers are asked for
	Realm      string                     `yaml:"realm"`      // the PCRF's; empty: that of its entry in diameter.peers
	Host       string                     `yaml:"host"`       // empty: whoever serves the realm
	APN        string                     `yaml:"apn"`        // Called-Station-Id, or the DNN; empty: not said
	PCF        string                     `yaml:"pcf"`        // root of the API of a PCF, asked over N5
	Notify     string                     `yaml:"notify"`     // ip:port where the PCF sends notifications
	Location   bool                       `yaml:"location"`   // ask where handsets are, and tell the core
	Choice     bearer.Choice              `yaml:"choice"`     // between a PCRF and a PCF, if there are both
	SBI        SBI                        `yaml:"sbi"`        // how a PCF is found and reached
}

func defaultBearer() Bearer {
	return Bearer{
		Policy: gm.NoBearers, Patience: 3 * time.Second, Media: []string{"audio", "video"}, APN: "ims", Choice: bearer.ByAccess,
	}
}

var policies = []gm.BearerPolicy{gm.NoBearers, gm.BestEffort, gm.Required}

// asks reports whether bearers are requested, for at least some handsets.
func (c *Bearer) asks() bool {
	for _, policy := range c.Endpoints {
		if policy != gm.NoBearers {
			return true
		}
	}

	return c.Policy != gm.NoBearers
}

// validateBearers returns an error if the bearer settings cannot work.
func (c *Config) validateBearers() error {
	if !slices.Contains(policies, c.Bearer.Policy) {
		return fmt.Errorf("bearer.policy: %q is none of %s", c.Bearer.Policy, policies)
	}

	for name, policy := range c.Bearer.Endpoints {
		if !slices.Contains(policies, policy) {
			return fmt.Errorf("bearer.endpoints: %s: %q is none of %s", name, policy, policies)
		}

		if !slices.ContainsFunc(c.towardsHandsets(), func(e stack.EndpointConfig) bool { return e.Name == name }) {
			return fmt.Errorf("bearer.endpoints: %s is no endpoint towards handsets", name)
		}
	}

	if !c.Bearer.asks() {
		return nil
	}

	switch {
	case !slices.Contains(bearer.Choices, c.Bearer.Choice):
		return fmt.Errorf("bearer.choice: %q is none of %s", c.Bearer.Choice, bearer.Choices)
	case c.Bearer.Patience <= 0:
		return errors.New("bearer.patience must be positive")
	case c.Data == "":
		return errors.New("bearer.policy: data is needed, where it is kept which bearers have to be given back after a restart")
	}

	for _, kind := range c.Bearer.Media {
		if !slices.Contains(media.Kinds, media.Kind(strings.ToUpper(kind))) {
			return fmt.Errorf("bearer.media: %q is no kind of media", kind)
		}
	}

	if len(c.Diameter.Peers) > 0 {
		if err := c.Diameter.Validate(); err != nil {
			return err
		}
	}

	switch {
	case c.Bearer.overN5():
		return c.Bearer.validateN5()
	case len(c.Diameter.Peers) == 0:
		return errors.New("bearer.policy: diameter.peers is needed, with the PCRF, or bearer.pcf")
	default:
		return nil
	}
}

func serveBearers(server *httpapi.Server, sessions func() []bearer.Status, peers func() []diameter.PeerStatus) {
	server.Handle(
		httpapi.Get("/bearers", "the sessions at the PCRF", sessions),
		httpapi.Get("/peers", "Diameter connections", peers),
	)
}

// bearers requests bearers; nil: none are requested.
type bearers struct {
	sessions *bearer.Bearers
	serve    func(ctx context.Context) error
	ready    func() bool // somebody can be asked
}

func openBearers(c *Config, env *service.Env) (*bearers, error) {
	if !c.Bearer.asks() {
		serveBearers(env.Admin,
			func() []bearer.Status { return []bearer.Status{} }, func() []diameter.PeerStatus { return []diameter.PeerStatus{} })
		return nil, nil
	}

	var (
		b     *bearers
		peers = func() []diameter.PeerStatus { return []diameter.PeerStatus{} }
		err   error
	)

	switch {
	case !c.Bearer.overN5():
		b, peers, err = overRx(c, env)
	case len(c.Diameter.Peers) == 0:
		b, err = overN5(c, env)
	default:
		b, peers, err = overEither(c, env)
	}

	if err != nil {
		return nil, err
	}

	if err := b.sessions.Restore(c.Data); err != nil {
		return nil, err
	}

	serveBearers(env.Admin, b.sessions.Sessions, peers)

	return b, nil
}

// overN5 asks a PCF.
func overN5(c *Config, env *service.Env) (*bearers, error) {
	pcf, err := c.Bearer.pcf(env)
	if err != nil {
		return nil, err
	}

	b := &bearers{sessions: bearer.New(pcf, env.Log, env.Metrics), ready: func() bool { return true }}
	b.serve = func(ctx context.Context) error { return pcf.Run(ctx, b.sessions) }

	return b, nil
}

// overRx asks a PCRF.
func overRx(c *Config, env *service.Env) (*bearers, func() []diameter.PeerStatus, error) {
	pcrf, node, err := rxNode(c, env)
	if err != nil {
		return nil, nil, err
	}

	b := &bearers{
		sessions: bearer.New(pcrf, env.Log, env.Metrics), serve: node.Run,
		ready: func() bool { return node.Reached(rx.Application.ID) },
	}
	pcrf.Serve(b.sessions)

	return b, node.Peers, nil
}

// overEither asks a PCRF or a PCF.
func overEither(c *Config, env *service.Env) (*bearers, func() []diameter.PeerStatus, error) {
	pcrf, node, err := rxNode(c, env)
	if err != nil {
		return nil, nil, err
	}

	pcf, err := c.Bearer.pcf(env)
	if err != nil {
		return nil, nil, err
	}

	b := &bearers{
		sessions: bearer.New(bearer.NewEither(pcrf, pcf, c.Bearer.Choice), env.Log, env.Metrics),
		ready:    func() bool { return node.Reached(rx.Application.ID) },
	}
	b.serve = func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return node.Run(ctx) })
		group.Go(func() error { return pcf.Run(ctx, b.sessions) })

		return group.Wait()
	}
	pcrf.Serve(b.sessions)

	return b, node.Peers, nil
}

// rxNode returns the PCRF and the Diameter node that reaches it.
func rxNode(c *Config, env *service.Env) (*overrx.PCRF, *diameter.Node, error) {
	node, err := diameter.New(c.Diameter, []diameter.Application{rx.Application},
		diameter.Options{Log: env.Log, Metrics: env.Metrics, Tap: env.Tap})
	if err != nil {
		return nil, nil, err
	}

	realm := c.Bearer.Realm
	if realm == "" {
		realm = c.Diameter.Peers[0].Realm
	}

	return overrx.New(overrx.Config{Realm: realm, Host: c.Bearer.Host, APN: c.Bearer.APN, Location: c.Bearer.Location}, node), node, nil
}

// of returns how the P-CSCF requests bearers for calls.
func (b *bearers) of(c *Config) *gm.Bearers {
	if b == nil {
		return nil
	}

	var kinds []media.Kind
	for _, kind := range c.Bearer.Media {
		kinds = append(kinds, media.Kind(strings.ToUpper(kind)))
	}

	return gm.NewBearers(b.sessions, gm.BearerConfig{
		Policy: c.Bearer.Policy, Endpoints: c.Bearer.Endpoints, Patience: c.Bearer.Patience, Kinds: kinds, Signalling: c.Bearer.Signalling,
		Location: c.Bearer.Location,
	})
}

// run serves until ctx ends. It calls reached when the PCRF can be asked.
func (b *bearers) run(ctx context.Context, reached func()) error {
	if b == nil {
		return nil
	}

	resumed := make(chan struct{})

	go func() {
		defer close(resumed)

		if b.reached(ctx) {
			b.sessions.Resume()
			reached()
		}
	}()

	err := b.serve(ctx)
	<-resumed

	return err
}

// reached waits up to half a minute for a PCRF connection; after that, the ends of old sessions are repeated like any other. It returns
// false when ctx ends.
func (b *bearers) reached(ctx context.Context) bool {
	const atMost = 30 * time.Second

	for until := time.Now().Add(atMost); !b.ready() && time.Now().Before(until); {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(time.Second):
		}
	}

	return ctx.Err() == nil
}

func (b *bearers) close() error {
	if b == nil {
		return nil
	}

	return b.sessions.Close()
}
