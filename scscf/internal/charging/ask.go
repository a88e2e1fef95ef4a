package charging

import (
	"context"
	"errors"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// OCS answers credit-control requests. An error means that there is no answer.
type OCS interface {
	CreditControl(ctx context.Context, q *ro.CCR) (*ro.CCA, error)
}

// server is the OCS that has a session (RFC 6733 §6.6, RFC 8506 §6.5): the one that answered, and whether another may take over.
type server struct {
	Host     string `json:"host,omitempty"`
	Failover bool   `json:"failover,omitempty"` // CC-Session-Failover
}

func serverOf(a *ro.CCA) server {
	const failoverSupported = 1
	return server{a.OriginHost, a.SessionFailover != nil && *a.SessionFailover == failoverSupported}
}

// free reports whether the OCS wants the service to be granted without credit control (RFC 8506 §7, §9.1): for the whole session, which
// it then does not keep, or, with held, for this service within a session that it does keep.
func free(a *ro.CCA) (free, held bool) {
	return a.Result == ro.CreditControlNotApplicable, serviceResult(a) == ro.CreditControlNotApplicable.Code
}

// ask sends a CCR, once more if the configuration says so, and to another OCS if the session may go there. refused is the OCS's refusal;
// err means no answer, or one that says that the OCS cannot serve the request.
func (t *Trigger) ask(ctx context.Context, q *ro.CCR, at server) (answer *ro.CCA, refused *sip.Refusal, err error) {
	name := map[ro.RequestType]string{ro.Initial: "initial", ro.Update: "update", ro.Terminate: "terminate", ro.Event: "event"}[q.Type]
	attempts := 1

	if t.config.FailureHandling == RetryAndTerminate {
		attempts = 2
	}

	for range attempts {
		if answer, err = t.ocs.CreditControl(ctx, q); err == nil {
			break
		}

		q.Retransmitted = q.Retransmitted || !undelivered(err)
	}

	elsewhere := at.Failover && q.DestinationHost != "" &&
		(err != nil && !errors.Is(err, diameter.ErrTooLarge) || err == nil && answer.Result.Code/1000 == 3)
	if elsewhere {
		t.log.Warn(
			"the OCS of a session does not serve it; another is asked",
			"request_type", name,
			"session_id", q.SessionID,
			"peer", q.DestinationHost,
			"cause", err,
		)
		q.DestinationHost, q.Retransmitted = "", q.Retransmitted || err != nil && !undelivered(err)
		answer, err = t.ocs.CreditControl(ctx, q)

		if err == nil && answer.Result == ro.UnknownSessionID && q.Type == ro.Terminate { // not the OCS that must be told
			err = answer.Result
		}
	}

	switch {
	case errors.Is(err, diameter.ErrTooLarge):
		t.outcomes.WithLabelValues(name, "too large").Inc()
		return nil, sip.Refuse(513, "the request is longer than can be charged for"), nil
	case err != nil:
		t.outcomes.WithLabelValues(name, "no answer").Inc()
		t.log.Error(
			"the OCS does not answer",
			"request_type", name,
			"session_id", q.SessionID,
			"failure_handling", t.config.FailureHandling,
			"cause", err,
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
