// Package charging is the charging trigger function of the S-CSCF (TS 32.260 §5.3): it asks the OCS before a session goes
// on, while it lasts, and tells it what was used (RFC 8506 §5, §7).
package charging

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/journal"
	"github.com/dialtone-ims/dialtone/pkg/label"
)

// OCS answers credit-control requests. An error means that there is no answer.
type OCS interface {
	CreditControl(ctx context.Context, q *ro.CCR) (*ro.CCA, error)
}

// What becomes of a session when the OCS does not answer (RFC 8506 §5.7).
const (
	Terminate = "terminate"
	Continue  = "continue"
	Retry     = "retry" // once more, then terminate
)

// Config says what is charged and how.
type Config struct {
	Enabled          bool          `yaml:"enabled"`
	Terminating      bool          `yaml:"terminating"` // the called party's side, too
	Events           string        `yaml:"events"`      // how requests outside sessions are charged: off, iec or ecur
	EventMethods     []string      `yaml:"event_methods"`
	InDialog         []string      `yaml:"in_dialog"`    // methods that are charged so within dialogs, too
	FreeContent      []string      `yaml:"free_content"` // media types of messages that cost nothing
	ServiceContextID string        `yaml:"service_context"`
	RatingGroup      uint32        `yaml:"rating_group"`
	RequestedTime    time.Duration `yaml:"requested_time"`   // asked for in each request; 0 leaves it to the OCS
	UpdateMargin     time.Duration `yaml:"update_margin"`    // before the quota ends, unless the OCS gives a threshold
	FailureHandling  string        `yaml:"failure_handling"` // terminate, continue or retry, unless the OCS says (RFC 8506 §8.14)
	// how often an OCS that is away is looked for while a call goes on without it; 0: never
	Resume time.Duration `yaml:"resume"`
	Settle time.Duration `yaml:"settle"` // how long a last report that gets no answer is repeated
	Realm  string        `yaml:"realm"`  // of the OCS
	Host   string        `yaml:"host"`   // of the OCS; empty: whoever serves the realm
}

// Validate refuses what cannot work.
func (c *Config) Validate() error {
	switch {
	case !c.Enabled:
		return nil
	case c.FailureHandling != Terminate && c.FailureHandling != Continue && c.FailureHandling != Retry:
		return fmt.Errorf("charging.failure_handling: %q is none of terminate, continue, retry", c.FailureHandling)
	case c.Events != NoEvents && c.Events != Immediate && c.Events != Reserved:
		return fmt.Errorf("charging.events: %q is none of off, iec, ecur", c.Events)
	case slices.ContainsFunc(c.EventMethods, func(m string) bool { return !slices.Contains(eventMethods, m) }):
		return fmt.Errorf("charging.event_methods: %v: only %v can be charged", c.EventMethods, eventMethods)
	case slices.ContainsFunc(c.InDialog, func(m string) bool { return !slices.Contains(inDialog, m) }):
		return fmt.Errorf("charging.in_dialog: %v: only %v can be charged", c.InDialog, inDialog)
	case c.ServiceContextID == "" || c.Realm == "":
		return errors.New("charging: service_context and realm are needed")
	case c.RequestedTime < 0 || c.UpdateMargin < 0 || c.Resume < 0 || c.Settle < 0:
		return errors.New("charging: requested_time, update_margin, resume and settle must not be negative")
	}

	return nil
}

// eventMethods are the requests that can be charged one by one.
var eventMethods = []string{"MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER", "OPTIONS"}

// inDialog are those that can be charged within a dialog.
var inDialog = []string{"MESSAGE", "INFO", "NOTIFY", "REFER", "OPTIONS"}

// Call is what the OCS is told of a session or event.
type Call struct {
	Role           ro.RoleOfNode       `json:"role"`
	Method         string              `json:"method"`
	Event          string              `json:"event,omitempty"`   // Event header
	Expires        *uint32             `json:"expires,omitempty"` // Expires header, seconds
	CallID         string              `json:"call_id"`
	ICID           string              `json:"icid"`
	Subscriber     []ro.SubscriptionID `json:"subscriber"`
	Private        string              `json:"private"`
	Calling        []string            `json:"calling"`
	Called         string              `json:"called"`
	Requested      string              `json:"requested"` // the number as dialled
	OriginatingIOI string              `json:"originating_ioi,omitempty"`
	TerminatingIOI string              `json:"terminating_ioi,omitempty"`
	Servers        []string            `json:"servers,omitempty"` // application servers that were in the path
	Access         string              `json:"access,omitempty"`  // P-Access-Network-Info
}

// Refused is a session that may not begin, and the SIP status that says so.
type Refused struct {
	Status  int
	Reason  string // of a Reason header
	text    string // the same in words
	unknown bool   // the OCS has no such session
}

