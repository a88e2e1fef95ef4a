package app

import (
	"context"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registrar"
)

// SessionHandler serves what is neither a REGISTER nor a subscription to the reg event (TS 24.229 §5.4.3).
type SessionHandler interface {
	HandleRequest(ctx context.Context, tx *sip.ServerTransaction)
	HandleAck(ctx context.Context, ack *sip.Ack)
}

// router gives each request to whose procedure it is.
type router struct {
	registrar *registrar.Registrar
	sessions  SessionHandler
}

// HandleRequest is called by the stack.
func (r *router) HandleRequest(ctx context.Context, tx *sip.ServerTransaction) {
	switch {
	case tx.Request().Method == "REGISTER":
		r.registrar.HandleRegister(ctx, tx)
	case r.sessions != nil:
		r.sessions.HandleRequest(ctx, tx)
	default:
		_ = tx.Reply(501, "")
	}
}

// HandleAck is called by the stack.
func (r *router) HandleAck(ctx context.Context, ack *sip.Ack) {
	if r.sessions != nil {
		r.sessions.HandleAck(ctx, ack)
	}
}
