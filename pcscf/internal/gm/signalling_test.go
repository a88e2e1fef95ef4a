package gm

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
)

const needsSignalling = "0 CONTROL ENABLED"

func withSignalling(t *testing.T, test func(t *testing.T, d *desk, a *accessNetwork)) {
	t.Helper()
	withBearersBy(t, BearerConfig{Policy: BestEffort, Signalling: true}, test)
}

// deregister ends alice's registration.
func (d *desk) deregister() {
	d.t.Helper()
	d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", "Call-ID: call-1", "Expires: 0",
		`Authorization: Digest username="alice@ims.example",realm="ims.example",nonce="",uri="sip:ims.example",response=""`)
	d.icscf.Answer(d.icscf.Request("REGISTER"), 200)
	d.alice.Response(200)
}

// A registration has one session for its signalling (TS 29.214 §4.4.5), which ends with it.
func TestSignallingOfARegistration(t *testing.T) {
	for name, end := range map[string]func(d *desk){
		"de-registered": (*desk).deregister,
		"expired":       func(*desk) { time.Sleep(11 * time.Minute) },
		"taken away":    func(d *desk) { d.proxy.End(d.only(), "taken away") },
	} {
		t.Run(name, func(t *testing.T) {
			withSignalling(t, func(t *testing.T, d *desk, a *accessNetwork) {
				a.want(t, "ask s1 "+needsSignalling)

				if leg := a.asked[0].Leg; leg.UE.String() != "10.0.0.1" || leg.Identity != alice || leg.Signalling != d.only().Token {
					t.Errorf("%+v", leg)
				}

				d.register()
				a.want(t, "ask s1 "+needsSignalling)

				end(d)
				a.want(t, "ask s1 "+needsSignalling, "end s1")
				a.none(t)
			})
		})
	}
}

// Whatever the access network answers, the handset is registered; a refused request is repeated when it registers again.
func TestSignallingRefused(t *testing.T) {
	withBearersBy(t, BearerConfig{Policy: Required, Signalling: true}, func(t *testing.T, d *desk, a *accessNetwork) {
		a.sessions.Abort("s1", "BEARER_RELEASED")
		synctest.Wait()

		a.decide = func(*bearer.Request) error { time.Sleep(5 * time.Second); return refusal }
		began := time.Now()
		d.register()

		if took := time.Since(began); took != 0 || d.proxy.Unreachable(d.only()) != "" {
			t.Errorf("registered after %s: %s", took, d.proxy.Unreachable(d.only()))
		}

		time.Sleep(time.Minute)
		d.register()
		a.want(t, "ask s1 "+needsSignalling, "ask s2 "+needsSignalling, "ask s3 "+needsSignalling, "end s1")

		if !d.only().Registered {
			t.Error("not registered")
		}
	})
}

// An emergency registration requests nothing, and neither do handsets of an endpoint without bearers.
func TestNoSignallingOfOthers(t *testing.T) {
	withSignalling(t, func(t *testing.T, d *desk, a *accessNetwork) {
		d.registerSOS(60)
		a.want(t, "ask s1 "+needsSignalling)
	})
	withBearersBy(t, BearerConfig{Policy: Required, Signalling: true, Endpoints: map[string]BearerPolicy{"Gm": NoBearers}},
		func(t *testing.T, _ *desk, a *accessNetwork) { a.want(t) })
}

// A handset that comes from another address is another UE to the access network.
func TestSignallingMoves(t *testing.T) {
	withSignalling(t, func(t *testing.T, d *desk, a *accessNetwork) {
		d.proxy.signal(d.only()) // nothing has changed
		b := *d.only()
		b.Flow.Remote = netip.MustParseAddrPort("10.0.0.9:5060")
		d.proxy.Change(d.only(), &b)
		d.proxy.signal(&b)
		a.want(t, "ask s1 "+needsSignalling, "ask s2 "+needsSignalling, "end s1")

		if ue := a.asked[1].Leg.UE.String(); ue != "10.0.0.9" {
			t.Errorf("asked for %s", ue)
		}
	})
}

