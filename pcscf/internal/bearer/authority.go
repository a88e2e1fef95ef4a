// Package bearer requests and releases bearers of the access network for calls (TS 24.229 §5.2.8, TS 29.214 §4.4, TS 29.514 §4.2): one
// session at the PCRF or PCF for each call leg. Package media derives what a call needs; an Authority requests it.
package bearer

import (
	"context"
	"net/netip"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pkg/ims/access"
)

// Authority grants bearers: a PCRF over Rx, or a PCF over N5. Its methods may be called from any goroutine.
type Authority interface {
	// NewID returns the name of a session about to be requested; "" where the other side names it.
	NewID() string
	// Ask requests a session, or changes an existing one. An error is a *Refusal, or means that no answer came.
	Ask(ctx context.Context, q *Request) (*Grant, error)
	// End ends a session. Any answer means that the session is gone: an error means that no answer came.
	End(ctx context.Context, h Handle) error
}

// Handle names a session at the authority.
type Handle struct {
	ID      string   `json:"id"`
	Server  string   `json:"server,omitempty"`  // who has it
	By      string   `json:"by,omitempty"`      // which of two authorities has it
	Classes [][]byte `json:"classes,omitempty"` // the Class values that the end of the session returns (RFC 6733 §8.20)
}

// Request is what is requested: everything that the call leg needs, including what is granted already.
type Request struct {
	Handle
	Leg        Leg
	Update     bool // the session exists
	Components []media.Component
}

// Leg is a call leg as described to the authority.
type Leg struct {
	UE         netip.Addr `json:"ue"`                    // the UE's address, by which the authority finds it
	Identity   string     `json:"identity,omitempty"`    // the user's, a URI
	Call       string     `json:"call,omitempty"`        // Call-ID, for listings
	ICID       string     `json:"icid,omitempty"`        // for the correlation of charging
	Service    string     `json:"service,omitempty"`     // ICSI
	Access     string     `json:"access,omitempty"`      // P-Access-Network-Info, as the UE states it
	ServiceURN string     `json:"service_urn,omitempty"` // of an emergency call, "sos" with what follows
	Forked     bool       `json:"forked,omitempty"`      // one of several early dialogs
	Signalling string     `json:"signalling,omitempty"`  // the registration whose signalling this is; "": a call leg
}

// Grant is a granted request.
type Grant struct {
	Handle
	Access string      // the UE's access network, if stated: "3GPP-EPS EUTRAN"
	Place  access.Info // where the UE is, if stated
}

// Refusal is a refused request, or the answer of a node on the way that could not forward it.
type Refusal struct {
	Code      uint32
	Name      string        // as the specification spells it; "" if it has none
	Why       string        // what the answer says, and the likely cause
	Unknown   bool          // the session to change is not known
	Elsewhere bool          // the UE is not known there; another authority may know it
	Undone    bool          // the request was not processed
	Retry     time.Duration // when the request may be repeated, as the answer states; 0: not stated
}

func (r *Refusal) Error() string { return r.Why }
