package credit

import (
	"fmt"
	"slices"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
)

// CDR is the record of one session or event.
type CDR struct {
	ID             uint64     `gorm:"primaryKey" json:"id"`
	Session        string     `gorm:"index"      json:"session"`
	Account        string     `gorm:"index"      json:"account"`
	Kind           string     `                  json:"kind"` // call, missed call, message, data, money
	Terminating    bool       `                  json:"terminating,omitempty"`
	Calling        string     `                  json:"calling"`
	Called         string     `                  json:"called"`
	ICID           string     `                  json:"icid"`
	CallID         string     `                  json:"call_id"`
	Started        time.Time  `                  json:"started"`            // the CCR Initial, or Event
	Answered       *time.Time `                  json:"answered,omitempty"` // as reported
	Ended          time.Time  `gorm:"index"      json:"ended"`
	Duration       uint64     `                  json:"duration_seconds"` // from start to end
	Billed         uint64     `                  json:"billed_seconds"`   // used, as reported
	Octets         uint64     `                  json:"billed_octets,omitempty"`
	Events         uint64     `                  json:"billed_events,omitempty"`
	Amount         int64      `                  json:"amount"` // minor units; negative: given back
	Reserved       int64      `                  json:"reserved_in_all"`
	Returned       int64      `                  json:"returned"`
	Uncollected    int64      `                  json:"uncollected,omitempty"` // used, but not paid
	Unrated        string     `                  json:"unrated,omitempty"`     // reported in units without a price
	Tariff         string     `                  json:"tariff"`
	TariffVersion  uint32     `                  json:"tariff_version"`
	ServiceContext string     `                  json:"service_context"`
	ClientHost     string     `                  json:"client_host,omitempty"` // the network function
	ClientRealm    string     `                  json:"client_realm,omitempty"`
	Correlation    string     `                  json:"correlation,omitempty"` // CC-Correlation-Id, in hexadecimal
	Refunds        string     `                  json:"refunds,omitempty"`     // Session-Id of what was refunded
	Cause          string     `                  json:"cause"`                 // in words
	CauseCode      *int32     `                  json:"cause_code,omitempty"`  // Cause-Code as reported (TS 32.299 §7.2.35)
	SIPStatus      int        `                  json:"sip_status,omitempty"`  // of Cause-Code
	Q850           int        `                  json:"q850"`
	// Charges are what each service cost, line by line.
	Charges []Charge `gorm:"serializer:json" json:"charges,omitempty"`
}

// Causes found by the OCS itself.
const (
	terminated   = "terminated"
	noCredit     = "credit exhausted"
	notHeard     = "supervision time over"
	debited      = "debit"
	givenBack    = "refund"
	ClosedByHand = "closed by the operator"

	notAnswered  = "not answered"
	notDelivered = "not delivered"
)

// record saves the CDR of a settled session.
func (s *Server) record(w *exchange) error {
	cause := terminated

	switch {
	case w.q == nil:
		cause = w.posting.Note()
	case w.session.Exhausted:
		cause = noCredit
	case w.session.Charged == 0 && w.session.Used == 0 && w.session.kind() == missed:
		cause = notAnswered
	case w.session.undelivered():
		cause = notDelivered
	}

	w.overrun = w.session.Uncollected // it could still be paid until now
	r := w.session.record(w.at)
	r.Cause, r.CauseCode = cause, nil

	if w.q != nil {
		r.CauseCode = information(w.q).CauseCode
	}

	r.Q850, r.SIPStatus = q850(cause, r.CauseCode), sipStatus(r.CauseCode)

	w.save(r)

	return nil
}

// sipStatus returns the final response in a Cause-Code, 0 if there is none (TS 32.299 §7.2.35).
func sipStatus(code *int32) int {
	switch {
	case code == nil:
		return 0
	case *code == -1:
		return 200
	case *code <= -200:
		return -int(*code)
	case *code >= 300:
		return int(*code)
	default:
		return 0
	}
}

// undelivered reports whether a session was for events and none took place.
func (s *Session) undelivered() bool {
	return len(s.Services) > 0 && !slices.ContainsFunc(s.Services, func(q *Quota) bool { return q.Unit != rating.Events || q.Used > 0 })
}

const (
	talked = "call"
	missed = "missed call"
)

// OfCall reports whether the record is of a call, answered or not.
func (r *CDR) OfCall() bool { return r.Kind == talked || r.Kind == missed }