// silent is the refusal when the OCS says nothing, or that it cannot do it: then its code is in the reason.
func silent(err error) *Refused {
	code, text := diameter.UnableToDeliver.Code, "the OCS does not answer"

	var result diameter.Result
	if errors.As(err, &result) && !errors.Is(err, diameter.ErrUnroutable) {
		code, text = result.Code, "the OCS could not serve the request"
	}

	return &Refused{Status: 503, Reason: fmt.Sprintf(`Diameter;cause=%d;text=%q`, code, text), text: text}
}

// Bounds of what a CCR tells, below what any Diameter node takes: nobody must be able to make one that the OCS refuses for its size.
const (
	maxCalled = 2 << 10
	maxCall   = 16 << 10
)

// tooLong refuses what cannot be told to the OCS.
func (c *Call) tooLong() *Refused {
	size := len(c.Method) + len(c.Event) + len(c.CallID) + len(c.ICID) + len(c.Private) + len(c.Called) + len(c.Requested) +
		len(c.OriginatingIOI) + len(c.TerminatingIOI) + len(c.Access)
	for _, text := range slices.Concat(c.Calling, c.Servers) {
		size += len(text)
	}

	switch {
	case len(c.Called) > maxCalled:
		return &Refused{Status: 414, Reason: `SIP;cause=414;text="the Request-URI is longer than can be charged for"`}
	case size > maxCall:
		return &Refused{Status: 513, Reason: `SIP;cause=513;text="the header fields are longer than can be charged for"`}
	default:
		return nil
	}
}

func (r *Refused) Error() string { return r.Reason }

// Trigger makes charging sessions.
type Trigger struct {
	config   Config
	ocs      OCS
	log      *slog.Logger
	outcomes *prometheus.CounterVec
	sessions prometheus.Gauge
	newID    func() string

	uncharged prometheus.Counter
	journal   *journal.Journal[state] // nil: nothing is kept

	mu   sync.Mutex
	open map[string]*Session // by Session-Id

	restored []*Session          // until Resume
	kept     map[string]*Session // those of them that no call has taken, by their first Session-Id
}

// NewTrigger charges by ocs; newID makes Diameter Session-Ids.
func NewTrigger(c Config, ocs OCS, newID func() string, log *slog.Logger, registerer prometheus.Registerer) *Trigger {
	t := &Trigger{
		config: c, ocs: ocs, log: log, newID: newID, open: map[string]*Session{},
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dialtone_scscf_charging_total", Help: "Credit-control requests, by type and outcome.",
		}, []string{"type", "outcome"}),
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{Name: "dialtone_scscf_charging_sessions", Help: "Charging sessions open."}),
		uncharged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dialtone_scscf_uncharged_seconds_total", Help: "Seconds of calls that the OCS could not be told of.",
		}),
	}
	registerer.MustRegister(t.outcomes, t.sessions, t.uncharged)

	return t
}

// Charges tells whether sessions of this side are charged.
func (t *Trigger) Charges(role ro.RoleOfNode) bool {
	return t.config.Enabled && (role == ro.OriginatingRole || t.config.Terminating)
}

// request begins a CCR that was caused by what event says; nil: by no SIP request.
func (t *Trigger) request(id string, kind ro.RequestType, number uint32, call *Call, event *ro.EventType, at server) *ro.CCR {
	q := &ro.CCR{
		ServiceContextID: t.config.ServiceContextID, Type: kind, Number: number, UserName: call.Private,
		EventTimestamp: time.Now(), Subscriptions: call.Subscriber, ServiceInformation: information(call, event),
	}
	q.SessionID, q.DestinationRealm, q.DestinationHost = id, t.config.Realm, cmp.Or(at.Host, t.config.Host)

	return q
}

// event is the Event-Type of the request that a call or message begins with (TS 32.299 §7.2.50).
func (c *Call) event() *ro.EventType {
	return &ro.EventType{SIPMethod: c.Method, Event: c.Event, Expires: c.Expires}
}

func information(call *Call, event *ro.EventType) *ro.ServiceInformation {
	role := call.Role
	ims := &ro.IMSInformation{
		EventType: event, RoleOfNode: &role, NodeFunctionality: ro.NodeSCSCF,
		UserSessionID: call.CallID, CallingPartyAddresses: call.Calling, CalledPartyAddress: call.Called,
		IMSChargingIdentifier: call.ICID,
	}

	if call.Requested != "" && call.Requested != call.Called {
		ims.RequestedPartyAddresses = []string{call.Requested}
	}

	if call.OriginatingIOI != "" || call.TerminatingIOI != "" {
		ims.InterOperatorIdentifiers = []ro.InterOperatorIdentifier{{Originating: call.OriginatingIOI, Terminating: call.TerminatingIOI}}
	}

	for _, server := range call.Servers {
		ims.ApplicationServers = append(ims.ApplicationServers, ro.ApplicationServerInfo{Server: server})
	}

	if call.Access != "" {
		ims.AccessNetworkInformation = [][]byte{[]byte(call.Access)}
	}

	return &ro.ServiceInformation{IMS: ims}
}

