package charging

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// script is an OCS that answers CCRs in order as the test says, repeating the last answer.
type script struct {
	began   time.Time
	answers []func(*ro.CCA) error

	mu    sync.Mutex
	lines []string
}

func (o *script) CreditControl(_ context.Context, q *ro.CCR) (*ro.CCA, error) {
	o.mu.Lock()
	defer o.mu.Unlock()

	line := fmt.Sprintf("%s %d#%d", time.Since(o.began), q.Type, q.Number)
	if q.DestinationHost != "" {
		line += " to " + q.DestinationHost
	}
	if event := q.ServiceInformation.IMS.EventType; event != nil {
		line += " " + event.SIPMethod
	}
	for _, service := range q.MultipleServicesCreditControl {
		for _, used := range service.Used {
			if used.Time != nil {
				line += fmt.Sprintf(" used %d", *used.Time)
			} else {
				line += fmt.Sprintf(" used %d of it", *used.ServiceSpecificUnits)
			}
		}
	}
	o.lines = append(o.lines, line)

	a := &ro.CCA{}
	a.Result, a.OriginHost = ro.Success, "ocs1"

	answer := o.answers[0]
	if len(o.answers) > 1 {
		o.answers = o.answers[1:]
	}

	return a, answer(a)
}

func (o *script) want(t *testing.T, lines string) {
	t.Helper()
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()

	if got := strings.Join(o.lines, ", "); got != lines {
		t.Errorf("asked  %s\nwanted %s", got, lines)
	}
}

func grants(seconds uint32, change ...func(*ro.CCA, *ro.MultipleServicesCreditControl)) func(*ro.CCA) error {
	return func(a *ro.CCA) error {
		a.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{{Granted: &ro.ServiceUnit{Time: &seconds}}}
		for _, c := range change {
			c(a, &a.MultipleServicesCreditControl[0])
		}

		return nil
	}
}

func answers(code uint32) func(*ro.CCA) error {
	return func(a *ro.CCA) error { a.Result = diameter.Result{Code: code}; return nil }
}

func fails(err error) func(*ro.CCA) error { return func(*ro.CCA) error { return err } }

func threshold(n uint32) func(*ro.CCA, *ro.MultipleServicesCreditControl) {
	return func(_ *ro.CCA, s *ro.MultipleServicesCreditControl) { s.TimeQuotaThreshold = &n }
}

func valid(n uint32) func(*ro.CCA, *ro.MultipleServicesCreditControl) {
	return func(_ *ro.CCA, s *ro.MultipleServicesCreditControl) { s.ValidityTime = &n }
}

func lastUnits(_ *ro.CCA, s *ro.MultipleServicesCreditControl) {
	s.FinalUnitIndication = &ro.FinalUnitIndication{}
}

func movable(a *ro.CCA, _ *ro.MultipleServicesCreditControl) {
	supported := uint32(1)
	a.SessionFailover = &supported
}

func from(host string) func(*ro.CCA, *ro.MultipleServicesCreditControl) {
	return func(a *ro.CCA, _ *ro.MultipleServicesCreditControl) { a.OriginHost = host }
}

// ofService returns a result of the one service, in an answer that is a success.
func ofService(code uint32) func(*ro.CCA) error {
	return func(a *ro.CCA) error {
		a.MultipleServicesCreditControl = []ro.MultipleServicesCreditControl{{ResultCode: &code}}
		return nil
	}
}

