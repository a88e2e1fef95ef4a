package command

import (
	"testing"
	"time"

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

func TestWhereASIMIsAttached(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	at := provisioning.Location{DiameterHost: "mme.epc", PLMN: "001-01", Since: since}

	purged := at
	purged.IMEI, purged.Purged = "3569380356438042", true

	for want, l := range map[string]provisioning.Location{
		"mme.epc in 001-01 since 2026-01-02 03:04:05":                                                         at,
		"mme.epc in 001-01 since 2026-01-02 03:04:05, IMEI 3569380356438042; it has forgotten the SIM by now": purged,
	} {
		if got := attached(&l); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
