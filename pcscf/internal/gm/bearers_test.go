package gm

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

var refusal = &bearer.Refusal{Code: 5065, Why: "the PCRF answers 5065"}

// The first SDP answer waits until its bearers are granted; the same one again requests nothing, hold does, and BYE releases all.
func TestBearersOfACaller(t *testing.T) {
	withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
		a.decide = func(*bearer.Request) error { time.Sleep(time.Second); return nil }

		invite := d.invite(sdp, "\n"+own)
		describe(d.scscf, invite, 183, hers, append(bobs(invite, "b"), "Require: 100rel", "RSeq: 1")...)
		d.alice.Response(100)
		time.Sleep(second / 2)
		d.alice.Silent()
		time.Sleep(second)
		d.alice.Response(183)
		a.want(t, "ask s1 "+needsAudio)

		describe(d.scscf, invite, 200, hers, bobs(invite, "b")...)
		response := d.alice.Response(200)
		routes, callID := d.routesOf(response), invite.CallID().Value()
		a.want(t, "ask s1 "+needsAudio)

		d.within("UPDATE", callID, append(routes, sdp, "\n"+own+"a=sendonly\r\n")...)
		update := d.scscf.Request("UPDATE")
		describe(d.scscf, update, 200, hers+"a=recvonly\r\n", "Contact: <sip:bob@198.51.100.7>")
		d.alice.Response(200)

		held := "change s1 1 AUDIO ENABLED-UPLINK in 198.51.100.7:40000 out 10.0.0.1:50000"
		a.want(t, "ask s1 "+needsAudio, held)

		d.within("BYE", callID, routes...)
		d.scscf.Request("BYE")
		a.want(t, "ask s1 "+needsAudio, held, "end s1")
		a.none(t)
	})
}

// A called handset's bearers are those of its own answer.
func TestBearersOfACallee(t *testing.T) {
	withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
		d.toAlice("INVITE", sdp, "\n"+hers)
		invite := d.alice.Request("INVITE")
		describe(d.alice, invite, 200, own, "To: <"+alice+">;tag=a", "Contact: <sip:alice@"+aliceAt+">")
		d.scscf.Response(200)
		a.want(t, "ask s1 "+needsAudio)

		if leg := a.asked[0].Leg; leg.UE.String() != "10.0.0.1" || leg.ICID != "term1" || leg.Identity != alice || leg.Call == "" {
			t.Errorf("%+v", leg)
		}
	})
}

// Where the INVITE has no offer, the answer is in the PRACK of a reliable response, or in the ACK.
func TestBearersOfALateOffer(t *testing.T) {
	t.Run("ACK", func(t *testing.T) {
		withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
			invite := d.invite()
			describe(d.scscf, invite, 200, hers, bobs(invite, "b")...)
			routes := d.routesOf(d.alice.Response(200))
			a.want(t)

			d.within("ACK", invite.CallID().Value(), append(routes, sdp, "\n"+own)...)
			d.scscf.Request("ACK")
			a.want(t, "ask s1 "+needsAudio)
		})
	})

	t.Run("PRACK", func(t *testing.T) {
		withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
			invite := d.invite()
			describe(d.scscf, invite, 183, hers, append(bobs(invite, "b"), "Require: 100rel", "RSeq: 1")...)
			routes := d.routesOf(d.alice.Response(183))

			d.within("PRACK", invite.CallID().Value(), append(routes, sdp, "\n"+own)...)
			prack := d.scscf.Request("PRACK")
			a.want(t, "ask s1 "+needsAudio)

			d.scscf.Answer(prack, 200)
			d.alice.Response(200)
			a.want(t, "ask s1 "+needsAudio)
		})
	})
}

// A description among other parts of a body is found.
func TestBearersOfABodyOfParts(t *testing.T) {
	withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
		parts := "--x\r\nContent-Type: application/pidf+xml\r\n\r\n<presence/>\r\n--x\r\n" + sdp + "\r\n\r\n" + own + "\r\n--x--\r\n"
		invite := d.invite("Content-Type: multipart/mixed;boundary=x", "\n"+parts)
		describe(d.scscf, invite, 183, hers, bobs(invite, "b")...)
		d.alice.Response(183)
		a.want(t, "ask s1 "+needsAudio)
	})
}