// TestForeignOCS: possible answers of an OCS and their effects, in calls that last until the caller hangs up.
func TestForeignOCS(t *testing.T) {
	tests := []struct {
		name    string
		answers []func(*ro.CCA) error
		rings   time.Duration
		talk    time.Duration // from the answer on; 0: cancelled while it rings
		ends    time.Duration // released by the S-CSCF, counted from the beginning
		reason  string        // of the BYE
		lines   string
	}{
		{
			name:    "RFC 8506 §9.1 4011 to Initial: granted, and the OCS hears no more of it",
			answers: []func(*ro.CCA) error{answers(4011)},
			talk:    time.Hour,
			lines:   "0s 1#0 INVITE",
		},
		{
			name:    "§9.1 4011 to Update: granted from then on, and no more is said",
			answers: []func(*ro.CCA) error{grants(60), answers(4011)},
			talk:    time.Hour,
			lines:   "0s 1#0 INVITE, 50s 2#1 to ocs1 used 50",
		},
		{
			name:    "§9.1 4011 of the service alone: the OCS keeps the session, and gets its end",
			answers: []func(*ro.CCA) error{ofService(4011), answers(2001)},
			talk:    time.Hour,
			lines:   "0s 1#0 INVITE, 1h0m0s 3#1 to ocs1 BYE used 0",
		},
		{
			name:    "TS 32.299 Time-Quota-Threshold: as the OCS says",
			answers: []func(*ro.CCA) error{grants(60, threshold(50)), grants(60, threshold(0)), grants(600)},
			talk:    100 * time.Second,
			lines:   "0s 1#0 INVITE, 10s 2#1 to ocs1 used 10, 1m10s 2#2 to ocs1 used 60, 1m40s 3#3 to ocs1 BYE used 30",
		},
		{
			name:    "a threshold beyond the quota does not flood the OCS",
			answers: []func(*ro.CCA) error{grants(60, threshold(600))},
			talk:    3500 * time.Millisecond,
			lines:   "0s 1#0 INVITE, 1s 2#1 to ocs1 used 1, 2s 2#2 to ocs1 used 1, 3s 2#3 to ocs1 used 1, 3.5s 3#4 to ocs1 BYE used 1",
		},
		{
			name:    "RFC 8506 §8.33 Validity-Time beside the last units",
			answers: []func(*ro.CCA) error{grants(100, lastUnits, valid(30)), grants(50, lastUnits)},
			talk:    time.Hour,
			ends:    80 * time.Second,
			reason:  "",
			lines:   "0s 1#0 INVITE, 30s 2#1 to ocs1 used 30, 1m20s 3#2 to ocs1 BYE used 50",
		},
		{
			name:    "§8.33 Validity-Time while it rings",
			answers: []func(*ro.CCA) error{grants(100, valid(30)), grants(100)},
			rings:   40 * time.Second,
			talk:    10 * time.Second,
			lines:   "0s 1#0 INVITE, 30s 2#1 to ocs1 used 0, 50s 3#2 to ocs1 BYE used 10",
		},
		{
			name: "given up while it rings", answers: []func(*ro.CCA) error{grants(100)}, rings: 5 * time.Second,
			lines: "0s 1#0 INVITE, 5s 3#1 to ocs1 CANCEL used 0",
		},
		{
			name:    "the session stays with its server, which is whoever answered last",
			answers: []func(*ro.CCA) error{grants(60), grants(60, from("ocs2")), grants(60, from("ocs2"))},
			talk:    70 * time.Second,
			lines:   "0s 1#0 INVITE, 50s 2#1 to ocs1 used 50, 1m10s 3#2 to ocs2 BYE used 20",
		},
		{
			name: "§5.7 its server is gone, and the session may go elsewhere",
			answers: []func(*ro.CCA) error{
				grants(60, movable),
				fails(diameter.ErrUnroutable),
				grants(60, from("ocs2"), movable),
				grants(60, from("ocs2")),
			}, talk: 60 * time.Second,
			lines: "0s 1#0 INVITE, 50s 2#1 to ocs1 used 50, 50s 2#1 used 50, 1m0s 3#2 to ocs2 BYE used 10",
		},
		{
			name:    "§5.7 its server is gone, and the session may not",
			answers: []func(*ro.CCA) error{grants(60), fails(diameter.ErrUnroutable), grants(60)},
			talk:    time.Hour,
			ends:    50 * time.Second,
			reason:  `DIAMETER;cause=3002;text="the OCS does not answer"`,
			lines:   "0s 1#0 INVITE, 50s 2#1 to ocs1 used 50, 50s 2#1 to ocs1 used 50, 50s 3#2 to ocs1 BYE used 0",
		},
		{
			name:    "3xxx to an Update: the BYE says which",
			answers: []func(*ro.CCA) error{grants(60), answers(3004), answers(2001)},
			talk:    time.Hour,
			ends:    50 * time.Second,
			reason:  `DIAMETER;cause=3004;text="the OCS could not serve the request"`,
			lines:   "0s 1#0 INVITE, 50s 2#1 to ocs1 used 50, 50s 2#1 to ocs1 used 50, 50s 3#2 to ocs1 BYE used 0",
		},
		{
			name:    "3xxx to a Terminate: owed until it is delivered",
			answers: []func(*ro.CCA) error{grants(600), answers(3007), answers(3002), answers(2001)},
			talk:    10 * time.Second,
			lines:   "0s 1#0 INVITE, 10s 3#1 to ocs1 BYE used 10, 40s 3#1 to ocs1 BYE used 10, 1m10s 3#1 to ocs1 BYE used 10",
		},
		{
			name:    "a Terminate that another OCS does not know is owed, too",
			answers: []func(*ro.CCA) error{grants(600, movable), answers(3002), answers(5002), answers(2001)},
			talk:    10 * time.Second,
			lines:   "0s 1#0 INVITE, 10s 3#1 to ocs1 BYE used 10, 10s 3#1 BYE used 10, 40s 3#1 to ocs1 BYE used 10",
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &script{began: time.Now(), answers: test.answers}
				trigger := bench(Config{FailureHandling: Terminate, UpdateMargin: 10 * time.Second, Settle: 10 * time.Minute}, o)

				type end struct {
					at     time.Duration
					reason string
				}
				released := make(chan end, 1)

				var s *Session
				s, refused := trigger.Begin(t.Context(), Call{Method: "INVITE"}, func(_ string, cause Cause) {
					released <- end{time.Since(o.began), cause.Reason}
					s.End(cause)
				})
				if refused != nil {
					t.Fatal(refused)
				}

				time.Sleep(test.rings)
				if test.talk == 0 {
					s.End(Answered(487, ""))
				} else {
					s.Answered(time.Now())
					select {
					case got := <-released:
						if got != (end{test.ends, test.reason}) {
							t.Errorf("released %+v, want %s %s", got, test.ends, test.reason)
						}
					case <-time.After(test.talk):
						if test.ends != 0 {
							t.Error("was not released")
						}
						s.End(Normal)
					}
				}

				time.Sleep(time.Hour)
				o.want(t, test.lines)
				if len(trigger.open) != 0 {
					t.Errorf("%d sessions are left", len(trigger.open))
				}
			})
		})
	}
}

