package registrar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

func (l *lab) wantReason(r *sip.Response, text string) {
	l.t.Helper()
	if got := sip.Value(r, "Reason"); !strings.Contains(got, text) {
		l.t.Errorf("Reason %q has no %q", got, text)
	}
	if !strings.Contains(l.log.String(), text) {
		l.t.Errorf("the log has no %q:\n%s", text, l.log)
	}
}

func TestWrongResponse(t *testing.T) {
	t.Run("§5.4.1.2.3A first registration: 403, the HSS is told", func(t *testing.T) {
		withLab(t, nil, func(t *testing.T, l *lab) {
			challenge := l.send(public1, first(private1), "Contact: "+contact1)
			refused := l.wantStatus(l.send(public1, l.answerTo(challenge, private1, []byte("wrong")), "Contact: "+contact1), 403)
			l.wantReason(refused, "RES mismatch: K or OPc in the HSS differs from the SIM")
			l.wantAssigned("9")

			// The nonce is used up: the right answer to it comes too late.
			l.wantStatus(l.send(public1, l.answerTo(challenge, private1, xres), "Contact: "+contact1), 401)
		})
	})

	t.Run("§5.4.1.2.3A while registered: 403, the registration stays as it was", func(t *testing.T) {
		withLab(t, nil, func(t *testing.T, l *lab) {
			l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
			challenge := l.send(public1, first(private1), "Contact: *", "Expires: 0")
			l.wantStatus(l.send(public1, l.answerTo(challenge, private1, []byte("wrong")), "Contact: *", "Expires: 0"), 403)
			l.wantAssigned("1")
			if user, found := l.r.Lookup(public1); !found || len(user.Bindings) != 1 {
				t.Error("the contact is gone")
			}
		})
	})

	t.Run("as many attempts as the policy gives", func(t *testing.T) {
		withLab(t, func(p *Policy) { p.Authentication.Attempts = 3 }, func(t *testing.T, l *lab) {
			answer := l.send(public1, first(private1), "Contact: "+contact1)
			for range 2 {
				answer = l.wantStatus(l.send(public1, l.answerTo(answer, private1, []byte("wrong")), "Contact: "+contact1), 401)
			}
			l.wantStatus(l.send(public1, l.answerTo(answer, private1, []byte("wrong")), "Contact: "+contact1), 403)
			l.wantAssigned("9")
		})
	})
}

func TestSIMRefusesTheNetwork(t *testing.T) {
	withLab(t, nil, func(t *testing.T, l *lab) {
		challenge := l.send(public1, first(private1), "Contact: "+contact1)
		empty := l.answerTo(challenge, private1, nil)
		empty.Response = ""
		l.wantReason(l.wantStatus(l.send(public1, empty, "Contact: "+contact1), 403), "the SIM refused the network")
		l.wantAssigned("9")
	})
}

// TestResynchronisation: AUTS of a user who is not registered yet leads to a fresh challenge (TS 33.102 §6.3.5).
func TestResynchronisation(t *testing.T) {
	withLab(t, nil, func(t *testing.T, l *lab) {
		challenge := l.send(public1, first(private1), "Contact: "+contact1)
		ch, _ := digest.ParseChallenge(sip.Value(challenge, "WWW-Authenticate"))
		random, _, _ := digest.ParseAKANonce(ch.Nonce)

		stale := func(to *sip.Response) *digest.Credentials {
			c := l.answerTo(to, private1, nil)
			c.AUTS = digest.EncodeAUTS([14]byte{7})
			return c
		}

		challenge = l.wantStatus(l.send(public1, stale(challenge), "Contact: "+contact1), 401)
		asked := l.mar[1].AuthDataItem
		if asked.Scheme != cx.SchemeDigestAKAv1MD5 ||
			!slices.Equal(asked.Authorization, append(slices.Clone(random[:]), append([]byte{7}, make([]byte, 13)...)...)) {
			t.Errorf("MAR: %+v", asked)
		}

		l.wantStatus(l.send(public1, l.answerTo(challenge, private1, xres), "Contact: "+contact1), 200)
		l.wantAssigned("1")
	})

	withLab(t, nil, func(t *testing.T, l *lab) { // without end
		answer := l.send(public1, first(private1), "Contact: "+contact1)
		for i := range 3 {
			c := l.answerTo(answer, private1, nil)
			c.AUTS = digest.EncodeAUTS([14]byte{7})
			answer = l.send(public1, c, "Contact: "+contact1)
			if want := []int{401, 401, 403}[i]; answer.StatusCode != want {
				t.Fatalf("AUTS %d: %d, want %d", i+1, answer.StatusCode, want)
			}
		}
		l.wantReason(answer, "asked again for resynchronisation")
	})

	withLab(t, nil, func(t *testing.T, l *lab) {
		c := l.answerTo(l.send(public1, first(private1), "Contact: "+contact1), private1, nil)
		c.AUTS = "!"
		l.wantStatus(l.send(public1, c, "Contact: "+contact1), 400)
	})
}

