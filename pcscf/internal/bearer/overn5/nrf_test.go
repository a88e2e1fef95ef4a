package overn5_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overn5"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
	"github.com/dialtone-ims/dialtone/pkg/policy"
)

// profile returns a network function as an NRF describes it, with more attributes.
func profile(kind, service, root, more string) string {
	scheme, at, _ := strings.Cut(root, "://")
	address, port, _ := strings.Cut(at, ":")

	return fmt.Sprintf(`{"nfInstanceId":"5f4dc3a2-1c8f-4e0b-9d5a-0e2b7f6a1c33","nfType":%q,"nfStatus":"REGISTERED",%s"nfServices":[
		{"serviceInstanceId":"1","serviceName":%q,"versions":[{"apiVersionInUri":"v1","apiFullVersion":"1.1.0"}],"scheme":%q,
		"nfServiceStatus":"REGISTERED","ipEndPoints":[{"ipv4Address":%q,"transport":"TCP","port":%s}]}]}`,
		kind, more, service, scheme, address, port)
}

func pcfAt(root, more string) string { return profile("PCF", npcf.Service, root, more) }

func found(profiles ...string) string {
	return fmt.Sprintf(`{"validityPeriod":100,"nfInstances":[%s]}`, strings.Join(profiles, ","))
}

// The NRF finds a PCF (TS 29.510 §5.3.2.2), and whatever else it says has a consequence that can be read.
func TestNRF(t *testing.T) {
	none := outcome{why: "no PCF is known: the NRF knows nobody who has the service and says where", code: 502, undone: true}
	away := func(why string) outcome { return outcome{why: "no PCF is known: " + why, code: 502, undone: true} }
	says := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	one := pcfAt(pcfRoot, "")
	refuses := func(status int) func(c *core) {
		return func(c *core) {
			c.pcf.Decide(func(bool, *npcf.AppSessionContextReqData) *policy.Refusal {
				return &policy.Refusal{ProblemDetails: npcf.ProblemDetails{Status: status}}
			})
		}
	}
	both := found(pcfAt(other, `"priority":2,`), pcfAt(pcfRoot, `"priority":1,`))

	for name, test := range map[string]struct {
		nrf    http.HandlerFunc
		before func(c *core)
		want   outcome
	}{
		"one": {nrf: says(200, found(one)), want: outcome{at: pcfRoot}},
		"a list by names of the services": {
			nrf:  says(200, found(strings.NewReplacer(`"nfServices":[`, `"nfServiceList":{"1":`, `]}]}`, `]}}}`).Replace(one))),
			want: outcome{at: pcfRoot},
		},
		"the address of the function": {
			nrf:  says(200, found(strings.Replace(pcfAt("http://:7777", `"ipv4Addresses":["192.0.2.20"],`), `"ipv4Address":"",`, "", 1))),
			want: outcome{at: pcfRoot},
		},
		"a root in place of a prefix, as free5GC has it": {
			nrf: says(200, found(strings.Replace(one, `"scheme"`, `"apiPrefix":"`+other+`","scheme"`, 1))), want: outcome{at: other},
		},
		"the best priority": {nrf: says(200, both), want: outcome{at: pcfRoot}},
		"another priority of the service": {
			nrf: says(200, found(pcfAt(pcfRoot, `"priority":1,`),
				strings.Replace(pcfAt(other, `"priority":2,`), `"scheme"`, `"priority":0,"scheme"`, 1))),
			want: outcome{at: other},
		},
		"all of the capacity is another's": {
			nrf: says(200, found(pcfAt(pcfRoot, `"capacity":0,`), pcfAt(other, `"capacity":10,`))), want: outcome{at: other},
		},
		"the first is not there": {nrf: says(200, found(pcfAt(absent, `"priority":0,`), one)), want: outcome{at: pcfRoot}},
		"the first does not take connections": {
			nrf: says(200, found(pcfAt(absent, `"priority":0,`), one)), want: outcome{at: pcfRoot},
			before: func(c *core) { c.network.Silence(netip.MustParseAddrPort("192.0.2.22:7777")) },
		},
		"the first does not know the UE": {nrf: says(200, both), before: refuses(404), want: outcome{at: other}},
		"the first is busy":              {nrf: says(200, both), before: refuses(503), want: outcome{at: other}},
		"the first refuses the media": {
			nrf: says(200, both), before: refuses(403), want: outcome{why: "the PCF answers 403 Forbidden", code: 403},
		},
		"none of them knows the UE": {
			nrf: says(200, found(one, one)), before: refuses(404), want: outcome{why: "it has no PDU session", code: 404, elsewhere: true},
		},
		"none is there": {
			nrf:  says(200, found(pcfAt(absent, ""))),
			want: outcome{why: "the PCF cannot be reached", code: 502, undone: true},
		},
		"none": {nrf: says(200, found()), want: none},
		"suspended": {
			nrf: says(200, found(strings.Replace(one, `"nfStatus":"REGISTERED"`, `"nfStatus":"SUSPENDED"`, 1))), want: none,
		},
		"the service is suspended": {
			nrf: says(200, found(strings.Replace(one, `"nfServiceStatus":"REGISTERED"`, `"nfServiceStatus":"SUSPENDED"`, 1))), want: none,
		},
		"another service":          {nrf: says(200, found(profile("PCF", "npcf-smpolicycontrol", pcfRoot, ""))), want: none},
		"another version":          {nrf: says(200, found(strings.Replace(one, `"v1"`, `"v2"`, 1))), want: none},
		"another network function": {nrf: says(200, found(profile("SMF", npcf.Service, pcfRoot, ""))), want: none},
		"a scheme that is none":    {nrf: says(200, found(strings.Replace(one, `"http"`, `"ftp"`, 1))), want: none},
		"malformed": {
			nrf: says(200, `{"validityPeriod":1,"nfInst`), want: away("the NRF's list of network functions cannot be read: "),
		},
		"of another form": {nrf: says(200, `{"nfInstances":{}}`), want: away("the NRF's list of network functions cannot be read: ")},
		"huge":            {nrf: huge, want: away("the answer of the NRF is longer than 262144 octets")},
		"slow":            {nrf: slow, want: away("the NRF does not answer: ")},
		"refused, with a description": {
			nrf: says(400, `{"title":"Bad","cause":"INVALID_QUERY_PARAM"}`), want: away(`the NRF answers 400 INVALID_QUERY_PARAM ("Bad")`),
		},
		"refused": {nrf: status(503), want: away("the NRF answers 503 Service Unavailable")},
	} {
		t.Run(name, func(t *testing.T) {
			withCore(t, func(_ *testing.T, c *core) {
				c.nrf.Answer(test.nrf)
				if test.before != nil {
					test.before(c)
				}

				p, _ := c.pcscf(overn5.Config{NRF: nrfRoot})
				c.expect(p, test.want)
			})
		})
	}
}