// TestRefusals: refusals at the beginning, and the caller's response.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(*ro.CCA) error
		call   Call
		status int
		reason string
		asked  string
	}{
		{name: "3004: its code is in the reason", answer: answers(3004), status: 503, reason: "DIAMETER;cause=3004;", asked: "0s 1#0 "},
		{name: "5012", answer: answers(5012), status: 503, reason: "DIAMETER;cause=5012;", asked: "0s 1#0 , 30s 3#1  used 0"},
		{
			name:   "no OCS",
			answer: fails(fmt.Errorf("x: %w", diameter.ErrUnroutable)),
			status: 503,
			reason: "DIAMETER;cause=3002;",
			asked:  "0s 1#0 ",
		},
		{name: "more than a CCR can be", answer: fails(diameter.ErrTooLarge), status: 513, reason: "SIP;cause=513;", asked: "0s 1#0 "},
		{name: "a Request-URI without end", call: Call{Called: "sip:" + strings.Repeat("1", 64_600)}, status: 414, reason: "SIP;cause=414;"},
		{name: "a To without end", call: Call{Requested: "sip:" + strings.Repeat("1", 64_600)}, status: 513, reason: "SIP;cause=513;"},
		{
			name:   "identities without end",
			call:   Call{Calling: []string{"sip:a", strings.Repeat("1", 64_600)}},
			status: 513,
			reason: "SIP;cause=513;",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &script{began: time.Now(), answers: []func(*ro.CCA) error{test.answer, answers(2001)}}
				trigger := bench(Config{FailureHandling: Terminate, Settle: time.Hour}, o)
				_, refused := trigger.Begin(t.Context(), test.call, nil)
				if refused == nil || refused.Status != test.status || !strings.HasPrefix(refused.Reasons[0].String(), test.reason) {
					t.Errorf("%+v", refused)
				}
				time.Sleep(time.Hour)
				o.want(t, test.asked)
			})
		})
	}
}

