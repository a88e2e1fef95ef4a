package session

import (
	"cmp"
	"errors"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// unserved returns the refusal if the HSS gives no services for a user (TS 24.229 §5.4.3.3). It is that of a REGISTER, except that an
// unknown user is 404.
func unserved(public string, err error) *sip.Refusal {
	var told *sip.Refusal

	switch {
	case !errors.As(err, &told):
		return sip.Refusef(480, "no services for %s: %v", public, err)
	case errors.Is(err, cx.ErrorUserUnknown):
		unknown := *told
		unknown.Status = 404

		return &unknown
	default:
		return told
	}
}

// later returns the refusal while the HSS cannot supply the profile of a registration from before a restart (RFC 3261 §21.5.4).
func later(public string, err error) *sip.Refusal {
	return sip.Refuse(503, "the profile of "+public+" cannot be had now: "+err.Error(), sip.NewHeader("Retry-After", "5"))
}

// refuser answers refused requests by their case: a side, or "dialog".
func (s *Server) refuser() sip.Refuser { return sip.Refuser{Log: s.log, Count: s.counted} }

func (s *Server) refuse(tx sip.Answering, side string, r *sip.Refusal) {
	s.refuser().Refuse(tx, side, r)
}

// become replaces a response by a refusal of this S-CSCF's own.
func (s *Server) become(request *sip.Request, side string, r *sip.Response, own *sip.Refusal) {
	s.refuser().Replace(request, r, side, own)
}

func (s *Server) counted(side, method string, status int) {
	s.outcomes.WithLabelValues(side, label.Method(method), label.Status(status)).Inc()
}

// explain adds the cause to a response that the stack made in place of one that never came.
func (s *Server) explain(request *sip.Request, side string, r *sip.Response) {
	if stack.Local(r) && r.StatusCode >= 300 && !sip.Has(r, "Reason") {
		s.become(request, side, r, sip.Refuse(r.StatusCode, cmp.Or(stack.LocalCause(r), "the next hop did not answer")))
	}
}
