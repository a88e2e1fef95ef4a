// Package lib has names that are reached, and names that are not.
package lib

// Kind is reached by Made.
type Kind int

// Kinds.
const (
	Zero Kind = iota // what a Kind is that nobody sets
	Used
	Unused // FAULT
)

// Thing is reached by New.
type Thing struct{ Inner Part }

// Part is reached by the field of Thing.
type Part struct{}

// New is used by a program.
func New() *Thing { return &Thing{} }

// String is fmt.Stringer's.
func (t *Thing) String() string { return "" }

// Named is used by a program.
func (t *Thing) Named() Kind { return Used }

// Alone is used by nobody.
func (t *Thing) Alone() {} // FAULT

// Inward is used by this package, and a test of another holds it.
func Inward() {}

// Inside is used by this package only.
func Inside() { Inward() } // FAULT

// Tested is used by a test of another package only.
func Tested() {} // FAULT

// Var is used by nobody.
var Var = func() int { Inside(); return 0 } // FAULT

// Lone is a type that nobody has.
type Lone struct{} // FAULT
