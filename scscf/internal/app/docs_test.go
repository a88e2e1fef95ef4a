package app

import (
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/registrar"
	"github.com/dialtone-ims/dialtone/scscf/internal/session"
	"github.com/dialtone-ims/dialtone/test/openapi"
	"github.com/dialtone-ims/dialtone/test/page"
)

// TestReferencePage: the reference page names every setting and every metric, and prints the state machines as they are.
func TestReferencePage(t *testing.T) {
	reference := page.Read(t, "scscf.md")

	defaults := Default()
	reference.Settings(&defaults)
	reference.Shows(registrar.AuthenticationMachine.String())
	reference.Shows(registrar.Machine.String())
	reference.Shows(session.LegMachine.String())

	guide := page.Read(t, "charging.md")
	guide.Shows(charging.Machine.String())
	guide.Shows(charging.EventMachine.String())

	env := built(t)
	reference.Metrics(env.Metrics, "scscf")
	reference.Resources(env.Admin.Resources())
}

func built(t *testing.T) *service.Env {
	t.Helper()

	c := Default()
	c.Data, c.SIP.Endpoints[0].Address = t.TempDir(), "127.0.0.1:0"
	c.Enum.Apex = "e164.arpa" // it has a metric

	return page.Built(t, &c, Build)
}

func TestOpenAPI(t *testing.T) {
	openapi.Hold(t, "Dialtone S-CSCF", built(t).Admin.Resources())
}

func TestConfigurationIsChecked(t *testing.T) {
	for setting, spoil := range map[string]func(*Config){
		"home_domain":                      func(c *Config) { c.HomeDomain = "" },
		"server_name":                      func(c *Config) { c.ServerName = "scscf" },
		"sip.endpoints":                    func(c *Config) { c.SIP.Endpoints = nil },
		"shared_ifc_sets":                  func(c *Config) { c.SharedIFCSets = map[int]string{1: "/nowhere"} },
		"max_contacts":                     func(c *Config) { c.Registrar.MaxContacts = 0 },
		"min_expires":                      func(c *Config) { c.Registrar.MinExpires = 0 },
		"at_contact_limit":                 func(c *Config) { c.Registrar.AtContactLimit = "x" },
		"sessions.emergency.country":       func(c *Config) { c.Sessions.Emergency.Country = "49" },
		"sessions.numbers.breakout":        func(c *Config) { c.Sessions.Numbers.Breakout = map[string]string{"": "x"} },
		"application_server_timeout":       func(c *Config) { c.Sessions.ServerTimeout = -1 },
		"sessions.timer":                   func(c *Config) { c.Sessions.Timer.MinSE = time.Second },
		"charging.events":                  func(c *Config) { c.Sessions.Charging.Events = "x" },
		"charging.event_methods":           func(c *Config) { c.Sessions.Charging.EventMethods = []string{"INVITE"} },
		"registrar.authentication.qop":     func(c *Config) { c.Registrar.Authentication.QoP = []string{"x"} },
		"registrar.authentication.scheme":  func(c *Config) { c.Registrar.Authentication.Scheme = "x" },
		"integrity-protected":              func(c *Config) { c.Registrar.Authentication.TrustAlways = []string{"no"} },
		"await_auth":                       func(c *Config) { c.Registrar.Authentication.AwaitAuth = 0 },
		"expiry_grace":                     func(c *Config) { c.Registrar.ExpiryGrace = -1 },
		"reg_event":                        func(c *Config) { c.RegEvent.MaxPerUser = 0 },
		"enum.apex":                        func(c *Config) { c.Enum.Apex = "a..b" },
		"enum.servers":                     func(c *Config) { c.Enum.Servers = []string{"192.0.2.53"} },
		"third_party_registration.timeout": func(c *Config) { c.ThirdParty.Timeout = 0 },
	} {
		c := Default()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), setting) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
