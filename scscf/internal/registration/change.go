package registration

import (
	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Change is a change of one implicit registration set.
type Change struct {
	Before, After *Registration // Before is nil if the set is new, After if it is gone
	Contacts      []ContactChange
	Type          ifc.RegistrationType // as shown to application servers
	Cause         Cause

	// Request and Response are those of the REGISTER that made the change, or nil.
	Request  *sip.Request
	Response *sip.Response
}

// Cause is the cause of a change.
type Cause uint8

// The causes of a change.
const (
	ByHandset Cause = iota
	ByExpiry
	ByHSS
	ByOperator
	ByApplicationServer // its default handling ends the registration (§5.4.1.7)
	ByProfile           // the HSS changed the profile, and no contact
	ByFlow              // a contact's P-CSCF does not reach it any more
)

// Registered reports whether the set has contacts after the change.
func (c *Change) Registered() bool { return c.After != nil && c.After.State == Registered }

// Observer is called with every change, after the response to the REGISTER that made it. It must not block.
type Observer func(c Change)