// TestForeignEvents: requests outside sessions, and possible answers of an OCS.
func TestForeignEvents(t *testing.T) {
	for _, test := range []struct {
		name    string
		events  string
		answers []func(*ro.CCA) error
		status  int // of the message; 0: it is refused
		lines   string
	}{
		{
			name:    "RFC 8506 §9.1 4011 to Event: granted",
			events:  Immediate,
			answers: []func(*ro.CCA) error{answers(4011)},
			status:  480,
			lines:   "0s 4#0 MESSAGE",
		},
		{
			name:    "§9.1 4011 to Initial: granted, and no more is said",
			events:  Reserved,
			answers: []func(*ro.CCA) error{answers(4011)},
			status:  200,
			lines:   "0s 1#0 MESSAGE",
		},
		{
			name:    "§9.1 4011 of the service alone",
			events:  Reserved,
			answers: []func(*ro.CCA) error{ofService(4011), answers(2001)},
			status:  200,
			lines:   "0s 1#0 MESSAGE, 0s 3#1 to ocs1 MESSAGE used 0 of it",
		},
		{
			name:    "§6.4 not delivered: refunded, until the OCS has heard it",
			events:  Immediate,
			answers: []func(*ro.CCA) error{answers(2001), answers(3002), answers(2001)},
			status:  404,
			lines:   "0s 4#0 MESSAGE, 0s 4#1 to ocs1 MESSAGE, 30s 4#1 to ocs1 MESSAGE",
		},
		{name: "delivered: paid", events: Immediate, answers: []func(*ro.CCA) error{answers(2001)}, status: 202, lines: "0s 4#0 MESSAGE"},
		{
			name:    "a reservation without answer is given back",
			events:  Reserved,
			answers: []func(*ro.CCA) error{fails(errDead), answers(2001)},
			lines:   "0s 1#0 MESSAGE, 30s 3#1 MESSAGE used 0 of it",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &script{began: time.Now(), answers: test.answers}
				trigger := bench(Config{FailureHandling: Terminate, Events: test.events, EventMethods: []string{"MESSAGE"}, Settle: time.Hour}, o)

				e, refused := trigger.Event(t.Context(), Call{Method: "MESSAGE"})
				if (refused != nil) != (test.status == 0) {
					t.Fatalf("refused: %+v", refused)
				}
				if e != nil {
					e.End(test.status, "")
				}
				time.Sleep(time.Hour)
				o.want(t, test.lines)
			})
		})
	}
}

// TestNothingIsAskedAfterClose: requests in flight when the Trigger is closed plan nothing afterwards: the journal has the owed reports,
// for the next process.
func TestNothingIsAskedAfterClose(t *testing.T) {
	for _, events := range []string{Immediate, Reserved} {
		t.Run(events, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var trigger *Trigger
				o := &script{began: time.Now(), answers: []func(*ro.CCA) error{
					func(*ro.CCA) error { return errors.Join(trigger.Close(), errDead) }, answers(2001),
				}}
				trigger = bench(Config{FailureHandling: Terminate, Events: events, EventMethods: []string{"MESSAGE"}, Settle: time.Hour}, o)

				if _, refused := trigger.Event(t.Context(), Call{Method: "MESSAGE"}); refused == nil {
					t.Error("not refused")
				}
				time.Sleep(time.Hour)
				o.want(t, map[string]string{Immediate: "0s 4#0 MESSAGE", Reserved: "0s 1#0 MESSAGE"}[events])
			})
		})
	}
}

