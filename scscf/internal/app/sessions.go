package app

import (
	"context"
	"errors"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/registrar"
	"github.com/dialtone-ims/dialtone/scscf/internal/session"
)

// Sessions is the part of the configuration that sessions and their charging read.
type Sessions struct {
	Interrogator string          `yaml:"icscf"` // SIP URI of the I-CSCF, for requests to users of the home network
	Charging     charging.Config `yaml:"charging"`
}

// defaultSessions charges callers, and lets nobody call when the OCS is away.
func defaultSessions() Sessions {
	return Sessions{
		Interrogator: "sip:icscf." + home + ":5060",
		Charging: charging.Config{
			Enabled: true, Events: true, ServiceContextID: ro.ServiceContextIMS, RatingGroup: 100,
			UpdateMargin: 10 * time.Second, FailureHandling: charging.Terminate, Realm: home,
		},
	}
}

// Validate refuses what cannot work.
func (s *Sessions) Validate() error {
	_, err := sip.ParseURI(s.Interrogator)
	return errors.Join(err, s.Charging.Validate())
}

// newSessions makes what serves requests other than REGISTER.
func newSessions(c *Config, env *service.Env, stack *sip.Stack, endpoint *sip.Endpoint, node *diameter.Node, users *registrar.Registrar) *session.Server {
	s := &session.Server{
		Config:        session.Config{HomeDomain: c.HomeDomain, Interrogator: c.Sessions.Interrogator},
		Stack:         stack,
		Endpoint:      endpoint,
		Registrations: users,
		Charging:      charging.NewTrigger(c.Sessions.Charging, onlineCharging{node}, node.NewSessionID, env.Log, env.Metrics),
		Log:           env.Log,
	}
	s.Register(env.Metrics)

	return s
}

// onlineCharging is Ro as the charging trigger asks it.
type onlineCharging struct{ node *diameter.Node }

func (o onlineCharging) CreditControl(ctx context.Context, q *ro.CCR) (*ro.CCA, error) {
	return diameter.Call[ro.CCA](ctx, o.node, q)
}
