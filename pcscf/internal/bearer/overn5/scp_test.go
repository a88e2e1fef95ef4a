package overn5_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overn5"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
	"github.com/dialtone-ims/dialtone/pkg/sbi"
	"github.com/dialtone-ims/dialtone/test/sba"
)

// An SCP takes all requests (TS 29.500 §6.10). It is told which network function is meant, or by what to find one; after the creation the
// PCF is the one that has the session.
func TestSCP(t *testing.T) {
	discovers := map[string]string{
		"target-nf-type": "PCF", "requester-nf-type": "AF", "service-names": npcf.Service,
	}

	for name, test := range map[string]struct {
		config  overn5.Config
		roots   map[sbi.NFType]string
		answer  func(h http.Header) // changes what the SCP passes back
		at      string              // PCF that has the session
		targets []string            // of the requests that the SCP gets
		finds   map[string]string   // what it finds the first of them by
	}{
		"to a PCF that is configured": {
			config: overn5.Config{PCF: pcfRoot}, at: pcfRoot, targets: []string{pcfRoot, pcfRoot, pcfRoot},
		},
		"to a PCF that the SCP finds": {
			roots: map[sbi.NFType]string{sbi.PCF: other}, at: other, targets: []string{"", other, other}, finds: discovers,
		},
		"to a PCF that the NRF finds, behind the SCP": {
			config: overn5.Config{NRF: nrfRoot}, at: pcfRoot, targets: []string{nrfRoot, pcfRoot, pcfRoot, pcfRoot},
		},
		"to a PCF that a BSF names, which the SCP finds": {
			config: overn5.Config{BSF: overn5.Discovered}, roots: map[sbi.NFType]string{sbi.BSF: bsfRoot}, at: pcfRoot,
			targets: []string{"", pcfRoot, pcfRoot, pcfRoot},
			finds:   map[string]string{"target-nf-type": "BSF", "requester-nf-type": "AF", "service-names": "nbsf-management"},
		},
		"which says apart where the PCF is": {
			roots: map[sbi.NFType]string{sbi.PCF: other}, at: other, targets: []string{"", other, other}, finds: discovers,
			answer: func(h http.Header) {
				if location := h.Get("Location"); location != "" {
					h.Set("Location", strings.TrimPrefix(location, other))
					h.Set(sbi.TargetAPIRoot, other)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			withCore(t, func(t *testing.T, c *core) {
				c.bsf.Says(200, binding)
				c.nrf.Says(200, found(pcfAt(pcfRoot, "")))

				forward := sba.Forward(c.dial, test.roots)
				c.scp.Answer(func(w http.ResponseWriter, r *http.Request) {
					if test.answer == nil {
						forward(w, r)
						return
					}
					forward(&changed{w, test.answer}, r)
				})

				test.config.SCP = scpRoot
				p, _ := c.pcscf(test.config)

				leg := call
				q := &bearer.Request{Handle: bearer.Handle{ID: p.NewID()}, Leg: leg, Components: needs(t, offered, answered)}

				grant, err := p.Ask(t.Context(), q)
				if err != nil || !strings.HasPrefix(grant.Server, test.at+npcf.Collection) {
					t.Fatalf("%+v %v", grant, err)
				}

				q.Handle, q.Update, q.Components = grant.Handle, true, needs(t, offered+video, answered+video)
				if _, err := p.Ask(t.Context(), q); err != nil {
					t.Error(err)
				}
				if err := p.End(t.Context(), grant.Handle); err != nil {
					t.Error(err)
				}

				heard := c.scp.Heard()
				for i, r := range heard {
					if i >= len(test.targets) || r.Header.Get(sbi.TargetAPIRoot) != test.targets[i] {
						t.Errorf("request %d, %s %s: for %q, want of %q", i, r.Method, r.URL, r.Header.Get(sbi.TargetAPIRoot), test.targets)
					}
				}
				for name, value := range test.finds {
					if got := heard[0].Header.Get(sbi.DiscoveryPrefix + name); got != value {
						t.Errorf("%s: %q, want %q", name, got, value)
					}
				}
				if len(heard) != len(test.targets) || len(c.pcf.Sessions())+len(c.other.Sessions()) != 0 {
					t.Errorf("the SCP had %d requests; sessions left: %v, %v", len(heard), c.pcf.Sessions(), c.other.Sessions())
				}
			})
		})
	}
}

// changed changes the header of an answer.
type changed struct {
	http.ResponseWriter
	change func(h http.Header)
}

func (c *changed) WriteHeader(status int) {
	c.change(c.Header())
	c.ResponseWriter.WriteHeader(status)
}

// An SCP that is not there, or knows nobody, is named.
func TestSCPRefuses(t *testing.T) {
	withCore(t, func(_ *testing.T, c *core) {
		p, _ := c.pcscf(overn5.Config{SCP: absent})
		c.expect(p, outcome{why: "the SCP cannot be reached", code: 502, undone: true})
	})

	withCore(t, func(_ *testing.T, c *core) {
		c.scp.Says(504, `{"title":"No Target NF","cause":"TARGET_NF_NOT_REACHABLE"}`)
		p, _ := c.pcscf(overn5.Config{SCP: scpRoot, PCF: pcfRoot})
		c.expect(p, outcome{why: `504 TARGET_NF_NOT_REACHABLE ("No Target NF")`, code: 504})
	})

	withCore(t, func(_ *testing.T, c *core) {
		c.scp.Answer(slow)
		p, _ := c.pcscf(overn5.Config{SCP: scpRoot, PCF: pcfRoot})
		c.expect(p, outcome{why: "the SCP does not answer", silent: true})
	})
}

// A notification that comes through an SCP has header fields of its own (TS 29.500 §5.2.3.2.3, §6.10.2.5), and counts like any other.
func TestNotificationThroughSCP(t *testing.T) {
	withCore(t, func(t *testing.T, c *core) {
		_, b := c.pcscf(overn5.Config{PCF: pcfRoot, NotifyName: "192.0.2.10"})
		leg := b.Leg(call, func(bearer.Loss) {})
		if err := leg.Need(t.Context(), needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}
		uri := ""
		for _, q := range c.pcf.Sessions() {
			uri = q.NotificationURI
		}

		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, uri+npcf.Notify, bytes.NewReader([]byte(`{"evNotifs":[]}`)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("3gpp-Sbi-Callback", "Npcf_PolicyAuthorization_Notify; apiversion=1")
		r.Header.Set(sbi.TargetAPIRoot, "http://"+notify)
		r.Header.Set("Via", "2.0 SCP-scp.5gc.mnc070.mcc999.3gppnetwork.org")

		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		client := &http.Client{Transport: &http.Transport{Protocols: protocols, DialContext: c.dial}}
		defer client.CloseIdleConnections()

		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusNoContent {
			t.Errorf("%d %v", answer.StatusCode, err)
		}
		leg.End()
	})
}
