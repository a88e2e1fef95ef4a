package diameter

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS secures a connection from its first octet (RFC 6733 §13.1). With a CA the other side must show a certificate issued by it.
type TLS struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	CA          string `yaml:"ca"`
}

func (t TLS) enabled() bool { return t.Certificate != "" || t.CA != "" }

func (t TLS) validate() error {
	if (t.Certificate == "") != (t.Key == "") {
		return errors.New("tls: certificate and key go together")
	}

	return nil
}

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
