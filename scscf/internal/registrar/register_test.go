package registrar

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

func TestRefusedBeforeAnybodyIsAsked(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers []string
		status  int
		header  string // and its value
	}{
		{"RFC 3261 §8.2.2.3 unknown extension", []string{"Require: path, gruu"}, 420, "Unsupported: gruu"},
		{"RFC 3261 §10.3 7 too brief", []string{"Contact: " + contact1, "Expires: 59"}, 423, "Min-Expires: 60"},
		{"RFC 3261 §10.3 7 too brief in Contact", []string{"Contact: " + contact1 + ";expires=1"}, 423, "Min-Expires: 60"},
		{"RFC 3261 §10.3 6 star without Expires", []string{"Contact: *"}, 400, ""},
		{"RFC 3261 §10.3 6 star with an Expires", []string{"Contact: *", "Expires: 60"}, 400, ""},
		{"RFC 3261 §10.3 6 star and a contact", []string{"Contact: *", "Contact: " + contact1, "Expires: 0"}, 400, ""},
		{
			"TS 24.229 §5.1.6.2 a contact for emergency calls beside another one",
			[]string{"Contact: <sip:alice@192.0.2.1>;expires=600, <sip:alice@192.0.2.1;sos>;expires=0"},
			400,
			"",
		},
		{"a Contact that cannot be read", []string{"Contact: <sip:a"}, 400, ""},
		{"a Contact that is no SIP URI", []string{"Contact: <mailto:a@b>"}, 400, ""},
		{"a q that is none", []string{"Contact: " + contact1 + ";q=7"}, 400, ""},
		{
			"a reg-id that is none",
			[]string{"Supported: outbound", "Path: <sip:p;lr;ob>", "Contact: " + contact1 + `;+sip.instance="<urn:uuid:1>";reg-id=x`},
			400,
			"",
		},
		{"a Path that cannot be read", []string{"Path: <sip:x", "Contact: " + contact1}, 400, ""},
		{"an Authorization that cannot be read", []string{`Authorization: Digest username="x`}, 400, ""},
		{"a Contact of 55 kB", []string{"Contact: " + contact1 + ";x=" + strings.Repeat("x", 55_000)}, 513, ""},
		{"a Contact whose URI has 55 kB", []string{"Contact: <sip:" + strings.Repeat("x", 55_000) + "@192.0.2.1>"}, 513, ""},
		{"one that nobody can read", []string{"Contact: <mailto:" + strings.Repeat("x", 55_000) + "@192.0.2.1>"}, 513, ""},
		{
			"a Path of 55 kB",
			slices.Repeat([]string{"Path: <sip:" + strings.Repeat("x", 1000) + "@192.0.2.10;lr>", "Contact: " + contact1}, 55)[:109],
			513,
			"",
		},
		{
			"a private identity of 2 kB",
			[]string{`Authorization: Digest username="` + strings.Repeat("x", 2000) + `",realm="r",nonce="",uri="sip:x",response=""`},
			513,
			"",
		},
		{"too many contacts", slices.Repeat([]string{"Contact: " + contact1}, 17), 400, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			withLab(t, nil, func(t *testing.T, l *lab) {
				refused := l.wantStatus(l.send(public1, nil, test.headers...), test.status)
				if name, value, _ := strings.Cut(test.header, ": "); name != "" && sip.Value(refused, name) != value {
					t.Errorf("%s: %s, want %s", name, sip.Value(refused, name), value)
				}
				if len(l.mar)+len(l.sar) != 0 {
					t.Error("the HSS was asked")
				}
			})
		})
	}

	t.Run("421 without Path, if the operator wants it", func(t *testing.T) {
		withLab(t, func(p *Policy) { p.RequirePath = true }, func(t *testing.T, l *lab) {
			text := strings.Replace(registerText(public1, "x", 1, "Contact: "+contact1), "Path: <sip:token@192.0.2.10;lr>\r\n", "", 1)
			x := &transaction{request: parse(t, text)}
			l.r.HandleRegister(t.Context(), x)
			if l.wantStatus(x.answer, 421); sip.Value(x.answer, "Require") != "path" {
				t.Errorf("%s", x.answer)
			}
		})
	})
}