// A slow PCRF delays nobody for longer than the patience.
func TestBearersWithoutPatience(t *testing.T) {
	withBearers(t, true, func(t *testing.T, d *desk, a *accessNetwork) {
		a.decide = func(*bearer.Request) error { time.Sleep(5 * time.Second); return nil }

		invite := d.invite(sdp, "\n"+own)
		began := time.Now()
		describe(d.scscf, invite, 183, hers, bobs(invite, "b")...)
		d.alice.Response(183)

		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("held for %s", took)
		}

		time.Sleep(5 * time.Second)
		if s := a.sessions.Sessions(); len(s) != 1 || s[0].State != bearer.Granted {
			t.Errorf("%+v", s)
		}
	})
}

// A refusal is only logged if calls may go on without bearers.
func TestBearersRefused(t *testing.T) {
	withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
		a.decide = func(*bearer.Request) error { return refusal }

		invite := d.invite(sdp, "\n"+own)
		describe(d.scscf, invite, 183, hers, bobs(invite, "b")...)
		d.alice.Response(183)
		d.scscf.Silent()
		a.none(t)
	})
}

// A call that must have its bearers ends when they are refused (TS 24.229 §5.2.8.1.1): CANCEL to the callee, 503 to the caller.
func TestBearersRequired(t *testing.T) {
	for name, wait := range map[string]time.Duration{"at once": 0, "when nobody waits any more": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			withBearers(t, true, func(t *testing.T, d *desk, a *accessNetwork) {
				a.decide = func(*bearer.Request) error { time.Sleep(wait); return refusal }

				invite := d.invite(sdp, "\n"+own)
				describe(d.scscf, invite, 183, hers, bobs(invite, "b")...)
				d.alice.Response(183)

				cancel := d.scscf.Request("CANCEL")
				want(t, cancel, "Reason", `SIP;cause=503;text="the PCRF answers 5065"`)
				d.scscf.Answer(cancel, 200)
				d.scscf.Answer(invite, 487, "To: <"+bob+">;tag=b")
				want(t, d.alice.Response(503), "Reason", `SIP;cause=503;text="the PCRF answers 5065"`)
				a.none(t)
			})
		})
	}

	t.Run("of the callee", func(t *testing.T) {
		withBearers(t, true, func(t *testing.T, d *desk, a *accessNetwork) {
			a.decide = func(*bearer.Request) error { return refusal }

			d.toAlice("INVITE", sdp, "\n"+hers)
			invite := d.alice.Request("INVITE")
			describe(d.alice, invite, 183, own, "To: <"+alice+">;tag=a", "Contact: <sip:alice@"+aliceAt+">")
			d.scscf.Response(183)
			cancel := d.alice.Request("CANCEL")
			d.alice.Answer(cancel, 200)
			d.alice.Answer(invite, 487, "To: <"+alice+">;tag=a")
			d.scscf.Response(503)
			a.none(t)
		})
	})
}

// byes expects a BYE at both sides, and answers them.
func (d *desk) byes(reason string) {
	d.t.Helper()

	toBob, toAlice := d.scscf.Request("BYE"), d.alice.Request("BYE")
	want(d.t, toBob, "Reason", reason)
	want(d.t, toAlice, "Reason", reason)
	want(d.t, toBob, "Route", beyondMw)

	if toBob.Recipient.String() != "sip:bob@198.51.100.7" || toAlice.Recipient.String() != "sip:alice@"+aliceAt {
		d.t.Errorf("BYE to %s and %s", toBob.Recipient.String(), toAlice.Recipient.String())
	}

	d.scscf.Answer(toBob, 200)
	d.alice.Answer(toAlice, 200)
}

