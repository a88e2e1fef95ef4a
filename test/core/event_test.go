package core

import (
	"testing"

	"github.com/dialtone-ims/dialtone/test/network"
)

// A message costs its price when it was delivered, and nothing when it was not: by default, which is a reservation (ECUR), and with a
// debit and its refund (IEC). The CDR says how it ended.
func TestMessageThatNobodyGot(t *testing.T) {
	for name, environment := range map[string][]string{"by default": nil, "iec": {"DIALTONE_SCSCF_SESSIONS_CHARGING_EVENTS=iec"}} {
		t.Run(name, func(t *testing.T) { messageThatNobodyGot(t, environment...) })
	}
}

func messageThatNobodyGot(t *testing.T, environment ...string) {
	n := network.Start(t, environment...)
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
	n.Await("the CDR with the status", func() bool {
		var list []struct {
			Amount int64  `json:"amount"`
			Cause  *int32 `json:"cause_code"`
		}
		n.OCS("GET", "/cdrs?account="+alice.Name, nil, &list)
		for _, cdr := range list {
			if cdr.Cause != nil && *cdr.Cause == 480 && cdr.Amount <= 0 {
				return true
			}
		}
		return false
	})
}