func TestRefreshAndExpiry(t *testing.T) {
	withLab(t, nil, func(t *testing.T, l *lab) {
		l.wantStatus(l.register(private1, public1, "Contact: "+contact1+";expires=100"), 200)
		time.Sleep(50 * time.Second)
		accepted := l.wantStatus(l.register(private1, public1, "Contact: "+contact1+";expires=200"), 200)
		if got := sip.Value(accepted, "Contact"); got != contact1+";expires=200" {
			t.Errorf("Contact: %s", got)
		}
		l.wantAssigned("1 2")
		if sar := l.sar[1]; sar.DataAlreadyAvailable != cx.UserDataAvailable {
			t.Error("the profile is asked for again")
		}

		l.wantStatus(l.register(private1, public1, "Contact: "+contact1+";expires=100"), 200)
		l.wantEvents("registered refreshed shortened")

		time.Sleep(104 * time.Second) // with the grace of 5 s
		if _, found := l.r.Lookup(public1); !found {
			t.Error("gone before its time")
		}
		time.Sleep(2 * time.Second)
		l.wantAssigned("1 2 2 4")
		l.wantEvents("registered refreshed shortened expired")
		for _, identity := range []string{public1, number1} {
			if _, found := l.r.Lookup(identity); found {
				t.Errorf("%s is still there", identity)
			}
		}
		if n := l.r.schedule.Len(); n != 0 || l.r.store.count() != 0 {
			t.Errorf("%d timers, %d records are left", n, l.r.store.count())
		}
	})

	t.Run("no SAR at re-registration if the operator wants none", func(t *testing.T) {
		withLab(t, func(p *Policy) { p.AssignAtReRegistration = false }, func(t *testing.T, l *lab) {
			l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
			l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
			l.wantAssigned("1")
			l.wantEvents("registered refreshed")
		})
	})

	t.Run("§20.10 what is no number of seconds is 3600", func(t *testing.T) {
		for _, lines := range [][]string{
			{"Contact: " + contact1 + ";expires=abc"},
			{"Contact: " + contact1 + ";expires=-1", "Expires: 0"},
			{"Contact: " + contact1 + ";expires", "Expires: 100"},
			{"Contact: " + contact1, "Expires: abc"},
		} {
			withLab(t, nil, func(t *testing.T, l *lab) {
				accepted := l.wantStatus(l.register(private1, public1, lines...), 200)
				if got := sip.Value(accepted, "Contact"); got != contact1+";expires=3600" {
					t.Errorf("%q: Contact: %s", lines, got)
				}
			})
		}
	})

	t.Run("asks for longer than allowed", func(t *testing.T) {
		withLab(t, nil, func(t *testing.T, l *lab) {
			accepted := l.register(private1, public1, "Contact: "+contact1, "Expires: 600000")
			if got := sip.Value(accepted, "Contact"); got != contact1+";expires=7200" {
				t.Errorf("Contact: %s", got)
			}
		})
	})

	t.Run("one of two contacts ends", func(t *testing.T) {
		withLab(t, nil, func(t *testing.T, l *lab) {
			l.wantStatus(l.register(private1, public1, "Contact: "+contact1+";expires=100, <sip:alice@192.0.2.2>;expires=300;q=0.3"), 200)
			time.Sleep(110 * time.Second)
			l.wantAssigned("1")
			l.wantEvents("registered+registered expired")
			if user, _ := l.r.Lookup(public1); len(user.Bindings) != 1 || user.Bindings[0].Q != 300 {
				t.Errorf("%+v", user.Bindings)
			}
			time.Sleep(200 * time.Second)
			l.wantAssigned("1 4")
		})
	})

	t.Run("comes back while the HSS is told of the end", func(t *testing.T) {
		withLab(t, nil, func(t *testing.T, l *lab) {
			l.wantStatus(l.register(private1, public1, "Contact: "+contact1+";expires=100"), 200)
			challenge := l.send(public1, first(private1), "Contact: "+contact1)
			hold := make(chan struct{})
			l.mu.Lock()
			l.hold[cx.AssignRegistration] = hold
			l.mu.Unlock()

			time.Sleep(105*time.Second - time.Millisecond)
			answered := make(chan *sip.Response)
			go func() {
				time.Sleep(10 * time.Millisecond)
				answered <- l.send(public1, l.answerTo(challenge, private1, xres), "Contact: "+contact1)
			}()
			time.Sleep(time.Second)
			close(hold)
			l.wantStatus(<-answered, 200)
			synctest.Wait()
			if _, found := l.r.Lookup(public1); !found {
				t.Error("the new registration was lost with the old one")
			}
		})
	})
}

