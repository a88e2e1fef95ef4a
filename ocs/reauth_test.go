package main_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/reauth"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// asked waits for a request of the OCS to the network function.
func asked[T any](o *ocs, from chan *T) *T {
	o.Helper()

	select {
	case q := <-from:
		return q
	case <-time.After(10 * time.Second):
		o.Fatal("the OCS did not ask")
		return nil
	}
}

func (o *ocs) notAsked(what string) {
	o.Helper()

	select {
	case q := <-o.rar:
		o.Errorf("%s: RAR for %s", what, q.SessionID)
	case q := <-o.asr:
		o.Errorf("%s: ASR for %s", what, q.SessionID)
	default:
	}
}

// TestCreditReauthorisation is RFC 8506 §5.5 as a network function sees it: a RAR, a RAA with DIAMETER_LIMITED_SUCCESS, and the
// CCR Update that follows it.
func TestCreditReauthorisation(t *testing.T) {
	o := run(t)
	o.provision(100, perSecond)

	// A call on the last units goes on when the account is topped up.
	if a := o.send(ccr("nf;1", ro.Initial, 0, seconds(600), nil)); granted(a) != 100 ||
		a.MultipleServicesCreditControl[0].FinalUnitIndication == nil {
		t.Fatalf("granted %d, want the last 100", granted(a))
	}
	o.do("POST", "/accounts/alice/top-up", map[string]any{"amount": 1000}, nil)
	q := asked(o, o.rar)
	if q.SessionID != "nf;1" || q.Type != ro.AuthorizeOnly || q.DestinationHost != "scscf."+realm || q.DestinationRealm != realm {
		t.Errorf("RAR %+v", q)
	}
	if a := o.send(ccr("nf;1", ro.Update, 1, seconds(600), seconds(40))); granted(a) != 600 ||
		a.MultipleServicesCreditControl[0].FinalUnitIndication != nil {
		t.Errorf("granted %d, want 600 and more after them", granted(a))
	}
	if got := o.account(); got != (state{460, 600}) {
		t.Errorf("%+v, want 40 of 1100 used and 600 reserved", got)
	}

	// It asks by itself now; more money needs no RAR.
	o.do("POST", "/accounts/alice/top-up", map[string]any{"amount": 1}, nil)

	// A blocked account: the session is asked to report, and gets nothing more.
	o.do("PATCH", "/accounts/alice", map[string]any{"blocked": true}, nil)
	if q := asked(o, o.rar); q.SessionID != "nf;1" {
		t.Errorf("RAR %+v", q)
	}
	o.notAsked("money for a session that has enough, or a second time")
	if a := o.send(ccr("nf;1", ro.Update, 2, seconds(600), seconds(60))); a.Result != ro.EndUserServiceDenied || granted(a) != 0 {
		t.Errorf("a blocked account: %v, want 4010", a.Result)
	}
	o.send(ccr("nf;1", ro.Terminate, 3, nil, seconds(5)))
	if got := o.account(); got != (state{1101 - 105, 0}) {
		t.Errorf("%+v, want 105 used", got)
	}

	// Without a session nothing is sent.
	o.do("PATCH", "/accounts/alice", map[string]any{"blocked": false}, nil)
	o.do("PATCH", "/accounts/alice", map[string]any{"blocked": true}, nil)
	o.do("PATCH", "/accounts/alice", map[string]any{"blocked": false}, nil)
	o.notAsked("no session is open")

	if metrics := o.metrics(); !strings.Contains(metrics, `dialtone_ocs_reauthorisations_total{command="RAR",outcome="asked"} 2`) {
		t.Error(metrics)
	}
}

