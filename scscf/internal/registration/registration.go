// Package registration defines the S-CSCF's data of a registered user: the implicit registration set with its identities, service
// profiles and contacts, and its changes.
package registration

import (
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ere"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

// State is the state of an implicit registration set at this S-CSCF (TS 29.228 §6.1.2).
type State uint8

const (
	Unregistered State = iota // no contact, but the profile is here for services of an unregistered user
	Registered
)

// String returns the state's name.
func (s State) String() string {
	if s == Registered {
		return "registered"
	}

	return "unregistered"
}

// Registration is one implicit registration set (TS 23.228 §5.2.1a) at one moment. It is immutable: a change makes another one.
type Registration struct {
	Sequence       uint64 // grows with every change of any set; shows which of two states is the later one
	State          State
	Private        string         // private identity that the profile was assigned for
	Identities     []Identity     // all public identities of the set, in the order of the profile
	Bindings       []*Binding     // in the order in which they were first made; of all private identities that share the set
	Until          time.Time      // when the profile of an unregistered user is dropped; zero while it is registered
	ChargingHandle ChargingHandle // from the HSS
}

// Identity is one public identity of a set.
type Identity struct {
	URI         string // canonical, or the wildcard as the HSS writes it
	DisplayName string
	Barred      bool
	Wildcard    *ere.Wildcard // when URI is a wildcarded one
	Profile     *Profile
}

// Profile is a service profile. All users with equal filter criteria share one copy.
type Profile struct {
	Chain        *ifc.Chain
	Servers      []string // URIs of all application servers in the chain, each once
	Services     []string // communication services subscribed to; none: they are not limited (TS 29.228 annex E)
	MediaProfile int      // SubscribedMediaProfileId, or NoMediaProfile
}

// NoMediaProfile is the MediaProfile of identities whose media the HSS does not limit.
const NoMediaProfile = -1

// User is one public identity together with the registration that serves it.
type User struct {
	*Registration
	Public *Identity
}

// Default returns the default public identity of the set: the first that is not barred (TS 24.229 §5.4.1.2.2).
func (r *Registration) Default() string {
	for i := range r.Identities {
		if !r.Identities[i].Barred && r.Identities[i].Wildcard == nil {
			return r.Identities[i].URI
		}
	}

	return ""
}

// Associated returns the URIs of P-Associated-URI: those not barred, the default one first.
func (r *Registration) Associated() []string {
	uris := make([]string, 0, len(r.Identities))

	for i := range r.Identities {
		if !r.Identities[i].Barred && r.Identities[i].Wildcard == nil {
			uris = append(uris, r.Identities[i].URI)
		}
	}

	return uris
}

// Find returns the identity of the set that a canonical URI names; nil if none does.
func (r *Registration) Find(uri string) *Identity {
	for i := range r.Identities {
		if r.Identities[i].URI == uri {
			return &r.Identities[i]
		}
	}

	for i := range r.Identities {
		if w := r.Identities[i].Wildcard; w != nil && w.Matches(uri) {
			return &r.Identities[i]
		}
	}

	return nil
}

// Contacts returns the bindings that have not expired, the most preferred first and among equals the newest (RFC 3261
// §16.5, TS 24.229 §5.4.3.3). Those of emergency registrations are among them only for an emergency centre that calls back (§5.4.8).
func (r *Registration) Contacts(now time.Time, callback bool) []*Binding {
	alive := make([]*Binding, 0, len(r.Bindings))

	for _, b := range r.Bindings {
		if b.Expires.After(now) && (callback || !b.Emergency()) {
			alive = append(alive, b)
		}
	}

	slices.SortStableFunc(alive, func(a, b *Binding) int {
		if a.Q != b.Q {
			return int(b.Q) - int(a.Q)
		}

		return b.Registered.Compare(a.Registered)
	})

	return alive
}

// Of returns the bindings of one private identity.
func (r *Registration) Of(private string) []*Binding {
	var own []*Binding

	for _, b := range r.Bindings {
		if b.Private == private {
			own = append(own, b)
		}
	}

	return own
}

// Matches reports whether a canonical URI is this identity, or matches its wildcard.
func (i *Identity) Matches(uri string) bool {
	return i.URI == uri || i.Wildcard != nil && i.Wildcard.Matches(uri)
}

// Primary returns the identity that stands for the set in requests to the HSS.
func (r *Registration) Primary() string {
	if all := r.Plain(); len(all) > 0 {
		return all[0]
	}

	return ""
}

// Plain returns the identities of the set that are not wildcards.
func (r *Registration) Plain() []string {
	var all []string

	for i := range r.Identities {
		if r.Identities[i].Wildcard == nil {
			all = append(all, r.Identities[i].URI)
		}
	}

	return all
}

// First returns the first identity, which every set has.
func (r *Registration) First() string {
	if len(r.Identities) == 0 {
		return ""
	}

	return r.Identities[0].URI
}

// ProfileMissing reports whether the registration was kept across a restart and has no profile yet.
func (r *Registration) ProfileMissing() bool {
	return len(r.Identities) > 0 && r.Identities[0].Profile == nil
}

// Privates returns the private identities that share the registration.
func (r *Registration) Privates() []string {
	all := make([]string, 0, 1)
	if r.Private != "" {
		all = append(all, r.Private)
	}

	for _, b := range r.Bindings {
		if !slices.Contains(all, b.Private) {
			all = append(all, b.Private)
		}
	}

	return all
}
