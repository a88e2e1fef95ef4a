package sip_test

import (
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// RFC 5626 §6: reg-id counts where the handset and the proxy before it have outbound, and nowhere else.
func TestInstance(t *testing.T) {
	const handset = `<sip:a@b>;+sip.instance="<urn:uuid:1>"`

	for _, test := range []struct {
		name, supported, path, contact string
		instance                       string
		flow                           uint32
		fails                          bool
	}{
		{"a flow", "path, outbound", "<sip:p;lr;ob>", handset + ";reg-id=2", "urn:uuid:1", 2, false},
		{"the handset does not support it", "path", "<sip:p;lr;ob>", handset + ";reg-id=2", "urn:uuid:1", 0, false},
		{"the proxy does not", "outbound", "<sip:p;lr>", handset + ";reg-id=2", "urn:uuid:1", 0, false},
		{"no Path", "outbound", "", handset + ";reg-id=2", "urn:uuid:1", 0, false},
		{"without an instance", "outbound", "<sip:p;lr;ob>", "<sip:a@b>;reg-id=2", "", 0, false},
		{"no reg-id", "outbound", "<sip:p;lr;ob>", handset, "urn:uuid:1", 0, false},
		{"0", "outbound", "<sip:p;lr;ob>", handset + ";reg-id=0", "urn:uuid:1", 0, true},
		{"no number", "outbound", "<sip:p;lr;ob>", handset + ";reg-id=x", "urn:uuid:1", 0, true},
		{"no number, which is ignored", "", "<sip:p;lr;ob>", handset + ";reg-id=x", "urn:uuid:1", 0, false},
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
