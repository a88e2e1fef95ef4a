package app

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/scscf/internal/registrar"
)

// The reference page names every setting and every metric, and prints the registrar's machine as it is.
func TestReferencePage(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/scscf.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)

	named := func(what, name string) {
		t.Helper()
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/scscf.md does not name the %s %s", what, name)
		}
	}

	defaults := Default()
	for _, key := range config.Keys(&defaults) {
		named("setting", key.Path)
	}

	c := start(t, nil)
	h := newHandset(t, c)
	wantStatus(t, h.registerFully("Contact: "+h.contact()), 200)
	families, err := c.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "dialtone_scscf_") {
			named("metric", family.GetName())
		}
	}

	if !strings.Contains(page, registrar.Machine.String()) {
		t.Errorf("docs/scscf.md has not the machine as it is:\n%s", registrar.Machine)
	}
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
		"sessions.numbers.breakout":        func(c *Config) { c.Sessions.Numbers.Breakout = map[string]string{"": "x"} },
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
