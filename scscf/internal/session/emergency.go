package session

import (
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// staysHere refuses an emergency call that has come to the S-CSCF: those of handsets go from the P-CSCF to their centre (TS 24.229
// §5.2.10), and one by an application server's or another P-CSCF's doing leaves the network by no breakout.
func (s *Server) staysHere(target sip.Uri) *sip.Refusal {
	service, called := s.config.Emergency.Called(target)
	if !called {
		return nil
	}

	return sip.Refusef(403, "an emergency call (%s) goes from the P-CSCF to its centre (emergency.psaps), and not by the S-CSCF", service)
}

// psapCallback is how an emergency centre says that it calls back (RFC 7090 §4).
const psapCallback = "psap-callback"

// callsBack tells the call of an emergency centre, which reaches the user's emergency registrations, too. From outside the trust domain
// anybody could say so.
func (s *Server) callsBack(r *request) bool {
	return r.out.IsInvite() && strings.EqualFold(sip.Value(r.out, "Priority"), psapCallback) && !s.fromAbroad(r.tx)
}