func (s *Session) record(ended time.Time) *CDR {
	r := &CDR{
		Session:        s.ID,
		Account:        s.Account,
		Kind:           s.kind(),
		Terminating:    s.Terminating,
		Calling:        s.Calling,
		Called:         s.Called,
		ICID:           s.ICID,
		CallID:         s.CallID,
		Started:        s.Started,
		Answered:       s.Answered,
		Ended:          ended,
		Duration:       uint64(max(0, ended.Sub(s.Started)/time.Second)),
		Billed:         s.Used,
		Amount:         s.Charged,
		Reserved:       s.Reservations,
		Returned:       s.Returned,
		Uncollected:    s.Uncollected,
		Unrated:        s.Unrated.String(),
		Tariff:         s.Tariff,
		TariffVersion:  s.TariffVersion,
		ServiceContext: s.ServiceContext,
		ClientHost:     s.ClientHost,
		ClientRealm:    s.ClientRealm,
		Charges:        s.charges(),
	}

	for _, q := range s.Services {
		switch q.Unit {
		case rating.Octets:
			r.Octets = add(r.Octets, q.Used)
		case rating.Events:
			r.Events = add(r.Events, q.Used)
		}
	}

	return r
}

// kind returns the kind of the session's record.
func (s *Session) kind() string {
	kind := missed

	for _, q := range s.Services {
		switch {
		case q.Unit == rating.Seconds && q.Used > 0:
			return talked
		case q.Unit == rating.Octets:
			kind = "data"
		case q.Unit == rating.Events:
			kind = "message"
		case q.Unit == rating.Money:
			kind = "money"
		}
	}

	return kind
}

// q850 returns the cause as a Q.850 value. Cause-Code is a SIP status, or not above 0 for a normal end (TS 32.299 §7.2.35); statuses are
// mapped by RFC 3398 §8.2.6.1.
func q850(cause string, code *int32) int {
	const normal, unspecified, timer = 16, 31, 102

	switch {
	case cause == notHeard:
		return timer
	case cause == ClosedByHand:
		return unspecified
	case code == nil && cause == notAnswered:
		return unspecified
	case code == nil || *code <= 0:
		return normal
	}

	if mapped, found := causeOfStatus[*code]; found {
		return mapped
	}

	return unspecified
}

var causeOfStatus = map[int32]int{
	400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102, 410: 22, 413: 127, 414: 127, 415: 79, 416: 127,
	420: 127, 421: 127, 423: 127, 480: 18, 481: 41, 482: 25, 483: 25, 484: 28, 485: 1, 486: 17, 500: 41, 501: 79, 502: 38, 503: 41,
	504: 102, 505: 127, 513: 127, 600: 17, 603: 21, 604: 1,
}

// Columns are the columns of a CDR in CSV.
var Columns = []string{
	"id", "kind", "account", "calling", "called", "terminating", "started", "answered", "ended", "duration_seconds", "billed_seconds",
	"billed_octets", "billed_events", "amount", "reserved_in_all", "returned", "uncollected", "unrated", "tariff", "tariff_version",
	"cause", "cause_code",
	"sip_status", "q850", "session", "icid", "call_id", "service_context",
}

// Row returns the CDR in the order of Columns. Times are RFC 3339 in UTC.
func (r *CDR) Row() []string {
	stamp := func(t *time.Time) string {
		if t == nil {
			return ""
		}

		return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	code := ""

	if r.CauseCode != nil {
		code = fmt.Sprint(*r.CauseCode)
	}

	return []string{
		fmt.Sprint(
			r.ID,
		), r.Kind, r.Account, r.Calling, r.Called, fmt.Sprint(r.Terminating), stamp(&r.Started), stamp(r.Answered), stamp(&r.Ended),
		fmt.Sprint(r.Duration), fmt.Sprint(r.Billed), fmt.Sprint(r.Octets), fmt.Sprint(r.Events), fmt.Sprint(r.Amount), fmt.Sprint(r.Reserved),
		fmt.Sprint(
			r.Returned,
		),
		fmt.Sprint(r.Uncollected),
		r.Unrated,
		r.Tariff,
		fmt.Sprint(r.TariffVersion),
		r.Cause,
		code,
		fmt.Sprint(r.SIPStatus),
		fmt.Sprint(r.Q850),
		r.Session, r.ICID, r.CallID, r.ServiceContext,
	}
}
