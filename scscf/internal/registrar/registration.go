// Package registrar is the registrar half of the S-CSCF (TS 24.229 §5.4.1): it challenges handsets, keeps who is registered
// from where and with which service profile, and tells the HSS, the application servers and the watchers of the reg event
// what has changed.
package registrar

import (
	"slices"
	"time"
	"unique"

	"github.com/dialtone-ims/dialtone/pkg/ere"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

// State is what an implicit registration set is to this S-CSCF (TS 29.228 §6.1.2).
type State uint8

const (
	Unregistered State = iota // no contact, but the profile is here for services of an unregistered user
	Registered
)

// String is the state's name.
func (s State) String() string {
	if s == Registered {
		return "registered"
	}

	return "unregistered"
}

// Registration is one implicit registration set (TS 23.228 §5.2.1a) as it is at one moment. What Lookup gives is never
// changed: a change makes another one.
type Registration struct {
	Sequence   uint64 // grows with every change of any set; tells which of two states is the later one
	State      State
	Private    string         // private identity that the profile was assigned for
	Identities []Identity     // all public identities of the set, in the order of the profile
	Bindings   []*Binding     // in the order in which they were first made; of all private identities that share the set
	Until      time.Time      // when the profile of an unregistered user is dropped; zero while it is registered
	charging   chargingHandle // from the HSS
}

// Identity is one public identity of a set.
type Identity struct {
	URI         string // canonical, or the wildcard as the HSS writes it
	DisplayName string
	Barred      bool
	Wildcard    *ere.Wildcard // when URI is a wildcarded one
	Profile     *Profile
}

// Profile is what all identities with the same services share: one copy for all users with equal criteria.
type Profile struct {
	Chain        *ifc.Chain
	Servers      []string // URIs of all application servers in the chain, each once
	Services     []string // communication services subscribed to; none: they are not limited (TS 29.228 annex E)
	MediaProfile int      // SubscribedMediaProfileId, or NoMediaProfile
}

// NoMediaProfile says that the HSS does not limit the media.
const NoMediaProfile = -1

// ChargingInfo are the charging functions of a user (TS 29.229 §6.3.19), shared by all users with the same ones.
type ChargingInfo struct {
	EventPrimary, EventSecondary           string // ecf, the OCS: Diameter URIs
	CollectionPrimary, CollectionSecondary string // ccf
}

// Binding is one registered contact. It is never changed.
type Binding struct {
	Contact    string    `json:"contact,omitempty"`  // URI to the letter
	Params     string    `json:"params,omitempty"`   // parameters of the Contact header without expires and q: ";+sip.instance=…"
	Path       []string  `json:"path,omitempty"`     // Path header values of the REGISTER, topmost first: the Route towards the handset
	Private    string    `json:"private,omitempty"`  // private identity that registered it
	Identity   string    `json:"identity,omitempty"` // public identity of its To
	Instance   string    `json:"instance,omitempty"` // +sip.instance, without quotes
	CallID     string    `json:"call_id,omitempty"`  // of the REGISTER
	CSeq       uint32    `json:"cseq,omitempty"`
	RegID      uint32    `json:"reg_id,omitempty"` // 0: none (RFC 5626)
	ID         uint32    `json:"id,omitempty"`     // names the contact in the reg event
	Q          uint16    `json:"q,omitempty"`      // thousandths
	Expires    time.Time `json:"expires"`
	Registered time.Time `json:"registered"` // first made
}

type chargingHandle = unique.Handle[ChargingInfo]

// Charging are the charging functions that the HSS gave; ok is false if it gave none.
func (r *Registration) Charging() (c ChargingInfo, ok bool) {
	if r.charging == (chargingHandle{}) {
		return ChargingInfo{}, false
	}

	return r.charging.Value(), true
}

// User is one public identity together with the registration that serves it.
type User struct {
	*Registration
	Public *Identity
}

// Default is the default public identity of the set: the first that is not barred (TS 24.229 §5.4.1.2.2).
func (r *Registration) Default() string {
	for i := range r.Identities {
		if !r.Identities[i].Barred && r.Identities[i].Wildcard == nil {
			return r.Identities[i].URI
		}
	}

	return ""
}

// Associated are the URIs of P-Associated-URI: those not barred, the default one first.
func (r *Registration) Associated() []string {
	uris := make([]string, 0, len(r.Identities))

	for i := range r.Identities {
		if !r.Identities[i].Barred && r.Identities[i].Wildcard == nil {
			uris = append(uris, r.Identities[i].URI)
		}
	}

	return uris
}

// Find is the identity of the set that a canonical URI names; nil if none does.
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

// Contacts are the bindings that are alive at this time, the most preferred first and among equals the newest (RFC 3261
// §16.5, TS 24.229 §5.4.3.3).
func (r *Registration) Contacts(now time.Time) []*Binding {
	alive := make([]*Binding, 0, len(r.Bindings))

	for _, b := range r.Bindings {
		if b.Expires.After(now) {
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

// of are the bindings of one private identity.
func (r *Registration) of(private string) []*Binding {
	var own []*Binding

	for _, b := range r.Bindings {
		if b.Private == private {
			own = append(own, b)
		}
	}

	return own
}
