package app

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/gm"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/sbi"
	"github.com/dialtone-ims/dialtone/test/page"
	"github.com/dialtone-ims/dialtone/test/sba"
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
		{Bearer{Policy: gm.Required, PCF: "https://192.0.2.20", Notify: "192.0.2.10:7777"}, "/data", nil, ""},
		{
			Bearer{Policy: gm.Required, PCF: "ftp://192.0.2.20", Notify: "192.0.2.10:7777"},
			"/data", nil,
			`bearer.pcf: "ftp://192.0.2.20" is no root`,
		},
		{Bearer{Policy: gm.Required, PCF: "http://x/?y", Notify: "192.0.2.10:7777"}, "/data", nil, `bearer.pcf: "http://x/?y" is no root`},
		{Bearer{Policy: gm.Required, PCF: "192.0.2.20:7777", Notify: "192.0.2.10:7777"}, "/data", nil, "bearer.pcf: "},
		{Bearer{Policy: gm.Required, PCF: "http://192.0.2.20"}, "/data", nil, "bearer.notify: "},
		{Bearer{Policy: gm.Required, PCF: "http://192.0.2.20", Notify: "0.0.0.0:7777"}, "/data", nil, "bearer.notify: "},
		{Bearer{Policy: gm.Required, Media: []string{"smell"}}, "/data", peers, `bearer.media: "smell"`},
	} {
		c := Default()
		test.bearer.Patience, test.bearer.Choice = c.Bearer.Patience, c.Bearer.Choice
		c.Bearer, c.Data, c.Diameter.Peers = test.bearer, test.data, test.peers

		switch err := c.Validate(); {
		case test.want == "" && err != nil:
			t.Errorf("%+v: %v", test.bearer, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%+v: %v, want %s", test.bearer, err, test.want)
		}
	}
}

// Settings of the service-based interface that cannot work are refused at the start, by name.
func TestSBISettings(t *testing.T) {
	const (
		nrf  = "http://192.0.2.30:7777"
		uuid = "2f5ac1a5-0b1e-4a5e-9a05-9e2ad6ba2f61"
	)

	ours := sba.NewAuthority(t)
	files := ours.Issue("192.0.2.10", ours)
	absent := filepath.Join(t.TempDir(), "absent.pem")

	for _, test := range []struct {
		sbi    SBI
		choice bearer.Choice
		want   string
	}{
		{SBI{NRF: nrf}, "", ""},
		{SBI{BSF: nrf}, bearer.ByBSF, ""},
		{SBI{SCP: nrf}, "", ""},
		{SBI{SCP: nrf, BSF: "discover"}, bearer.ByBSF, ""},
		{SBI{NRF: nrf, BSF: "discover", OAuth2: true, NFInstance: uuid, TLS: files, NotifyTLS: files, NotifyName: "pcscf.5gc"}, "", ""},
		{SBI{NRF: nrf, TLS: sbi.TLS{CA: files.CA}, NotifyName: "2001:db8::1"}, bearer.PCFFirst, ""},
		{SBI{NRF: "192.0.2.30:7777"}, "", "bearer.sbi.nrf: "},
		{SBI{SCP: "scp"}, "", "bearer.sbi.scp: "},
		{SBI{BSF: "find"}, "", "bearer.sbi.bsf: "},
		{SBI{BSF: "discover"}, "", "bearer.sbi.bsf: discover needs bearer.sbi.nrf or bearer.sbi.scp"},
		{SBI{NRF: nrf}, bearer.ByBSF, "bearer.choice: bsf needs bearer.sbi.bsf"},
		{SBI{NRF: nrf}, "5g", `bearer.choice: "5g" is none of [access bsf pcrf pcf]`},
		{SBI{SCP: nrf, OAuth2: true, NFInstance: uuid}, "", "bearer.sbi.oauth2 needs bearer.sbi.nrf"},
		{SBI{NRF: nrf, OAuth2: true}, "", `bearer.sbi.nf_instance: "" is no UUID`},
		{SBI{NRF: nrf, OAuth2: true, NFInstance: "pcscf"}, "", `bearer.sbi.nf_instance: "pcscf" is no UUID`},
		{SBI{NRF: nrf, NotifyName: "http://x"}, "", `bearer.sbi.notify_name: "http://x" is neither`},
		{SBI{NRF: nrf, TLS: sbi.TLS{CA: absent}}, "", "bearer.sbi.tls: open "},
		{SBI{NRF: nrf, TLS: sbi.TLS{CA: files.Key}}, "", "bearer.sbi.tls: " + files.Key + " holds no certificate"},
		{SBI{NRF: nrf, TLS: sbi.TLS{Certificate: files.Certificate}}, "", "bearer.sbi.tls: certificate and key go together"},
		{SBI{NRF: nrf, TLS: sbi.TLS{Certificate: files.Certificate, Key: absent}}, "", "bearer.sbi.tls: open "},
		{SBI{NRF: nrf, NotifyTLS: sbi.TLS{CA: files.CA}}, "", "bearer.sbi.notify_tls: ca without a certificate"},
		{SBI{NRF: nrf, NotifyTLS: sbi.TLS{Key: files.Key}}, "", "bearer.sbi.notify_tls: certificate and key go together"},
		{SBI{NRF: nrf, NotifyTLS: sbi.TLS{Certificate: files.Key, Key: files.Key}}, "", "bearer.sbi.notify_tls: "},
	} {
		c := Default()
		c.Bearer.Policy, c.Bearer.SBI, c.Bearer.Notify, c.Data = gm.Required, test.sbi, "192.0.2.10:7777", "/data"

		if test.choice != "" {
			c.Bearer.Choice = test.choice
		}

		switch err := c.Validate(); {
		case test.want == "" && err != nil:
			t.Errorf("%+v: %v", test.sbi, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%+v: %v, want %s", test.sbi, err, test.want)
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
