package command

import (
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
)

// A subscriber who is not registered is not registered at an S-CSCF.
func TestWhere(t *testing.T) {
	const scscf = "sip:scscf.example"

	sets := func(pending bool) []provisioning.SetState {
		return []provisioning.SetState{{}, {PrivateIdentities: []provisioning.PairState{{}, {AuthenticationPending: pending}}}}
	}

	for want, r := range map[string]provisioning.RegistrationState{
		"not registered":                                        {State: "not registered", Sets: sets(false)},
		"registered at " + scscf:                                {State: "registered", ServerName: scscf, Sets: sets(true)},
		"unregistered at " + scscf:                              {State: "unregistered", ServerName: scscf, Sets: sets(false)},
		"not registered; its S-CSCF is " + scscf:                {State: "not registered", ServerName: scscf, Sets: sets(false)},
		"not registered; an authentication is open at " + scscf: {State: "not registered", ServerName: scscf, Sets: sets(true)},
	} {
		if got := where(r); got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}
