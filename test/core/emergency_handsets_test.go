package core

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// taken is a call that a centre has answered, with its INVITE.
type taken struct {
	*handset.Call
	invite *sip.Request
}

// centre is an emergency centre that answers.
func centre(t *testing.T) <-chan taken {
	t.Helper()

	psap, err := handset.New(handset.Config{
		IMSI: "psap", Domain: network.Domain, Transport: "UDP", Address: netip.MustParseAddrPort("127.0.0.25:5060"),
		Proxy: netip.MustParseAddrPort("127.0.0.10:5070"),
	})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = psap.Close() })

	calls := make(chan taken, 16)

	go func() {
		for {
			select {
			case c := <-psap.Incoming():
				one := taken{c, c.Invite()}
				if c.Answer(t.Context()) == nil {
					calls <- one
				}
			case <-t.Context().Done():
				return
			}
		}
	}()

	return calls
}

const toCentre = `DIALTONE_PCSCF_EMERGENCY_PSAPS={"sos": "sip:psap@127.0.0.25:5060"}`

// help calls for help, hangs up, and returns the INVITE as the centre got it.
func help(t *testing.T, h *handset.Handset, answered <-chan taken) *sip.Request {
	t.Helper()

	c, err := h.Dial(t.Context(), "urn:service:sos")
	if err != nil {
		t.Fatal(err)
	}

	other := <-answered

	if err := c.HangUp(t.Context()); err != nil {
		t.Error(err)
	}

	select {
	case <-other.Ended():
	case <-time.After(time.Minute):
		t.Fatal("the centre is not told that the call is over")
	}

	return other.invite
}

// TS 24.229 §5.1.6, §5.2.10: a handset that has its normal registration alone is told to register for emergency; with that, and without
// any registration, it reaches the centre, also when the rest of the core is dead. An emergency registration stands beside the other
// one, needs no money, and makes no other call.
func TestEmergencyHandsets(t *testing.T) {
	n := network.Start(
		t, toCentre, "DIALTONE_PCSCF_EMERGENCY_UNREGISTERED=true", "DIALTONE_PCSCF_EMERGENCY_ALTERNATIVE=emergency-registration",
	)
	answered := centre(t)

	alice, bob := n.Subscribe(0, ""), n.Subscribe(0, "")
	normal := n.Registered(alice, nil)

	urgent := n.Registered(alice, func(c *handset.Config) { c.Emergency, c.Address = true, netip.MustParseAddrPort("127.0.1.210:5060") })
	guest := n.Handset(bob, func(c *handset.Config) {
		c.IMSI, c.Unregistered, c.Instance = "", true, "urn:gsma:imei:35000000-000001-0"
	})

	_, err := normal.Dial(t.Context(), "tel:112")

	refused := new(handset.Refused)
	if !errors.As(err, &refused) {
		t.Fatalf("with the normal registration: %v", err)
	}

	if a, told := refused.Alternative(); !told || a.Type != "emergency" || a.Action != handset.RegisterForEmergency {
		t.Errorf("it is told %+v by %v", a, err)
	}

	if _, err := urgent.Dial(t.Context(), bob.Tel()); network.Status(err) != 403 {
		t.Errorf("with the emergency registration it calls bob: %v", err)
	}

	if err := normal.Register(t.Context()); err != nil {
		t.Errorf("the normal registration has gone: %v", err)
	}

	calls := func() {
		t.Helper()

		if from := sip.Value(help(t, urgent, answered), "P-Asserted-Identity"); !strings.Contains(from, alice.MSISDN) {
			t.Errorf("the centre is told that %q calls", from)
		}

		invite := help(t, guest, answered)
		if sip.Has(invite, "P-Asserted-Identity") || !strings.Contains(sip.Value(invite, "From"), handset.Anonymous) {
			t.Errorf("the centre is told of a handset without a registration:\n%s", invite)
		}
	}

	calls()

	for _, function := range []string{"hss", "ocs", "scscf", "icscf"} {
		n.Kill(function)
	}

	calls()

	for _, sender := range []string{`outcome="200",sender="emergency registration"} 2`, `outcome="200",sender="unregistered"} 2`} {
		if m := n.Metrics("pcscf"); !strings.Contains(m, "dialtone_pcscf_emergency_calls_total{"+sender) {
			t.Errorf("the metrics lack %s", sender)
		}
	}

	if log := n.Log("pcscf"); !strings.Contains(log, `imei=urn:gsma:imei:35000000-000001-0`) &&
		!strings.Contains(log, `"imei":"urn:gsma:imei:35000000-000001-0"`) {
		t.Errorf("the log has no IMEI:\n%s", log)
	}
}

// Whoever is configured is told of an emergency call as it begins: a webhook, again when it fails, and a user of the network.
func TestEmergencyAlerts(t *testing.T) {
	posts := make(chan []byte, 16)

	var failed atomic.Bool

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		posts <- body

		if failed.CompareAndSwap(false, true) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()

	n := network.Start(t, toCentre, "DIALTONE_PCSCF_EMERGENCY_ALERT_WEBHOOK="+server.URL+"/alert",
		"DIALTONE_PCSCF_EMERGENCY_ALERT_MESSAGE=tel:+15550002")
	answered := centre(t)

	alice, bob := n.Subscribe(0, ""), n.Subscribe(0, "")
	if bob.Tel() != "tel:+15550002" {
		t.Fatalf("bob is %s", bob.Tel())
	}

	a, b := n.Registered(alice, nil), n.Registered(bob, nil)
	help(t, a, answered)

	for range 2 {
		var told struct{ Service, Case, IMPU, Source, Time string }

		select {
		case body := <-posts:
			if err := json.Unmarshal(body, &told); err != nil || told.Service != "sos" || told.Case != "registered" ||
				!strings.Contains(told.IMPU, alice.MSISDN) || told.Source == "" || told.Time == "" {
				t.Errorf("the webhook gets %s: %v", body, err)
			}
		case <-time.After(time.Minute):
			t.Fatal("the webhook is not told")
		}
	}

	select {
	case m := <-b.Messages():
		if !strings.Contains(string(m.Body), "Emergency call (sos)") || !strings.Contains(string(m.Body), alice.MSISDN) {
			t.Errorf("bob reads %q", m.Body)
		}
	case <-time.After(time.Minute):
		t.Fatal("bob is not told")
	}

	n.Await("the alerts to be counted", func() bool {
		m := n.Metrics("pcscf")

		return strings.Contains(m, `dialtone_pcscf_emergency_alerts_total{outcome="delivered",way="webhook"} 1`) &&
			strings.Contains(m, `dialtone_pcscf_emergency_alerts_total{outcome="delivered",way="message"} 1`)
	})

	if balance, _ := n.Balance(bob); balance != 0 {
		t.Errorf("bob pays for the alert: %d", balance)
	}
}
