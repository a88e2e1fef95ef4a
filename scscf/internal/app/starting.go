package app

import (
	"log/slog"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// starting is the time of an S-CSCF until the HSS can be reached. Nobody can say yet who is served here: initial requests are asked to
// come again (503 with Retry-After, RFC 3261 §21.5.4), instead of being told that the user is unknown.
type starting struct {
	reached func() bool // reports whether the HSS has been connected since the start
	log     *slog.Logger
}

var errStarting = sip.Refuse(503, "the S-CSCF has just started, and the HSS is not connected yet", sip.NewHeader("Retry-After", "5"))

// refuses refuses an initial request that comes too early, and reports whether it did. A REGISTER is answered by the registrar; a request
// within a dialog, or for the S-CSCF itself, needs no HSS.
func (s *starting) refuses(tx *stack.ServerTransaction) bool {
	if s.reached() {
		return false
	}

	request := tx.Request()
	if _, within := request.To().Params.Get("tag"); within || request.Method == "REGISTER" ||
		request.Method == "OPTIONS" && request.Recipient.User == "" {
		return false
	}

	sip.Refuser{Log: s.log}.Refuse(tx, "starting", errStarting)

	return true
}
