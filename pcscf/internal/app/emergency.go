package app

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dialtone-ims/dialtone/pcscf/internal/alert"
	"github.com/dialtone-ims/dialtone/pcscf/internal/gm"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Emergency configures which calls are emergency calls and how they are served.
type Emergency struct {
	emergency.Config `yaml:",inline"`

	PSAPs           map[string]string `yaml:"psaps"`            // SIP URI of the centre, by service; "sos" serves all others
	Unregistered    bool              `yaml:"unregistered"`     // handsets need not be registered
	MaxUnregistered int               `yaml:"max_unregistered"` // unregistered handsets at the same time
	Alternative     gm.Alternative    `yaml:"alternative"`      // off, emergency-registration or other-domain
	Alert           alert.Config      `yaml:"alert"`            // who is told when a call begins
}

func defaultEmergency() Emergency {
	return Emergency{
		Config: emergency.Config{Numbers: map[string]string{}}, PSAPs: map[string]string{},
		MaxUnregistered: 100, Alternative: gm.NoAlternative,
	}
}

// emergencies returns how emergency calls are served.
func (c *Config) emergencies() (gm.Emergency, error) {
	numbers, err := c.Emergency.Plan(c.HomeDomain)

	return gm.Emergency{
		Numbers: numbers, PSAPs: c.Emergency.PSAPs, Unregistered: c.Emergency.Unregistered, Alternative: c.Emergency.Alternative,
	}, err
}

// alerts returns who is told of emergency calls.
func (c *Config) alerts(s *stack.Stack, env *service.Env) *alert.Alerts {
	return alert.New(c.Emergency.Alert, alert.Options{
		Messages: alert.Messages{Stack: s, Endpoint: s.Endpoint(mw), HomeDomain: c.HomeDomain, Interrogator: c.Interrogator},
		Log:      env.Log, Metrics: env.Metrics,
	})
}

func (c *Config) validateEmergency() error {
	_, err := c.emergencies()
	err = errors.Join(err, c.Emergency.Alert.Validate())

	for service, uri := range c.Emergency.PSAPs {
		if known, ok := emergency.Service(emergency.URN(service)); !ok || known != service {
			err = errors.Join(err, fmt.Errorf("emergency.psaps: %q is no emergency service, as sos or sos.police (RFC 5031)", service))
		}

		if u, failed := sip.ParseURI(uri); failed != nil || u.Scheme != "sip" || u.Host == "" {
			err = errors.Join(err, fmt.Errorf("emergency.psaps: %s: %q is no SIP URI", service, uri))
		}
	}

	if c.Emergency.MaxUnregistered <= 0 {
		err = errors.Join(err, errors.New("emergency.max_unregistered must be positive"))
	}

	if !slices.Contains(gm.Alternatives, c.Emergency.Alternative) {
		err = errors.Join(err, fmt.Errorf("emergency.alternative: %q is none of %v", c.Emergency.Alternative, gm.Alternatives))
	}

	return err
}
