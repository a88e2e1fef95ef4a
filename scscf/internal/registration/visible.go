package registration

import (
	"slices"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

// Visible returns a registration as watchers and application servers see it: without contacts for emergency calls (TS 24.229 §5.4.8).
func (r *Registration) Visible() *Registration {
	if r == nil || !slices.ContainsFunc(r.Bindings, (*Binding).Emergency) {
		return r
	}

	visible := *r
	visible.Bindings = slices.DeleteFunc(slices.Clone(r.Bindings), (*Binding).Emergency)

	if len(visible.Bindings) == 0 {
		visible.State = Unregistered
	}

	return &visible
}

// Visible returns a change as watchers and application servers see it; false: they see none. To them an emergency registration that comes
// first is no registration, and the ordinary one after it is the first.
func (c *Change) Visible() (Change, bool) {
	if !c.emergency() {
		return *c, true
	}

	visible := *c
	visible.Before, visible.After = c.Before.Visible(), c.After.Visible()
	visible.Contacts = slices.DeleteFunc(slices.Clone(c.Contacts), func(change ContactChange) bool { return change.Binding.Emergency() })

	was := visible.Before != nil && visible.Before.State == Registered

	switch is := visible.Registered(); {
	case !was && is:
		visible.Type = ifc.InitialRegistration
	case was && !is:
		visible.Type = ifc.DeRegistration
	}

	return visible, len(visible.Contacts) > 0 || len(c.Contacts) == 0
}

// emergency reports whether a change has any contact for emergency calls.
func (c *Change) emergency() bool {
	for _, r := range []*Registration{c.Before, c.After} {
		if r != nil && slices.ContainsFunc(r.Bindings, (*Binding).Emergency) {
			return true
		}
	}

	return slices.ContainsFunc(c.Contacts, func(change ContactChange) bool { return change.Binding.Emergency() })
}
