package overn5_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overn5"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
	"github.com/dialtone-ims/dialtone/test/sba"
)

const instance = "9f7d5b3a-1c8f-4e0b-9d5a-0e2b7f6a1c33"

// guarded is a PCF behind a guard that takes one token.
type guarded struct {
	mu    sync.Mutex
	token string
	shown []string // that came
}

const guardedRoot = "http://192.0.2.23:7777"

func (c *core) guard() *guarded {
	g, node := &guarded{}, sba.New(nil)
	forward := sba.Forward(c.dial, nil)
	node.Answer(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		g.shown = append(g.shown, r.Header.Get("Authorization"))
		right := r.Header.Get("Authorization") == "Bearer "+g.token
		g.mu.Unlock()

		if !right {
			w.Header().Set("WWW-Authenticate", `Bearer realm="pcf", error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}

		r.Header.Set("3gpp-Sbi-Target-apiRoot", pcfRoot)
		forward(w, r)
	})
	c.serve(guardedRoot, node)

	return g
}

func (g *guarded) takes(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()

	g.token = token
}

// count returns the number of requests that came since the last call.
func (g *guarded) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()

	n := len(g.shown)
	g.shown = nil

	return n
}

func granted(token string, expires int) string {
	return fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":%d,"scope":"npcf-policyauthorization"}`, token, expires)
}

// Requests carry an access token of the NRF (TS 29.510 §5.4.2.2), which is asked for before the last one expires, and once if the PCF does
// not take it.
func TestTokens(t *testing.T) {
	withCore(t, func(t *testing.T, c *core) {
		g := c.guard()
		p, _ := c.pcscf(overn5.Config{PCF: guardedRoot, NRF: nrfRoot, Tokens: true, NFInstance: instance})

		asked := func(want int) {
			t.Helper()

			if heard := c.nrf.Heard(); len(heard) != want {
				t.Errorf("the NRF was asked %d times, want %d", len(heard), want)
			}
		}

		g.takes("first.token-1_=")
		c.nrf.Says(200, granted("first.token-1_=", 300))
		c.expect(p, outcome{at: pcfRoot})
		c.expect(p, outcome{at: pcfRoot})
		asked(1)

		q := c.nrf.Heard()[0]
		want := url.Values{
			"grant_type": {
				"client_credentials",
			}, "nfInstanceId": {instance}, "nfType": {"AF"}, "targetNfType": {"PCF"}, "scope": {npcf.Service},
		}
		if q.URL.Path != "/oauth2/token" || q.Header.Get("Authorization") != "" || q.PostForm.Encode() != want.Encode() {
			t.Errorf("asked %s %s, want %s", q.URL, q.PostForm.Encode(), want.Encode())
		}

		time.Sleep(270 * time.Second) // thirty seconds before its end, it counts as expired
		g.takes("second")
		c.nrf.Says(200, granted("second", 300))
		c.expect(p, outcome{at: pcfRoot})
		asked(2)
		g.count()

		g.takes("third") // the PCF does not take the second any more
		c.nrf.Says(200, granted("third", 300))
		c.expect(p, outcome{at: pcfRoot})
		asked(3)
		if n := g.count(); n != 2 {
			t.Errorf("the PCF was asked %d times, want twice", n)
		}

		g.takes("none that there is")
		c.expect(p, outcome{why: "the PCF answers 401 Unauthorized: it does not take the access token", code: 401})
		asked(4)
		if n := g.count(); n != 2 {
			t.Errorf("the PCF was asked %d times, want twice", n)
		}

		g.takes("third")
		c.nrf.Says(200, `{"access_token":"third","token_type":"bearer"}`) // which does not say when it expires
		c.expect(p, outcome{at: pcfRoot})
		time.Sleep(time.Hour)
		before := len(c.nrf.Heard())
		c.expect(p, outcome{at: pcfRoot})
		asked(before + 1)
	})
}

// A token that cannot be used is not used: the PCF is not asked.
func TestTokensRefused(t *testing.T) {
	for name, test := range map[string]struct {
		nrf http.HandlerFunc
		why string
	}{
		"the NRF refuses": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(400)
				_, _ = w.Write([]byte(`{"error":"invalid_client","error_description":"who are you?"}`))
			}, `the NRF answers 400 invalid_client ("who are you?")`,
		},
		"the NRF does not answer": {slow, "the NRF does not answer"},
		"huge":                    {huge, "the answer of the NRF is longer than 262144 octets"},
		"malformed":               {says(`{"access_token":`), "the NRF's access token cannot be used: "},
		"of another form":         {says(`{"access_token":{},"token_type":"Bearer"}`), "the NRF's access token cannot be used: "},
		"no token":                {says(`{"token_type":"Bearer"}`), "it is not of the characters of a token"},
		"two lines":               {says(granted("a\r\nX: y", 10)), "it is not of the characters of a token"},
		"too long":                {says(granted(strings.Repeat("x", 1<<15), 10)), "or too long"},
		"another type":            {says(`{"access_token":"x","token_type":"mac"}`), `its type is "mac", not Bearer`},
		"expired":                 {says(granted("x", 0)), "it has expired already"},
		"expired long ago":        {says(granted("x", -100)), "it has expired already"},
	} {
		t.Run(name, func(t *testing.T) {
			withCore(t, func(t *testing.T, c *core) {
				g := c.guard()
				c.nrf.Answer(test.nrf)
				p, _ := c.pcscf(overn5.Config{PCF: guardedRoot, NRF: nrfRoot, Tokens: true, NFInstance: instance})

				c.expect(p, outcome{why: "the PCF cannot be reached: no access token: ", code: 502, undone: true})
				c.expect(p, outcome{why: test.why, code: 502, undone: true})

				if n := g.count(); n != 0 {
					t.Errorf("the PCF was asked %d times", n)
				}
			})
		})
	}
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

// Many that need a token at the same time wait for one.
func TestTokensTogether(t *testing.T) {
	withCore(t, func(t *testing.T, c *core) {
		c.guard().takes("token")
		c.nrf.Answer(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			says(granted("token", 300))(w, r)
		})
		p, _ := c.pcscf(overn5.Config{PCF: guardedRoot, NRF: nrfRoot, Tokens: true, NFInstance: instance})

		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				if _, err := c.ask(p, ue); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()

		if heard := c.nrf.Heard(); len(heard) != 1 {
			t.Errorf("the NRF was asked %d times", len(heard))
		}
	})
}
