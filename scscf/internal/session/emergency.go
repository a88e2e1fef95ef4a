package session

import (
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// staysHere refuses an emergency call at the S-CSCF: those of handsets go from the P-CSCF to their centre (TS 24.229 §5.2.10), and one
// that an application server or another P-CSCF sends here must not break out of the network.
func (s *Server) staysHere(target sip.Uri) *sip.Refusal {
	service, called := s.config.Emergency.Called(target)
	if !called {
		return nil
	}

	return sip.Refusef(403, "an emergency call (%s) goes from the P-CSCF to its centre (emergency.psaps), and not by the S-CSCF", service)
}

// psapCallback is the Priority of an emergency centre's call back (RFC 7090 §4).
const psapCallback = "psap-callback"

// callsBack reports whether a request is an emergency centre's call back, which also reaches the user's emergency registrations. It must
// come from within the trust domain: outside it anybody could say so.
func (s *Server) callsBack(r *request) bool {
	return r.out.IsInvite() && strings.EqualFold(sip.Value(r.out, "Priority"), psapCallback) && !s.fromAbroad(r.tx)
}
