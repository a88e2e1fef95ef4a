package main_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/test/postgres"
)

// TestWorkedExample: granted 600 s, updated at 500 s used with 300 s more, released at 700 s in total: debited exactly 700 s, and the rest
// of the reservation returned; once as it is, once with every CCR sent twice, once with the OCS killed between any two of them, and every
// CCR sent again then.
func TestWorkedExample(t *testing.T) {
	for name, between := range map[string]func(*ocs, *ro.CCR){
		"once":            func(*ocs, *ro.CCR) {},
		"every CCR twice": (*ocs).again,
		"killed between any two": func(o *ocs, _ *ro.CCR) {
			o.kill()
			o.start()
		},
		"killed between any two, every CCR twice": func(o *ocs, q *ro.CCR) {
			first := o.lastAnswer()
			o.kill()
			o.start()
			o.send(q)
			if again := o.lastAnswer(); !bytes.Equal(first, again) {
				o.Errorf("after the restart CCR %d is answered\n%x, not as before\n%x", q.Number, again, first)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { workedExample(t, run(t), between) })
		t.Run(name+", on PostgreSQL", func(t *testing.T) {
			workedExample(t, run(t, "DIALTONE_OCS_DSN="+postgres.Database(t)), between)
		})
	}
}

func workedExample(t *testing.T, o *ocs, between func(*ocs, *ro.CCR)) {
	o.provision(1000, perSecond)

	for _, step := range []struct {
		q       *ro.CCR
		granted uint32
		after   state
	}{
		{ccr("s;1", ro.Initial, 0, seconds(600), nil), 600, state{400, 600}},
		{ccr("s;1", ro.Update, 1, seconds(300), seconds(500)), 300, state{200, 300}},
		{ccr("s;1", ro.Terminate, 2, nil, seconds(200)), 0, state{300, 0}},
	} {
		a := o.send(step.q)
		if a.Result != ro.Success || granted(a) != step.granted || a.Type != step.q.Type || a.Number != step.q.Number {
			t.Fatalf("CCR %d: %+v with %d s, want %d s", step.q.Number, a, granted(a), step.granted)
		}
		between(o, step.q)
		if got := o.account(); got != step.after {
			t.Errorf("after CCR %d: %+v, want %+v", step.q.Number, got, step.after)
		}
	}

	var records []struct {
		Billed   int64 `json:"billed_seconds"`
		Amount   int64 `json:"amount"`
		Reserved int64 `json:"reserved_in_all"`
		Returned int64 `json:"returned"`
	}
	o.do("GET", "/cdrs", nil, &records)
	if len(records) != 1 || records[0].Billed != 700 || records[0].Amount != 700 || records[0].Returned != 200 || records[0].Reserved != 900 {
		t.Errorf("records %+v, want one of 700 s and 700, 900 reserved, 200 returned", records)
	}
}

func (o *ocs) again(q *ro.CCR) {
	first := o.lastAnswer()
	o.send(q)
	if second := o.lastAnswer(); !bytes.Equal(first, second) {
		o.Errorf("CCR %d again is answered\n%x, not as before\n%x", q.Number, second, first)
	}
}

// TestKilledAtAnyTime: many calls at once, and the OCS killed again and again while their requests are pending. Each request is repeated
// until it is answered, and everything is paid once.
func TestKilledAtAnyTime(t *testing.T) {
	const calls, updates, kills = 12, 6, 6

	o := run(t)
	o.provision(100_000, perSecond)

	answered := make(chan error)
	var all sync.WaitGroup
	for call := range calls {
		all.Go(func() {
			session := fmt.Sprint("s;", call)
			for number := range uint32(updates + 2) {
				q := ccr(session, ro.Update, number, seconds(100), seconds(70))
				switch number {
				case 0:
					q = ccr(session, ro.Initial, 0, seconds(100), nil)
				case updates + 1:
					q = ccr(session, ro.Terminate, number, nil, seconds(30))
				}

				a, ok := o.try(q)
				switch {
				case !ok:
					answered <- fmt.Errorf("no answer to %s/%d", session, number)
				case a.Result != ro.Success:
					answered <- fmt.Errorf("%s/%d: %w %s", session, number, a.Result, a.ErrorMessage)
				default:
					answered <- nil
				}
			}
		})
	}
	go func() {
		all.Wait()
		close(answered)
	}()

	n := 0
	for err := range answered {
		if err != nil {
			t.Error(err)
		}
		if n++; n%(calls*(updates+2)/(kills+1)) == 0 {
			o.kill()
			o.start()
		}
	}

	if got, want := o.account(), (state{100_000 - calls*(updates*70+30), 0}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	var records []credit.CDR
	o.do("GET", "/cdrs", nil, &records)
	if len(records) != calls {
		t.Errorf("%d records of %d calls", len(records), calls)
	}
	for _, r := range records {
		if r.Amount != updates*70+30 || r.Reserved != r.Amount+r.Returned {
			t.Errorf("record %+v", r)
		}
	}
}

// TestThreeDollars: with $3 at $1 for each started minute a call is cut before the fourth minute; two minutes used give $1 back.
func TestThreeDollars(t *testing.T) {
	o := run(t)
	o.provision(300, map[string]any{"prefix": "", "price": 100, "interval": 60, "increment": 60})

	a := o.send(ccr("s;1", ro.Initial, 0, seconds(3600), nil))
	if granted(a) != 180 || a.MultipleServicesCreditControl[0].FinalUnitIndication == nil {
		t.Fatalf("granted %d s, want the last 180", granted(a))
	}
	if second := o.send(ccr("s;2", ro.Initial, 0, seconds(60), nil)); second.Result != ro.CreditLimitReached {
		t.Errorf("a second call on the same money: %v, want 4012", second.Result)
	}
	o.send(ccr("s;1", ro.Terminate, 1, nil, seconds(120)))
	if got := o.account(); got != (state{100, 0}) {
		t.Errorf("%+v, want 100 back", got)
	}
}

// TestVanishedNetworkFunction: the reservation of a session that has become silent is returned, also after a crash.
func TestVanishedNetworkFunction(t *testing.T) {
	o := run(t, "DIALTONE_OCS_CREDIT_VALIDITY=1s", "DIALTONE_OCS_CREDIT_SUPERVISION=1s")
	o.provision(1000, perSecond)
	o.send(ccr("s;1", ro.Initial, 0, seconds(600), nil))
	o.kill()
	o.start()
	o.await("the reservation to come back", func() bool {
		var s state
		return o.api.Do(context.Background(), "GET", "/accounts/alice", nil, &s) == nil && s == state{1000, 0}
	})
	if late := o.send(ccr("s;1", ro.Terminate, 1, nil, seconds(10))); late.Result != ro.UnknownSessionID {
		t.Errorf("a report after that: %v, want 5002", late.Result)
	}
	o.account()
	if metrics := o.metrics(); !strings.Contains(metrics, "dialtone_ocs_sessions_supervised_total 1") ||
		!strings.Contains(metrics, "dialtone_ocs_late_reports_total 1") {
		t.Error(metrics)
	}
}

func TestResults(t *testing.T) {
	o := run(t)
	o.provision(20, perSecond)

	stranger := ccr("x;1", ro.Initial, 0, seconds(10), nil)
	stranger.Subscriptions[0].Data = "999"
	event := func(session string, action ro.RequestedAction) *ro.CCR {
		q := ccr(session, ro.Event, 0, nil, nil)
		q.RequestedAction = &action
		return q
	}
	refund := event("x;7", ro.RefundAccount)
	refund.Number = 1
	bare := ccr("x;3", ro.Event, 0, nil, nil)
	strange := ccr("x;0", 9, 0, seconds(10), nil)

	for _, test := range []struct {
		name   string
		q      *ro.CCR
		want   diameter.Result
		failed bool
	}{
		{"RFC 8506 §8.3 a type that does not exist: 5004", strange, ro.InvalidAVPValue, true},
		{"RFC 8506 §9 no account: 5030", stranger, ro.UserUnknown, false},
		{"RFC 8506 §9 no such session: 5002", ccr("x;2", ro.Update, 1, seconds(1), nil), ro.UnknownSessionID, false},
		{"RFC 8506 §6.1 an event without Requested-Action: 5005", bare, ro.MissingAVP, true},
		{"RFC 8506 §6.3 direct debiting", event("x;4", ro.DirectDebiting), ro.Success, false},
		{"RFC 8506 §6.3 the same again", event("x;4", ro.DirectDebiting), ro.Success, false},
		{"RFC 8506 §6.2 balance check", event("x;5", ro.CheckBalance), ro.Success, false},
		{"RFC 8506 §6.1 price enquiry", event("x;6", ro.PriceEnquiry), ro.Success, false},
		{"RFC 8506 §6.3 a second message", event("x;7", ro.DirectDebiting), ro.Success, false},
		{"RFC 8506 §9 nothing left: 4012", event("x;8", ro.DirectDebiting), ro.CreditLimitReached, false},
		{"RFC 8506 §6.4 refund", refund, ro.Success, false},
		{"refund of what nobody has debited: 5002", event("x;9", ro.RefundAccount), ro.UnknownSessionID, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, ok := o.try(test.q)
			if !ok || a.Result != test.want || (a.Failed != nil) != test.failed {
				t.Errorf("%+v, want %v", a, test.want)
			}
		})
	}
	if got := o.account(); got != (state{10, 0}) {
		t.Errorf("%+v, want 10: two messages of 10 paid from 20, one given back", got)
	}
	if metrics := o.metrics(); !strings.Contains(metrics, `dialtone_ocs_requests_total{result="4012",type="CCR Event"} 1`) ||
		!strings.Contains(metrics, "dialtone_ocs_ledger_imbalance 0") || !strings.Contains(metrics, "dialtone_ocs_repeated_requests_total 1") {
		t.Error(metrics)
	}
}
