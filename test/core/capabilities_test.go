package core

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/network"
)

// RFC 3261 §11: a handset's capability query reaches the other handset; one to nobody is 404, one to the network is the network's.
func TestCapabilities(t *testing.T) {
	n := network.Start(t)
	alice, bob, away := n.Subscribe(1000, ""), n.Subscribe(0, ""), n.Subscribe(0, "")
	a := n.Registered(alice, nil)
	n.Registered(bob, nil)

	for _, test := range []struct {
		target string
		status int
		phone  bool
	}{
		{"sip:+" + bob.MSISDN + "@" + network.Domain, 200, true},
		{bob.Tel(), 200, true},
		{away.Tel(), 480, false},
		{"sip:nobody@" + network.Domain, 404, false},
		{"sip:" + network.Domain, 200, false},
	} {
		response, err := a.Capabilities(t.Context(), test.target)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != test.status || strings.Contains(sip.Value(response, "Allow"), "INVITE") != test.phone {
			t.Errorf("%s: want %d, of the handset: %v, got\n%s", test.target, test.status, test.phone, response)
		}
	}
}
