package gm

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/alert"
	"github.com/dialtone-ims/dialtone/test/memory"
)

const opsAt = "192.0.2.20:5060"

// withAlerts is a desk with emergency centres, and with somebody who is told of calls.
func withAlerts(t *testing.T, to string, change func(*Options), test func(t *testing.T, d *centres, ops *memory.Peer)) {
	t.Helper()

	var alerts *alert.Alerts

	withCentres(t, func(c *Config, o *Options) {
		if change != nil {
			change(o)
		}

		alerts = alert.New(alert.Config{Message: to}, alert.Options{
			Messages: alert.Messages{Stack: o.Stack, Endpoint: o.Mw, HomeDomain: c.HomeDomain, Interrogator: c.Interrogator},
			Log:      o.Log, Metrics: prometheus.NewRegistry(),
		})
		o.Emergency.Alerts = alerts
	}, func(t *testing.T, d *centres) {
		ctx, cancel := context.WithCancel(t.Context())

		var running sync.WaitGroup
		running.Go(func() { alerts.Run(ctx) })
		test(t, d, d.network.Peer(t, opsAt))
		cancel()
		running.Wait()
	})
}

// The configured address is told of each call as it begins, served or not, and of nothing else in the call. No call waits for it.
func TestEmergencyAlert(t *testing.T) {
	withAlerts(t, "sip:ops@192.0.2.20", nil, func(t *testing.T, d *centres, ops *memory.Peer) {
		d.send("INVITE", "urn:service:sos", "Contact: <sip:x@"+aliceAt+`>;+sip.instance="<`+imei+`>"`)
		refused := ops.Request("MESSAGE")
		ops.Answer(refused, 200)
		d.alice.Response(403)

		if got := string(refused.Body()); !strings.Contains(got, "handset "+imei) || !strings.Contains(got, "refused: ") {
			t.Errorf("it says %q", got)
		}

		d.register()
		d.send("INVITE", "tel:110",
			"P-Access-Network-Info: 3GPP-NR;utran-cell-id-3gpp=forged;network-provided, "+stated)

		told, invite := ops.Request("MESSAGE"), d.police.Request("INVITE") // before it is answered
		if got := string(told.Body()); !strings.Contains(got, "(sos.police)") || !strings.Contains(got, "from "+alice) ||
			!strings.Contains(got, "cell "+stated) || strings.Contains(got, "refused") {
			t.Errorf("it says %q", got)
		}
		want(t, told, "P-Asserted-Identity", "<sip:"+mwAddress+">")

		d.alice.Response(100)
		answered, ended := d.talk(d.police, invite)
		d.hold(d.police, answered)
		ended(d.police, answered)

		ops.Answer(told, 503) // it is told again, by a new request
		again := ops.Request("MESSAGE")
		ops.Answer(again, 200)

		if again.CallID().Value() == told.CallID().Value() || string(again.Body()) != string(told.Body()) {
			t.Errorf("the second time it is told\n%s", again)
		}

		d.send("MESSAGE", "urn:service:sos")
		d.psap.Answer(d.psap.Request("MESSAGE"), 200)
		time.Sleep(time.Minute)
		synctest.Wait()
		ops.Silent()
	})
}

// Users of the home network are told by way of the I-CSCF.
func TestEmergencyAlertAtHome(t *testing.T) {
	for _, to := range []string{"sip:ops@ims.example", "tel:+15550009"} {
		withAlerts(t, to, func(o *Options) { o.Emergency.PSAPs = nil }, func(t *testing.T, d *centres, _ *memory.Peer) {
			d.register()
			d.send("INVITE", "tel:112")

			r := d.icscf.Request("MESSAGE")
			if r.Recipient.String() != to {
				t.Errorf("%s gets a MESSAGE for %s", to, r.Recipient.String())
			}
			d.icscf.Answer(r, 404) // nobody is there: once is enough
			d.alice.Response(503)

			time.Sleep(time.Minute)
			synctest.Wait()
			d.icscf.Silent()

			if log := d.log.String(); !strings.Contains(log, "emergency alert not delivered") {
				t.Errorf("the log says\n%s", log)
			}
		})
	}
}
