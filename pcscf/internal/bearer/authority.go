// Package bearer asks the access network for what calls need of it, and gives it back (TS 24.229 §5.2.8, TS 29.214 §4.4, TS 29.514
// §4.2): one session at the PCRF or PCF for each call leg. What is needed is the business of package media; how it is asked is that
// of the Authority.
package bearer

import (
	"context"
	"net/netip"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
)

// Authority grants bearers: a PCRF over Rx, or a PCF over N5. Its methods may be called from any goroutine.
type Authority interface {
	// NewID names a session that is about to be asked for; "" where the other side names it.
	NewID() string
	// Ask asks for a session, or changes the one that there is. An error is a *Refusal, or else no answer came.
	Ask(ctx context.Context, q *Request) (*Grant, error)
	// End ends a session. Whatever the other side answers, there is none then: an error is no answer.
	End(ctx context.Context, h Handle) error
}

// Handle names a session at the authority.
type Handle struct {
	ID      string   `json:"id"`
	Server  string   `json:"server,omitempty"`  // who has it
	By      string   `json:"by,omitempty"`      // which one of two has it
	Classes [][]byte `json:"classes,omitempty"` // what it wants to be told at the end (RFC 6733 §8.20)
}

// Request is what is asked for: everything that the call leg needs, also if it has most of it.
type Request struct {
	Handle
	Leg        Leg
	Update     bool // the session is there
	Components []media.Component
}

// Leg is a call leg as the authority has to know it.
type Leg struct {
	UE         netip.Addr `json:"ue"`                    // the address that the UE is reached at, by which it is found
	Identity   string     `json:"identity,omitempty"`    // the user's, a URI
	Call       string     `json:"call,omitempty"`        // Call-ID, for those who look
	ICID       string     `json:"icid,omitempty"`        // for the correlation of charging
	Service    string     `json:"service,omitempty"`     // ICSI
	Access     string     `json:"access,omitempty"`      // P-Access-Network-Info, as the UE says
	ServiceURN string     `json:"service_urn,omitempty"` // of an emergency call, "sos" with what follows
	Forked     bool       `json:"forked,omitempty"`      // one of several early dialogs
	Signalling string     `json:"signalling,omitempty"`  // the registration whose signalling it is; "": it is a call's
}

// Grant is a yes.
type Grant struct {
	Handle
	Access string // of the UE, as far as it was said: "3GPP-EPS EUTRAN"
}

// Refusal is a no, or the word of somebody on the way who could not pass the request on.
type Refusal struct {
	Code      uint32
	Name      string        // as the specification writes it; "" if it does not
	Why       string        // what it says and what the cause is likely to be, in words
	Unknown   bool          // the session that should be changed is not known
	Elsewhere bool          // the UE is not known there, and may be to somebody else
	Undone    bool          // nobody has worked on the request
	Retry     time.Duration // after which it may be asked for again, as it says itself; 0: it does not
}

func (r *Refusal) Error() string { return r.Why }