// server is the OCS that has a session (RFC 6733 §6.6, RFC 8506 §6.5): whose answer it was, and whether another may take over.
type server struct {
	Host     string `json:"host,omitempty"`
	Failover bool   `json:"failover,omitempty"` // CC-Session-Failover
}

func serverOf(a *ro.CCA) server {
	const failoverSupported = 1
	return server{a.OriginHost, a.SessionFailover != nil && *a.SessionFailover == failoverSupported}
}

// free tells that the OCS wants the service to be granted without credit control (RFC 8506 §7, §9.1): the whole session, which it
// then does not keep, or, with held, this service within a session that it does keep.
func free(a *ro.CCA) (free, held bool) {
	return a.Result == ro.CreditControlNotApplicable, serviceResult(a) == ro.CreditControlNotApplicable.Code
}

// ask sends a CCR, once more if the configuration says so, and to another OCS if the session may go there. refused is the OCS's no;
// err is no answer, or one that says that the OCS cannot do it.
func (t *Trigger) ask(ctx context.Context, q *ro.CCR, at server) (answer *ro.CCA, refused *Refused, err error) {
	name := map[ro.RequestType]string{ro.Initial: "initial", ro.Update: "update", ro.Terminate: "terminate", ro.Event: "event"}[q.Type]
	attempts := 1

	if t.config.FailureHandling == Retry {
		attempts = 2
	}

	for range attempts {
		if answer, err = t.ocs.CreditControl(ctx, q); err == nil {
			break
		}
	}

	elsewhere := at.Failover && q.DestinationHost != "" &&
		(err != nil && !errors.Is(err, diameter.ErrTooLarge) || err == nil && answer.Result.Code/1000 == 3)
	if elsewhere {
		t.log.Warn(
			"the OCS of a session does not serve it; another is asked",
			"request",
			name,
			"session",
			q.SessionID,
			"ocs",
			q.DestinationHost,
			"error",
			err,
		)
		q.DestinationHost = ""
		answer, err = t.ocs.CreditControl(ctx, q)

		if err == nil && answer.Result == ro.UnknownSessionID && q.Type == ro.Terminate { // it is not the one that must be told
			err = answer.Result
		}
	}

	switch {
	case errors.Is(err, diameter.ErrTooLarge):
		t.outcomes.WithLabelValues(name, "too large").Inc()
		return nil, &Refused{Status: 513, Reason: `SIP;cause=513;text="the request is longer than can be charged for"`}, nil
	case err != nil:
		t.outcomes.WithLabelValues(name, "no answer").Inc()
		t.log.Error(
			"the OCS does not answer",
			"request",
			name,
			"session",
			q.SessionID,
			"failure_handling",
			t.config.FailureHandling,
			"error",
			err,
		)

		return nil, nil, err
	case answer.Result.Successful():
		if code := serviceResult(answer); code != 0 && code/1000 != 2 {
			answer.Result = diameter.Result{Code: code}
		}
	}

	t.outcomes.WithLabelValues(name, label.Result(answer.Result.Code)).Inc()

	switch {
	case answer.Result.Successful(), answer.Result == ro.CreditControlNotApplicable:
		return answer, nil, nil
	case answer.Result.Code/1000 == 3, answer.Result == ro.UnableToComply:
		return nil, nil, answer.Result
	default:
		return nil, refusal(answer.Result), nil
	}
}

func serviceResult(a *ro.CCA) uint32 {
	for _, service := range a.MultipleServicesCreditControl {
		if service.ResultCode != nil {
			return *service.ResultCode
		}
	}

	return 0
}

// refusal maps what the OCS says (RFC 8506 §9) to what the caller hears (TS 32.260 §5.2.2): no money is 402.
func refusal(result diameter.Result) *Refused {
	status, text := 403, "the OCS refuses the service"

	switch result {
	case ro.CreditLimitReached:
		status, text = 402, "the account has not enough credit"
	case ro.EndUserServiceDenied:
		status, text = 402, "the account may not use the service"
	case ro.UserUnknown:
		status, text = 402, "the OCS has no account for the user"
	case ro.RatingFailed:
		status, text = 500, "the OCS has no price for the called number"
	case ro.UnknownSessionID:
		text = "the OCS has no such session any more"
	}

	return &Refused{
		Status: status, Reason: fmt.Sprintf(`Diameter;cause=%d;text=%q`, result.Code, text), text: text, unknown: result == ro.UnknownSessionID,
	}
}