func TestAwaitAuthExpires(t *testing.T) {
	withLab(t, nil, func(t *testing.T, l *lab) {
		challenge := l.send(public1, first(private1), "Contact: "+contact1)
		time.Sleep(4*time.Minute - time.Second)
		l.wantAssigned("")
		time.Sleep(2 * time.Second)
		l.wantAssigned("10")
		if !strings.Contains(l.log.String(), "the handset has not answered the 401: OP given as OPc") {
			t.Errorf("log:\n%s", l.log)
		}
		l.wantStatus(l.send(public1, l.answerTo(challenge, private1, xres), "Contact: "+contact1), 401) // too late
	})

	withLab(t, nil, func(t *testing.T, l *lab) { // a registration stays
		l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
		l.wantStatus(l.send(public1, first(private1), "Contact: "+contact1), 401)
		time.Sleep(5 * time.Minute)
		l.wantAssigned("1")
		if _, found := l.r.Lookup(public1); !found {
			t.Error("the registration is gone")
		}
	})
}

// TestSilenceIsLoggedAtOnce: a handset with a wrong K sends nothing. The log says so once, within seconds, not when reg-await-auth is
// over.
func TestSilenceIsLoggedAtOnce(t *testing.T) {
	withLab(t, nil, func(t *testing.T, l *lab) {
		const yet, again = "challenge not answered yet", "challenge not answered: the handset begins again"

		wantLines := func(message string, want int) {
			t.Helper()
			if got := strings.Count(l.log.String(), `msg="`+message+`"`); got != want {
				t.Fatalf("%d lines %q, want %d:\n%s", got, message, want, l.log)
			}
		}

		l.wantStatus(l.send(public1, first(private1), "Contact: "+contact1), 401)
		time.Sleep(9 * time.Second)
		wantLines(yet, 0)
		time.Sleep(2 * time.Second)
		wantLines(yet, 1)

		if text := l.log.String(); !strings.Contains(text, private1) || !strings.Contains(text, "OP given as OPc") {
			t.Errorf("it does not say who, and why:\n%s", text)
		}

		l.wantStatus(l.send(public1, first(private1), "Contact: "+contact1), 401) // the same Call-ID
		wantLines(again, 1)
		time.Sleep(3 * time.Minute)
		wantLines(yet, 2)
		l.wantAssigned("")
		time.Sleep(2 * time.Minute)
		l.wantAssigned("10")
		wantLines("registration failed", 1)
	})

	withLab(t, nil, func(t *testing.T, l *lab) { // one that answers is not logged
		l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
		time.Sleep(5 * time.Minute)
		if strings.Contains(l.log.String(), "challenge not answered") {
			t.Errorf("log:\n%s", l.log)
		}
	})
}

func TestReplayedResponse(t *testing.T) {
	withLab(t, nil, func(t *testing.T, l *lab) {
		challenge := l.send(public1, first(private1), "Contact: "+contact1)
		answer := l.answerTo(challenge, private1, xres)
		l.wantStatus(l.send(public1, answer, "Contact: "+contact1), 200)
		again := l.wantStatus(l.send(public1, answer, "Contact: <sip:mallory@192.0.2.66>"), 401)
		if strings.Contains(sip.Value(again, "WWW-Authenticate"), answer.Nonce) {
			t.Error("the nonce is offered again")
		}
		if user, _ := l.r.Lookup(public1); len(user.Bindings) != 1 {
			t.Error("the replay made a contact")
		}
	})
}

