package core

import (
	"testing"

	"github.com/dialtone-ims/dialtone/test/network"
)

// The S-CSCF is killed in the midst of a call and started again: the BYE passes, and what was used is charged.
func TestSCSCFKilledInACall(t *testing.T) {
	n := network.Start(t)
	alice, bob := n.Subscribe(1000, ""), n.Subscribe(0, "")
	a, b := n.Registered(alice, nil), n.Registered(bob, nil)
	answered := n.Answering(b)

	call, err := a.Dial(t.Context(), bob.Tel())
	if err != nil {
		t.Fatal(err)
	}
	other := <-answered

	n.Kill("scscf")
	n.Run("scscf")
	if _, reserved := n.Balance(alice); reserved == 0 {
		t.Fatal("the reservation of a call that goes on is gone")
	}

	if err := call.HangUp(t.Context()); err != nil {
		t.Errorf("BYE: %v", err)
	}
	<-other.Ended()
	n.Await("the settlement", func() bool { _, reserved := n.Balance(alice); return reserved == 0 })
	if balance, _ := n.Balance(alice); balance >= 1000 || balance < 970 {
		t.Errorf("balance %d after a call of some seconds at 1 each", balance)
	}
}
