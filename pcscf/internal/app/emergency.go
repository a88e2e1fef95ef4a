package app

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dialtone-ims/dialtone/pcscf/internal/gm"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Emergency configures which calls are emergency calls and how they are served.
type Emergency struct {
	emergency.Config `yaml:",inline"`

	PSAPs           map[string]string `yaml:"psaps"`            // SIP URI of the centre, by service; "sos" serves all others
	Unregistered    bool              `yaml:"unregistered"`     // handsets need not be registered
	MaxUnregistered int               `yaml:"max_unregistered"` // unregistered handsets at the same time
	Alternative     gm.Alternative    `yaml:"alternative"`      // off, emergency-registration or other-domain
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

func (c *Config) validateEmergency() error {
	_, err := c.emergencies()

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
