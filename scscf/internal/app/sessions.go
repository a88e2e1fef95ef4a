package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/enum"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/call"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/hss"
	"github.com/dialtone-ims/dialtone/scscf/internal/numbering"
	"github.com/dialtone-ims/dialtone/scscf/internal/registrar"
	"github.com/dialtone-ims/dialtone/scscf/internal/session"
)

// Sessions is the part of the configuration that sessions and their charging read.
type Sessions struct {
	Interrogator string `yaml:"icscf"` // SIP URI of the I-CSCF, for requests to users of the home network
	// Trusted are domains of other networks that get the header fields of the trust domain, such as P-Asserted-Identity.
	Trusted []string       `yaml:"trusted"`
	Numbers numbering.Plan `yaml:"numbers"`
	// Emergency are the numbers of calls that do not leave the network from here.
	Emergency emergency.Config `yaml:"emergency"`
	Timer     call.Timer       `yaml:"timer"`
	// ServerTimeout is the time for an application server's first response; 0: timers B and F of RFC 3261 (TS 24.229 §5.4.3.2).
	ServerTimeout time.Duration   `yaml:"application_server_timeout"`
	Charging      charging.Config `yaml:"charging"`
}

// defaultSessions charges callers, and refuses calls while the OCS is away.
func defaultSessions(home string) Sessions {
	return Sessions{
		Interrogator: "sip:icscf." + home + ":5060",
		Trusted:      []string{},
		Numbers:      numbering.Plan{Prefixes: map[string]string{}, Contexts: map[string]string{}, Breakout: map[string]string{}},
		Emergency:    emergency.Config{Numbers: map[string]string{}},
		Timer:        call.Timer{SessionExpires: 30 * time.Minute, MinSE: 90 * time.Second},
		Charging: charging.Config{
			Enabled:          true,
			Events:           charging.Reserved,
			EventMethods:     []string{"MESSAGE"},
			InDialog:         []string{"MESSAGE"},
			FreeContent:      []string{"message/imdn+xml"},
			ServiceContextID: ro.ServiceContextIMS,
			RatingGroup:      100,
			UpdateMargin:     10 * time.Second,
			FailureHandling:  charging.Terminate,
			Resume:           30 * time.Second,
			Settle:           10 * time.Minute,
			Realm:            home,
		},
	}
}

// Validate refuses settings that cannot work.
func (s *Sessions) Validate(homeDomain string) error {
	_, err := sip.ParseURI(s.Interrogator)
	if s.ServerTimeout < 0 {
		err = errors.Join(err, errors.New("sessions.application_server_timeout must not be negative"))
	}

	if _, wrong := s.Emergency.Plan(homeDomain); wrong != nil {
		err = errors.Join(err, fmt.Errorf("sessions.%w", wrong))
	}

	return errors.Join(err, s.Numbers.Validate(), s.Timer.Validate(), s.Charging.Validate())
}

// newSessions returns the server of requests other than REGISTER, and its charging trigger.
func newSessions(
	c *Config,
	env *service.Env,
	stack *stack.Stack,
	endpoint *stack.Endpoint,
	node *diameter.Node,
	home *hss.Client,
	users *registrar.Registrar,
) (*session.Server, *charging.Trigger, error) {
	trigger := charging.New(c.Sessions.Charging, charging.Options{
		OCS: onlineCharging{node}, NewSessionID: node.NewSessionID, Log: env.Log, Metrics: env.Metrics,
	})
	diameter.Handle(node, trigger.Reauthorise)
	diameter.Handle(node, trigger.Abort)

	numbers, err := newNumbers(c, env, home)
	if err != nil {
		return nil, nil, err
	}

	emergencies, err := c.Sessions.Emergency.Plan(c.HomeDomain)
	if err != nil {
		return nil, nil, err
	}

	functions := c.functions()
	s := session.New(session.Config{
		HomeDomain:    c.HomeDomain,
		Interrogator:  c.Sessions.Interrogator,
		Timer:         c.Sessions.Timer,
		ServerTimeout: c.Sessions.ServerTimeout,
		Emergency:     emergencies,
		Border: session.Border{
			Trusted:   c.Sessions.Trusted,
			Functions: functions.Contains,
			Core:      func(a netip.Addr) bool { return functions.Contains(a) || c.Protection.Core.Holds(a) },
		},
	}, session.Options{
		Stack:         stack,
		Endpoint:      endpoint,
		Registrations: users,
		Numbers:       numbers,
		Charging:      trigger,
		Log:           env.Log,
		Metrics:       env.Metrics,
	})
	users.Observe(s.Calls().Changed)

	if c.Data == "" {
		return s, trigger, nil
	}

	return s, trigger, errors.Join(trigger.Restore(c.Data), s.Calls().Restore(c.Data)) // in this order: calls take their charging sessions
}

// newNumbers returns the translator of numbers.
func newNumbers(c *Config, env *service.Env, home *hss.Client) (*numbering.Translator, error) {
	o := numbering.Options{Plan: c.Sessions.Numbers, HomeDomain: c.HomeDomain, Subscribers: home, Log: env.Log}

	dns := c.Enum
	if len(dns.Servers) == 0 {
		dns.Servers = c.SIP.Resolver.Servers
	}

	switch translator, err := enum.New(dns, env.Metrics); {
	case err != nil:
		return nil, err
	case translator != nil:
		o.Enum = translator
	}

	return numbering.New(o), nil
}

// addresses is a set of addresses.
type addresses map[netip.Addr]struct{}

// Contains reports whether an address is in the set.
func (a addresses) Contains(address netip.Addr) bool {
	_, found := a[address]
	return found
}

// functions returns the addresses of this network's own functions, as far as configured: users must not reach them.
func (c *Config) functions() addresses {
	all := addresses{}
	add := func(text string) {
		host, _, err := net.SplitHostPort(text)
		if err != nil {
			host = text
		}

		if a, err := netip.ParseAddr(host); err == nil && !a.IsUnspecified() {
			all[a.Unmap()] = struct{}{}
		}
	}

	add(c.Admin.Address)
	add(c.Diameter.LocalAddress)

	for _, e := range c.SIP.Endpoints {
		add(e.Address)
		add(e.Advertise)
	}

	for _, p := range c.Diameter.Peers {
		add(p.Address)
	}

	for name, at := range c.SIP.Resolver.Hosts {
		if strings.HasSuffix(strings.ToLower(name), "."+strings.ToLower(c.HomeDomain)) {
			for _, a := range at {
				add(a)
			}
		}
	}

	return all
}

// ocsTime is how long calls from before a restart wait for the OCS. Then they go on as without one.
const ocsTime = 30 * time.Second

// awaitOCS waits until the OCS can be reached.
func (s *scscf) awaitOCS(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, ocsTime)
	defer cancel()

	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()

	for !s.open(ro.Application.ID) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// onlineCharging sends the charging trigger's CCRs over Ro.
type onlineCharging struct{ node *diameter.Node }

func (o onlineCharging) CreditControl(ctx context.Context, q *ro.CCR) (*ro.CCA, error) {
	return diameter.Call[ro.CCA](ctx, o.node, q)
}
