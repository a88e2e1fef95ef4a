package gm

import (
	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/agreement"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Security protects the signalling between handset and P-CSCF (TS 33.203, RFC 3329). The procedures of Gm use it without knowing how.
type Security interface {
	// Protected reports whether a request came through a security association. integrity-protected tells the core.
	Protected(flow stack.Flow) bool
	// Offered reports whether security associations were offered for an unprotected REGISTER: the handset requests them and gets some, or
	// answers a challenge that came with them. Then integrity-protected is "no".
	Offered(r *sip.Request, flow stack.Flow) bool
	// Return returns the flow that reaches the handset that sent something by this one.
	Return(flow stack.Flow) stack.Flow
	// Screen checks what a handset's request states about its protection before it is forwarded (RFC 3329 §2.3, TS 33.203 §7.2); nil: it is
	// forwarded.
	Screen(r *sip.Request, flow stack.Flow) *sip.Refusal
	// Challenge prepares for the answer to a 401 and adds what the handset must know to it (TS 33.203 §7.2). An error means that the
	// handset could not answer.
	Challenge(request *sip.Request, flow stack.Flow, response *sip.Response, keys agreement.Keys) error
	// Established records that the registration made by this flow lasts this many seconds; Ended records its end.
	Established(flow stack.Flow, seconds uint32)
	Ended(flow stack.Flow)
}

// Open is an access without sec-agree, for soft phones and for laboratories that want to see everything in clear.
type Open struct{}

// Protected returns false.
func (Open) Protected(stack.Flow) bool { return false }

// Offered returns false.
func (Open) Offered(*sip.Request, stack.Flow) bool { return false }

// Return returns the same flow.
func (Open) Return(flow stack.Flow) stack.Flow { return flow }

// Screen refuses nothing: a handset that offers sec-agree continues without it when it gets no Security-Server.
func (Open) Screen(*sip.Request, stack.Flow) *sip.Refusal { return nil }

// Challenge adds nothing.
func (Open) Challenge(*sip.Request, stack.Flow, *sip.Response, agreement.Keys) error { return nil }

// Established does nothing.
func (Open) Established(stack.Flow, uint32) {}

// Ended does nothing.
func (Open) Ended(stack.Flow) {}
