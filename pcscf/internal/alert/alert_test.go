package alert

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dialtone-ims/dialtone/test/memory"
)

// scripted is a way whose attempts take some time and come to what a script says; the last line of the script goes on for ever.
type scripted struct {
	mu     sync.Mutex
	takes  time.Duration
	script []error
	at     []time.Duration // of the attempts
	began  time.Time
}

func (s *scripted) patience() time.Duration { return time.Second }

func (s *scripted) deliver(ctx context.Context, _ Call) error {
	s.mu.Lock()
	s.at = append(s.at, time.Since(s.began))
	err := s.script[min(len(s.at), len(s.script))-1]
	takes := s.takes
	s.mu.Unlock()

	select {
	case <-time.After(takes):
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// alerted runs a test with the alerts of one way.
func alerted(t *testing.T, s *scripted, test func(a *Alerts, log *memory.Log)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := &memory.Log{}
		a := New(Config{Webhook: "http://192.0.2.9"}, Options{Log: log.Logger(), Metrics: prometheus.NewRegistry()})
		a.queues[0].way = s
		s.began = time.Now()

		ctx, cancel := context.WithCancel(t.Context())

		var running sync.WaitGroup
		running.Go(func() { a.Run(ctx) })
		test(a, log)
		cancel()
		running.Wait()
	})
}

func (a *Alerts) outcome(name string) int {
	return int(testutil.ToFloat64(a.queues[0].outcomes.WithLabelValues(name)))
}

// An alert is tried until it is delivered, five times at most, ever more rarely, and not again when that would help nothing.
func TestAttempts(t *testing.T) {
	gone := errors.New("gone")

	for name, test := range map[string]struct {
		script  []error
		takes   time.Duration
		at      []time.Duration
		outcome string
	}{
		"at once":            {script: []error{nil}, at: []time.Duration{0}, outcome: "delivered"},
		"at the third":       {script: []error{gone, gone, nil}, at: []time.Duration{0, 1, 3}, outcome: "delivered"},
		"never":              {script: []error{gone}, at: []time.Duration{0, 1, 3, 7, 15}, outcome: "failed"},
		"never an answer":    {script: []error{nil}, takes: time.Hour, at: []time.Duration{0, 2, 5, 10, 19}, outcome: "failed"},
		"refused":            {script: []error{hopeless{gone}}, at: []time.Duration{0}, outcome: "failed"},
		"refused the second": {script: []error{gone, hopeless{gone}}, at: []time.Duration{0, 1}, outcome: "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scripted{script: test.script, takes: test.takes}
			alerted(t, s, func(a *Alerts, log *memory.Log) {
				a.Tell(Call{Service: "sos", CallID: "call-1"})
				time.Sleep(time.Minute)
				synctest.Wait()

				s.mu.Lock()
				defer s.mu.Unlock()

				if len(s.at) != len(test.at) {
					t.Fatalf("attempts at %v, want %v s", s.at, test.at)
				}

				for i, at := range s.at {
					if at != test.at[i]*time.Second {
						t.Errorf("attempts at %v, want %v s", s.at, test.at)
					}
				}

				failed := strings.Contains(log.String(), "emergency alert not delivered") && strings.Contains(log.String(), "call-1")
				if a.outcome(test.outcome) != 1 || failed != (test.outcome == "failed") {
					t.Errorf("it is not counted as %s, or the log has\n%s", test.outcome, log)
				}
			})
		})
	}
}

// Nobody waits: what is too much is dropped, and an end ends all.
func TestAlertsAreBounded(t *testing.T) {
	s := &scripted{script: []error{nil}, takes: 900 * time.Millisecond}
	alerted(t, s, func(a *Alerts, _ *memory.Log) {
		for range workers {
			a.Tell(Call{})
		}
		synctest.Wait() // all workers have one

		before := time.Now()
		for range waiting + 7 {
			a.Tell(Call{})
		}

		if time.Since(before) != 0 || a.outcome("dropped") != 7 {
			t.Errorf("%d dropped, after %v", a.outcome("dropped"), time.Since(before))
		}

		time.Sleep(time.Minute)
		synctest.Wait()

		if got := a.outcome("delivered"); got != waiting+workers {
			t.Errorf("%d delivered", got)
		}

		a.Tell(Call{}) // under way at the end
	})

	var none *Alerts
	none.Tell(Call{})
	none.Run(t.Context())
}

// A webhook gets a POST with the call as JSON. Its answer says whether to try again.
func TestWebhook(t *testing.T) {
	call := Call{
		Time: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), Service: "sos.fire", Caller: "unregistered",
		Handset: "urn:gsma:imei:35000000-000001-0", Source: "192.0.2.7:5060", Location: "none", CallID: "call-1",
	}

	for status, want := range map[int]struct{ fails, again bool }{
		200: {}, 204: {}, 302: {fails: true}, 400: {fails: true}, 404: {fails: true}, 408: {fails: true, again: true},
		429: {fails: true, again: true}, 500: {fails: true, again: true}, 503: {fails: true, again: true},
	} {
		var got []byte

		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got, _ = io.ReadAll(r.Body)
			if r.Method != http.MethodPost || r.URL.Path != "/alert" || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("it gets %s %s of %s", r.Method, r.URL, r.Header.Get("Content-Type"))
			}

			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}))

		err := newWebhook(server.URL+"/alert").deliver(t.Context(), call)
		server.Close()

		_, final := errors.AsType[hopeless](err)
		if (err != nil) != want.fails || want.fails && final == want.again {
			t.Errorf("%d: %v, final %t", status, err, final)
		}

		var read Call
		if err := json.Unmarshal(got, &read); err != nil || read != call {
			t.Errorf("it reads %s: %v", got, err)
		}
	}

	server := httptest.NewServer(nil)
	server.Close()

	err := newWebhook(server.URL+"/hooks/secret?key=secret").deliver(t.Context(), call)
	if _, final := errors.AsType[hopeless](err); err == nil || final {
		t.Errorf("a webhook that is not there: %v", err)
	}

	if strings.Contains(err.Error(), "secret") { // it is logged
		t.Errorf("the error tells the secrets of the URL: %v", err)
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		config Config
		says   string
	}{
		{Config{}, ""},
		{Config{Webhook: "http://192.0.2.9/alert", Message: "sip:ops@ims.example"}, ""},
		{Config{Webhook: "https://alerts.example/x?y=z", Message: "tel:+15550002"}, ""},
		{Config{Webhook: "192.0.2.9"}, "emergency.alert.webhook"},
		{Config{Webhook: "ftp://192.0.2.9/x"}, "emergency.alert.webhook"},
		{Config{Webhook: "http://"}, "emergency.alert.webhook"},
		{Config{Message: "ops"}, "emergency.alert.message"},
		{Config{Message: "urn:service:sos"}, "emergency.alert.message"},
		{Config{Message: "sips:ops@ims.example"}, "emergency.alert.message"},
	} {
		err := test.config.Validate()
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v", test.config, err)
		}
	}
}
