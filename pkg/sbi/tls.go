package sbi

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS are the files of one direction. They are read again for each connection, so that a renewed certificate counts; the authorities are
// read once.
type TLS struct {
	CA          string `yaml:"ca"`          // PEM file of those whose certificates of the other side are accepted
	Certificate string `yaml:"certificate"` // PEM file of this side's
	Key         string `yaml:"key"`         // PEM file
}

func (t TLS) validate() error {
	if (t.Certificate == "") != (t.Key == "") {
		return errors.New("certificate and key go together")
	}

	return nil
}

// Client returns the configuration of connections from here. The other side must have a certificate of an authority in CA, or of the
// system's if there is no CA; it is shown the certificate if it asks for one (TS 33.501 §13.1).
func (t TLS) Client() (*tls.Config, error) {
	if err := t.validate(); err != nil {
		return nil, err
	}

	config := &tls.Config{MinVersion: tls.VersionTLS12}

	var err error
	if config.RootCAs, err = t.pool(); err != nil {
		return nil, err
	}

	if t.Certificate != "" {
		if _, err := t.pair(); err != nil {
			return nil, err
		}

		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return t.pair() }
	}

	return config, nil
}

// Server returns the configuration of connections to here; nil: there is no certificate, and no TLS. With CA the other side must have a
// certificate of one of its authorities.
func (t TLS) Server() (*tls.Config, error) {
	switch err := t.validate(); {
	case err != nil:
		return nil, err
	case t.Certificate == "" && t.CA != "":
		return nil, errors.New("ca without a certificate: clients cannot be verified without TLS")
	case t.Certificate == "":
		return nil, nil
	}

	if _, err := t.pair(); err != nil {
		return nil, err
	}

	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return t.pair() },
	}

	var err error
	if config.ClientCAs, err = t.pool(); err != nil {
		return nil, err
	}

	if config.ClientCAs != nil {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}

	return config, nil
}

func (t TLS) pair() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
	if err != nil {
		return nil, err
	}

	return &pair, nil
}

// pool returns the authorities; nil: no file is given.
func (t TLS) pool() (*x509.CertPool, error) {
	if t.CA == "" {
		return nil, nil
	}

	text, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, err
	}

	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", t.CA)
	}

	return pool, nil
}
