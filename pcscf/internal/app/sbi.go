package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overn5"
	"github.com/dialtone-ims/dialtone/pkg/sbi"
	"github.com/dialtone-ims/dialtone/pkg/service"
)

// SBI configures the P-CSCF as a network function of a 5G core.
type SBI struct {
	SCP        string  `yaml:"scp"`         // root of the SCP that takes all requests; empty: they go directly
	BSF        string  `yaml:"bsf"`         // root of the BSF that says which PCF has a UE; discover: the NRF or the SCP finds it
	NRF        string  `yaml:"nrf"`         // root of the NRF that finds a PCF, and gives access tokens
	OAuth2     bool    `yaml:"oauth2"`      // requests need access tokens of the NRF
	NFInstance string  `yaml:"nf_instance"` // UUID of this network function, in requests for tokens
	TLS        sbi.TLS `yaml:"tls"`         // of requests to https
	NotifyTLS  sbi.TLS `yaml:"notify_tls"`  // of notifications; with a certificate they come by https alone
	NotifyName string  `yaml:"notify_name"` // name or address that the PCF is told, in place of the address of bearer.notify
}

// overN5 reports whether a PCF is asked.
func (c *Bearer) overN5() bool {
	return c.PCF != "" || c.SBI.BSF != "" || c.SBI.NRF != "" || c.SBI.SCP != ""
}

var (
	uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	host = regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?$`)
)

func (c *Bearer) validateN5() error {
	for _, root := range []struct{ name, text string }{
		{"bearer.pcf", c.PCF},
		{"bearer.sbi.scp", c.SBI.SCP},
		{"bearer.sbi.nrf", c.SBI.NRF},
		{"bearer.sbi.bsf", strings.TrimPrefix(c.SBI.BSF, overn5.Discovered)},
	} {
		if root.text == "" {
			continue
		}

		if _, err := sbi.ParseRoot(root.text); err != nil {
			return fmt.Errorf("%s: %w", root.name, err)
		}
	}

	if at, err := netip.ParseAddrPort(c.Notify); err != nil || at.Addr().IsUnspecified() || at.Port() == 0 {
		return fmt.Errorf("bearer.notify: %q is no address that the PCF can be told, as 10.4.128.21:7777", c.Notify)
	}

	if _, err := netip.ParseAddr(c.SBI.NotifyName); c.SBI.NotifyName != "" && err != nil && !host.MatchString(c.SBI.NotifyName) {
		return fmt.Errorf("bearer.sbi.notify_name: %q is neither a name nor an address", c.SBI.NotifyName)
	}

	switch {
	case c.SBI.BSF == overn5.Discovered && c.SBI.NRF == "" && c.SBI.SCP == "":
		return errors.New("bearer.sbi.bsf: discover needs bearer.sbi.nrf or bearer.sbi.scp")
	case c.Choice == bearer.ByBSF && c.SBI.BSF == "":
		return errors.New("bearer.choice: bsf needs bearer.sbi.bsf")
	case c.SBI.OAuth2 && c.SBI.NRF == "":
		return errors.New("bearer.sbi.oauth2 needs bearer.sbi.nrf, which gives the access tokens")
	case c.SBI.OAuth2 && !uuid.MatchString(c.SBI.NFInstance):
		return fmt.Errorf("bearer.sbi.nf_instance: %q is no UUID; bearer.sbi.oauth2 needs one", c.SBI.NFInstance)
	}

	_, _, err := c.SBI.secured()

	return err
}

// secured reads the files of TLS, of both directions.
func (s *SBI) secured() (requests, notifications *tls.Config, err error) {
	if requests, err = s.TLS.Client(); err != nil {
		return nil, nil, fmt.Errorf("bearer.sbi.tls: %w", err)
	}

	if notifications, err = s.NotifyTLS.Server(); err != nil {
		return nil, nil, fmt.Errorf("bearer.sbi.notify_tls: %w", err)
	}

	return requests, notifications, nil
}

// pcf returns the PCF that is asked.
func (c *Bearer) pcf(env *service.Env) (*overn5.PCF, error) {
	requests, notifications, err := c.SBI.secured()
	if err != nil {
		return nil, err
	}

	return overn5.New(overn5.Config{
		PCF:        c.PCF,
		BSF:        c.SBI.BSF,
		NRF:        c.SBI.NRF,
		SCP:        c.SBI.SCP,
		Tokens:     c.SBI.OAuth2,
		NFInstance: c.SBI.NFInstance,
		TLS:        requests,
		Notify:     c.Notify,
		NotifyName: c.SBI.NotifyName,
		NotifyTLS:  notifications,
		DNN:        c.APN,
		Location:   c.Location,
	}, overn5.Options{Log: env.Log, Tap: env.Tap}), nil
}
