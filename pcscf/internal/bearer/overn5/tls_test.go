package overn5_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overn5"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
	"github.com/dialtone-ims/dialtone/pkg/sbi"
	"github.com/dialtone-ims/dialtone/test/sba"
)

const securedRoot = "https://192.0.2.24:7443"

// secured serves the PCF by TLS.
func (c *core) secured(config *tls.Config) {
	node := sba.New(config)
	node.Answer(sba.Front(c.dial, pcfRoot))
	c.serve(securedRoot, node)
}

func client(t *testing.T, files sbi.TLS) *tls.Config {
	t.Helper()

	config, err := files.Client()
	if err != nil {
		t.Fatal(err)
	}

	return config
}

func server(t *testing.T, files sbi.TLS) *tls.Config {
	t.Helper()

	config, err := files.Server()
	if err != nil {
		t.Fatal(err)
	}

	return config
}

// The PCF is reached by TLS, and each side shows the certificate that the other one wants (TS 33.501 §13.1).
func TestTLS(t *testing.T) {
	ours, theirs := sba.NewAuthority(t), sba.NewAuthority(t)
	away := func(why string) outcome {
		return outcome{why: "the PCF cannot be reached: " + why, code: 502, undone: true}
	}

	open := ours.Issue("192.0.2.24", ours)
	open.CA = ""

	for name, test := range map[string]struct {
		pcf  sbi.TLS
		here sbi.TLS
		root string
		want outcome
	}{
		"an authority that the system does not have": {open, sbi.TLS{}, securedRoot, away("TLS: tls: failed to verify certificate: x509: ")},
		"of the PCF alone": {
			open, sbi.TLS{CA: ours.Issue("192.0.2.10", ours).CA}, securedRoot, outcome{at: securedRoot},
		},
		"of each": {
			ours.Issue("192.0.2.24", ours), ours.Issue("192.0.2.10", ours), securedRoot, outcome{at: securedRoot},
		},
		"of another authority each": {
			ours.Issue("192.0.2.24", theirs), theirs.Issue("192.0.2.10", ours), securedRoot, outcome{at: securedRoot},
		},
		"none of ours": {
			ours.Issue("192.0.2.24", ours),
			sbi.TLS{CA: ours.Issue("192.0.2.10", ours).CA},
			securedRoot,
			away("it ends the connection at once, perhaps for want of a certificate: "),
		},
		"ours of an authority that it does not know": {
			ours.Issue("192.0.2.24", ours), ours.Issue("192.0.2.10", theirs), securedRoot,
			away("it ends the connection at once, perhaps for want of a certificate: "),
		},
		"of an authority that is not known here": {
			ours.Issue("192.0.2.24", theirs), ours.Issue("192.0.2.10", ours), securedRoot, away("TLS: tls: failed to verify certificate: x509: "),
		},
		"of another address": {
			ours.Issue("192.0.2.25", ours), ours.Issue("192.0.2.10", ours), securedRoot,
			away("TLS: tls: failed to verify certificate: x509: certificate is valid for 192.0.2.25, not 192.0.2.24"),
		},
		"expired": {
			ours.IssueUntil("192.0.2.24", ours, time.Unix(1, 0)), ours.Issue("192.0.2.10", ours), securedRoot,
			away("TLS: tls: failed to verify certificate: x509: certificate has expired"),
		},
		"a PCF in clear": {
			open, ours.Issue("192.0.2.10", ours), "https://" + pcfAddress, away("TLS: "),
		},
	} {
		t.Run(name, func(t *testing.T) {
			withCore(t, func(t *testing.T, c *core) {
				c.secured(server(t, test.pcf))
				p, _ := c.pcscf(overn5.Config{PCF: test.root, TLS: client(t, test.here)})
				c.expect(p, test.want)
			})
		})
	}
}

// A PCF that takes TLS and not HTTP/2 is told apart.
func TestTLSWithoutHTTP2(t *testing.T) {
	ours := sba.NewAuthority(t)
	files := ours.Issue("192.0.2.24", ours)

	withCore(t, func(t *testing.T, c *core) {
		old := &http.Server{TLSConfig: server(t, files), Protocols: new(http.Protocols)}
		old.Protocols.SetHTTP1(true)

		l := c.listen(securedRoot)
		done := make(chan error, 1)
		go func() { done <- old.ServeTLS(l, "", "") }()
		c.stop = append(c.stop, func() error {
			err := old.Close()
			if ended := <-done; !errors.Is(ended, http.ErrServerClosed) {
				return ended
			}

			return err
		})

		p, _ := c.pcscf(overn5.Config{PCF: securedRoot, TLS: client(t, files)})
		c.expect(p, outcome{why: "the PCF cannot be reached: TLS: ", code: 502, undone: true})
	})
}

