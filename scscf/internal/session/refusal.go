package session

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
	"github.com/dialtone-ims/dialtone/scscf/internal/registrar"
)

// refusal is a final answer of this S-CSCF's own. Each says why in a Reason header (RFC 3326), and in the log.
type refusal struct {
	status  int
	reason  string // Reason header field value
	headers []sip.Header
}

func (r *refusal) Error() string { return r.reason }

func because(status int, format string, values ...any) *refusal {
	return &refusal{status: status, reason: sipReason(status, fmt.Sprintf(format, values...))}
}

// refusalOf says what an error means to who sent the request.
func refusalOf(err error) *refusal {
	var own *refusal

	var credit *charging.Refused

	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &credit):
		return &refusal{status: credit.Status, reason: credit.Reason}
	case errors.Is(err, errTooMany):
		return because(503, "%v", err)
	default:
		return because(480, "%v", err)
	}
}

// unserved says why the HSS gives no services for a user (TS 24.229 §5.4.3.3). What a REGISTER is told is told here, too, but
// that nobody is there is 404.
func unserved(public string, err error) *refusal {
	var told *registrar.Refusal

	switch {
	case !errors.As(err, &told):
		return because(480, "no services for %s: %v", public, err)
	case errors.Is(err, cx.ErrorUserUnknown):
		return &refusal{status: 404, reason: told.Reason, headers: told.Headers}
	default:
		return &refusal{status: told.Status, reason: told.Reason, headers: told.Headers}
	}
}

// later is the refusal while the HSS cannot say who a registration of before a restart is for (RFC 3261 §21.5.4).
func later(public string, err error) *refusal {
	r := because(503, "the profile of %s cannot be had now: %v", public, err)
	r.headers = []sip.Header{sip.NewHeader("Retry-After", "5")}

	return r
}

func (s *Server) refuse(tx *sip.ServerTransaction, side string, r *refusal) {
	s.note(tx.Request(), side, r.status, r.reason)
	_ = tx.Reply(r.status, "", append([]sip.Header{sip.NewHeader("Reason", r.reason)}, r.headers...)...)
}

// decline gives the stack's own refusal of a request that may not be passed on its cause.
func (s *Server) decline(tx *sip.ServerTransaction, r *sip.Response) {
	causes := map[int]string{
		400: "Route cannot be read", 420: "Proxy-Require names what is not supported here",
		482: "the request was here before, unchanged: a loop", 483: "Max-Forwards is used up",
	}
	reason := sipReason(r.StatusCode, causes[r.StatusCode])

	s.note(tx.Request(), "none", r.StatusCode, reason)
	sip.Set(r, "Reason", reason)
	_ = tx.Respond(r)
}

// explain gives a response that the stack made in place of one that never came its cause.
func (s *Server) explain(request *sip.Request, side string, r *sip.Response) {
	if !sip.Local(r) || r.StatusCode < 300 || sip.Has(r, "Reason") {
		return
	}

	reason := sipReason(r.StatusCode, localCause(r))
	sip.Set(r, "Reason", reason)
	s.note(request, side, r.StatusCode, reason)
}

// localCause is the text of the Warning that the stack puts into its own responses.
func localCause(r *sip.Response) string {
	_, text, _ := strings.Cut(sip.Value(r, "Warning"), `"`)

	if text = strings.TrimSuffix(text, `"`); text == "" {
		text = "the next hop did not answer"
	}

	return text
}

// become turns a response into a refusal of this S-CSCF's own.
func (s *Server) become(request *sip.Request, side string, r *sip.Response, own *refusal) {
	s.note(request, side, own.status, own.reason)
	r.StatusCode, r.Reason = own.status, sip.Reason(own.status)
	sip.Set(r, "Reason", own.reason)

	for _, h := range own.headers {
		sip.Set(r, h.Name(), h.Value())
	}
}

func (s *Server) note(request *sip.Request, side string, status int, reason string) {
	method := string(request.Method)
	s.outcomes.WithLabelValues(side, label.Method(method), label.Status(status)).Inc()
	s.Log.Warn("request refused", "case", side, "method", method, "status", status, "reason", reason,
		"from", sip.Value(request, "From"), "to", request.Recipient.String(), "call_id", sip.Value(request, "Call-ID"))
}

func sipReason(status int, text string) string {
	text = strings.Map(func(c rune) rune {
		if c == '"' || c == '\\' || c < ' ' {
			return '\''
		}

		return c
	}, text)

	return fmt.Sprintf(`SIP;cause=%d;text="%s"`, status, text)
}