// Refused in the 200, the call is answered and then hung up on both sides.
func TestBearersRequiredByAnAnsweredCall(t *testing.T) {
	withBearers(t, true, func(t *testing.T, d *desk, a *accessNetwork) {
		a.decide = func(*bearer.Request) error { return refusal }

		invite := d.invite(sdp, "\n"+own)
		describe(d.scscf, invite, 200, hers, bobs(invite, "b")...)
		d.alice.Response(200)
		d.byes(`SIP;cause=503;text="the PCRF answers 5065"`)
		a.none(t)
	})
}

// answered makes alice's call to bob, with its bearers.
func (d *desk) answered() {
	d.t.Helper()

	invite := d.invite(sdp, "\n"+own)
	describe(d.scscf, invite, 200, hers, bobs(invite, "b")...)
	d.alice.Response(200)
	synctest.Wait()
}

// The access network releases the bearers of a call: the call is released from here (TS 24.229 §5.2.8.1.2).
func TestBearersAborted(t *testing.T) {
	t.Run("in mid-call", func(t *testing.T) {
		withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
			d.answered()

			if !a.sessions.Abort("s1", "BEARER_RELEASED") {
				t.Error("the session is unknown")
			}

			d.byes(`SIP;cause=503;text="BEARER_RELEASED"`)
			a.want(t, "ask s1 "+needsAudio, "end s1")
			a.none(t)
		})
	})

	t.Run("before the ACK, which a BYE must not overtake", func(t *testing.T) {
		withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
			invite := d.invite(sdp, "\n"+own)
			describe(d.scscf, invite, 200, hers, bobs(invite, "b")...)
			routes := d.routesOf(d.alice.Response(200))
			a.sessions.Abort("s1", "BEARER_RELEASED")
			time.Sleep(second)
			d.scscf.Silent()
			d.alice.Silent()

			d.within("ACK", invite.CallID().Value(), append(routes, "CSeq: 2 ACK")...)
			d.scscf.Request("ACK")
			d.byes(`SIP;cause=503;text="BEARER_RELEASED"`)
			a.none(t)
		})
	})

	t.Run("hung up by itself before the ACK", func(t *testing.T) {
		withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
			invite := d.invite(sdp, "\n"+own)
			describe(d.scscf, invite, 200, hers, bobs(invite, "b")...)
			routes := d.routesOf(d.alice.Response(200))
			a.sessions.Abort("s1", "BEARER_RELEASED")

			d.within("BYE", invite.CallID().Value(), routes...)
			d.scscf.Answer(d.scscf.Request("BYE"), 200)
			d.alice.Response(200)
			time.Sleep(10 * second)
			d.scscf.Silent()
			d.alice.Silent()
			a.none(t)
		})
	})

	t.Run("while it rings", func(t *testing.T) {
		withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
			invite := d.invite(sdp, "\n"+own)
			describe(d.scscf, invite, 183, hers, bobs(invite, "b")...)
			d.alice.Response(183)
			a.sessions.Abort("s1", "BEARER_RELEASED")
			d.scscf.Answer(d.scscf.Request("CANCEL"), 200)
			d.scscf.Answer(invite, 487, "To: <"+bob+">;tag=b")
			d.alice.Response(503)
			a.none(t)
		})
	})

	t.Run("the numbers go on", func(t *testing.T) {
		withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
			invite := d.invite(sdp, "\n"+own)
			describe(d.scscf, invite, 200, hers, bobs(invite, "b")...)
			routes := d.routesOf(d.alice.Response(200))

			d.within("INFO", invite.CallID().Value(), routes...)
			info := d.scscf.Request("INFO")
			d.scscf.Answer(info, 200)
			d.alice.Response(200)

			a.sessions.Abort("s1", "BEARER_RELEASED")
			if bye := d.scscf.Request("BYE"); bye.CSeq().SeqNo != info.CSeq().SeqNo+1 {
				t.Errorf("BYE has CSeq %d after %d", bye.CSeq().SeqNo, info.CSeq().SeqNo)
			}
		})
	})
}

