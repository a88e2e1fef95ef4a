package app

import (
	"context"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/regevent"
	"github.com/dialtone-ims/dialtone/scscf/internal/registrar"
)

// sessionHandler serves what is neither a REGISTER nor a subscription to the reg event (TS 24.229 §5.4.3).
type sessionHandler interface {
	HandleRequest(ctx context.Context, tx *stack.ServerTransaction)
	HandleAck(ctx context.Context, ack *stack.Ack)
	// Abroad reports whether a request is within a call with another network, whose party reaches this S-CSCF from there.
	Abroad(request *sip.Request) bool
}

// router gives each request to whose procedure it is.
type router struct {
	starting  starting
	registrar *registrar.Registrar
	regEvent  *regevent.Server
	sessions  sessionHandler
}

// entry is the router as the stack knows it, which is there first. It is set before anything runs.
type entry struct{ *router }

// abroad reports whether a request is served though it does not come from the core.
func (e *entry) abroad(request *sip.Request) bool { return e.sessions.Abroad(request) }

// HandleRequest is called by the stack.
func (r *router) HandleRequest(ctx context.Context, tx *stack.ServerTransaction) {
	switch {
	case r.starting.refuses(tx):
	case tx.Request().Method == "REGISTER":
		r.registrar.HandleRegister(ctx, tx)
	case r.regEvent.Takes(tx.Request(), originating(tx.Request())):
		r.regEvent.HandleSubscribe(ctx, tx)
	default:
		r.sessions.HandleRequest(ctx, tx)
	}
}

// HandleAck is called by the stack.
func (r *router) HandleAck(ctx context.Context, ack *stack.Ack) {
	r.sessions.HandleAck(ctx, ack)
}

// originating reports whether a request came over the Service-Route of a handset.
func originating(request *sip.Request) bool {
	top, err := sip.ParseNameAddr(sip.Value(request, "Route"))
	if err != nil {
		return false
	}

	u, err := sip.ParseURI(top.URI)

	return err == nil && u.User == originatingUser
}