func TestDeregistration(t *testing.T) {
	t.Run("§5.4.1.4 of somebody who is not registered", func(t *testing.T) {
		withLab(t, nil, func(t *testing.T, l *lab) {
			accepted := l.wantStatus(l.register(private1, public1, "Contact: "+contact1+";expires=0"), 200)
			if sip.Has(accepted, "Contact") {
				t.Errorf("%s", accepted)
			}
			l.wantAssigned("5")
			l.wantEvents("")
		})
	})

	t.Run("the HSS does not answer: the handset is gone all the same", func(t *testing.T) {
		withLab(t, nil, func(t *testing.T, l *lab) {
			l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
			challenge := l.send(public1, first(private1), "Contact: *", "Expires: 0")
			l.fail = diameter.ErrTimeout
			l.wantStatus(l.send(public1, l.answerTo(challenge, private1, xres), "Contact: *", "Expires: 0"), 200)
			if _, found := l.r.Lookup(public1); found {
				t.Error("still registered")
			}
		})
	})

	t.Run("the profile is kept for services of the unregistered user, if the operator wants it", func(t *testing.T) {
		withLab(t, func(p *Policy) { p.KeepProfile = true }, func(t *testing.T, l *lab) {
			l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
			l.wantStatus(l.register(private1, public1, "Contact: *", "Expires: 0"), 200)
			l.wantAssigned("1 7")
			if user, found := l.r.Lookup(public1); !found || user.State != registration.Unregistered || len(user.Bindings) != 0 {
				t.Errorf("%+v", user)
			}

			l.wantStatus(l.register(private1, public1, "Contact: "+contact1+";expires=60"), 200)
			time.Sleep(70 * time.Second)
			l.wantAssigned("1 7 1 6")
			time.Sleep(10 * time.Minute)
			l.wantAssigned("1 7 1 6 4")
			if _, found := l.r.Lookup(public1); found {
				t.Error("the profile is still there")
			}
		})
	})
}

func TestHSSDoesNotKeepTheServer(t *testing.T) {
	withLab(t, func(p *Policy) { p.KeepProfile = true }, func(t *testing.T, l *lab) {
		l.result[cx.UserDeregistrationStoreServerName] = cx.SuccessServerNameNotStored
		l.result[cx.TimeoutDeregistrationStoreServerName] = cx.SuccessServerNameNotStored

		l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
		l.wantStatus(l.register(private1, public1, "Contact: *", "Expires: 0"), 200)
		if l.r.store.count() != 0 {
			t.Error("TS 29.228 §6.1.2: the profile is kept after USER_DEREGISTRATION")
		}

		l.wantStatus(l.register(private1, public1, "Contact: "+contact1+";expires=60"), 200)
		time.Sleep(70 * time.Second)
		l.wantAssigned("1 7 1 6")
		if l.r.store.count() != 0 {
			t.Error("TS 29.228 §6.1.2: the profile is kept after TIMEOUT_DEREGISTRATION")
		}
	})
}

