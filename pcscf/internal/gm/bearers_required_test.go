package gm

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
)

const saysRefusal = `SIP;cause=503;text="the PCRF answers 5065"`

func refusesAll(*bearer.Request) error { return refusal }

// The callee's offer is answered by the caller: the needs of the answer are refused only then (TS 24.229 §5.2.8.1).
func TestBearersRequiredByALateOffer(t *testing.T) {
	t.Run("answered in the ACK", func(t *testing.T) {
		withBearers(t, true, func(t *testing.T, d *desk, a *accessNetwork) {
			a.decide = refusesAll

			invite := d.invite()
			describe(d.scscf, invite, 200, hers, bobs(invite, "b")...)
			routes := d.routesOf(d.alice.Response(200))
			d.within("ACK", invite.CallID().Value(), append(routes, "CSeq: 2 ACK", sdp, "\n"+own)...)
			d.scscf.Request("ACK")
			d.byes(saysRefusal)
			a.none(t)
		})
	})

	t.Run("answered in the PRACK", func(t *testing.T) {
		withBearers(t, true, func(t *testing.T, d *desk, a *accessNetwork) {
			a.decide = refusesAll

			invite := d.invite()
			describe(d.scscf, invite, 183, hers, append(bobs(invite, "b"), "Require: 100rel", "RSeq: 1")...)
			routes := d.routesOf(d.alice.Response(183))
			d.within("PRACK", invite.CallID().Value(), append(routes, sdp, "\n"+own)...)
			prack := d.scscf.Request("PRACK")
			d.scscf.Answer(prack, 200)
			d.alice.Response(200)

			cancel := d.scscf.Request("CANCEL")
			want(t, cancel, "Reason", saysRefusal)
			d.scscf.Answer(cancel, 200)
			d.scscf.Answer(invite, 487, "To: <"+bob+">;tag=b")
			want(t, d.alice.Response(503), "Reason", saysRefusal)
			a.none(t)
		})
	})

	t.Run("best effort", func(t *testing.T) {
		withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
			a.decide = refusesAll

			invite := d.invite()
			describe(d.scscf, invite, 200, hers, bobs(invite, "b")...)
			routes := d.routesOf(d.alice.Response(200))
			d.within("ACK", invite.CallID().Value(), append(routes, "CSeq: 2 ACK", sdp, "\n"+own)...)
			d.scscf.Request("ACK")
			d.scscf.Silent()
			d.alice.Silent()
		})
	})
}

const (
	ownVideo  = "m=video 50002 RTP/AVP 34\r\n"
	hersVideo = "m=video 40002 RTP/AVP 34\r\n"
)

