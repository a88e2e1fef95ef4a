package gm

import (
	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/agreement"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Security protects the signalling of handsets on its way to the P-CSCF (TS 33.203, RFC 3329). The procedures of Gm ask it and know
// nothing of how it is done.
type Security interface {
	// Protected reports whether a request came through a security association. integrity-protected says the same to the core.
	Protected(flow stack.Flow) bool
	// Offered reports whether security associations were offered for an unprotected REGISTER: the handset asks for some that it gets, or
	// answers a challenge that came with them. Then integrity-protected is "no".
	Offered(r *sip.Request, flow stack.Flow) bool
	// Return is the flow by which the handset is reached that sent something by this one.
	Return(flow stack.Flow) stack.Flow
	// Screen checks what a handset's request says of its protection before it goes on (RFC 3329 §2.3, TS 33.203 §7.2);
	// nil: it goes on.
	Screen(r *sip.Request, flow stack.Flow) *sip.Refusal
	// Challenge prepares for the answer to a 401 and adds what the handset must know to it (TS 33.203 §7.2). An error means
	// that the handset cannot come back.
	Challenge(request *sip.Request, flow stack.Flow, response *sip.Response, keys agreement.Keys) error
	// Established notes that the registration made by this flow lasts so many seconds; Ended notes that it has ended.
	Established(flow stack.Flow, seconds uint32)
	Ended(flow stack.Flow)
}

// Open is an access without sec-agree, for soft phones and for laboratories that want to see everything in clear.
type Open struct{}

// Protected is never true.
func (Open) Protected(stack.Flow) bool { return false }

// Offered is never true.
func (Open) Offered(*sip.Request, stack.Flow) bool { return false }

// Return returns the same flow.
func (Open) Return(flow stack.Flow) stack.Flow { return flow }

// Screen refuses nothing: a handset that offers sec-agree goes on without it when it gets no Security-Server.
func (Open) Screen(*sip.Request, stack.Flow) *sip.Refusal { return nil }

// Challenge has nothing to add.
func (Open) Challenge(*sip.Request, stack.Flow, *sip.Response, agreement.Keys) error { return nil }

// Established has nothing to prolong.
func (Open) Established(stack.Flow, uint32) {}

// Ended has nothing to take down.
func (Open) Ended(stack.Flow) {}
