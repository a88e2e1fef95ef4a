package core

import (
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// TestOrdersOfTheOCS: RAR (RFC 8506 §5.5) and ASR (RFC 6733 §8.5) reach the S-CSCF and the handsets.
func TestOrdersOfTheOCS(t *testing.T) {
	n := network.Start(t)
	alice, bob := n.Subscribe(4, ""), n.Subscribe(0, "")
	a, b := n.Registered(alice, nil), n.Registered(bob, nil)
	answered := n.Answering(b)
	account := "/accounts/" + alice.Name

	dial := func() (*handset.Call, *handset.Call) {
		t.Helper()
		call, err := a.Dial(t.Context(), bob.Tel())
		if err != nil {
			t.Fatal(err)
		}

		return call, <-answered
	}
	settled := func() int64 {
		t.Helper()
		n.Await("the settlement", func() bool { _, reserved := n.Balance(alice); return reserved == 0 })
		balance, _ := n.Balance(alice)

		return balance
	}
	released := func(sides ...*handset.Call) {
		t.Helper()
		for _, side := range sides {
			select {
			case <-side.Ended():
			case <-time.After(20 * time.Second):
				t.Fatal("a side was not released")
			}
		}
	}

	t.Run("RFC 8506 §5.5 a call on its last four seconds goes on after a top-up", func(t *testing.T) {
		call, other := dial()
		n.OCS("POST", account+"/top-up", map[string]any{"amount": 500}, nil)
		select {
		case <-call.Ended():
			t.Fatalf("ended: %s", call.Why())
		case <-time.After(6 * time.Second):
		}
		if err := call.HangUp(t.Context()); err != nil {
			t.Error(err)
		}
		released(other)
		if balance := settled(); balance > 504-6 || balance < 504-12 {
			t.Errorf("balance %d after more than 6 seconds at 1 each, of 504", balance)
		}
		if metrics := n.Metrics("ocs"); !strings.Contains(metrics, `dialtone_ocs_reauthorisations_total{command="RAR",outcome="asked"} 1`) {
			t.Error("no RAR was answered")
		}
	})

	t.Run("RFC 8506 §5.5 a call ends when its account is blocked", func(t *testing.T) {
		before := settled()
		call, other := dial()
		n.OCS("PATCH", account, map[string]any{"blocked": true}, nil)
		released(call, other)
		if balance := settled(); balance > before || balance < before-10 {
			t.Errorf("balance %d, before %d", balance, before)
		}
		n.OCS("PATCH", account, map[string]any{"blocked": false}, nil)
	})

	t.Run("RFC 6733 §8.5 a call ends when its account is closed", func(t *testing.T) {
		call, other := dial()
		n.OCS("DELETE", account, nil, nil)
		released(call, other)
		if balance := settled(); balance != 0 {
			t.Errorf("balance %d, want all paid out", balance)
		}

		var audit struct {
			Findings []string `json:"findings"`
		}
		n.OCS("GET", "/ledger/audit", nil, &audit)
		if len(audit.Findings) > 0 {
			t.Error(audit.Findings)
		}
	})
}
