package charging

import (
	"context"
	"errors"
	"mime"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// How requests outside sessions are charged.
const (
	NoEvents  = "off"
	Immediate = "iec" // debited before the request goes on (RFC 8506 §6.3), and refunded when it was not answered 2xx (§6.4)
	// event charging with unit reservation of TS 32.299: reserved before, debited when it was answered 2xx, returned when not
	Reserved = "ecur"
)

// Content is what a request carries.
type Content struct {
	Type string // Content-Type
	Body []byte
}

// ChargesEvent tells whether a request outside a session is charged.
func (t *Trigger) ChargesEvent(role ro.RoleOfNode, method string, content Content) bool {
	return t.chargesOne(role, method, content, t.config.EventMethods)
}

// ChargesWithin tells whether a request within a dialog is charged by itself.
func (t *Trigger) ChargesWithin(role ro.RoleOfNode, method string, content Content) bool {
	return len(content.Body) > 0 && t.chargesOne(role, method, content, t.config.InDialog)
}

func (t *Trigger) chargesOne(role ro.RoleOfNode, method string, content Content, methods []string) bool {
	return t.Charges(role) && t.config.Events != NoEvents && slices.Contains(methods, method) &&
		!slices.Contains(t.config.FreeContent, content.media())
}

// media is the type of what the content is about: that within the CPIM envelope (RFC 3862) if it has one.
func (c Content) media() string {
	const envelope = "message/cpim"

	media := mediaType(c.Type)
	if media != envelope {
		return media
	}

	_, inner, _ := strings.Cut(strings.ReplaceAll(string(c.Body), "\r\n", "\n"), "\n\n")
	head, _, _ := strings.Cut(inner, "\n\n")

	for line := range strings.Lines(head) {
		if name, value, found := strings.Cut(line, ":"); found && textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)) == "Content-Type" {
			return mediaType(strings.TrimSpace(value))
		}
	}

	return media
}

func mediaType(value string) string {
	media, _, err := mime.ParseMediaType(value)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return ""
	}

	return media
}

// Event is a request outside a session whose outcome is charged for.
type Event struct {
	trigger *Trigger
	id      string
	call    Call
	at      server
	free    bool // the OCS holds its session, and wants no credit control of it
}

// Event charges one request: with a reservation, or at once. The event that it returns is settled by End; nil: there is nothing to
// settle.
func (t *Trigger) Event(ctx context.Context, call Call) (*Event, *Refused) {
	if refused := call.tooLong(); refused != nil {
		return nil, refused
	}

	e := &Event{trigger: t, id: t.newID(), call: call}
	one := uint64(1)
	q := e.request(ro.Initial, 0)
	q.MultipleServicesCreditControl[0].Requested = &ro.ServiceUnit{ServiceSpecificUnits: &one}

	if t.config.Events == Immediate {
		direct := ro.DirectDebiting
		q.Type, q.RequestedAction = ro.Event, &direct
	}

	answer, refused, err := t.ask(ctx, q, server{})

	switch {
	case refused != nil:
		return nil, refused
	case err != nil && t.config.FailureHandling != Continue:
		e.undo(err)
		return nil, silent(err)
	case err != nil:
		return nil, nil
	}

	waived, held := free(answer)
	if waived && !held {
		return nil, nil
	}

	e.at, e.free = serverOf(answer), waived
	t.sessions.Inc()

	return e, nil
}

// request begins a CCR of the event; it has the one service.
func (e *Event) request(kind ro.RequestType, number uint32) *ro.CCR {
	group := e.trigger.config.RatingGroup
	q := e.trigger.request(e.id, kind, number, &e.call, e.call.event(), e.at)
	q.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{{RatingGroup: &group}}

	return q
}

// undo gives back what the OCS may have reserved by a CCR whose answer did not come.
func (e *Event) undo(err error) {
	var result diameter.Result
	if errors.As(err, &result) && result.Code/1000 == 3 || e.trigger.config.Events == Immediate { // nobody has worked on it; or nobody knows
		return
	}

	e.trigger.sessions.Inc()
	time.AfterFunc(settleAgain, func() { e.settle(0, Internal, time.Now().Add(e.trigger.config.Settle)) })
}

// End settles an event by the final response to its request.
func (e *Event) End(status int, reason string) {
	used := uint64(0)
	if status/100 == 2 {
		used = 1
	}

	if used > 0 && e.trigger.config.Events == Immediate { // it is paid already
		e.trigger.sessions.Dec()
		return
	}

	e.settle(used, Answered(status, reason), time.Now().Add(e.trigger.config.Settle))
}

func (e *Event) settle(used uint64, cause Cause, until time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()

	var q *ro.CCR

	if e.trigger.config.Events == Immediate {
		refund, one := ro.RefundAccount, uint64(1)
		q = e.request(ro.Event, 1)
		q.RequestedAction = &refund
		q.MultipleServicesCreditControl[0].Requested = &ro.ServiceUnit{ServiceSpecificUnits: &one}
	} else {
		logout := uint32(1)
		q = e.request(ro.Terminate, 1)
		q.TerminationCause = &logout

		if e.free {
			used = 0
		}

		q.MultipleServicesCreditControl[0].Used = []ro.ServiceUnit{{ServiceSpecificUnits: &used}}
	}

	cause.tell(q)

	switch _, refused, err := e.trigger.ask(ctx, q, e.at); {
	case err != nil && time.Now().Add(settleAgain).Before(until):
		time.AfterFunc(settleAgain, func() { e.settle(used, cause, until) })
		return
	case err != nil:
		e.trigger.log.Error(
			"the report of an event is lost; the OCS returns what it reserved after its supervision time",
			"session",
			e.id,
			"used",
			used,
		)
	case refused != nil && used == 0:
		e.trigger.log.Warn("the OCS did not take back the charge of a message that nobody got", "session", e.id, "reason", refused.Reason)
	}

	e.trigger.sessions.Dec()
}