// Lost bearers end a call that requires them, and no other.
func TestBearersLost(t *testing.T) {
	for _, required := range []bool{true, false} {
		withBearers(t, required, func(t *testing.T, d *desk, a *accessNetwork) {
			d.answered()
			a.sessions.Lose("s1", "INDICATION_OF_LOSS_OF_BEARER", nil)

			if required {
				d.byes(`SIP;cause=503;text="INDICATION_OF_LOSS_OF_BEARER"`)
			}

			d.scscf.Silent()
			d.alice.Silent()
		})
	}
}

// Whatever ends a call, or its registration, releases its bearers.
func TestBearersAreGivenBack(t *testing.T) {
	early := func(d *desk) *sip.Request {
		invite := d.invite(inviteVia, sdp, "\n"+own)
		describe(d.scscf, invite, 183, hers, bobs(invite, "b")...)
		d.alice.Response(183)

		return invite
	}

	for name, end := range map[string]func(d *desk){
		"486": func(d *desk) {
			d.scscf.Answer(early(d), 486, "To: <"+bob+">;tag=b")
			d.alice.Response(486)
		},
		"CANCEL": func(d *desk) {
			invite := early(d)
			d.cancel(invite)
			d.alice.Response(200)
			d.scscf.Answer(invite, 487, "To: <"+bob+">;tag=b")
			d.alice.Response(487)
		},
		"time-out": func(d *desk) {
			early(d)
			time.Sleep(20 * time.Minute)
		},
		"BYE of the other side": func(d *desk) {
			d.answered()
			d.toAlice("BYE", "Call-ID: call-2", "From: <"+bob+">;tag=b", "To: <"+alice+">;tag=a")
			d.alice.Answer(d.alice.Request("BYE"), 200)
			d.scscf.Response(200)
		},
		"de-registration": func(d *desk) {
			d.answered()
			d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", "Call-ID: call-1", "Expires: 0",
				`Authorization: Digest username="alice@ims.example",realm="ims.example",nonce="",uri="sip:ims.example",response=""`)
			d.icscf.Answer(d.icscf.Request("REGISTER"), 200)
			d.alice.Response(200)
			time.Sleep(time.Minute)
		},
		"the end of the registration": func(d *desk) {
			d.answered()
			time.Sleep(11 * time.Minute)
		},
		"the end of the session timer": func(d *desk) {
			invite := d.invite(sdp, "\n"+own)
			describe(d.scscf, invite, 200, hers, append(bobs(invite, "b"), "Session-Expires: 90;refresher=uac")...)
			d.alice.Response(200)
			time.Sleep(5 * time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
				end(d)
				a.want(t, "ask s1 "+needsAudio, "end s1")
				a.none(t)
			})
		})
	}
}

// A CANCEL does not wait for the access network.
func TestCancelledWhileHeld(t *testing.T) {
	withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
		a.decide = func(*bearer.Request) error { time.Sleep(2 * time.Second); return nil }

		invite := d.invite(inviteVia, sdp, "\n"+own)
		describe(d.scscf, invite, 183, hers, bobs(invite, "b")...)
		synctest.Wait()

		began := time.Now()
		d.cancel(invite)

		if took := time.Since(began); took != 0 {
			t.Errorf("held for %s", took)
		}

		d.scscf.Answer(invite, 487, "To: <"+bob+">;tag=b")
		time.Sleep(5 * time.Second)
		a.want(t, "ask s1 "+needsAudio, "end s1")
		a.none(t)
	})
}

// An INVITE that forks has a session for each early dialog; those that are not answered are released at once.
func TestBearersOfForks(t *testing.T) {
	withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
		invite := d.invite(sdp, "\n"+own)
		other := strings.ReplaceAll(hers, "40000", "41000")

		describe(d.scscf, invite, 183, hers, bobs(invite, "b")...)
		d.alice.Response(183)
		describe(d.scscf, invite, 183, other, bobs(invite, "c")...)
		d.alice.Response(183)
		describe(d.scscf, invite, 200, other, bobs(invite, "c")...)
		d.alice.Response(200)

		a.want(t, "ask s1 "+needsAudio, "ask s2 forked "+strings.ReplaceAll(needsAudio, "40000", "41000"), "end s1")
	})
}
