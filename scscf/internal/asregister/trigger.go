// Package asregister registers users with the application servers of their profiles (TS 24.229 §5.4.1.7).
package asregister

import (
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// triggered is an application server to inform, and for which identity.
type triggered struct {
	match  ifc.Match
	public string
}

// servers evaluates the filter criteria of each profile of a set for a REGISTER. Each profile is evaluated for one identity: that of the
// REGISTER, else the first that is not barred.
func servers(c registration.Change, request *sip.Request, registered string) []triggered {
	set := c.After
	if set == nil {
		set = c.Before
	}

	if set == nil {
		return nil
	}

	var (
		all   []triggered
		asked []*registration.Profile
	)

	for _, identity := range inOrder(set, registered) {
		if identity.Profile == nil || slices.Contains(asked, identity.Profile) {
			continue
		}

		asked = append(asked, identity.Profile)
		v := &view{request: request, kind: c.Type}

		for after := -1; ; {
			match, found := identity.Profile.Chain.Next(v, after, true)
			if !found {
				break
			}

			after = match.Index
			if !slices.ContainsFunc(all, func(t triggered) bool { return t.match.Server == match.Server && t.public == identity.URI }) {
				all = append(all, triggered{match, identity.URI})
			}
		}
	}

	return all
}

// inOrder returns the identities that an application server may hear of, the registered one first.
func inOrder(set *registration.Registration, registered string) []*registration.Identity {
	var all []*registration.Identity

	for i := range set.Identities {
		switch identity := &set.Identities[i]; {
		case identity.Barred || identity.Wildcard != nil:
		case identity.URI == registered:
			all = slices.Insert(all, 0, identity)
		default:
			all = append(all, identity)
		}
	}

	return all
}

// view presents a REGISTER to filter criteria.
type view struct {
	request *sip.Request
	kind    ifc.RegistrationType
}

// Method implements ifc.Request.
func (v *view) Method() string { return "REGISTER" }

// RequestURI implements ifc.Request.
func (v *view) RequestURI() string { return v.request.Recipient.String() }

// EachHeader implements ifc.Request.
func (v *view) EachHeader(name string, yield func(string) bool) {
	for _, value := range sip.Values(v.request, name) {
		if !yield(value) {
			return
		}
	}
}

// EachHeaderName implements ifc.Request.
func (v *view) EachHeaderName(yield func(string) bool) {
	for _, h := range v.request.Headers() {
		if !yield(h.Name()) {
			return
		}
	}
}

// SessionCase returns ORIGINATING, the case of every REGISTER (TS 29.228 annex F).
func (v *view) SessionCase() ifc.SessionCase { return ifc.Originating }

// RegistrationType implements ifc.Request.
func (v *view) RegistrationType() ifc.RegistrationType { return v.kind }

// SDP implements ifc.Request; a REGISTER has none.
func (v *view) SDP() []byte { return nil }

// standIn returns a REGISTER as the handset might have sent it, for registrations that end without one.
func standIn(c registration.Change, homeDomain string) (*sip.Request, error) {
	r, err := sip.NewRequest("REGISTER", "sip:"+homeDomain)
	if err != nil {
		return nil, err
	}

	sip.Set(r, "Expires", "0")

	for _, change := range c.Contacts {
		sip.Add(r, "Contact", "<"+change.Binding.Contact+">"+change.Binding.Params)
	}

	return r, nil
}

// identityOf returns the public identity of a REGISTER, or of a registration's end.
func identityOf(c registration.Change) string {
	for _, change := range c.Contacts {
		return change.Binding.Identity
	}

	return ""
}

// boundary returns a boundary that the parts do not contain.
func boundary(parts []part) string {
	const prefix = "dialtone-"

	for {
		b := prefix + strings.ToLower(sip.NewTag())
		if !slices.ContainsFunc(parts, func(p part) bool { return strings.Contains(string(p.body), b) }) {
			return b
		}
	}
}
