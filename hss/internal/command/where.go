package command

import (
	"fmt"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
)

// where returns the state of a subscriber, and its S-CSCF. One that is not registered has an S-CSCF if an authentication is pending, or the
// name was kept (TS 29.228 §6.1.2.1).
func where(r provisioning.RegistrationState) string {
	pending := slices.ContainsFunc(r.Sets, func(set provisioning.SetState) bool {
		return slices.ContainsFunc(set.PrivateIdentities, func(p provisioning.PairState) bool { return p.AuthenticationPending })
	})

	switch notRegistered := r.State == subscriber.NotRegistered.String(); {
	case r.ServerName == "":
		return r.State
	case notRegistered && pending:
		return r.State + "; an authentication is open at " + r.ServerName
	case notRegistered:
		return r.State + "; its S-CSCF is " + r.ServerName
	default:
		return r.State + " at " + r.ServerName
	}
}

// attached returns where a SIM is attached.
func attached(l *provisioning.Location) string {
	text := fmt.Sprintf("%s in %s since %s", l.DiameterHost, l.PLMN, l.Since.Local().Format(time.DateTime))
	if l.IMEI != "" {
		text += ", IMEI " + l.IMEI
	}

	if l.Purged {
		text += "; it has forgotten the SIM by now"
	}

	return text
}
