package overn5_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overn5"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
	"github.com/dialtone-ims/dialtone/pkg/policy"
)

const binding = `{"ipv4Addr":"10.45.0.2","dnn":"ims","snssai":{"sst":1},
	"pcfIpEndPoints":[{"ipv4Address":"192.0.2.20","transport":"TCP","port":7777}]}`

// The BSF says which PCF has the session of a UE (TS 29.521 §4.2.4), and whatever else it says has a consequence that can be read.
func TestBSF(t *testing.T) {
	const none = "no PCF has a PDU session with the address 10.45.0.2"

	says := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	away := func(why string) outcome { return outcome{why: "no PCF is known: " + why, code: 502, undone: true} }

	for name, test := range map[string]struct {
		bsf    http.HandlerFunc
		config overn5.Config
		want   outcome
	}{
		"a PCF by its address": {bsf: says(200, binding), want: outcome{at: pcfRoot}},
		"a PCF by its address, and a name that nobody resolves": {
			bsf:  says(200, strings.Replace(binding, `"dnn"`, `"pcfFqdn":"pcf.5gc","dnn"`, 1)),
			want: outcome{at: pcfRoot},
		},
		"a PCF as free5GC writes it": {bsf: says(200, `{"pcfFqdn":"http://192.0.2.20:7777"}`), want: outcome{at: pcfRoot}},
		"the PCF that is not configured": {
			bsf: says(200, strings.Replace(binding, "2.20", "2.21", 1)), config: overn5.Config{PCF: pcfRoot}, want: outcome{at: other},
		},
		"none, 204": {bsf: status(204), want: outcome{why: "the BSF answers 204 No Content: " + none, code: 404, elsewhere: true}},
		"none, 404": {
			bsf:  says(404, `{"cause":"RESOURCE_NOT_FOUND","detail":"no binding"}`),
			want: outcome{why: "the BSF answers 404 RESOURCE_NOT_FOUND: " + none, code: 404, elsewhere: true},
		},
		"none, and a PCF is configured": {
			bsf: status(204), config: overn5.Config{PCF: pcfRoot}, want: outcome{why: none, code: 404, elsewhere: true},
		},
		"a PCF that takes Rx alone": {
			bsf:  says(200, `{"pcfDiamHost":"pcf.epc","pcfDiamRealm":"epc"}`),
			want: outcome{why: `takes Rx alone, at "pcf.epc"`, code: 404, elsewhere: true},
		},
		"no place":             {bsf: says(200, `{"dnn":"ims"}`), want: away("the BSF's binding does not say where its PCF is")},
		"a place that is none": {bsf: says(200, `{"pcfFqdn":"a b"}`), want: away("the BSF's binding does not say where its PCF is")},
		"malformed":            {bsf: says(200, `{"dnn":`), want: away("the BSF's binding cannot be read: ")},
		"of another form":      {bsf: says(200, `[]`), want: away("the BSF's binding cannot be read: ")},
		"huge":                 {bsf: huge, want: away("the answer of the BSF is longer than 262144 octets")},
		"slow":                 {bsf: slow, want: away("the BSF does not answer: ")},
		"refused": {
			bsf: says(403, `{"title":"Forbidden","detail":"who are you?"}`), want: away(`the BSF answers 403 Forbidden ("Forbidden who are you?")`),
		},
		"slow, and one is known":  {bsf: slow, config: overn5.Config{PCF: other}, want: outcome{at: other}},
		"not there":               {config: overn5.Config{BSF: absent}, want: away("the BSF cannot be reached: ")},
		"not there, one is known": {config: overn5.Config{BSF: absent, PCF: other}, want: outcome{at: other}},
		"redirected": {bsf: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("again") == "" {
				w.Header().Set("Location", bsfRoot+r.URL.String()+"&again=1")
				w.WriteHeader(http.StatusTemporaryRedirect)
				return
			}
			says(200, binding)(w, r)
		}, want: outcome{at: pcfRoot}},
		"redirected for ever": {bsf: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", r.URL.String())
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, want: away("the BSF redirects more than 3 times")},
		"redirected to nowhere": {bsf: status(http.StatusTemporaryRedirect), want: away("the BSF redirects to nowhere")},
	} {
		t.Run(name, func(t *testing.T) {
			withCore(t, func(_ *testing.T, c *core) {
				if test.bsf != nil {
					c.bsf.Answer(test.bsf)
				}
				if test.config.BSF == "" {
					test.config.BSF = bsfRoot
				}

				p, _ := c.pcscf(test.config)
				c.expect(p, test.want)
			})
		})
	}
}

// A binding is asked for by the UE's address and the DNN, counts for a minute, and no longer than its PCF knows the UE.
func TestBSFIsAskedAgain(t *testing.T) {
	withCore(t, func(t *testing.T, c *core) {
		c.bsf.Says(200, binding)
		p, _ := c.pcscf(overn5.Config{BSF: bsfRoot})

		asked := func(want int) {
			t.Helper()

			if heard := c.bsf.Heard(); len(heard) != want {
				t.Errorf("the BSF was asked %d times, want %d", len(heard), want)
			}
		}

		for range 3 {
			c.expect(p, outcome{at: pcfRoot})
		}
		asked(1)

		if q := c.bsf.Heard()[0].URL; q.Path != "/nbsf-management/v1/pcfBindings" || q.RawQuery != "dnn=ims&ipv4Addr=10.45.0.2" {
			t.Errorf("asked %s", q)
		}

		time.Sleep(time.Minute)
		c.expect(p, outcome{at: pcfRoot})
		asked(2)

		if _, err := c.ask(p, "2001:db8::1"); err != nil {
			t.Error(err)
		}
		if q := c.bsf.Heard()[2].URL.Query().Get("ipv6Prefix"); q != "2001:db8::1/128" {
			t.Errorf("asked %s", q)
		}

		c.pcf.Decide(func(bool, *npcf.AppSessionContextReqData) *policy.Refusal {
			return &policy.Refusal{ProblemDetails: npcf.ProblemDetails{Status: 404, Cause: npcf.PDUSessionNotAvailable}}
		})
		c.bsf.Says(200, strings.Replace(binding, "2.20", "2.21", 1))
		c.expect(p, outcome{at: other})
		asked(4)

		c.bsf.Says(200, binding) // still counts, for a minute, then the PCF does not know the UE
		time.Sleep(time.Minute)
		c.expect(p, outcome{why: "the PCF answers 404 PDU_SESSION_NOT_AVAILABLE", code: 404, elsewhere: true})
		asked(6)
	})
}

// The NRF, or the SCP, finds the BSF.
func TestBSFIsFound(t *testing.T) {
	withCore(t, func(t *testing.T, c *core) {
		c.bsf.Says(200, binding)
		c.nrf.Says(200, fmt.Sprintf(`{"validityPeriod":100,"nfInstances":[%s]}`, profile("BSF", "nbsf-management", bsfRoot, "")))

		p, _ := c.pcscf(overn5.Config{BSF: overn5.Discovered, NRF: nrfRoot})
		c.expect(p, outcome{at: pcfRoot})

		if heard := c.nrf.Heard(); len(heard) != 1 ||
			heard[0].URL.RawQuery != "requester-nf-type=AF&service-names=nbsf-management&target-nf-type=BSF" {
			t.Errorf("%d: %v", len(heard), heard)
		}
	})
}
