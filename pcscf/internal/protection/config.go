// Package protection decides which sources on the handsets' side may send to the P-CSCF, and how much: access lists, scanners, rates, bans.
// Its memory of sources is bounded, and expires.
package protection

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/border"
)

// Config is the configuration protection.*. Only Core applies to the core's side.
type Config struct {
	Core       border.Core    `yaml:"core"`        // sources on the core's side that are the core; empty: all
	Allow      []netip.Prefix `yaml:"allow"`       // sources that are served; empty: all
	Deny       []netip.Prefix `yaml:"deny"`        // sources that are not served, whatever allow says
	Exempt     []netip.Prefix `yaml:"exempt"`      // sources that are not counted: a monitor, a load generator
	UserAgents []string       `yaml:"user_agents"` // parts of User-Agent; a sender with one gets no answer

	Requests           int           `yaml:"requests"`            // of an address within window; 0: any number
	RegisteredRequests int           `yaml:"registered_requests"` // of a registered handset within window; 0: any number
	Window             time.Duration `yaml:"window"`
	Ban                time.Duration `yaml:"ban"`      // how long a source that sent more is ignored
	Failures           int           `yaml:"failures"` // of authentication in a row, of one user at one address; 0: any number
	MaxBody            int           `yaml:"max_body"` // octets of the body of a request; more is answered 513
	MaxSources         int           `yaml:"max_sources"`
}

// Default returns a configuration that affects neither a laboratory nor a load generator nor handsets behind one address: nothing limits a
// source until the operator sets a limit.
func Default() Config {
	return Config{
		Core: border.Core{}, Allow: []netip.Prefix{}, Deny: []netip.Prefix{}, Exempt: []netip.Prefix{},
		UserAgents: []string{"friendly-scanner", "sipvicious", "sundayddr", "sip-scan", "sipcli", "iWar", "VaxSIPUserAgent", "pplsip", "sivus"},
		Window:     2 * time.Second, Ban: 300 * time.Second, Failures: 20, MaxBody: 32 << 10, MaxSources: 100_000,
	}
}

// Validate returns an error if the configuration cannot work.
func (c *Config) Validate() error {
	if c.Requests < 0 || c.RegisteredRequests < 0 || c.Failures < 0 {
		return errors.New("protection: requests, registered_requests and failures must not be negative; 0 is no limit")
	}

	if c.Window <= 0 || c.Ban <= 0 || c.MaxBody <= 0 || c.MaxSources <= 0 {
		return errors.New("protection: window, ban, max_body and max_sources must be positive")
	}

	for _, part := range c.UserAgents {
		if len(strings.TrimSpace(part)) < 3 {
			return fmt.Errorf("protection.user_agents: %q would be found in too many", part)
		}
	}

	return nil
}
