// Package ipsec runs access security between handset and P-CSCF (TS 33.203, RFC 3329) as ipsec.* configures it: the protected endpoints,
// and the security associations across start and stop of the P-CSCF. Its parts: agreement parses and writes the header fields of the
// negotiation, association manages the associations, keyfile writes keys for Wireshark.
package ipsec

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/association"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Config is the configuration ipsec.*.
type Config struct {
	Mode        association.Mode            `yaml:"mode"`         // required, optional or off: security associations
	Endpoints   map[string]association.Mode `yaml:"endpoints"`    // the mode of one endpoint, by its name
	Algorithms  []string                    `yaml:"algorithms"`   // integrity/encryption, in the order of preference
	Announce    string                      `yaml:"announce"`     // whether Security-Server has the chosen algorithms, or all
	ClientPorts []uint16                    `yaml:"client_ports"` // protected; a handset has as many sets at once
	ServerPorts []uint16                    `yaml:"server_ports"` // protected; handsets send here
	AwaitAuth   time.Duration               `yaml:"await_auth"`   // timer reg-await-auth: how long the answer to a challenge may take
	Grace       time.Duration               `yaml:"grace"`        // how much longer than the registration associations live
	Linger      time.Duration               `yaml:"linger"`       // how long they outlive their use
	MaxSets     int                         `yaml:"max_sets"`     // sets at the same time
	Restart     string                      `yaml:"restart"`      // clean: none are restored; keep: they are restored
	// WiresharkKeys is the file for the keys of all associations, with which Wireshark decrypts ESP; empty: they are not written.
	WiresharkKeys string `yaml:"wireshark_keys"`
}

const (
	chosen = "chosen"
	all    = "all"
	clean  = "clean"
	keep   = "keep"
)

// Default returns the configuration that makes associations with the handsets that want them, if the kernel can.
func Default() Config {
	c := Config{
		Mode: association.Optional, Announce: chosen, ClientPorts: []uint16{6100, 6101, 6102, 6103}, ServerPorts: []uint16{6110, 6111},
		AwaitAuth: 4 * time.Minute, Grace: 30 * time.Second, Linger: 32 * time.Second, MaxSets: 50_000, Restart: clean,
	}
	for _, s := range ipsec.Suites {
		c.Algorithms = append(c.Algorithms, s.String())
	}

	return c
}

// Validate returns an error if the configuration cannot work. data is where registrations are kept.
func (c *Config) Validate(data string) error {
	switch {
	case !valid(c.Mode):
		return fmt.Errorf("ipsec.mode: %q is none of required, optional, off", c.Mode)
	case c.Announce != chosen && c.Announce != all:
		return fmt.Errorf("ipsec.announce: %q is neither chosen nor all", c.Announce)
	case c.Restart != clean && c.Restart != keep:
		return fmt.Errorf("ipsec.restart: %q is neither clean nor keep", c.Restart)
	case c.Restart == keep && data == "":
		return errors.New("ipsec.restart: keep needs data, where registrations are remembered")
	case len(c.ClientPorts) < 2 || len(c.ServerPorts) == 0:
		return errors.New(
			"ipsec: two client_ports and one server_ports are needed at least: a new set has another client port than the one before",
		)
	case repeats(slices.Concat(c.ClientPorts, c.ServerPorts)):
		return errors.New("ipsec: client_ports and server_ports must all differ, and not be 0")
	case c.AwaitAuth < time.Second || c.Grace < 0 || c.Linger < 0 || c.MaxSets <= 0 || c.MaxSets > lastReqID-firstReqID:
		return errors.New("ipsec: await_auth is a second or more, grace and linger are not negative, max_sets is between 1 and 65535")
	}

	for name, mode := range c.Endpoints {
		if !valid(mode) {
			return fmt.Errorf("ipsec.endpoints.%s: %q is none of required, optional, off", name, mode)
		}
	}

	_, err := c.suites()

	return err
}

func valid(m association.Mode) bool {
	return m == association.Required || m == association.Optional || m == association.Off
}

func repeats(ports []uint16) bool {
	sorted := slices.Sorted(slices.Values(ports))

	return sorted[0] == 0 || len(slices.Compact(sorted)) < len(ports)
}

func (c *Config) suites() ([]ipsec.Suite, error) {
	all := make([]ipsec.Suite, len(c.Algorithms))

	for i, text := range c.Algorithms {
		s, err := ipsec.ParseSuite(text)
		if err != nil {
			return nil, fmt.Errorf("ipsec.algorithms: %w", err)
		}

		all[i] = s
	}

	if len(all) == 0 {
		return nil, errors.New("ipsec.algorithms: one is needed at least")
	}

	return all, nil
}

// mode returns the mode of one endpoint.
func (c *Config) mode(endpoint string) association.Mode {
	if m, given := c.Endpoints[endpoint]; given {
		return m
	}

	return c.Mode
}

// Protected returns the protected endpoints of one Gm endpoint, to whose ports its associations lead.
func (c *Config) Protected(e stack.EndpointConfig) []stack.EndpointConfig {
	var endpoints []stack.EndpointConfig

	for _, port := range slices.Concat(c.ServerPorts, c.ClientPorts) {
		endpoints = append(endpoints, stack.EndpointConfig{
			Name: protectedName(e.Name, port), Address: netip.AddrPortFrom(addressOf(e), port).String(),
			Transports: []string{"udp", "tcp"}, Names: e.Names, Timers: e.Timers, FixedPort: true,
		})
	}

	return endpoints
}

func protectedName(endpoint string, port uint16) string { return fmt.Sprintf("%s/%d", endpoint, port) }

func addressOf(e stack.EndpointConfig) netip.Addr {
	address, err := netip.ParseAddrPort(e.Address)
	if err != nil {
		return netip.Addr{} // a host name; bind reports it
	}

	return address.Addr().Unmap()
}

// pointless returns why there can be no associations at an endpoint, whatever the kernel supports; nil if there can be.
func pointless(e stack.EndpointConfig) error {
	switch address := addressOf(e); {
	case !address.IsValid() || address.IsUnspecified():
		return fmt.Errorf("sip.endpoints: %s has no address of its own (%s): handsets and kernel must be told one", e.Name, e.Address)
	case address.IsLoopback():
		return fmt.Errorf("%s is at %s: the loopback interface passes IPsec by", e.Name, address)
	default:
		return nil
	}
}