func TestProtectionByThePCSCF(t *testing.T) {
	refresh := func(value string) *digest.Credentials {
		c := first(private1)
		c.IntegrityProtected, c.Nonce, c.Response = value, "old", "old"
		return c
	}

	for _, test := range []struct {
		name      string
		protected string
		contact   string
		policy    func(*Policy)
		status    int
	}{
		{name: "§5.4.1.2.2 yes: no challenge", protected: "yes", contact: contact1, status: 200},
		{name: "§5.4.1.2.2 yes, another contact: challenge", protected: "yes", contact: "<sip:alice@192.0.2.77>", status: 401},
		{name: "RFC 3261 §19.1.4 yes, written otherwise", protected: "yes", contact: "<sip:%61lice@192.0.2.1:5060>", status: 200},
		{name: "§5.4.1.2.1 no: challenge", protected: "no", contact: contact1, status: 401},
		{name: "tls-yes", protected: "tls-yes", contact: contact1, status: 200},
		{name: "ip-assoc-yes", protected: "ip-assoc-yes", contact: contact1, status: 200},
		{name: "ip-assoc-pending", protected: "ip-assoc-pending", contact: contact1, status: 401},
		{
			name:      "yes, but the operator wants a challenge each time",
			protected: "yes",
			contact:   contact1,
			policy:    func(p *Policy) { p.Authentication.TrustRefresh = nil },
			status:    401,
		},
		{name: "auth-done is not trusted unless it is said", protected: "auth-done", contact: contact1, status: 401},
		{
			name:      "auth-done",
			protected: "auth-done",
			contact:   "<sip:alice@192.0.2.77>",
			policy:    func(p *Policy) { p.Authentication.TrustAlways = []string{"auth-done"} },
			status:    200,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			withLab(t, test.policy, func(t *testing.T, l *lab) {
				l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
				l.wantStatus(l.send(public1, refresh(test.protected), "Contact: "+test.contact), test.status)
			})
		})
	}

	t.Run("§5.4.1.4 de-registration with yes: no challenge", func(t *testing.T) {
		withLab(t, nil, func(t *testing.T, l *lab) {
			l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
			l.wantStatus(l.send(public1, refresh("yes"), "Contact: *", "Expires: 0"), 200)
			l.wantAssigned("1 5")
		})
	})

	t.Run("yes from somebody who is not registered: challenge", func(t *testing.T) {
		withLab(t, nil, func(t *testing.T, l *lab) {
			l.wantStatus(l.send(public1, refresh("yes"), "Contact: "+contact1), 401)
		})
	})

	t.Run("yes for another private identity: challenge", func(t *testing.T) {
		withLab(t, nil, func(t *testing.T, l *lab) {
			l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
			other := refresh("yes")
			other.Username = "mallory@ims.example"
			l.wantStatus(l.send(public1, other, "Contact: "+contact1), 401)
		})
	})

	// TS 24.229 §5.4.1.2.2: if the P-CSCF offered security associations, the right answer counts only over them.
	for _, test := range []struct {
		name          string
		first, answer string // integrity-protected
		status        int
	}{
		{"no associations here", "", "", 200},
		{"offered, and used", "no", "yes", 200},
		{"offered, and not used", "no", "no", 401},
		{"offered, and the answer comes by another way", "no", "", 401},
		{"offered with the challenge only", "", "no", 401},
		{"TLS", "", "tls-pending", 200},
	} {
		t.Run("a right answer: "+test.name, func(t *testing.T) {
			withLab(t, nil, func(t *testing.T, l *lab) {
				initial := first(private1)
				initial.IntegrityProtected = test.first
				answer := l.answerTo(l.wantStatus(l.send(public1, initial, "Contact: "+contact1), 401), private1, xres)
				answer.IntegrityProtected = test.answer
				l.wantStatus(l.send(public1, answer, "Contact: "+contact1), test.status)
			})
		})
	}

	t.Run("a right answer in clear, and the operator wants it so", func(t *testing.T) {
		withLab(t, func(p *Policy) { p.Authentication.RefuseUnprotected = false }, func(t *testing.T, l *lab) {
			answer := l.answerTo(l.send(public1, first(private1), "Contact: "+contact1), private1, xres)
			answer.IntegrityProtected = "no"
			l.wantStatus(l.send(public1, answer, "Contact: "+contact1), 200)
		})
	})

	t.Run("a response must be protected if the operator says so", func(t *testing.T) {
		withLab(t, func(p *Policy) { p.Authentication.RequireProtection = true }, func(t *testing.T, l *lab) {
			challenge := l.send(public1, first(private1), "Contact: "+contact1)
			answer := l.answerTo(challenge, private1, xres)
			l.wantStatus(l.send(public1, answer, "Contact: "+contact1), 401)

			challenge = l.send(public1, first(private1), "Contact: "+contact1)
			answer = l.answerTo(challenge, private1, xres)
			answer.IntegrityProtected = "yes"
			l.wantStatus(l.send(public1, answer, "Contact: "+contact1), 200)
		})
	})
}

