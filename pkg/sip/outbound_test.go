package sip_test

import (
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TestInstance: reg-id counts where the handset and the proxy before it support outbound, and nowhere else (RFC 5626 §6).
func TestInstance(t *testing.T) {
	const handset = `<sip:a@b>;+sip.instance="<urn:uuid:1>"`

	for _, test := range []struct {
		name, supported, path, contact string
		instance                       string
		flow                           uint32
		fails                          bool
	}{
		{name: "a flow", supported: "path, outbound", path: "<sip:p;lr;ob>", contact: handset + ";reg-id=2", instance: "urn:uuid:1", flow: 2},
		{name: "the handset does not", supported: "path", path: "<sip:p;lr;ob>", contact: handset + ";reg-id=2", instance: "urn:uuid:1"},
		{name: "the proxy does not", supported: "outbound", path: "<sip:p;lr>", contact: handset + ";reg-id=2", instance: "urn:uuid:1"},
		{name: "no Path", supported: "outbound", path: "", contact: handset + ";reg-id=2", instance: "urn:uuid:1"},
		{name: "without an instance", supported: "outbound", path: "<sip:p;lr;ob>", contact: "<sip:a@b>;reg-id=2"},
		{name: "no reg-id", supported: "outbound", path: "<sip:p;lr;ob>", contact: handset, instance: "urn:uuid:1"},
		{name: "0", supported: "outbound", path: "<sip:p;lr;ob>", contact: handset + ";reg-id=0", instance: "urn:uuid:1", fails: true},
		{name: "no number", supported: "outbound", path: "<sip:p;lr;ob>", contact: handset + ";reg-id=x", instance: "urn:uuid:1", fails: true},
		{name: "no number, which is ignored", supported: "", path: "<sip:p;lr;ob>", contact: handset + ";reg-id=x", instance: "urn:uuid:1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := sip.NewRequest("REGISTER", "sip:home.example")
			if err != nil {
				t.Fatal(err)
			}
			sip.Add(r, "Supported", test.supported)
			c, err := sip.ParseNameAddr(test.contact)
			if err != nil {
				t.Fatal(err)
			}
			instance, flow, err := sip.Instance(c, sip.Outbound(r, test.path))
			if instance != test.instance || flow != test.flow || (err != nil) != test.fails {
				t.Errorf("%q, %d, %v", instance, flow, err)
			}
		})
	}
}
