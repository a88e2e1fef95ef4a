package main_test

import (
	"bytes"
	wire "encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/test/foreign"
)

// TestKamailioCCR: a CCR Initial as Kamailio 5.6.3's S-CSCF sent it, octet by octet. It has Origin-Host and Origin-Realm twice.
func TestKamailioCCR(t *testing.T) {
	const (
		domain = "ims.mnc070.mcc999.3gppnetwork.org"
		caller = "sip:+9990000000001@" + domain
		scscf  = "scscf." + domain

		services, granted, seconds = 456, 431, 420
	)

	o := run(t, "DIALTONE_HOME_DOMAIN="+domain, "DIALTONE_OCS_DIAMETER_PEERS=[{host: "+scscf+", realm: "+domain+"}]")
	o.do("PUT", "/tariffs/standard", map[string]any{"name": "standard", "rates": []any{perSecond}}, nil)
	o.do("POST", "/accounts", map[string]any{"name": "alice", "balance": 1000, "identities": []string{caller}}, nil)

	text, err := os.ReadFile("testdata/kamailio-5.6.3-CCR-Initial.hex")
	if err != nil {
		t.Fatal(err)
	}
	vector, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}

	kamailio := &foreign.Peer{T: t, Host: scscf, Realm: domain, Capabilities: foreign.Applications(4)}
	c, cea := kamailio.Dial(o.ro)
	if cea == nil || cea.Number(foreign.ResultCode) != 2001 {
		t.Fatalf("CEA: %+v", cea)
	}

	send := func(ccr []byte) *foreign.Message {
		t.Helper()
		c.Write(ccr)
		a := c.Answer(wire.BigEndian.Uint32(ccr[12:]))
		if a == nil {
			t.Fatal("the connection ended without a CCA")
		}
		return a
	}

	if a := send(vector); a.Number(foreign.ResultCode) != 2001 || a.Number(services, granted, seconds) != 30 ||
		a.Number(foreign.RequestType) != 1 {
		t.Errorf("CCA %d grants %d s of 30", a.Number(foreign.ResultCode), a.Number(services, granted, seconds))
	}
	if got := o.account(); got != (state{970, 30}) {
		t.Errorf("%+v, want 30 reserved of 1000", got)
	}
	if _, text := o.get("/metrics"); !strings.Contains(text, "dialtone_diameter_repeated_identities_total 1") {
		t.Error("the repeated identity is not counted")
	}

	for name, code := range map[string]uint32{scscf: foreign.OriginHost, domain: foreign.OriginRealm} {
		second := bytes.Clone(vector)
		find := wire.BigEndian.AppendUint32(nil, code)
		at := 20 + bytes.Index(second[20:], find) + 4 // behind the code of the first
		at += bytes.Index(second[at:], find) + 8
		copy(second[at:], strings.Repeat("x", len(name)))

		a := send(second)
		if got := a.Number(foreign.ResultCode); got != 5009 || a.Find(foreign.FailedAVP, code) == nil {
			t.Errorf("another second %s: %d, Failed-AVP %x; want 5009 with it", name, got, a.Find(foreign.FailedAVP))
		}
	}
}
