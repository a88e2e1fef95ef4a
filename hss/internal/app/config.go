// Package app assembles the HSS: its configuration, and the construction of its parts.
package app

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/appserver"
	"github.com/dialtone-ims/dialtone/hss/internal/eps"
	"github.com/dialtone-ims/dialtone/hss/internal/procedure"
	"github.com/dialtone-ims/dialtone/hss/internal/push"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/hss/internal/wlan"
	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/service"
)

// Config is the HSS's configuration file.
type Config struct {
	service.Common `yaml:",inline"`

	Domain         string           `yaml:"domain"` // of the home network: identities are derived in it
	Data           string           `yaml:"data"`   // folder of the database and the key file
	Database       Database         `yaml:"database"`
	Diameter       diameter.Config  `yaml:"diameter"`
	Cx             procedure.Policy `yaml:"cx"`
	S6a            eps.Policy       `yaml:"s6a"`
	SWx            wlan.Policy      `yaml:"swx"`
	Sh             appserver.Policy `yaml:"sh"`
	Push           push.Config      `yaml:"push"`
	Authentication Authentication   `yaml:"authentication"`
}

// Database configures where subscribers are stored.
type Database struct {
	DSN     string `yaml:"dsn"`      // postgres://…, or the path of a SQLite file; empty: hss.db in data
	KeyFile string `yaml:"key_file"` // the keys that K, OP, OPc and passwords are sealed with; empty: hss.keys in data
}

// Authentication configures the sequence numbers of SIMs.
type Authentication struct {
	IND uint64 `yaml:"ind"` // 0 to 31, different for each HSS that shares SIMs with this one (an EPC's, say)
}

const host = "127.0.0.13"

// Default returns the configuration of the lab.
func Default() Config {
	home := config.Home()
	c := Config{
		Common:   service.DefaultCommon(host + ":9090"),
		Domain:   home,
		Data:     "var/hss",
		Diameter: diameter.DefaultConfig("hss."+home, home),
		Cx:       procedure.Policy{MaxVectors: 5, AKA: cx.SchemeDigestAKAv1MD5, StoreServerName: true},
		S6a:      eps.Policy{MaxVectors: 5, EPS: everybody()},
		SWx:      wlan.Policy{MaxVectors: 5},
		Sh:       appserver.Policy{MaxData: 32 << 10, MaxServices: 32, MaxSubscriptions: 100_000, Longest: 30 * 24 * time.Hour},
		Push:     push.Config{Attempts: 10, RetryMin: time.Second, RetryMax: time.Minute, Keep: 24 * time.Hour},
	}
	c.Authentication.IND = 1 // an EPC's HSS beside this one commonly has 0
	c.Diameter.Listen = []diameter.Listener{{Address: host + ":3868"}}
	c.Diameter.Peers = []diameter.Peer{{Host: "icscf." + home, Realm: home}, {Host: "scscf." + home, Realm: home}}

	return c
}

// everybody returns the EPS data of SIMs without their own: the two APNs of a handset with VoLTE.
func everybody() subscriber.EPS {
	const mega = 1_000_000

	return subscriber.EPS{
		AMBR: subscriber.BitRates{Uplink: 1000 * mega, Downlink: 1000 * mega},
		APNs: []subscriber.APN{
			{
				Name: "internet", PDNType: subscriber.IPv4v6, QCI: 9, ARP: subscriber.ARP{Priority: 8},
				AMBR: subscriber.BitRates{Uplink: 1000 * mega, Downlink: 1000 * mega},
			},
			{
				Name: "ims", PDNType: subscriber.IPv4, QCI: 5, ARP: subscriber.ARP{Priority: 1},
				AMBR: subscriber.BitRates{Uplink: 10 * mega, Downlink: 10 * mega},
			},
		},
	}
}

// Validate returns an error naming the setting if the configuration cannot work.
func (c *Config) Validate() error {
	var errs []error

	refuse := func(bad bool, format string, arguments ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, arguments...))
		}
	}

	refuse(c.Domain == "" || strings.ContainsAny(c.Domain, "@:/ "), "domain: %q is no domain name", c.Domain)
	refuse(
		c.Data == "" && (c.Database.DSN == "" || c.Database.KeyFile == ""),
		"data: a folder is needed, or database.dsn and database.key_file",
	)
	refuse(len(c.Diameter.Listen) == 0, "diameter.listen: the HSS is connected to; an address is needed")
	refuse(c.Authentication.IND > 31, "authentication.ind: %d is not 0 to 31", c.Authentication.IND)
	refuse(c.Cx.MaxVectors < 1 || c.Cx.MaxVectors > 32, "cx.max_vectors: %d is not 1 to 32", c.Cx.MaxVectors)
	refuse(!slices.Contains(cx.SchemesOfAKA, c.Cx.AKA), "cx.aka: %q is none of %v", c.Cx.AKA, cx.SchemesOfAKA)
	refuse(c.S6a.MaxVectors < 1 || c.S6a.MaxVectors > 32, "s6a.max_vectors: %d is not 1 to 32", c.S6a.MaxVectors)
	refuse(c.SWx.MaxVectors < 1 || c.SWx.MaxVectors > 32, "swx.max_vectors: %d is not 1 to 32", c.SWx.MaxVectors)
	refuse(slices.ContainsFunc(c.S6a.APNs, func(a subscriber.APN) bool { return len(a.Addresses) > 0 }),
		"s6a.apns: an address is of one SIM; it cannot be given to all")
	refuse(c.Push.Attempts < 1, "push.attempts: %d is not at least 1", c.Push.Attempts)
	refuse(c.Push.RetryMin <= 0 || c.Push.RetryMax < c.Push.RetryMin, "push: retry_min and retry_max must be positive and in order")
	refuse(c.Push.Keep <= 0, "push.keep: %s is not positive", c.Push.Keep)

	if err := c.S6a.EPS.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("s6a: %w", err))
	}

	return errors.Join(append(errs, c.Common.Validate(), c.Diameter.Validate(), c.Sh.Validate())...)
}

func (c *Config) store() subscriber.Config {
	s := subscriber.Config{DSN: c.Database.DSN, KeyFile: c.Database.KeyFile, IND: c.Authentication.IND}
	if s.DSN == "" {
		s.DSN = filepath.Join(c.Data, "hss.db")
	}

	if s.KeyFile == "" {
		s.KeyFile = c.KeyFile()
	}

	return s
}

func (c *Config) policy() procedure.Policy {
	p := c.Cx
	if p.DigestRealm == "" {
		p.DigestRealm = c.Domain
	}

	return p
}

// KeyFile returns the path of the vault's keys.
func (c *Config) KeyFile() string {
	if c.Database.KeyFile != "" {
		return c.Database.KeyFile
	}

	return filepath.Join(c.Data, "hss.keys")
}
