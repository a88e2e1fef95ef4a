package core

import (
	"testing"

	"github.com/dialtone-ims/dialtone/test/network"
)

// A message that is charged with a reservation (ECUR) costs its price when it was delivered, and nothing when it was not.
func TestMessageReserved(t *testing.T) {
	n := network.Start(t, "DIALTONE_SCSCF_SESSIONS_CHARGING_EVENTS=ecur")
	alice, bob, dave := n.Subscribe(100, ""), n.Subscribe(0, ""), n.Subscribe(0, "")
	a, b := n.Registered(alice, nil), n.Registered(bob, nil)

	response, err := a.Message(t.Context(), bob.Tel(), "hello")
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%v %v", response, err)
	}
	<-b.Messages()
	n.Await("the debit", func() bool { balance, reserved := n.Balance(alice); return reserved == 0 && balance == 90 })

	if response, err := a.Message(t.Context(), dave.Tel(), "anybody?"); err == nil && response.StatusCode != 480 {
		t.Errorf("got %v, want 480", response)
	}
	n.Await("the return", func() bool { balance, reserved := n.Balance(alice); return reserved == 0 && balance == 90 })
}