// TestFreeContent: the content of a message decides whether it costs anything; unreadable content does.
func TestFreeContent(t *testing.T) {
	trigger := bench(
		Config{
			Events:       Reserved,
			EventMethods: []string{"MESSAGE"},
			InDialog:     []string{"MESSAGE", "INFO"},
			FreeContent:  []string{"message/imdn+xml"},
		},
		nil,
	)

	cpim := func(media string) []byte {
		return []byte(
			"From: <sip:a>\r\nTo: <sip:b>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: 1\r\n\r\nContent-type: " + media +
				"\r\nContent-Length: 1\r\n\r\nx",
		)
	}

	for _, test := range []struct {
		media   string
		body    []byte
		charged bool
	}{
		{"text/plain", []byte("x"), true},
		{"", []byte("x"), true},
		{"message/imdn+xml", []byte("<imdn/>"), false},
		{"Message/IMDN+XML ; charset=utf-8", []byte("<imdn/>"), false},
		{"message/imdn+xml; =", []byte("<imdn/>"), false},
		{"message/cpim", cpim("message/imdn+xml"), false},
		{"message/cpim", cpim("text/plain"), true},
		{"message/cpim", []byte("Content-Type: message/imdn+xml"), true},
		{"message/cpim", nil, true},
	} {
		content := Content{test.media, test.body}
		if got := trigger.ChargesEvent(ro.OriginatingRole, "MESSAGE", content); got != test.charged {
			t.Errorf("%q %q: charged %v", test.media, test.body, got)
		}
		if got := trigger.ChargesWithin(ro.OriginatingRole, "INFO", content); got != (test.charged && len(test.body) > 0) {
			t.Errorf("within a dialog: %q %q: charged %v", test.media, test.body, got)
		}
	}
}

func FuzzContent(f *testing.F) {
	f.Add("message/cpim", []byte("a: b\n\nContent-Type: message/imdn+xml\n\n"))
	f.Add("text/plain; a", []byte(nil))
	f.Fuzz(func(t *testing.T, media string, body []byte) {
		if got := (Content{media, body}).media(); strings.ToLower(got) != got {
			t.Errorf("%q", got)
		}
	})
}

// TestServerOverRestart: a restart does not make a session forget its OCS, nor that no OCS has it.
func TestServerOverRestart(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(*ro.CCA) error
		lines  string
	}{
		{"its OCS", grants(600, from("ocs2")), "0s 1#0 INVITE, 10s 3#1 to ocs2 BYE used 10"},
		{"no credit control", answers(4011), "0s 1#0 INVITE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			directory := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				o := &script{began: time.Now(), answers: []func(*ro.CCA) error{test.answer}}
				trigger := bench(Config{FailureHandling: Terminate}, o)
				if err := trigger.Restore(directory); err != nil {
					t.Fatal(err)
				}
				s, refused := trigger.Begin(t.Context(), Call{Method: "INVITE"}, nil)
				if refused != nil {
					t.Fatal(refused)
				}
				s.Answered(time.Now())
				trigger.Close()

				trigger = bench(Config{FailureHandling: Terminate}, o)
				if err := trigger.Restore(directory); err != nil {
					t.Fatal(err)
				}
				s, found := trigger.Restored(s.Key(), func(string, Cause) {})
				if !found {
					t.Fatal("the session did not come back")
				}
				trigger.Resume(t.Context(), func(context.Context) {})
				time.Sleep(10 * time.Second)
				s.End(Normal)
				o.want(t, test.lines)
				trigger.Close()
			})
		})
	}
}