func TestHSSRefusesTheAssignment(t *testing.T) {
	for _, test := range []struct {
		result diameter.Result
		status int
	}{
		{cx.ErrorUserUnknown, 403},
		{cx.ErrorIdentitiesDontMatch, 403},
		{cx.ErrorIdentityAlreadyRegistered, 403},
		{cx.ErrorInAssignmentType, 403},
		{cx.ErrorIdentityNotRegistered, 403},
		{cx.AuthorizationRejected, 403},
		{cx.ErrorTooMuchData, 500},
		{cx.UnableToComply, 500},
		{diameter.Result{Code: 3002}, 504},
		{diameter.Result{Code: 4001}, 504},
	} {
		withLab(t, nil, func(t *testing.T, l *lab) {
			l.result[cx.AssignRegistration] = test.result
			l.wantReason(
				l.wantStatus(l.register(private1, public1, "Contact: "+contact1), test.status),
				"SAR was answered "+strconv.Itoa(int(test.result.Code)),
			)
		})
	}

	withLab(t, nil, func(t *testing.T, l *lab) { // a registration outlives a failed refresh
		l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
		challenge := l.send(public1, first(private1), "Contact: "+contact1)
		l.fail = diameter.ErrTimeout
		l.wantReason(l.wantStatus(l.send(public1, l.answerTo(challenge, private1, xres), "Contact: "+contact1), 504), "SAR got no answer")
		if _, found := l.r.Lookup(public1); !found {
			t.Error("the registration is gone")
		}
	})
}

func TestRegistrationsAreBounded(t *testing.T) {
	withLab(t, func(p *Policy) { p.MaxRegistrations = 1 }, func(t *testing.T, l *lab) {
		l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
		l.userData = document("bob", profileOfTest("", "sip:bob@ims.example"))
		refused := l.wantStatus(l.register("bob@ims.example", "sip:bob@ims.example", "Contact: "+contact1), 503)
		if sip.Value(refused, "Retry-After") == "" {
			t.Errorf("%s", refused)
		}
		l.wantAssigned("1 1 8")
		l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
	})
}

// FuzzRegister: for any REGISTER there is one answer and no panic, and an update leaves the contacts of others untouched.
func FuzzRegister(f *testing.F) {
	for _, headers := range [][]string{
		{"Contact: " + contact1},
		{"Contact: *", "Expires: 0"},
		{`Contact: "A, B" <sip:a@b;transport=tcp>;q=0.5;+sip.instance="<urn:gsma:imei:1-2-0>";reg-id=1;expires=600000`},
		{
			"m: <sip:4409cbde@192.168.101.2:5060>;audio;video",
			`Authorization: Digest username="a@b", realm="c", nonce="", uri="sip:c", response=""`,
		},
		{
			"Contact: <sip:a@b>, <sip:c@d>;expires=0",
			"Require: path,outbound",
			`Authorization: digest  username=a,nonce=AA==,response=00,auts="AAAA"`,
		},
	} {
		f.Add(registerText(public1, "call", 7, headers...))
	}

	policy := DefaultPolicy()

	f.Fuzz(func(t *testing.T, text string) {
		m, err := sip.ParseMessage([]byte(text))
		if err != nil {
			return
		}
		message, ok := m.(*sip.Request)
		if !ok {
			return
		}

		req, refusal := parseRegister(message, &policy)
		if refusal != nil {
			if refusal.Status < 400 || refusal.Status > 699 || strings.ContainsAny(refusal.Reasons[0].String(), "\r\n") {
				t.Fatalf("refusal %+v", refusal)
			}
			return
		}

		others := &registration.Binding{Private: "somebody else", Contact: "sip:a@b", ID: 1}
		id := uint32(1)
		next, changes, refusal := update([]*registration.Binding{others}, req, &policy, time.Unix(0, 0), func() uint32 { id++; return id })
		if refusal != nil {
			return
		}
		if !slices.Contains(next, others) || len(next) > policy.MaxContacts {
			t.Fatalf("contacts after: %+v", next)
		}
		for _, c := range changes {
			if c.Binding == nil || c.Event == "" {
				t.Fatalf("changes %+v", changes)
			}
		}
		for _, b := range next {
			if _, err := sip.ParseNameAddr(b.Header(time.Unix(0, 0))); err != nil {
				t.Fatalf("%q would be answered: %v", b.Header(time.Unix(0, 0)), err)
			}
		}
		_, _ = digest.ParseCredentials(sip.Value(message, "Authorization"))
	})
}
