package app

import (
	"context"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/regevent"
	"github.com/dialtone-ims/dialtone/scscf/internal/registrar"
)

// sessionHandler serves requests other than REGISTER and subscriptions to the reg event (TS 24.229 §5.4.3).
type sessionHandler interface {
	HandleRequest(ctx context.Context, tx *stack.ServerTransaction)
	HandleAck(ctx context.Context, ack *stack.Ack)
	// Abroad reports whether a request is within a call with another network, whose party sends it here from there.
	Abroad(request *sip.Request) bool
}

// router passes each request to the server whose procedure it is.
type router struct {
	starting  starting
	registrar *registrar.Registrar
	regEvent  *regevent.Server
	sessions  sessionHandler
}

// entry passes the stack's calls to the router, which is made after the stack. It is set before anything runs.
type entry struct{ *router }

// abroad reports whether a request from outside the core is served.
func (e *entry) abroad(request *sip.Request) bool { return e.sessions.Abroad(request) }

// HandleRequest serves a request from the stack.
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

// HandleAck serves an ACK from the stack.
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
