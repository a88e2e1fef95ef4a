package app

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pcscf/internal/gm"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/test/page"
)

// Settings that cannot work are refused at the start, by name.
func TestBearerSettings(t *testing.T) {
	peers := []diameter.Peer{{Host: "pcrf.epc", Realm: "epc", Address: "192.0.2.20:3868"}}

	for _, test := range []struct {
		bearer Bearer
		data   string
		peers  []diameter.Peer
		want   string
	}{
		{Bearer{Policy: gm.NoBearers}, "", nil, ""},
		{Bearer{Policy: gm.Required}, "/data", peers, ""},
		{Bearer{Policy: gm.NoBearers, Endpoints: map[string]gm.BearerPolicy{"Gm": gm.NoBearers}}, "", nil, ""},
		{Bearer{Policy: gm.NoBearers, Endpoints: map[string]gm.BearerPolicy{"Gm": gm.BestEffort}}, "/data", peers, ""},
		{Bearer{Policy: "some"}, "/data", peers, `bearer.policy: "some" is none of [off best-effort required]`},
		{Bearer{Policy: ""}, "/data", peers, `bearer.policy: "" is none of`},
		{Bearer{Policy: gm.Required, Endpoints: map[string]gm.BearerPolicy{"Gm": "some"}}, "/data", peers, `bearer.endpoints: Gm: "some"`},
		{
			Bearer{Policy: gm.Required, Endpoints: map[string]gm.BearerPolicy{"Mw": gm.NoBearers}},
			"/data", peers, "bearer.endpoints: Mw is no endpoint towards handsets",
		},
		{Bearer{Policy: gm.Required}, "", peers, "data is needed"},
		{Bearer{Policy: gm.BestEffort}, "/data", nil, "diameter.peers is needed"},
		{Bearer{Policy: gm.NoBearers, Endpoints: map[string]gm.BearerPolicy{"Gm": gm.Required}}, "/data", nil, "diameter.peers is needed"},
		{Bearer{Policy: gm.Required, PCF: "http://192.0.2.20:7777", Notify: "192.0.2.10:7777"}, "/data", nil, ""},
		{Bearer{Policy: gm.Required, PCF: "https://192.0.2.20", Notify: "192.0.2.10:7777"}, "/data", nil, "bearer.pcf: "},
		{Bearer{Policy: gm.Required, PCF: "192.0.2.20:7777", Notify: "192.0.2.10:7777"}, "/data", nil, "bearer.pcf: "},
		{Bearer{Policy: gm.Required, PCF: "http://192.0.2.20"}, "/data", nil, "bearer.notify: "},
		{Bearer{Policy: gm.Required, PCF: "http://192.0.2.20", Notify: "0.0.0.0:7777"}, "/data", nil, "bearer.notify: "},
		{Bearer{Policy: gm.Required, Media: []string{"smell"}}, "/data", peers, `bearer.media: "smell"`},
	} {
		c := Default()
		test.bearer.Patience = c.Bearer.Patience
		c.Bearer, c.Data, c.Diameter.Peers = test.bearer, test.data, test.peers

		switch err := c.Validate(); {
		case test.want == "" && err != nil:
			t.Errorf("%+v: %v", test.bearer, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%+v: %v, want %s", test.bearer, err, test.want)
		}
	}
}

// Whichever authority is configured, the P-CSCF starts, and shows its Diameter peers at /peers.
func TestAuthorities(t *testing.T) {
	peers := []diameter.Peer{{Host: "pcrf.epc", Realm: "epc", Address: "192.0.2.20:3868"}}

	for _, test := range []struct {
		pcf   string
		peers []diameter.Peer
	}{{"", peers}, {"http://192.0.2.20:7777", nil}, {"http://192.0.2.20:7777", peers}} {
		c := Default()
		c.SIP.Endpoints[0].Address, c.SIP.Endpoints[1].Address = "127.0.0.1:0", "127.0.0.1:0"
		c.Bearer.Policy, c.Bearer.PCF, c.Data, c.Diameter.Peers = gm.Required, test.pcf, t.TempDir(), test.peers

		if test.pcf != "" {
			c.Bearer.Notify = "127.0.0.1:7777"
		}

		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", test, err)
		}
		page.Built(t, &c, Build)
	}
}
