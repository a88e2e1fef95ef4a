package diameter_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// authority issues certificates into a folder of the test.
type authority struct {
	t           *testing.T
	folder      string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()

	a := &authority{t: t, folder: t.TempDir()}
	a.certificate, a.key = a.issue("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)

	return a
}

func (a *authority) issue(
	name string,
	template, parent *x509.Certificate,
	signer *ecdsa.PrivateKey,
) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}

	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)

	if parent == nil {
		parent, signer = template, key
	}

	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}

	for file, block := range map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: der},
		name + ".key": {Type: "EC PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(a.folder, file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}

	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}

	return certificate, key
}

// of returns the TLS configuration of a host's certificate.
func (a *authority) of(host string) diameter.TLS {
	a.t.Helper()
	a.issue(host, &x509.Certificate{DNSNames: []string{host}}, a.certificate, a.key)

	return diameter.TLS{
		Certificate: filepath.Join(a.folder, host+".crt"), Key: filepath.Join(a.folder, host+".key"), CA: filepath.Join(a.folder, "ca.crt"),
	}
}

func TestTLS(t *testing.T) {
	ours, foreign := newAuthority(t), newAuthority(t)

	serving := func(t *testing.T) string {
		t.Helper()
		var served atomic.Int32
		c := server("hss.example")
		c.Listen[0].TLS = ours.of("hss.example")
		return start(t, c, serveLIR("sip:s", &served)).Addresses()[0].String()
	}
	noPeer := func(t *testing.T, c diameter.Config) {
		t.Helper()

		refused := make(chan string, 100)
		c.ReconnectMin = time.Hour
		c.ReconnectMax = time.Hour
		startLogged(t, c, refused)
		for line := range refused {
			if strings.Contains(line, "no connection to Diameter peer") {
				return
			}
			if strings.Contains(line, "Diameter peer connected") {
				t.Fatal("the peer was taken")
			}
		}
	}

	t.Run("both sides of one authority", func(t *testing.T) {
		n := start(t, client("scscf.example", diameter.Peer{Host: "hss.example", Address: serving(t), TLS: ours.of("scscf.example")}), nil)
		await(t, "the connection", func() bool { return n.Ready() == nil })
		if _, err := diameter.Call[cx.LIA](t.Context(), n, &cx.LIR{PublicIdentity: "sip:a"}); err != nil {
			t.Error(err)
		}
	})

	t.Run("a dialler of another authority", func(t *testing.T) {
		own := foreign.of("scscf.example")
		own.CA = filepath.Join(ours.folder, "ca.crt")
		noPeer(t, client("scscf.example", diameter.Peer{Host: "hss.example", Address: serving(t), TLS: own}))
	})

	t.Run("a dialler without certificate", func(t *testing.T) {
		noPeer(
			t,
			client(
				"scscf.example",
				diameter.Peer{Host: "hss.example", Address: serving(t), TLS: diameter.TLS{CA: filepath.Join(ours.folder, "ca.crt")}},
			),
		)
	})

	t.Run("a dialler under another name than its certificate's", func(t *testing.T) {
		noPeer(t, client("scscf.example", diameter.Peer{Host: "hss.example", Address: serving(t), TLS: ours.of("icscf.example")}))
	})

	t.Run("a listener whose certificate is for another host", func(t *testing.T) {
		noPeer(t, client("scscf.example", diameter.Peer{Host: "ocs.example", Address: serving(t), TLS: ours.of("scscf.example")}))
	})

	t.Run("a listener of another authority", func(t *testing.T) {
		noPeer(t, client("scscf.example", diameter.Peer{Host: "hss.example", Address: serving(t), TLS: foreign.of("scscf.example")}))
	})

	t.Run("a dialler without TLS", func(t *testing.T) {
		noPeer(t, client("scscf.example", diameter.Peer{Host: "hss.example", Address: serving(t)}))
	})

	t.Run("the oldest version that is taken is 1.2", func(t *testing.T) {
		conn, err := net.Dial("tcp", serving(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		old := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
		if err := old.Handshake(); err == nil {
			t.Error("TLS 1.1 was taken")
		}
	})

	t.Run("files that are not there are known at once", func(t *testing.T) {
		c := client("scscf.example", diameter.Peer{Host: "hss.example", Address: "127.0.0.1:1", TLS: diameter.TLS{CA: "/nonexistent"}})
		if _, err := diameter.New(c, []diameter.Application{cx.Application}, diameter.Options{}); err == nil {
			t.Error("New takes a CA file that does not exist")
		}
	})
}