// A certificate that is renewed counts from the next connection on.
func TestTLSRenewed(t *testing.T) {
	ours, theirs := sba.NewAuthority(t), sba.NewAuthority(t)
	files, wrong := ours.Issue("192.0.2.10", ours), ours.Issue("192.0.2.10", theirs)

	withCore(t, func(t *testing.T, c *core) {
		c.secured(server(t, ours.Issue("192.0.2.24", ours)))

		here := wrong
		config := client(t, here)
		p, _ := c.pcscf(overn5.Config{PCF: securedRoot, TLS: config})
		c.expect(p, outcome{why: "it ends the connection at once", code: 502, undone: true})

		for from, to := range map[string]string{files.Certificate: wrong.Certificate, files.Key: wrong.Key} {
			text, err := os.ReadFile(from)
			if err := errors.Join(err, os.WriteFile(to, text, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		c.expect(p, outcome{at: securedRoot})
	})
}

// Notifications come by TLS if there is a certificate, and only from those whose certificate is known, if there is an authority.
func TestNotificationsByTLS(t *testing.T) {
	ours, theirs := sba.NewAuthority(t), sba.NewAuthority(t)
	here := ours.Issue("192.0.2.10", ours)
	anybody := here
	anybody.CA = ""

	for name, test := range map[string]struct {
		here sbi.TLS
		pcf  sbi.TLS
		want bool // it counts
	}{
		"from anybody":      {anybody, sbi.TLS{CA: here.CA}, true},
		"from who is known": {here, ours.Issue("192.0.2.20", ours), true},
		"without one":       {here, sbi.TLS{CA: here.CA}, false},
		"of another":        {here, ours.Issue("192.0.2.20", theirs), false},
		"to another":        {here, theirs.Issue("192.0.2.20", ours), false},
	} {
		t.Run(name, func(t *testing.T) {
			withCore(t, func(t *testing.T, c *core) {
				_, b := c.pcscf(overn5.Config{PCF: pcfRoot, NotifyTLS: server(t, test.here)})
				leg := b.Leg(call, func(bearer.Loss) {})

				if err := leg.Need(t.Context(), needs(t, offered, answered)); err != nil {
					t.Fatal(err)
				}
				defer leg.End()

				uri := ""
				for _, q := range c.pcf.Sessions() {
					uri = q.NotificationURI
				}
				if !strings.HasPrefix(uri, "https://"+notify+"/") {
					t.Fatalf("the PCF is told %q", uri)
				}

				protocols := new(http.Protocols)
				protocols.SetHTTP2(true)
				pcf := &http.Client{
					Transport: &http.Transport{Protocols: protocols, DialContext: c.dial, TLSClientConfig: client(t, test.pcf)},
				}
				defer pcf.CloseIdleConnections()

				answer, err := pcf.Post(uri+npcf.Notify, "application/json", bytes.NewReader([]byte(`{"evNotifs":[]}`)))

				switch {
				case !test.want:
					if err == nil {
						t.Errorf("it counts: %d", answer.StatusCode)
					}
					if synctest.Wait(); !strings.Contains(c.log.String(), "a connection of who wants to notify fails") {
						t.Errorf("the log has %s", c.log)
					}
				case err != nil:
					t.Error(err)
				case answer.StatusCode != http.StatusNoContent:
					t.Errorf("%d", answer.StatusCode)
				}
				if answer != nil {
					_ = answer.Body.Close()
				}

				clear := &http.Client{Transport: &http.Transport{DialContext: c.dial, DisableKeepAlives: true}}
				if answer, err := clear.Post("http"+strings.TrimPrefix(uri, "https")+npcf.Notify, "application/json", nil); err == nil {
					_ = answer.Body.Close()
					if answer.StatusCode != http.StatusBadRequest { // as Go's server says to whom speaks in clear
						t.Errorf("in clear: %d", answer.StatusCode)
					}
				}
			})
		})
	}
}
