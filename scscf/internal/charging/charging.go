// Package charging is the charging trigger function of the S-CSCF (TS 32.260 §5.3): it asks the OCS before a session goes
// on, while it lasts, and tells it what was used (RFC 8506 §5, §7).
package charging

import (
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
	ServiceContextID string        `yaml:"service_context"`
	RatingGroup      uint32        `yaml:"rating_group"`
	RequestedTime    time.Duration `yaml:"requested_time"`   // asked for in each request; 0 leaves it to the OCS
	UpdateMargin     time.Duration `yaml:"update_margin"`    // before the quota ends, unless the OCS gives a threshold
	FailureHandling  string        `yaml:"failure_handling"` // terminate, continue or retry, unless the OCS says (RFC 8506 §8.14)
	Resume           time.Duration `yaml:"resume"`           // how often an OCS that is away is looked for while a call goes on without it; 0: never
	Settle           time.Duration `yaml:"settle"`           // how long a last report that gets no answer is repeated
	Realm            string        `yaml:"realm"`            // of the OCS
	Host             string        `yaml:"host"`             // of the OCS; empty: whoever serves the realm
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
	case c.ServiceContextID == "" || c.Realm == "":
		return errors.New("charging: service_context and realm are needed")
	case c.RequestedTime < 0 || c.UpdateMargin < 0 || c.Resume < 0 || c.Settle < 0:
		return errors.New("charging: requested_time, update_margin, resume and settle must not be negative")
	}

	return nil
}

// eventMethods are the requests that can be charged one by one.
var eventMethods = []string{"MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER", "OPTIONS"}

// Call is what the OCS is told of a session or event.
type Call struct {
	Role           ro.RoleOfNode       `json:"role"`
	Method         string              `json:"method"`
	Event          string              `json:"event,omitempty"` // Event header
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

// silent is the refusal when the OCS says nothing.
func silent() *Refused {
	return &Refused{Status: 503, Reason: `Diameter;cause=3002;text="the OCS does not answer"`}
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

// request begins a CCR.
func (t *Trigger) request(id string, kind ro.RequestType, number uint32, call *Call) *ro.CCR {
	q := &ro.CCR{
		ServiceContextID: t.config.ServiceContextID, Type: kind, Number: number, UserName: call.Private,
		EventTimestamp: time.Now(), Subscriptions: call.Subscriber, ServiceInformation: information(call),
	}
	q.SessionID, q.DestinationRealm, q.DestinationHost = id, t.config.Realm, t.config.Host

	return q
}

func information(call *Call) *ro.ServiceInformation {
	role := call.Role
	ims := &ro.IMSInformation{
		EventType: &ro.EventType{SIPMethod: call.Method, Event: call.Event}, RoleOfNode: &role, NodeFunctionality: ro.NodeSCSCF,
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

// ask sends a CCR, once more if the configuration says so. refused is the OCS's no; err is no answer, or one that says that the
// OCS cannot do it.
func (t *Trigger) ask(ctx context.Context, q *ro.CCR) (answer *ro.CCA, refused *Refused, err error) {
	name := map[ro.RequestType]string{ro.Initial: "initial", ro.Update: "update", ro.Terminate: "terminate", ro.Event: "event"}[q.Type]
	attempts := 1

	if t.config.FailureHandling == Retry {
		attempts = 2
	}

	for range attempts {
		answer, err = t.ocs.CreditControl(ctx, q)
		if err == nil {
			break
		}
	}

	switch {
	case err != nil:
		t.outcomes.WithLabelValues(name, "no answer").Inc()
		t.log.Error("the OCS does not answer", "request", name, "session", q.SessionID, "failure_handling", t.config.FailureHandling, "error", err)

		return nil, nil, err
	case answer.Result.Successful():
		if code := serviceResult(answer); code != 0 && code/1000 != 2 {
			answer.Result = diameter.Result{Code: code}
		}
	}

	t.outcomes.WithLabelValues(name, fmt.Sprint(answer.Result.Code)).Inc()

	switch {
	case answer.Result.Successful():
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