// A change made by an answer cannot be taken back: a call that requires bearers, and lacks them after the change, is released (TS 24.229
// §5.2.8.1.2) once the answer has been forwarded and acknowledged. A call that needs no others than it had goes on, and so does one without
// an answer of the PCRF.
func TestRefusedChange(t *testing.T) {
	video := func(why error) func(*bearer.Request) error {
		return func(q *bearer.Request) error {
			if len(q.Components) > 1 {
				return why
			}

			return nil
		}
	}
	onHold := func(q *bearer.Request) error {
		if q.Update {
			return refusal
		}

		return nil
	}

	for name, test := range map[string]struct {
		policy        BearerPolicy
		method        string
		offer, answer string // what is added to the descriptions
		decide        func(*bearer.Request) error
		released      bool
	}{
		"video by INVITE": {
			policy: Required, method: "INVITE", offer: ownVideo, answer: hersVideo,
			decide: video(refusal), released: true,
		},
		"video by UPDATE": {
			policy: Required, method: "UPDATE", offer: ownVideo, answer: hersVideo,
			decide: video(refusal), released: true,
		},
		"best effort": {policy: BestEffort, method: "INVITE", offer: ownVideo, answer: hersVideo, decide: video(refusal)},
		"hold":        {policy: Required, method: "INVITE", offer: "a=sendonly\r\n", answer: "a=recvonly\r\n", decide: onHold},
		"no answer": {
			policy: Required, method: "INVITE", offer: ownVideo, answer: hersVideo,
			decide: video(errors.New("no answer")),
		},
		"nobody to ask": {
			policy: Required, method: "UPDATE", offer: ownVideo, answer: hersVideo,
			decide: video(&bearer.Refusal{Why: "no PCRF", Undone: true}),
		},
		"video that is rejected there": {policy: Required, method: "INVITE", offer: ownVideo, answer: "m=video 0 RTP/AVP 34\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			withBearersBy(t, BearerConfig{Policy: test.policy}, func(t *testing.T, d *desk, a *accessNetwork) {
				a.decide = test.decide

				invite := d.invite(sdp, "\n"+own)
				describe(d.scscf, invite, 200, hers, bobs(invite, "b")...)
				routes, callID := d.routesOf(d.alice.Response(200)), invite.CallID().Value()
				d.within("ACK", callID, append(routes, "CSeq: 2 ACK")...)
				d.scscf.Request("ACK")

				d.within(test.method, callID, append(slices.Clone(routes), sdp, "\n"+own+test.offer)...)
				again := d.scscf.Request(test.method)
				describe(d.scscf, again, 200, hers+test.answer, "Contact: <sip:bob@198.51.100.7>")
				d.alice.Response(200)

				if test.method == "INVITE" {
					d.scscf.Silent() // a BYE must not overtake the ACK
					d.within("ACK", callID, append(slices.Clone(routes), "CSeq: 4 ACK")...)
					d.scscf.Request("ACK")
				}

				if test.released {
					d.byes(saysRefusal)
					a.none(t)
				}

				d.scscf.Silent()
				d.alice.Silent()
			})
		})
	}
}

// A change that is refused while it rings ends the INVITE.
func TestRefusedChangeWhileItRings(t *testing.T) {
	withBearers(t, true, func(t *testing.T, d *desk, a *accessNetwork) {
		a.decide = func(q *bearer.Request) error {
			if q.Update {
				return refusal
			}

			return nil
		}

		invite := d.invite(sdp, "\n"+own)
		describe(d.scscf, invite, 183, hers, append(bobs(invite, "b"), "Require: 100rel", "RSeq: 1")...)
		routes := d.routesOf(d.alice.Response(183))

		d.within("UPDATE", invite.CallID().Value(), append(routes, sdp, "\n"+own+ownVideo)...)
		describe(d.scscf, d.scscf.Request("UPDATE"), 200, hers+hersVideo, "Contact: <sip:bob@198.51.100.7>")
		d.alice.Response(200)

		d.scscf.Answer(d.scscf.Request("CANCEL"), 200)
		d.scscf.Answer(invite, 487, "To: <"+bob+">;tag=b")
		want(t, d.alice.Response(503), "Reason", saysRefusal)
		a.none(t)
	})
}

// An emergency call goes on without its bearers, whatever the policy is.
func TestEmergencyCallWithoutBearers(t *testing.T) {
	withBearers(t, true, func(t *testing.T, d *desk, a *accessNetwork) {
		a.decide = refusesAll
		d.proxy.emergencies.PSAPs = map[string]string{"sos": "sip:psap@192.0.2.3"}

		d.send("INVITE", "urn:service:sos.fire", sdp, "\n"+own)
		invite := d.scscf.Request("INVITE")
		describe(d.scscf, invite, 183, hers, bobs(invite, "b")...)
		d.alice.Response(183)
		d.scscf.Silent()

		if asked := a.asked; len(asked) != 1 || asked[0].Leg.ServiceURN != "sos.fire" {
			t.Errorf("%+v", asked)
		}
	})
}

