package gm

import (
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/protection"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// What passes all limits is of the emergency call: its Call-ID in another request says nothing.
func TestCallIDOfAnEmergencyCall(t *testing.T) {
	pretend := func(d *centres, invite *sip.Request, answer *sip.Response, refused func()) {
		d.t.Helper()
		callID, from := "Call-ID: "+invite.CallID().Value(), "From: "+sip.Value(invite, "From")
		for _, ordinary := range [][]string{
			{bob, callID},
			{bob, callID, from},
			{bob, callID, from, "To: <" + bob + ">;tag=another"},
			{bob, callID, "From: <" + alice + ">;tag=another", "To: " + sip.Value(answer, "To")},
			{"urn:service:sos", "To: <" + bob + ">;tag=another"},
		} {
			d.send("MESSAGE", ordinary[0], ordinary[1:]...)
			synctest.Wait()
			refused()
		}
	}

	t.Run("protection", func(t *testing.T) {
		guarded := func(_ *Config, o *Options) {
			c := protection.Default()
			c.Requests, c.RegisteredRequests = 3, 3
			o.Guard = protection.New(c, protection.Options{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
		}
		withCentres(t, guarded, func(t *testing.T, d *centres) {
			d.register()
			for range 10 {
				d.send("MESSAGE", bob)
			}
			synctest.Wait()
			d.scscf.All()
			d.alice.All()

			d.send("INVITE", "urn:service:sos")
			invite := d.psap.Request("INVITE")
			answer, ended := d.talk(d.psap, invite)
			d.alice.All()
			pretend(d, invite, answer, func() {
				if n := len(d.scscf.All()) + len(d.psap.All()) + len(d.alice.All()); n > 0 {
					t.Errorf("%d messages on for one that is too much", n)
				}
			})
			d.hold(d.psap, answer)
			ended(d.psap, answer)
		})
	})

	t.Run("max_transactions", func(t *testing.T) {
		withCentresLimited(t, 20, nil, func(t *testing.T, d *centres) {
			d.register()
			d.send("INVITE", "urn:service:sos")
			invite := d.psap.Request("INVITE")
			answer, ended := d.talk(d.psap, invite)
			for range 30 {
				d.send("INVITE", bob)
			}
			synctest.Wait()
			d.scscf.All()
			d.alice.All()
			pretend(d, invite, answer, func() { d.alice.Response(503) })
			d.hold(d.psap, answer)
			ended(d.psap, answer)
		})
	})
}

// A handset that gives up its emergency call is heard, however much it has sent.
func TestEmergencyCallCancelledInAFlood(t *testing.T) {
	guarded := func(_ *Config, o *Options) {
		c := protection.Default()
		c.Requests, c.RegisteredRequests = 3, 3
		o.Guard = protection.New(c, protection.Options{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	}
	withCentres(t, guarded, func(t *testing.T, d *centres) {
		d.register()
		for range 10 {
			d.send("MESSAGE", bob)
		}
		synctest.Wait()
		d.alice.All()

		via := "Via: SIP/2.0/UDP " + aliceAt + ";branch=" + sip.NewBranch()
		d.send("INVITE", "sip:112@ims.example", via, "Call-ID: gives-up", "CSeq: 7 INVITE")
		r := d.psap.Request("INVITE")
		d.psap.Answer(r, 180, "To: <sip:112@ims.example>;tag=p")
		d.alice.Response(180)
		d.send("CANCEL", "sip:112@ims.example", via, "Call-ID: gives-up", "CSeq: 7 CANCEL")
		d.alice.Response(200)
		d.psap.Answer(d.psap.Request("CANCEL"), 200)
	})
}

// In its call a centre reaches the handset that made it, and no other one; nor in the call of another centre.
func TestCentreReachesItsCallerAlone(t *testing.T) {
	guarded := func(c *Config, o *Options) {
		c.MaxBindings = 5
		g := protection.Default()
		g.Core = []netip.Prefix{netip.MustParsePrefix("192.0.2.2/32"), netip.MustParsePrefix("192.0.2.3/32")}
		o.Guard = protection.New(g, protection.Options{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	}
	withCentres(t, guarded, func(t *testing.T, d *centres) {
		carol, _ := d.carol()
		to := map[string]string{"carol": "Route: <sip:" + d.only().Token + "@" + mwAddress + ";lr>"}
		d.register()
		for _, b := range d.proxy.bindings.Of("alice@ims.example") {
			to["alice"] = "Route: <sip:" + b.Token + "@" + mwAddress + ";lr>"
		}

		d.send("INVITE", "urn:service:sos.police", "Call-ID: another")
		d.talk(d.police, d.police.Request("INVITE"))
		d.send("INVITE", "urn:service:sos")
		invite := d.psap.Request("INVITE")
		answer, ended := d.talk(d.psap, invite)

		for _, test := range []struct {
			name   string
			by     *memory.Peer
			lines  []string
			passes bool
		}{
			{name: "the call", by: d.psap, lines: []string{to["alice"]}, passes: true},
			{name: "another handset", by: d.psap, lines: []string{to["carol"]}},
			{name: "another one before", by: d.psap, lines: []string{to["carol"], to["alice"]}},
			{name: "other tags", by: d.psap, lines: []string{to["alice"], "From: <sip:x@x>;tag=z"}},
			{name: "other tags, and another handset", by: d.psap, lines: []string{to["carol"], "From: <sip:x@x>;tag=z", "To: <sip:c@x>;tag=q"}},
			{name: "the call of another centre", by: d.psap, lines: []string{to["alice"], "Call-ID: another"}},
			{name: "another centre", by: d.police, lines: []string{to["alice"]}},
		} {
			test.by.Send(mwAddress, d.request("INFO", "sip:alice@"+aliceAt, append([]string{
				"Via: SIP/2.0/UDP " + test.by.Address() + ";branch=" + sip.NewBranch(), "Call-ID: " + invite.CallID().Value(),
				"From: " + sip.Value(invite, "To") + ";tag=p", "To: " + sip.Value(invite, "From"),
			}, test.lines...)...)...)
			if test.passes {
				d.alice.Answer(d.alice.Request("INFO"), 200)
				test.by.Response(200)
				continue
			}
			test.by.Response(403)
			synctest.Wait()
			if n := len(d.alice.All()) + len(carol.All()); n > 0 {
				t.Errorf("%s: %d messages on", test.name, n)
			}
		}

		ended(d.psap, answer)
	})
}