const saysLost = `SIP;cause=503;text="the bearer of the handset's signalling is lost: INDICATION_OF_LOSS_OF_BEARER"`

// The bearer of a handset's signalling is lost: its calls are released from here (TS 24.229 §5.2.8.1.2), including pending ones.
func TestSignallingLost(t *testing.T) {
	lose := func(d *desk, a *accessNetwork) {
		d.t.Helper()

		if !a.sessions.Lose("s1", "INDICATION_OF_LOSS_OF_BEARER", nil) {
			d.t.Error("the session is unknown")
		}

		synctest.Wait()

		if why := d.proxy.Unreachable(d.only()); why != "INDICATION_OF_LOSS_OF_BEARER" {
			d.t.Errorf("unreachable: %q", why)
		}
	}

	t.Run("in mid-call", func(t *testing.T) {
		withSignalling(t, func(t *testing.T, d *desk, a *accessNetwork) {
			d.answered()
			time.Sleep(10 * time.Second) // the ACK has gone its way
			lose(d, a)
			d.byes(saysLost)
			a.want(t, "ask s1 "+needsSignalling, "ask s2 "+needsAudio, "end s2")
		})
	})

	t.Run("while it rings there", func(t *testing.T) {
		withSignalling(t, func(t *testing.T, d *desk, a *accessNetwork) {
			invite := d.invite(sdp, "\n"+own)
			describe(d.scscf, invite, 183, hers, bobs(invite, "b")...)
			d.alice.Response(183)
			lose(d, a)

			cancel := d.scscf.Request("CANCEL")
			want(t, cancel, "Reason", saysLost)
			d.scscf.Answer(cancel, 200)
			d.scscf.Answer(invite, 487, "To: <"+bob+">;tag=b")
			d.alice.Response(503)
		})
	})

	t.Run("before it rings here", func(t *testing.T) {
		withSignalling(t, func(t *testing.T, d *desk, a *accessNetwork) {
			d.toAlice("INVITE", sdp, "\n"+hers)
			invite := d.alice.Request("INVITE")
			d.alice.Answer(invite, 100)
			synctest.Wait()
			lose(d, a)

			d.alice.Answer(d.alice.Request("CANCEL"), 200)
			d.alice.Answer(invite, 487, "To: <"+alice+">;tag=a")
			want(t, d.scscf.Response(503), "Reason", saysLost)
		})
	})

	t.Run("and nobody is connected to it", func(t *testing.T) {
		withSignalling(t, func(t *testing.T, d *desk, a *accessNetwork) {
			lose(d, a)
			d.toAlice("INVITE", sdp, "\n"+hers)
			d.scscf.Response(480)
			d.alice.Silent()

			d.send("OPTIONS", bob) // it is heard again
			d.scscf.Answer(d.scscf.Request("OPTIONS"), 200)
			d.alice.Response(200)

			if why := d.proxy.Unreachable(d.only()); why != "" {
				t.Errorf("unreachable: %q", why)
			}

			d.toAlice("INVITE", sdp, "\n"+hers)
			d.alice.Request("INVITE")
			a.want(t, "ask s1 "+needsSignalling) // it is there still
		})
	})

	t.Run("and with it the session", func(t *testing.T) {
		withSignalling(t, func(t *testing.T, d *desk, a *accessNetwork) {
			a.sessions.Abort("s1", "BEARER_RELEASED")
			synctest.Wait()
			d.toAlice("MESSAGE")
			d.scscf.Response(480)

			d.register()
			d.toAlice("MESSAGE")
			d.alice.Request("MESSAGE")
			a.want(t, "ask s1 "+needsSignalling, "ask s2 "+needsSignalling, "end s1")
		})
	})

	t.Run("after the end of the registration", func(t *testing.T) {
		withSignalling(t, func(t *testing.T, d *desk, a *accessNetwork) {
			d.deregister()
			synctest.Wait()

			if a.sessions.Lose("s1", "INDICATION_OF_LOSS_OF_BEARER", nil) {
				t.Error("the session is still there")
			}
		})
	})
}
