package credit

import (
	"log/slog"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// logSession logs that a session has begun or ended, or that an event was charged. The private identity is the User-Name of the request
// (TS 32.299 §6.4.2).
func (w *exchange) logSession(log *slog.Logger) {
	if w.q == nil || w.session == nil || !w.answer.Result.Successful() {
		return
	}

	attributes := []any{
		"session_id", w.session.ID, "impi", w.q.UserName, "account", w.session.Account, "call_id", w.session.CallID,
		"icid", w.session.ICID, "peer", w.q.OriginHost,
	}

	switch {
	case w.q.Type == ro.Initial && w.run.State() == Open:
		log.Info("charging session begun", attributes...)
	case w.q.Type == ro.Terminate:
		log.Info("charging session ended", append(attributes, "seconds", w.session.Used, "minor_units", w.session.Charged)...)
	case w.q.Type == ro.Event:
		log.Info("event charged", append(attributes, "minor_units", w.session.Charged)...)
	}
}