// A list counts as long as it says and no longer; a PCF that was not there is asked last for a while.
func TestNRFValidity(t *testing.T) {
	withCore(t, func(t *testing.T, c *core) {
		asked := func(want int) {
			t.Helper()

			if heard := c.nrf.Heard(); len(heard) != want {
				t.Errorf("the NRF was asked %d times, want %d", len(heard), want)
			}
		}

		c.nrf.Says(200, found(pcfAt(pcfRoot, "")))
		p, _ := c.pcscf(overn5.Config{NRF: nrfRoot})

		c.expect(p, outcome{at: pcfRoot})
		time.Sleep(99 * time.Second)
		c.expect(p, outcome{at: pcfRoot})
		asked(1)

		time.Sleep(time.Second)
		c.nrf.Says(503, "")
		c.expect(p, outcome{why: "no PCF is known: the NRF answers 503", code: 502, undone: true})
		asked(2)

		for i, body := range []string{
			strings.Replace(found(pcfAt(other, "")), "100", "0", 1), strings.Replace(found(pcfAt(other, "")), "100", "-5", 1),
			strings.Replace(found(pcfAt(other, "")), `"validityPeriod":100,`, "", 1),
		} {
			c.nrf.Says(200, body)
			c.expect(p, outcome{at: other})
			asked(3 + i)
		}

		c.nrf.Says(200, strings.Replace(found(pcfAt(pcfRoot, "")), "100", "9223372036854775807", 1))
		c.expect(p, outcome{at: pcfRoot})
		time.Sleep(23 * time.Hour)
		c.expect(p, outcome{at: pcfRoot})
		asked(6)
		time.Sleep(time.Hour)
		c.nrf.Says(200, found(pcfAt(absent, `"priority":1,`), pcfAt(other, `"priority":2,`)))
		c.expect(p, outcome{at: other})
		asked(7)

		nobody := netip.MustParseAddrPort("192.0.2.22:7777")
		dials := c.network.Dials(nobody)
		c.expect(p, outcome{at: other})
		if again := c.network.Dials(nobody) - dials; again != 0 {
			t.Errorf("the one that is not there is tried %d times more", again)
		}

		time.Sleep(30 * time.Second)
		c.expect(p, outcome{at: other})
		if again := c.network.Dials(nobody) - dials; again != 1 {
			t.Errorf("after a while, the one that was not there is tried %d times", again)
		}
	})
}
