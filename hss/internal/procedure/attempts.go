package procedure

import (
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/attempt"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// ofUAR, ofMAR and ofSAR map the types of the commands to kinds.
var ofUAR = map[cx.UserAuthorizationType]attempt.Kind{
	cx.Registration: attempt.Authorization, cx.DeRegistration: attempt.Leaving, cx.RegistrationAndCapabilities: attempt.Capabilities,
}

func ofMAR(req *cx.MAR) attempt.Kind {
	if req.AuthDataItem.Authorization != nil {
		return attempt.Resynchronisation
	}

	return attempt.Challenge
}

// SARs for sessions are left out: they are not attempts to register.
var ofSAR = map[cx.ServerAssignmentType]attempt.Kind{
	cx.AssignRegistration: attempt.Registration, cx.ReRegistration: attempt.ReRegistration,
	cx.TimeoutDeregistration: attempt.Timeout, cx.TimeoutDeregistrationStoreServerName: attempt.Timeout,
	cx.UserDeregistration: attempt.Deregistration, cx.UserDeregistrationStoreServerName: attempt.Deregistration,
	cx.AdministrativeDeregistration: attempt.Administrative,
	cx.AuthenticationFailure:        attempt.AuthenticationFailure, cx.AuthenticationTimeout: attempt.AuthenticationTimeout,
}

// remember records the attempt of a handset and its answer: the result, unless err is not nil.
func (s *Server) remember(began time.Time, private, public string, kind attempt.Kind, result diameter.Result, err error) {
	if kind == "" {
		return
	}

	s.attempts.Record(began, private, public, kind, result, err)

	if err == nil { // a refusal is logged where it is answered
		s.log.Info("registration served", "impi", private, "impu", public, "event", string(kind), "result", result.Code)
	}
}