func TestSIPDigest(t *testing.T) {
	for _, algorithm := range []string{"MD5", "SHA-256", ""} {
		t.Run("algorithm "+algorithm, func(t *testing.T) {
			withLab(t, nil, func(t *testing.T, l *lab) {
				ha1, err := digest.HA1(algorithm, private1, homeDomain, "secret")
				if err != nil {
					t.Fatal(err)
				}
				l.digest = &cx.DigestAuthenticate{Realm: homeDomain, Algorithm: algorithm, QoP: "auth", HA1: ha1}

				challenge := l.wantStatus(l.send(public1, nil, "Contact: "+contact1), 401)
				answer := l.answerTo(challenge, private1, []byte("secret"))
				l.wantStatus(l.send(public1, answer, "Contact: "+contact1), 200)

				// RFC 2617 §3.2.1: the nonce is stale, the password right.
				again := l.wantStatus(l.send(public1, answer, "Contact: "+contact1), 401)
				if ch, _ := digest.ParseChallenge(sip.Value(again, "WWW-Authenticate")); !ch.Stale {
					t.Error("not stale")
				}

				wrong := l.answerTo(again, private1, []byte("guess"))
				l.wantReason(l.wantStatus(l.send(public1, wrong, "Contact: "+contact1), 403), "the password in the HSS differs")
				again = l.wantStatus(l.send(public1, wrong, "Contact: "+contact1), 401)
				if ch, _ := digest.ParseChallenge(sip.Value(again, "WWW-Authenticate")); ch.Stale {
					t.Error("stale, though the password is wrong")
				}
			})
		})
	}
}

func TestChallengeIsWhatThePolicySays(t *testing.T) {
	withLab(t, func(p *Policy) { p.Authentication.QoP, p.Authentication.Realm = nil, "other.example" }, func(t *testing.T, l *lab) {
		challenge := l.send(public1, first(private1), "Contact: "+contact1)
		if value := sip.Value(challenge, "WWW-Authenticate"); strings.Contains(value, "qop") ||
			!strings.Contains(value, `realm="other.example"`) {
			t.Errorf("challenge without qop (open5gs#491): %s", value)
		}
		l.wantStatus(l.send(public1, l.answerTo(challenge, private1, xres), "Contact: "+contact1), 200)
	})

	withLab(t, func(p *Policy) { p.Authentication.QoP = []string{"auth", "auth-int"} }, func(t *testing.T, l *lab) {
		challenge := l.send(public1, first(private1), "Contact: "+contact1)
		c := l.answerTo(challenge, private1, xres)
		c.Realm = "elsewhere"
		l.wantReason(l.wantStatus(l.send(public1, c, "Contact: "+contact1), 403), "was challenged for")
	})

	withLab(t, nil, func(t *testing.T, l *lab) {
		c := l.answerTo(l.send(public1, first(private1), "Contact: "+contact1), private1, xres)
		c.QoP = "auth-int"
		l.wantReason(l.wantStatus(l.send(public1, c, "Contact: "+contact1), 403), "the handset answered with qop")

		c = l.answerTo(l.send(public1, first(private1), "Contact: "+contact1), private1, xres)
		c.Algorithm = "SHA-256"
		l.wantReason(l.wantStatus(l.send(public1, c, "Contact: "+contact1), 403), "was challenged with")
	})
}

