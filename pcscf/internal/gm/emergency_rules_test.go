package gm

import (
	"encoding/xml"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pcscf/internal/protection"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// anonymously is the header lines of a handset without a registration.
var anonymously = []string{"From: <" + anonymous + ">;tag=a", "Contact: <sip:x@" + aliceAt + `>;+sip.instance="<` + imei + `>"`}

// withPSAPs sets these centres and no others.
func withPSAPs(all map[string]string) func(*Config, *Options) {
	return func(_ *Config, o *Options) { o.Emergency.PSAPs = all }
}

// A call that is abandoned is not kept for the loss of its handset's signalling.
func TestEmergencyCallThatIsAbandoned(t *testing.T) {
	withCentres(t, func(_ *Config, o *Options) {
		o.Emergency.PSAPs = map[string]string{"sos": "sip:psap.invalid"}
		sessions := bearer.New(&accessNetwork{}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		o.Bearers = NewBearers(sessions, BearerConfig{Policy: Required})
	}, func(t *testing.T, d *centres) {
		d.register()
		d.send("INVITE", "urn:service:sos.fire")
		d.alice.Response(503)
		synctest.Wait()

		if n := len(d.proxy.bearers.bearings); n != 0 {
			t.Errorf("INVITEs of %d handsets are left", n)
		}
	})
}

// Calls that are not served are refused in words, and go nowhere: not to the S-CSCF either, which could forward them.
func TestEmergencyCallsThatAreRefused(t *testing.T) {
	for _, test := range []struct {
		name     string
		change   func(*Config, *Options)
		register func(d *desk)
		lines    []string
		status   int
		reason   string
	}{
		{
			name: "no centre at all", change: withPSAPs(nil), register: func(d *desk) { d.register() },
			status: 503, reason: "no emergency centre for sos.fire is configured (emergency.psaps)",
		},
		{
			name: "no centre for this service", change: withPSAPs(map[string]string{"sos.police": policeURI}),
			register: func(d *desk) { d.registerSOS(600) }, status: 503, reason: "no emergency centre for sos.fire",
		},
		{
			name: "a centre that has no address", change: withPSAPs(map[string]string{"sos": "sip:psap.invalid"}),
			register: func(d *desk) { d.register() }, status: 503, reason: "the emergency centre cannot be found",
		},
		{name: "§5.2.10.2 not registered, and that is needed", lines: anonymously, status: 403, reason: "emergency.unregistered"},
		{
			name: "without a Contact", register: func(d *desk) { d.register() }, lines: []string{"Contact:", "From: <" + alice + ">;tag=a"},
			status: 400, reason: "Contact",
		},
		{name: "not registered, without a Contact", change: unregistered, lines: []string{"Contact:"}, status: 400, reason: "Contact"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withCentres(t, test.change, func(t *testing.T, d *centres) {
				if test.register != nil {
					test.register(d.desk)
				}
				d.send("INVITE", "urn:service:sos.fire", test.lines...)
				if r := d.alice.Response(test.status); !strings.Contains(sip.Value(r, "Reason"), test.reason) {
					t.Errorf("the refusal does not say why:\n%s", r)
				}
				for _, peer := range []*memory.Peer{d.scscf, d.icscf, d.psap, d.police} {
					peer.Silent()
				}
				if n := d.proxy.dialogs.Len(); n != 0 {
					t.Errorf("%d dialogs are left", n)
				}
			})
		})
	}
}

// TS 24.229 §5.2.10.4, §7.6: by setting a registered handset is told another way; by an emergency registration, and without any, it gets
// to the centre.
func TestAlternativeService(t *testing.T) {
	for _, test := range []struct {
		alternative Alternative
		uri         string
		register    func(d *desk)
		lines       []string
		action      string
		served      bool
	}{
		{alternative: RegisterFirst, uri: "tel:110", register: func(d *desk) { d.register() }, action: "emergency-registration"},
		{alternative: RegisterFirst, uri: "urn:service:sos", register: func(d *desk) { d.register() }, action: "emergency-registration"},
		{alternative: OtherDomain, uri: "urn:service:sos", register: func(d *desk) { d.register() }},
		{alternative: NoAlternative, uri: "urn:service:sos", register: func(d *desk) { d.register() }, served: true},
		{alternative: RegisterFirst, uri: "urn:service:sos", register: func(d *desk) { d.registerSOS(600) }, served: true},
		{alternative: OtherDomain, uri: "urn:service:sos", register: func(d *desk) { d.registerSOS(600) }, served: true},
		{alternative: RegisterFirst, uri: "urn:service:sos", lines: anonymously, served: true},
	} {
		t.Run(string(test.alternative)+" "+test.uri, func(t *testing.T) {
			change := func(_ *Config, o *Options) {
				o.Emergency.Unregistered, o.Emergency.Alternative = true, test.alternative
			}
			withCentres(t, change, func(t *testing.T, d *centres) {
				if test.register != nil {
					test.register(d.desk)
				}
				d.send("INVITE", test.uri, test.lines...)
				if test.served {
					d.psap.Request("INVITE")
					return
				}

				r := d.alice.Response(380)
				want(t, r, "Content-Type", "application/3gpp-ims+xml")
				want(t, r, "P-Asserted-Identity", "<sip:"+d.only().Token+"@"+mwAddress+";lr>") // as in Path

				var body struct {
					XMLName xml.Name `xml:"ims-3gpp"`
					Version string   `xml:"version,attr"`
					Type    string   `xml:"alternative-service>type"`
					Reason  string   `xml:"alternative-service>reason"`
					Action  string   `xml:"alternative-service>action"`
				}
				if err := xml.Unmarshal(r.Body(), &body); err != nil {
					t.Fatalf("%v in\n%s", err, r.Body())
				}
				if body.Version != "1" || body.Type != "emergency" || body.Reason == "" || body.Action != test.action {
					t.Errorf("%+v", body)
				}
				d.psap.Silent()
				d.police.Silent()
			})
		})
	}
}

func TestEmergencyCallCancelled(t *testing.T) {
	withCentres(t, unregistered, func(t *testing.T, d *centres) {
		d.send("INVITE", "urn:service:sos", append([]string{inviteVia}, anonymously...)...)
		invite := d.psap.Request("INVITE")
		d.psap.Answer(invite, 180)
		d.alice.Response(180)

		d.send("CANCEL", "urn:service:sos", append([]string{
			inviteVia, "Call-ID: " + invite.CallID().Value(), "CSeq: " + strings.Replace(sip.Value(invite, "CSeq"), "INVITE", "CANCEL", 1),
		}, anonymously...)...)
		d.psap.Answer(d.psap.Request("CANCEL"), 200)
		d.psap.Answer(invite, 487)
		d.psap.Request("ACK")
		d.alice.Response(200)
		d.alice.Response(487)
		d.goneAfter(linger())
	})
}

// linger is a little longer than a guest whose call is over is remembered.
func linger() time.Duration { return 33 * second }

// goneAfter expects that nothing is left of a guest and its call some time later.
func (d *centres) goneAfter(wait time.Duration) {
	d.t.Helper()
	time.Sleep(wait) // synctest's time
	synctest.Wait()

	if b, n := d.proxy.bindings.Len(), d.proxy.dialogs.Len(); b != 0 || n != 0 {
		d.t.Errorf("%d bindings and %d dialogs are left", b, n)
	}
}

// An unregistered handset is known as long as its call lasts, and for nothing else; a limited number at once, beside the others.
func TestGuests(t *testing.T) {
	call := func(d *centres, from string) (*memory.Peer, *sip.Request) {
		d.t.Helper()
		peer := d.network.Peer(d.t, from)
		peer.Send(gmAddress, d.request("INVITE", "urn:service:sos", "From: <"+anonymous+">;tag=a",
			"Via: SIP/2.0/UDP "+from+";branch="+sip.NewBranch(), "Contact: <sip:x@"+from+">")...)

		return peer, nil
	}

	t.Run("a limit of their own", func(t *testing.T) {
		withCentres(t, unregistered, func(t *testing.T, d *centres) {
			d.register()
			call(d, "10.0.0.11:5060")
			d.psap.Request("INVITE")
			call(d, "10.0.0.12:5060")
			d.psap.Request("INVITE")
			third, _ := call(d, "10.0.0.13:5060")
			if r := third.Response(503); !strings.Contains(sip.Value(r, "Reason"), "emergency.max_unregistered") {
				t.Errorf("the refusal does not say why:\n%s", r)
			}
			d.send("INVITE", "urn:service:sos") // who is registered has a place
			d.psap.Request("INVITE")
		})
	})

	t.Run("no other requests, and nobody reaches it otherwise", func(t *testing.T) {
		withCentres(t, unregistered, func(t *testing.T, d *centres) {
			d.send("INVITE", "urn:service:sos", anonymously...)
			invite := d.psap.Request("INVITE")
			answer, ended := d.talk(d.psap, invite)
			guest := d.only()

			d.send("MESSAGE", bob, anonymously...)
			d.alice.Response(403)
			d.scscf.Send(mwAddress, d.request("MESSAGE", guest.Contact, "Via: SIP/2.0/UDP 192.0.2.3:5060;branch="+sip.NewBranch(),
				"Route: <sip:"+guest.Token+"@"+mwAddress+";lr>")...)
			d.scscf.Response(430)
			d.alice.Silent()

			time.Sleep(2 * time.Hour) // a long call
			ended(d.psap, answer)
			d.goneAfter(linger())
		})
	})

	t.Run("it hangs up, and calls again at once", func(t *testing.T) {
		withCentres(t, unregistered, func(t *testing.T, d *centres) {
			for range 5 {
				d.send("INVITE", "urn:service:sos", anonymously...)
				answer, _ := d.talk(d.psap, d.psap.Request("INVITE"))
				d.inCall("BYE", answer)
				d.psap.Answer(d.psap.Request("BYE"), 200)
				d.alice.Response(200)
				synctest.Wait()
			}
			if n := d.proxy.bindings.Len(); n != 1 {
				t.Errorf("%d bindings of one handset", n)
			}
			d.goneAfter(linger())
		})
	})

	t.Run("one that is never heard of again", func(t *testing.T) {
		withCentres(t, unregistered, func(t *testing.T, d *centres) {
			d.send("INVITE", "urn:service:sos", anonymously...)
			d.talk(d.psap, d.psap.Request("INVITE"))
			d.goneAfter(unlimited + 2*margin)
		})
	})
}

// TS 24.229 §5.2.10.3: an emergency registration is for emergency calls alone; beside it the other one works as ever.
func TestEmergencyRegistrationMakesNoOtherCalls(t *testing.T) {
	withCentres(t, nil, func(t *testing.T, d *centres) {
		d.registerSOS(600)
		for _, method := range []string{"INVITE", "MESSAGE", "SUBSCRIBE"} {
			d.send(method, bob)
			if r := d.alice.Response(403); !strings.Contains(sip.Value(r, "Reason"), "for emergency calls alone") {
				t.Errorf("%s: the refusal does not say why:\n%s", method, r)
			}
		}
		d.scscf.Silent()

		d.register()
		d.send("MESSAGE", bob)
		want(t, d.scscf.Request("MESSAGE"), "P-Asserted-Identity", "<"+alice+">")
	})
}

// Emergency calls have places beyond all limits: max_bindings, max_dialogs, max_transactions, and what protection allows a source.
func TestEmergencyCallsInAFlood(t *testing.T) {
	t.Run("max_transactions", func(t *testing.T) {
		withCentresLimited(t, 20, unregistered, func(t *testing.T, d *centres) {
			d.register()
			for range 30 {
				d.send("INVITE", bob)
			}
			synctest.Wait()
			d.scscf.All()
			d.alice.All()
			d.send("INVITE", bob)
			d.alice.Response(503)

			d.send("INVITE", "urn:service:sos")
			answer, ended := d.talk(d.psap, d.psap.Request("INVITE"))
			d.send("INVITE", bob)
			d.alice.Response(503)
			d.hold(d.psap, answer)
			ended(d.psap, answer)
		})
	})

	t.Run("max_dialogs", func(t *testing.T) {
		withCentres(t, func(c *Config, _ *Options) { c.MaxDialogs = 1 }, func(t *testing.T, d *centres) {
			d.register()
			d.send("INVITE", bob)
			d.scscf.Request("INVITE")
			d.send("INVITE", bob)
			d.alice.Response(403)
			d.send("INVITE", "urn:service:sos")
			answer, ended := d.talk(d.psap, d.psap.Request("INVITE"))
			ended(d.psap, answer)
		})
	})

	t.Run("max_bindings", func(t *testing.T) {
		withCentres(t, nil, func(t *testing.T, d *centres) {
			d.register()
			for i, status := range []int{200, 503} {
				user := []string{"carol", "dave"}[i]
				d.send("REGISTER", "sip:ims.example", "To: <sip:"+user+"@ims.example>", "Contact: <sip:"+user+"@"+aliceAt+">")
				if status == 200 {
					d.icscf.Answer(d.icscf.Request("REGISTER"), 200, "Contact: <sip:"+user+"@"+aliceAt+">;expires=600")
				}
				d.alice.Response(status)
			}
			d.registerSOS(600)
		})
	})

	t.Run("protection", func(t *testing.T) {
		guarded := func(_ *Config, o *Options) {
			c := protection.Default()
			c.Requests, c.RegisteredRequests = 3, 3
			o.Guard = protection.New(c, protection.Options{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
			o.Emergency.Unregistered = true
		}
		withCentres(t, guarded, func(t *testing.T, d *centres) {
			for range 10 {
				d.send("MESSAGE", bob)
			}
			synctest.Wait()
			d.alice.All()
			d.send("MESSAGE", bob)
			d.alice.Silent() // what is too much is dropped

			d.send("INVITE", "urn:service:sos", anonymously...)
			answer, ended := d.talk(d.psap, d.psap.Request("INVITE"))
			d.hold(d.psap, answer)
			ended(d.psap, answer)
		})
	})
}

// An emergency centre is not part of the core: outside of protection.core it is served in the calls that went to it, and nowhere else.
func TestCentreOutsideTheCore(t *testing.T) {
	guarded := func(_ *Config, o *Options) {
		c := protection.Default()
		c.Core = []netip.Prefix{netip.MustParsePrefix("192.0.2.2/32"), netip.MustParsePrefix("192.0.2.3/32")}
		o.Guard = protection.New(c, protection.Options{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	}
	withCentres(t, guarded, func(t *testing.T, d *centres) {
		d.register()
		d.send("INVITE", "urn:service:sos")
		invite := d.psap.Request("INVITE")
		answer, ended := d.talk(d.psap, invite)

		d.ofCentre(d.police, "INFO", invite) // which has had no call
		d.police.Response(403)
		d.psap.Send(mwAddress, d.request("MESSAGE", "sip:alice@"+aliceAt, "Via: SIP/2.0/UDP "+psapAt+";branch="+sip.NewBranch(),
			"Route: <sip:"+d.only().Token+"@"+mwAddress+";lr>")...)
		d.psap.Response(403)
		d.alice.Silent()

		ended(d.psap, answer)
		d.ofCentre(d.psap, "INFO", invite)
		d.psap.Response(403)
	})
}

// A centre that fails is followed by the one for all services; without one, the handset is told whose fault it is.
func TestCentreThatFails(t *testing.T) {
	withCentres(t, nil, func(t *testing.T, d *centres) {
		d.register()
		d.send("INVITE", "urn:service:sos.police")
		d.police.Answer(d.police.Request("INVITE"), 503)
		d.police.Request("ACK")
		r := d.psap.Request("INVITE")
		want(t, r, "Route", "<"+psapURI+";lr>")
		answer, ended := d.talk(d.psap, r)
		ended(d.psap, answer)

		d.send("INVITE", "urn:service:sos.police")
		d.police.Answer(d.police.Request("INVITE"), 486)
		d.police.Request("ACK")
		d.alice.Response(486) // its word
		d.psap.Silent()
	})

	withCentres(t, nil, func(t *testing.T, d *centres) {
		d.register()
		d.send("INVITE", "urn:service:sos")
		d.psap.Request("INVITE")
		want(t, d.alice.Response(504), "Reason", `SIP;cause=504;text="the emergency centre did not answer"`)
	})
}

// An emergency call is marked as such at the PCRF, and goes on whatever the answer (TS 29.214 §4.4.1).
func TestBearersOfAnEmergencyCall(t *testing.T) {
	a := &accessNetwork{decide: func(*bearer.Request) error {
		return &bearer.Refusal{Code: uint32(rx.IPCANSessionNotAvailable.Code), Why: "no such session"}
	}}

	withCentres(t, func(_ *Config, o *Options) {
		a.sessions = bearer.New(a, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		o.Bearers = NewBearers(a.sessions, BearerConfig{Policy: Required, Patience: 3 * time.Second, Kinds: []media.Kind{media.Audio}})
		o.Emergency.Unregistered = true
	}, func(t *testing.T, d *centres) {
		d.send("INVITE", "urn:service:sos.fire", append([]string{sdp, "\n" + own}, anonymously...)...)
		r := d.psap.Request("INVITE")
		describe(d.psap, r, 200, hers, "To: <urn:service:sos.fire>;tag=p", "Contact: <sip:desk7@"+psapAt+">")
		answer := d.alice.Response(200)
		d.inCall("ACK", answer)
		d.psap.Request("ACK")
		d.psap.Silent()
		d.alice.Silent()

		a.want(t, "ask s1 "+needsAudio)
		if got := a.asked[0].Leg.ServiceURN; got != "sos.fire" {
			t.Errorf("Service-URN %q", got)
		}

		if err := a.sessions.Close(); err != nil {
			t.Error(err)
		}
	})
}