// Handsets of one endpoint may have another policy than the rest.
func TestBearerPolicyOfAnEndpoint(t *testing.T) {
	for name, c := range map[string]BearerConfig{
		"off there":          {Policy: Required, Endpoints: map[string]BearerPolicy{"Gm": NoBearers}},
		"best-effort there":  {Policy: Required, Endpoints: map[string]BearerPolicy{"Gm": BestEffort}},
		"required there":     {Policy: NoBearers, Endpoints: map[string]BearerPolicy{"Gm": Required}},
		"required elsewhere": {Policy: NoBearers, Endpoints: map[string]BearerPolicy{"Gm2": Required}},
	} {
		t.Run(name, func(t *testing.T) {
			withBearersBy(t, c, func(t *testing.T, d *desk, a *accessNetwork) {
				a.decide = refusesAll

				invite := d.invite(sdp, "\n"+own)
				describe(d.scscf, invite, 183, hers, bobs(invite, "b")...)
				d.alice.Response(183)

				if policy := c.Endpoints["Gm"]; policy == NoBearers || policy == "" {
					a.want(t)
				} else {
					a.want(t, "ask s1 "+needsAudio)
				}

				if c.Endpoints["Gm"] != Required {
					d.scscf.Silent()
					return
				}

				d.scscf.Answer(d.scscf.Request("CANCEL"), 200)
				d.scscf.Answer(invite, 487, "To: <"+bob+">;tag=b")
				d.alice.Response(503)
			})
		})
	}
}

// A PCRF that refuses for a time states how long: the caller is told, and a call that goes on repeats the request then.
func TestBearersRefusedForATime(t *testing.T) {
	later := &bearer.Refusal{Code: 4261, Why: "the PCRF answers 4261", Retry: 30 * time.Second}

	t.Run("required", func(t *testing.T) {
		withBearers(t, true, func(t *testing.T, d *desk, a *accessNetwork) {
			a.decide = func(*bearer.Request) error { return later }

			invite := d.invite(sdp, "\n"+own)
			describe(d.scscf, invite, 183, hers, bobs(invite, "b")...)
			d.alice.Response(183)
			d.scscf.Answer(d.scscf.Request("CANCEL"), 200)
			d.scscf.Answer(invite, 487, "To: <"+bob+">;tag=b")
			want(t, d.alice.Response(503), "Retry-After", "30")

			time.Sleep(time.Minute)
			a.want(t, "ask s1 "+needsAudio)
		})
	})

	t.Run("best effort", func(t *testing.T) {
		withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
			refused := 0
			a.decide = func(*bearer.Request) error {
				if refused++; refused <= 2 {
					return later
				}

				return nil
			}

			d.answered()
			time.Sleep(29 * time.Second)
			a.want(t, "ask s1 "+needsAudio)
			time.Sleep(2 * time.Second)
			a.want(t, "ask s1 "+needsAudio, "ask s2 "+needsAudio)
			time.Sleep(time.Minute)
			a.want(t, "ask s1 "+needsAudio, "ask s2 "+needsAudio, "ask s3 "+needsAudio)
		})
	})

	t.Run("something else is needed meanwhile", func(t *testing.T) {
		withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
			a.decide = func(*bearer.Request) error {
				if len(a.asked) == 1 {
					return later
				}

				return nil
			}

			invite := d.invite(sdp, "\n"+own)
			describe(d.scscf, invite, 200, hers, bobs(invite, "b")...)
			routes := d.routesOf(d.alice.Response(200))
			d.within("UPDATE", invite.CallID().Value(), append(routes, sdp, "\n"+own+"a=sendonly\r\n")...)
			describe(d.scscf, d.scscf.Request("UPDATE"), 200, hers+"a=recvonly\r\n", "Contact: <sip:bob@198.51.100.7>")
			d.alice.Response(200)

			time.Sleep(time.Minute)
			a.want(t, "ask s1 "+needsAudio, "ask s2 1 AUDIO ENABLED-UPLINK in 198.51.100.7:40000 out 10.0.0.1:50000")
		})
	})
}