// TestAnswersToRAR: what the operator learns, and the fate of the session.
func TestAnswersToRAR(t *testing.T) {
	o := run(t, "DIALTONE_OCS_CREDIT_SUPERVISION=30s", "DIALTONE_OCS_REAUTH_WAIT=10ms")
	o.provision(1000, perSecond)
	o.send(ccr("nf;/1", ro.Initial, 0, seconds(100), nil))

	expires := func() time.Duration {
		var all []credit.Session
		o.do("GET", "/sessions", nil, &all)
		if len(all) != 1 {
			t.Fatalf("%d sessions", len(all))
		}

		return time.Until(all[0].Expires)
	}
	path := "/sessions/" + url.PathEscape("nf;/1")

	for _, test := range []struct {
		name    string
		result  diameter.Result
		outcome reauth.Outcome
		soon    bool // the supervision is shortened
	}{
		{"RFC 8506 §5.5: a CCR follows", ro.LimitedSuccess, reauth.Asked, false},
		{"RFC 8506 §5.5: one is on its way already", ro.Success, reauth.Asked, false},
		{"RFC 6733 §7.1.3: not a command of the network function", diameter.CommandUnsupported, reauth.Refused, false},
		{"RFC 6733 §7.1.5: unable to comply", ro.UnableToComply, reauth.Refused, false},
		{"RFC 6733 §8.3.2: no such session", ro.UnknownSessionID, reauth.Unknown, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			o.disobey(test.result)
			var a reauth.Answer
			o.do("POST", path+"/reauth", nil, &a)
			if a.Outcome != test.outcome || a.Result != test.result.Code || a.Command != "RAR" || a.Session != "nf;/1" {
				t.Errorf("%+v, want %s", a, test.outcome)
			}
			if left := expires(); left < time.Minute != test.soon {
				t.Errorf("the session is kept for %v", left)
			}
			if q := asked(o, o.rar); q.SessionID != "nf;/1" {
				t.Errorf("%+v", q)
			}
		})
	}

	o.disobey(diameter.CommandUnsupported)
	var a reauth.Answer
	o.do("DELETE", path, nil, &a)
	asked(o, o.asr)
	asked(o, o.rar)
	if a.Command != "RAR" || a.Outcome != reauth.Refused {
		t.Errorf("an ASR that is refused becomes a RAR: %+v", a)
	}

	out, err := o.cli("", "session", "reauth", "nf;/1", "--json")
	var printed reauth.Answer
	if err != nil || json.Unmarshal([]byte(out), &printed) != nil || printed.Outcome != reauth.Refused {
		t.Errorf("ocs session reauth prints %q, %v", out, err)
	}
	if out, err := o.cli("", "session", "abort", "nobody;1"); err == nil || !strings.Contains(out, "not found") {
		t.Errorf("ocs session abort of none: %q, %v", out, err)
	}
}

// TestClosingEndsSessions: an account is closed during a call. The network function is asked to end it, its last report is charged, and the
// rest is paid out.
func TestClosingEndsSessions(t *testing.T) {
	o := run(t)
	o.provision(1000, perSecond)
	o.send(ccr("nf;1", ro.Initial, 0, seconds(600), nil))

	closed := make(chan error, 1)
	go func() { closed <- o.api.Do(t.Context(), "DELETE", "/accounts/alice", nil, nil) }()

	if q := asked(o, o.asr); q.SessionID != "nf;1" || q.DestinationHost != "scscf."+realm {
		t.Errorf("ASR %+v", q)
	}
	if a := o.send(ccr("nf;2", ro.Initial, 0, seconds(1), nil)); a.Result != ro.EndUserServiceDenied {
		t.Errorf("a call that begins meanwhile: %v, want 4010", a.Result)
	}
	o.send(ccr("nf;1", ro.Terminate, 1, nil, seconds(150)))
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if got := o.account(); got != (state{0, 0}) {
		t.Errorf("%+v, want all paid out", got)
	}
	var records []credit.CDR
	o.do("GET", "/cdrs", nil, &records)
	if len(records) != 1 || records[0].Amount != 150 {
		t.Errorf("records %+v", records)
	}
}

// TestClosingWithoutAnAnswer: a network function that does not end the session prevents the closing of the account, but not its blocking,
// and the operator is told.
func TestClosingWithoutAnAnswer(t *testing.T) {
	o := run(t)
	o.provision(1000, perSecond)
	o.send(ccr("nf;1", ro.Initial, 0, seconds(600), nil))
	o.disobey(ro.UnableToComply)

	err := o.api.Do(t.Context(), "DELETE", "/accounts/alice", nil, nil)
	if err == nil || !strings.Contains(err.Error(), "the account is blocked") {
		t.Fatalf("closed under a call: %v", err)
	}
	if a := o.send(ccr("nf;1", ro.Update, 1, seconds(600), seconds(10))); a.Result != ro.EndUserServiceDenied {
		t.Errorf("%v, want 4010", a.Result)
	}
	o.send(ccr("nf;1", ro.Terminate, 2, nil, seconds(1)))
	o.do("DELETE", "/accounts/alice", nil, nil)
}
