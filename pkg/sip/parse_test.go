package sip_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TestHandsetContacts: contacts of real handsets pass unchanged.
func TestHandsetContacts(t *testing.T) {
	contact := `<sip:4409cbde-0000@192.168.101.2:5060>;+sip.instance="<urn:gsma:imei:86020404-365961-0>";` +
		`+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel";+g.3gpp.nw-init-ussi;+g.3gpp.smsip;audio;video;methods="INVITE, BYE"`
	text := "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.101.2:5060;branch=z9hG4bKa;rport\r\nMax-Forwards: 70\r\n" +
		"From: <sip:a@h>;tag=1\r\nTo: <sip:a@h>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nContact: " +
		contact + "\r\nX-Odd: a;b=\"c, d\"\r\nk: path\r\nContent-Length: 0\r\n\r\n"

	m, err := sip.ParseMessage([]byte(text))
	if err != nil {
		t.Fatal(err)
	}

	out := sip.Copy(m.(*sip.Request)).String()
	for _, want := range []string{"Contact: " + contact + "\r\n", "X-Odd: a;b=\"c, d\"\r\n", "k: path\r\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if !sip.HasToken(m, "Supported", "PATH") {
		t.Error("the compact form of Supported is not found")
	}
}

func TestStripCannotBePassedBy(t *testing.T) {
	m, err := sip.ParseMessage(
		[]byte(
			"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:a@h>\r\nCall-ID: c\r\n" +
				"CSeq: 1 OPTIONS\r\n" +
				"p-asserted-identity: <sip:x@h>\r\nP-Asserted-Identity: <sip:y@h>\r\nP-ASSERTED-IDENTITY: <tel:+1>\r\nContent-Length: 0\r\n\r\n",
		),
	)
	if err != nil {
		t.Fatal(err)
	}

	sip.Remove(m, "P-Asserted-Identity")
	if strings.Contains(strings.ToLower(m.String()), "asserted") {
		t.Errorf("something is left:\n%s", m)
	}
}

func FuzzParseMessage(f *testing.F) {
	files, err := filepath.Glob("testdata/rfc4475/*.dat")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}

	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := sip.ParseMessage(raw)
		if err != nil {
			return
		}
		for _, name := range []string{"Contact", "Route", "Record-Route", "Supported", "P-Asserted-Identity", "Via"} {
			_ = sip.Values(m, name)
		}
		_, _, _ = sip.Contacts(m)
		_, _ = sip.Routes(m)
		if r, ok := m.(*sip.Request); ok {
			_ = sip.Copy(r).String()
			_ = sip.NewResponse(r, 200, "").String()
			_, _ = sip.NextHop(r)
		}
	})
}

func FuzzNameAddr(f *testing.F) {
	f.Add(`"A \"B\"" <sip:a@b;x=y>;tag=1;q="a,b"`)
	f.Add(`sip:a@b;tag=1`)
	f.Fuzz(func(t *testing.T, s string) {
		a, err := sip.ParseNameAddr(s)
		if err != nil {
			return
		}
		again, err := sip.ParseNameAddr(a.String())
		if err != nil || again.URI != a.URI || len(again.Params) != len(a.Params) {
			t.Errorf("%q became %q, and that %+v (%v)", s, a.String(), again, err)
		}
		_, _ = sip.ParseURI(a.URI)
	})
}
