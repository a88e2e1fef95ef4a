package diameter

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Config is a node's place in a Diameter network.
type Config struct {
	OriginHost        string        `yaml:"origin_host"` // this node's DiameterIdentity, a full host name
	OriginRealm       string        `yaml:"origin_realm"`
	Realms            []string      `yaml:"realms"` // others that requests for this node may name
	Listen            []Listener    `yaml:"listen"`
	Peers             []Peer        `yaml:"peers"`
	AllowUnknownPeers bool          `yaml:"allow_unknown_peers"` // take connections from hosts not in peers
	Routes            []Route       `yaml:"routes"`
	LocalAddress      string        `yaml:"local_address"`   // IP address that connections to peers leave from; empty: the system's choice
	Watchdog          time.Duration `yaml:"watchdog"`        // Tw of RFC 3539, at least 6 s
	RequestTimeout    time.Duration `yaml:"request_timeout"` // how long to wait for an answer, over all peers that are tried
	ReconnectMin      time.Duration `yaml:"reconnect_min"`   // first wait between attempts; doubles up to reconnect_max
	ReconnectMax      time.Duration `yaml:"reconnect_max"`
	MaxMessage        int           `yaml:"max_message"`     // octets
	MaxConnections    int           `yaml:"max_connections"` // accepted ones; a quarter of them for one source of unknown ones
	MaxConcurrent     int           `yaml:"max_concurrent"`  // requests in work per connection; more are answered TOO_BUSY
}

// Listener is one address that peers connect to.
type Listener struct {
	Address string `yaml:"address"`
	TLS     TLS    `yaml:"tls"`
}

// Peer is one node that this one knows. One without an address is not dialled, only accepted.
type Peer struct {
	Host         string   `yaml:"host"`
	Realm        string   `yaml:"realm"`
	Address      string   `yaml:"address"`
	Applications []uint32 `yaml:"applications"` // applications that it is asked for, whatever it advertises; empty: those that it advertises
	Sources      []string `yaml:"sources"`      // addresses and prefixes that it connects from; empty: any
	TLS          TLS      `yaml:"tls"`
	As           Identity `yaml:"as"` // what this node is called towards the peer; empty: origin_host and origin_realm
}

// sources returns the prefixes that the peer's own connections come from.
func (p *Peer) sources() (prefixes []netip.Prefix, err error) {
	for _, text := range p.Sources {
		if address, err := netip.ParseAddr(text); err == nil {
			prefixes = append(prefixes, netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()))
			continue
		}

		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("sources: %q is no address and no prefix", text)
		}

		prefixes = append(prefixes, prefix)
	}

	return prefixes, nil
}

// Route says which peer serves a realm. The peer with the lowest metric that is up is used.
type Route struct {
	Realm       string `yaml:"realm"`       // "*" or empty: any
	Application uint32 `yaml:"application"` // 0: any
	Peer        string `yaml:"peer"`        // its host
	Metric      int    `yaml:"metric"`
}

// serves reports whether a Destination-Realm is this node's.
func (c *Config) serves(realm string) bool {
	is := func(own string) bool { return strings.EqualFold(own, realm) }

	return is(c.OriginRealm) || slices.ContainsFunc(c.Realms, is) || slices.ContainsFunc(c.Peers, func(p Peer) bool {
		return p.As.Realm != "" && is(p.As.Realm)
	})
}

// named reports whether a Destination-Host is this node's, by any of its names.
func (c *Config) named(host string) bool {
	return strings.EqualFold(c.OriginHost, host) || slices.ContainsFunc(c.Peers, func(p Peer) bool {
		return p.As.Host != "" && strings.EqualFold(p.As.Host, host)
	})
}

// DefaultConfig returns the timers of the specifications; the function sets further names and addresses.
func DefaultConfig(host, realm string) Config {
	return Config{
		OriginHost:     host,
		OriginRealm:    realm,
		Watchdog:       30 * time.Second,
		RequestTimeout: 5 * time.Second,
		ReconnectMin:   time.Second,
		ReconnectMax:   5 * time.Second,
		MaxMessage:     64 << 10,
		MaxConnections: 256,
		MaxConcurrent:  1024,
	}
}

// Validate refuses settings that cannot work, and names the setting.
func (c *Config) Validate() error {
	switch {
	case c.OriginHost == "" || c.OriginRealm == "":
		return errors.New("diameter: origin_host and origin_realm are both needed")
	case c.Watchdog < 6*time.Second:
		return fmt.Errorf("diameter.watchdog: %s is below the 6 s of RFC 3539 §3.4.1", c.Watchdog)
	case c.RequestTimeout <= 0 || c.ReconnectMin <= 0 || c.ReconnectMax < c.ReconnectMin:
		return errors.New("diameter: request_timeout, reconnect_min and reconnect_max must be positive and in order")
	case c.MaxMessage < 4096 || c.MaxMessage > 1<<24-1:
		return fmt.Errorf("diameter.max_message: %d is not between 4096 and 16777215", c.MaxMessage)
	case c.MaxConnections <= 0 || c.MaxConcurrent <= 0:
		return errors.New("diameter: max_connections and max_concurrent must be positive")
	}

	if c.LocalAddress != "" {
		if _, err := netip.ParseAddr(c.LocalAddress); err != nil {
			return fmt.Errorf("diameter.local_address: %w", err)
		}
	}

	for _, l := range c.Listen {
		if _, _, err := net.SplitHostPort(l.Address); err != nil {
			return fmt.Errorf("diameter.listen: %w", err)
		}

		if l.TLS.enabled() && l.TLS.Certificate == "" {
			return fmt.Errorf("diameter.listen: %s: TLS needs a certificate", l.Address)
		}

		if err := l.TLS.validate(); err != nil {
			return fmt.Errorf("diameter.listen: %s: %w", l.Address, err)
		}
	}

	known := map[string]bool{}

	for _, p := range c.Peers {
		switch {
		case p.Host == "":
			return errors.New("diameter.peers: a peer has no host")
		case known[strings.ToLower(p.Host)]:
			return fmt.Errorf("diameter.peers: %s stands twice", p.Host)
		case strings.EqualFold(p.Host, c.OriginHost):
			return fmt.Errorf("diameter.peers: %s is this node itself", p.Host)
		case (p.As.Host == "") != (p.As.Realm == ""):
			return fmt.Errorf("diameter.peers: %s: as: host and realm are both needed", p.Host)
		}

		known[strings.ToLower(p.Host)] = true

		if _, err := p.sources(); err != nil {
			return fmt.Errorf("diameter.peers: %s: %w", p.Host, err)
		}

		if err := p.TLS.validate(); err != nil {
			return fmt.Errorf("diameter.peers: %s: %w", p.Host, err)
		}

		if p.Address != "" {
			if _, _, err := net.SplitHostPort(p.Address); err != nil {
				return fmt.Errorf("diameter.peers: %s: %w", p.Host, err)
			}
		}
	}

	for _, r := range c.Routes {
		if !known[strings.ToLower(r.Peer)] {
			return fmt.Errorf("diameter.routes: %q is no peer", r.Peer)
		}
	}

	return nil
}
