// Package app puts an S-CSCF together: its configuration, SIP, Cx, the registrar, and the servers that report registrations to others.
package app

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/border"
	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/enum"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/service"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/asregister"
	"github.com/dialtone-ims/dialtone/scscf/internal/regevent"
	"github.com/dialtone-ims/dialtone/scscf/internal/registrar"
)

// Config is the whole configuration.
type Config struct {
	service.Common `yaml:",inline"`

	HomeDomain string `yaml:"home_domain"`
	// ServerName is the SIP URI by which the HSS and the I-CSCF know this S-CSCF.
	ServerName string `yaml:"server_name"`
	// Data is the directory where registrations are kept over a restart; empty: they are not kept.
	Data       string            `yaml:"data"`
	SIP        stack.Config      `yaml:"sip"`
	Protection border.Config     `yaml:"protection"`
	Diameter   diameter.Config   `yaml:"diameter"`
	Registrar  registrar.Policy  `yaml:"registrar"`
	RegEvent   regevent.Policy   `yaml:"reg_event"`
	ThirdParty asregister.Policy `yaml:"third_party_registration"`
	Sessions   Sessions          `yaml:"sessions"`
	Enum       enum.Config       `yaml:"enum"`
	// SharedIFCSets names files by the set number that the HSS sends; each is an IMSSubscription document whose criteria are one shared
	// set (TS 29.228 annex B, TS 29.229 §7.1.1).
	SharedIFCSets map[int]string `yaml:"shared_ifc_sets"`
}

// Default returns the configuration of the lab.
func Default() Config {
	home := config.Home()
	c := Config{
		Common:     service.DefaultCommon("127.0.0.12:9090"),
		HomeDomain: home,
		ServerName: "sip:scscf." + home + ":5060",
		Data:       "var/scscf",
		SIP: stack.DefaultConfig(
			stack.EndpointConfig{Name: "Mw", Address: "127.0.0.12:5060", Transports: []string{"udp", "tcp"}, Names: []string{"scscf." + home}},
		),
		Protection:    border.Config{Core: border.Core{}},
		Diameter:      diameter.DefaultConfig("scscf."+home, home),
		Registrar:     registrar.DefaultPolicy(),
		RegEvent:      regevent.DefaultPolicy(),
		ThirdParty:    asregister.DefaultPolicy(),
		SharedIFCSets: map[int]string{},
		Sessions:      defaultSessions(home),
		Enum:          enum.DefaultConfig(),
	}
	c.SIP.Resolver.Hosts["icscf."+home] = []string{"127.0.0.11"}
	c.SIP.Resolver.Hosts["pcscf."+home] = []string{"127.0.0.10"}
	c.Diameter.LocalAddress = "127.0.0.12"
	c.Diameter.Peers = []diameter.Peer{
		{Host: "hss." + home, Realm: home, Address: "127.0.0.13:3868", Applications: []uint32{cx.Application.ID}},
		{Host: "ocs." + home, Realm: home, Address: "127.0.0.14:3868", Applications: []uint32{ro.Application.ID}},
	}

	return c
}

// Validate refuses settings that cannot work.
func (c *Config) Validate() error {
	if c.HomeDomain == "" {
		return errors.New("home_domain is needed")
	}

	if u, err := sip.ParseURI(c.ServerName); err != nil || u.Scheme != "sip" && u.Scheme != "sips" {
		return fmt.Errorf("server_name: %q is no SIP URI", c.ServerName)
	}

	if len(c.SIP.Endpoints) == 0 {
		return errors.New("sip.endpoints: the S-CSCF needs one")
	}

	if _, err := c.sharedSets(); err != nil {
		return err
	}

	return errors.Join(
		c.Common.Validate(),
		c.SIP.Validate(),
		c.Diameter.Validate(),
		c.Registrar.Validate(),
		c.RegEvent.Validate(),
		c.ThirdParty.Validate(),
		c.Sessions.Validate(c.HomeDomain),
		c.Enum.Validate(),
	)
}

// sharedSets reads the files of the shared iFC sets.
func (c *Config) sharedSets() (map[int][]ifc.InitialFilterCriterion, error) {
	sets := map[int][]ifc.InitialFilterCriterion{}

	for number, path := range c.SharedIFCSets {
		document, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("shared_ifc_sets: %d: %w", number, err)
		}

		subscription, err := ifc.Parse(document)
		if err != nil {
			return nil, fmt.Errorf("shared_ifc_sets: %d: %s: %w", number, path, err)
		}

		for _, profile := range subscription.ServiceProfiles {
			if _, err := ifc.Compile(profile, nil); err != nil {
				return nil, fmt.Errorf("shared_ifc_sets: %d: %s: %w", number, path, err)
			}

			sets[number] = append(sets[number], profile.InitialFilterCriteria...)
		}
	}

	return sets, nil
}

// originatingUser is the user part of the Service-Route.
const originatingUser = "orig"

// serviceRoute returns the URI over which handsets route their requests (RFC 3608); its user part marks originating ones.
func serviceRoute(e *stack.Endpoint) string { return e.URI(originatingUser) }

// notifier returns the Contact of subscriptions to the reg event.
func notifier(e *stack.Endpoint) string { return strings.TrimSuffix(e.URI("reg"), ";lr") }
