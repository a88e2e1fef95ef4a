package charging

import (
	"context"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// How requests outside sessions are charged.
const (
	NoEvents  = "off"
	Immediate = "iec"  // debited before the request goes on (RFC 8506 §6.3)
	Reserved  = "ecur" // event charging with unit reservation of TS 32.299: reserved before, debited when it was answered 2xx, returned when not
)

// ChargesEvent tells whether a request outside a session is charged.
func (t *Trigger) ChargesEvent(role ro.RoleOfNode, method string) bool {
	return t.Charges(role) && t.config.Events != NoEvents && slices.Contains(t.config.EventMethods, method)
}

// Event is a request outside a session whose outcome is charged for.
type Event struct {
	trigger *Trigger
	id      string
	call    Call
}

// Event charges one request outside a session: at once, and then the event that it returns is nil, or with a reservation that
// End settles.
func (t *Trigger) Event(ctx context.Context, call Call) (*Event, *Refused) {
	e := &Event{trigger: t, id: t.newID(), call: call}
	kind := ro.Event

	if t.config.Events == Reserved {
		kind = ro.Initial
	}

	q := t.request(e.id, kind, 0, &call)

	if kind == ro.Event {
		direct := ro.DirectDebiting
		q.RequestedAction = &direct
	}

	one := uint64(1)
	group := t.config.RatingGroup
	q.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{{
		Requested: &ro.ServiceUnit{ServiceSpecificUnits: &one}, RatingGroup: &group,
	}}

	_, refused, err := t.ask(ctx, q)

	switch {
	case refused != nil:
		return nil, refused
	case err != nil && t.config.FailureHandling != Continue:
		return nil, silent()
	case err != nil, kind == ro.Event:
		return nil, nil
	}

	t.sessions.Inc()

	return e, nil
}

// End settles a reserved event by the final response to its request.
func (e *Event) End(status int, reason string) {
	used := uint64(0)
	if status/100 == 2 {
		used = 1
	}

	e.settle(used, Answered(status, reason), time.Now().Add(e.trigger.config.Settle))
}

func (e *Event) settle(used uint64, cause Cause, until time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), reportTime)
	defer cancel()

	logout, group := uint32(1), e.trigger.config.RatingGroup
	q := e.trigger.request(e.id, ro.Terminate, 1, &e.call)
	q.TerminationCause = &logout
	q.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{{
		Used: []ro.ServiceUnit{{ServiceSpecificUnits: &used}}, RatingGroup: &group,
	}}
	cause.tell(q)

	switch _, _, err := e.trigger.ask(ctx, q); {
	case err == nil:
	case time.Now().Add(settleAgain).Before(until):
		time.AfterFunc(settleAgain, func() { e.settle(used, cause, until) })
		return
	default:
		e.trigger.log.Error("the report of an event is lost; the OCS returns what it reserved after its supervision time", "session", e.id, "used", used)
	}

	e.trigger.sessions.Dec()
}
