package call

import "github.com/dialtone-ims/dialtone/pkg/diameter/ro"

// Side says which user of a request an S-CSCF serves: its sender or its target.
type Side int

// The two sides.
const (
	Originating Side = iota
	Terminating
)

func (s Side) String() string {
	if s == Originating {
		return "originating"
	}

	return "terminating"
}

// Role returns the side as reported to the OCS (Role-Of-Node, TS 32.299 §7.2.183).
func (s Side) Role() ro.RoleOfNode {
	if s == Originating {
		return ro.OriginatingRole
	}

	return ro.TerminatingRole
}
