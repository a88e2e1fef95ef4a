package call

import "github.com/dialtone-ims/dialtone/pkg/diameter/ro"

// Side is which of its users an S-CSCF serves in a request: who sends it, or who it is for.
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

// Role returns the side as the OCS is told of it (Role-Of-Node, TS 32.299 §7.2.183).
func (s Side) Role() ro.RoleOfNode {
	if s == Originating {
		return ro.OriginatingRole
	}

	return ro.TerminatingRole
}