func TestChallengesAreBounded(t *testing.T) {
	withLab(t, func(p *Policy) { p.MaxChallenges = 6 }, func(t *testing.T, l *lab) {
		for i := range 6 { // one user cannot use up all
			l.callID = fmt.Sprint(i)
			l.wantStatus(l.send(public1, first(private1), "Contact: "+contact1), 401)
		}
		if n := l.r.authentications.count(); n != perUser {
			t.Errorf("%d challenges for one user", n)
		}
		l.wantStatus(l.send("sip:bob@ims.example", first("bob@ims.example"), "Contact: "+contact1), 401)
		l.wantStatus(l.send("sip:carol@ims.example", first("carol@ims.example"), "Contact: "+contact1), 401)
		l.wantStatus(l.send("sip:dave@ims.example", first("dave@ims.example"), "Contact: "+contact1), 503)
		l.wantStatus(
			l.send("sip:carol@ims.example", first("carol@ims.example"), "Contact: "+contact1),
			401,
		) // same Call-ID: replaces the other

		time.Sleep(5 * time.Minute)
		if n := l.r.authentications.count(); n != 0 || l.r.schedule.Len() != 0 {
			t.Errorf("%d challenges and %d timers are left", n, l.r.schedule.Len())
		}
	})
}

func TestHSSRefusesTheVector(t *testing.T) {
	for _, test := range []struct {
		result diameter.Result
		status int
	}{
		{cx.ErrorUserUnknown, 403},
		{cx.ErrorIdentitiesDontMatch, 403},
		{cx.ErrorAuthSchemeNotSupported, 403},
		{cx.AuthorizationRejected, 403},
		{cx.UnableToComply, 500},
		{diameter.Result{Code: 3002}, 504},
		{diameter.Result{Code: 3004}, 504},
		{diameter.Result{Code: 4002}, 504},
		{diameter.Result{Code: 5005}, 500},
	} {
		withLab(t, nil, func(t *testing.T, l *lab) {
			l.maa = func(a *cx.MAA) { a.Result = test.result }
			refused := l.wantStatus(l.send(public1, first(private1), "Contact: "+contact1), test.status)
			l.wantReason(refused, fmt.Sprintf("MAR was answered %d", test.result.Code))
			if reason := sip.Value(refused, "Reason"); !strings.HasPrefix(reason, fmt.Sprintf("DIAMETER;cause=%d;", test.result.Code)) {
				t.Errorf("Reason: %s", reason)
			}
		})
	}

	for name, fail := range map[string]error{"got no answer": diameter.ErrTimeout, "no connection to the HSS is up": diameter.ErrUnroutable} {
		withLab(t, nil, func(t *testing.T, l *lab) {
			l.fail = fail
			l.wantReason(l.wantStatus(l.send(public1, first(private1), "Contact: "+contact1), 504), name)
		})
	}

	for name, spoil := range map[string]func(*cx.MAA){
		"no items":   func(a *cx.MAA) { a.AuthDataItems = nil },
		"short AUTN": func(a *cx.MAA) { a.AuthDataItems[0].Authenticate = make([]byte, 31) },
		"no XRES":    func(a *cx.MAA) { a.AuthDataItems[0].Authorization = nil },
		"AKAv2 without keys": func(a *cx.MAA) {
			a.AuthDataItems[0].Scheme, a.AuthDataItems[0].IntegrityKey = cx.SchemeDigestAKAv2MD5, nil
		},
		"other scheme":  func(a *cx.MAA) { a.AuthDataItems[0].Scheme = "NASS-Bundled" },
		"digest of SHA": func(a *cx.MAA) { a.AuthDataItems[0].Digest = &cx.DigestAuthenticate{Algorithm: "SHA-1", HA1: "x"} },
		"no HA1":        func(a *cx.MAA) { a.AuthDataItems[0].Digest = &cx.DigestAuthenticate{} },
	} {
		t.Run(name, func(t *testing.T) {
			withLab(t, nil, func(t *testing.T, l *lab) {
				l.maa = spoil
				l.wantReason(l.wantStatus(l.send(public1, first(private1), "Contact: "+contact1), 500), "the MAA cannot be used")
			})
		})
	}
}
