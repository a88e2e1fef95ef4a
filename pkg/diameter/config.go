package diameter

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// Config is a node's place in a Diameter network.
type Config struct {
	OriginHost        string        `yaml:"origin_host"` // this node's DiameterIdentity, a full host name
	OriginRealm       string        `yaml:"origin_realm"`
	Listen            []Listener    `yaml:"listen"`
	Peers             []Peer        `yaml:"peers"`
	AllowUnknownPeers bool          `yaml:"allow_unknown_peers"` // take connections from hosts that peers does not name
	Routes            []Route       `yaml:"routes"`
	Watchdog          time.Duration `yaml:"watchdog"`        // Tw of RFC 3539, at least 6 s
	RequestTimeout    time.Duration `yaml:"request_timeout"` // an answer that is not there by then does not count
	ReconnectMin      time.Duration `yaml:"reconnect_min"`   // first wait between attempts; doubles up to reconnect_max
	ReconnectMax      time.Duration `yaml:"reconnect_max"`
	MaxMessage        int           `yaml:"max_message"`     // octets
	MaxConnections    int           `yaml:"max_connections"` // accepted ones
	MaxConcurrent     int           `yaml:"max_concurrent"`  // requests in work per connection; more are answered TOO_BUSY
}

// Listener is one address that peers connect to.
type Listener struct {
	Address string `yaml:"address"`
	TLS     TLS    `yaml:"tls"`
}

// Peer is one node that this one knows. Without an address it is only waited for.
type Peer struct {
	Host    string `yaml:"host"`
	Realm   string `yaml:"realm"`
	Address string `yaml:"address"`
	TLS     TLS    `yaml:"tls"`
}

// Route says which peer serves a realm. The peer with the lowest metric that is up is used.
type Route struct {
	Realm       string `yaml:"realm"`       // "*" or empty: any
	Application uint32 `yaml:"application"` // 0: any
	Peer        string `yaml:"peer"`        // its host
	Metric      int    `yaml:"metric"`
}

// TLS secures a connection from its first octet (RFC 6733 §13.1). With a CA the other side must show a certificate of it.
type TLS struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	CA          string `yaml:"ca"`
}

// DefaultConfig has the timers of the specifications; names and addresses are left to the function.
func DefaultConfig(host, realm string) Config {
	return Config{
		OriginHost:     host,
		OriginRealm:    realm,
		Watchdog:       30 * time.Second,
		RequestTimeout: 5 * time.Second,
		ReconnectMin:   time.Second,
		ReconnectMax:   30 * time.Second,
		MaxMessage:     64 << 10,
		MaxConnections: 256,
		MaxConcurrent:  1024,
	}
}

// Validate refuses what cannot work, naming the setting.
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

	for _, l := range c.Listen {
		if _, _, err := net.SplitHostPort(l.Address); err != nil {
			return fmt.Errorf("diameter.listen: %w", err)
		}
	}

	known := map[string]bool{}

	for _, p := range c.Peers {
		switch {
		case p.Host == "":
			return errors.New("diameter.peers: a peer has no host")
		case known[p.Host]:
			return fmt.Errorf("diameter.peers: %s stands twice", p.Host)
		}

		known[p.Host] = true

		if p.Address != "" {
			if _, _, err := net.SplitHostPort(p.Address); err != nil {
				return fmt.Errorf("diameter.peers: %s: %w", p.Host, err)
			}
		}
	}

	for _, r := range c.Routes {
		if !known[r.Peer] {
			return fmt.Errorf("diameter.routes: %q is no peer", r.Peer)
		}
	}

	return nil
}

func (t TLS) enabled() bool { return t.Certificate != "" || t.CA != "" }

// load reads the files. serverName is verified when this side dials.
func (t TLS) load(serverName string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}

	if t.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, err
		}

		config.Certificates = []tls.Certificate{pair}
	}

	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, err
		}

		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", t.CA)
		}

		config.RootCAs, config.ClientCAs = pool, pool
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}

	return config, nil
}
