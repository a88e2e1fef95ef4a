package core

import (
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/test/network"
)

type pcscfBinding struct {
	Private string `json:"private_identity"`
	Ended   string `json:"ended"`
}

// pcscfHas reports whether the P-CSCF serves a subscriber.
func pcscfHas(n *network.Network, s network.Subscriber) bool {
	n.Helper()

	var all []pcscfBinding
	if err := httpapi.Local("http://127.0.0.10:9090").Do(n.Context(), "GET", "/bindings", nil, &all); err != nil {
		n.Fatal(err)
	}

	return slices.ContainsFunc(all, func(b pcscfBinding) bool { return strings.HasPrefix(b.Private, s.IMSI+"@") && b.Ended == "" })
}

// TestNetworkDeregistration: what the HSS takes away is gone at the S-CSCF (RTR) and, by the reg event, at the P-CSCF (TS 24.229
// §5.4.1.5, §5.2.3): the handset is served no longer, well before its registration would have run out.
func TestNetworkDeregistration(t *testing.T) {
	n := network.Start(t)
	alice, bob := n.Subscribe(1000, ""), n.Subscribe(0, "")
	a, b := n.Registered(alice, nil), n.Registered(bob, nil)

	n.Await("the P-CSCF to watch both", func() bool {
		return strings.Contains(n.Metrics("pcscf"), "dialtone_pcscf_reg_subscriptions 2") &&
			strings.Contains(n.Metrics("pcscf"), `dialtone_pcscf_reg_notify_total{status="200"} 2`)
	})
	if response, err := a.Message(t.Context(), bob.Tel(), "before"); err != nil || response.StatusCode != 200 {
		t.Fatalf("%v %v", response, err)
	}
	<-b.Messages()

	n.HSS("DELETE", "/subscribers/"+alice.IMSI+"/registration", nil, nil)
	n.Await("the P-CSCF to let go of the binding", func() bool { return !pcscfHas(n, alice) })

	if !pcscfHas(n, bob) {
		t.Error("the other handset's registration is gone as well")
	}
	if response, err := a.Message(t.Context(), bob.Tel(), "after"); network.Status(err) != 403 &&
		(response == nil || response.StatusCode != 403) {
		t.Errorf("a handset that is not registered any more gets %v %v, want 403", response, err)
	}

	if err := a.Register(t.Context()); err != nil {
		t.Fatalf("it may not come back: %v", err)
	}
	if response, err := a.Message(t.Context(), bob.Tel(), "again"); err != nil || response.StatusCode != 200 {
		t.Errorf("%v %v", response, err)
	}
}

// TestDeadContact: a contact that the P-CSCF has lost is not called for ever: the P-CSCF says 430 (RFC 5626 §5.3.1), the caller hears
// 480, and the S-CSCF lets go of it.
func TestDeadContact(t *testing.T) {
	n := network.Start(t)
	alice, bob := n.Subscribe(1000, ""), n.Subscribe(0, "")
	a := n.Registered(alice, nil)
	n.Registered(bob, nil)

	n.Kill("pcscf")
	n.Run("pcscf") // it has kept nothing

	if err := a.Register(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := a.Dial(t.Context(), bob.Tel()); network.Status(err) != 480 {
			t.Errorf("got %v, want 480", err)
		}
		n.Await("the S-CSCF to let go of the contact", func() bool { return strings.Contains(n.Metrics("scscf"), `{event="deactivated"} 1`) })
	}
	if text := n.Metrics("pcscf"); !strings.Contains(text, `method="INVITE",outcome="430"} 1`) {
		t.Error("the contact was called again, or not at all")
	}
}
