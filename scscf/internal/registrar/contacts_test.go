package registrar

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

func TestSeveralContacts(t *testing.T) {
	phone := func(address, instance string) string {
		return "Contact: <sip:alice@" + address + `>;+sip.instance="<urn:uuid:` + instance + `>"`
	}
	contacts := func(l *lab) string {
		user, _ := l.r.Lookup(public1)
		var all []string
		for _, b := range user.Bindings {
			all = append(all, strings.TrimPrefix(b.Contact, "sip:alice@"))
		}
		return strings.Join(all, " ")
	}

	for _, test := range []struct {
		name   string
		policy func(*Policy)
		steps  []string // Contact lines
		status int      // of the last REGISTER
		want   string
		events string
	}{
		{
			name:   "RFC 5626 §6 the same instance has moved",
			steps:  []string{phone("a", "1"), phone("b", "1")},
			status: 200,
			want:   "b",
			events: "registered unregistered+registered",
		},
		{
			name:   "and takes its old contact back in the same request",
			steps:  []string{phone("a", "1"), phone("b", "1") + ", " + strings.TrimPrefix(phone("a", "1"), "Contact: ") + ";expires=0"},
			status: 200,
			want:   "b",
			events: "registered unregistered+registered",
		},
		{
			name:   "and takes its old contact back afterwards",
			steps:  []string{phone("a", "1"), phone("b", "1"), phone("a", "1") + ";expires=0"},
			status: 200,
			want:   "b",
			events: "registered unregistered+registered ",
		},
		{name: "another instance", steps: []string{phone("a", "1"), phone("b", "2")}, status: 200, want: "a b", events: "registered registered"},
		{
			name:   "RFC 5626 §6 the same instance over another flow",
			steps:  []string{phone("a", "1") + flow("1"), phone("b", "1") + flow("2")},
			status: 200,
			want:   "a b",
			events: "registered registered",
		},
		{
			name:   "RFC 5626 §6 a flow that nobody keeps",
			steps:  []string{phone("a", "1") + ";reg-id=1", phone("b", "1") + ";reg-id=2"},
			status: 200,
			want:   "b",
			events: "registered unregistered+registered",
		},
		{
			name:   "RFC 3261 §19.1.4 equal URIs",
			steps:  []string{"Contact: <sip:alice@a>", "Contact: <sip:alice@A;x=1>"},
			status: 200,
			want:   "A;x=1",
			events: "registered unregistered+registered",
		},
		{
			name:   "the oldest gives way at the limit",
			policy: func(p *Policy) { p.MaxContacts = 2 },
			steps:  []string{phone("a", "1"), phone("b", "2"), phone("c", "3")},
			status: 200,
			want:   "b c",
			events: "registered registered rejected+registered",
		},
		{
			name:   "403 at the limit",
			policy: func(p *Policy) { p.MaxContacts, p.AtContactLimit = 1, "refuse" },
			steps:  []string{phone("a", "1"), phone("b", "2")},
			status: 403,
			want:   "a",
			events: "registered",
		},
		{
			name:   "one of two leaves",
			steps:  []string{phone("a", "1"), phone("b", "2"), phone("a", "1") + ";expires=0"},
			status: 200,
			want:   "b",
			events: "registered registered unregistered",
		},
		{
			name:   "TS 24.229 §5.4.8.2 an emergency registration is beside the other one of the same handset",
			steps:  []string{phone("a", "1"), phone("a;sos", "1")},
			status: 200,
			want:   "a a;sos",
			events: "registered registered",
		},
		{
			name:   "by URI, too",
			steps:  []string{"Contact: <sip:alice@a;sos>", "Contact: <sip:alice@a>"},
			status: 200,
			want:   "a;sos a",
			events: "registered registered",
		},
		{
			name:   "and each ends by itself",
			steps:  []string{phone("a", "1"), phone("a;sos", "1"), phone("a", "1") + ";expires=0"},
			status: 200,
			want:   "a;sos",
			events: "registered registered unregistered",
		},
		{
			name:   "it takes no place of another's",
			policy: func(p *Policy) { p.MaxContacts, p.AtContactLimit = 1, "refuse" },
			steps:  []string{phone("a", "1"), phone("a;sos", "1"), phone("b;sos", "1")},
			status: 200,
			want:   "a b;sos",
			events: "registered registered unregistered+registered",
		},
		{
			name:   "what is not there leaves",
			steps:  []string{phone("a", "1"), phone("b", "2") + ";expires=0"},
			status: 200,
			want:   "a",
			events: "registered ",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			withLab(t, test.policy, func(t *testing.T, l *lab) {
				var last *sip.Response
				for _, step := range test.steps {
					last = l.register(private1, public1, step)
				}
				l.wantStatus(last, test.status)
				if got := contacts(l); got != test.want {
					t.Errorf("contacts %q, want %q", got, test.want)
				}
				l.wantEvents(test.events)
				if outbound := strings.Contains(test.steps[0], ";ob"); outbound != (sip.Value(last, "Require") == "outbound") {
					t.Errorf("RFC 5626 §6: Require %q", sip.Value(last, "Require"))
				}
			})
		})
	}

	t.Run("RFC 3261 §10.3 7 an older REGISTER changes nothing", func(t *testing.T) {
		withLab(t, nil, func(t *testing.T, l *lab) {
			l.wantStatus(l.register(private1, public1, phone("a", "1")), 200)
			challenge := l.send(public1, first(private1), phone("b", "1"))
			l.cseq = 0
			l.wantStatus(l.send(public1, l.answerTo(challenge, private1, xres), phone("b", "1")), 500)
			if got := contacts(l); got != "a" {
				t.Errorf("contacts %q", got)
			}
		})
	})

	t.Run("a query lists them", func(t *testing.T) {
		withLab(t, nil, func(t *testing.T, l *lab) {
			l.wantStatus(l.register(private1, public1, phone("a", "1")), 200)
			answer := l.wantStatus(l.register(private1, public1), 200)
			if got := sip.Values(answer, "Contact"); len(got) != 1 {
				t.Errorf("%v", got)
			}
			l.wantEvents("registered ")
		})
	})
}

// TestTwoPrivateIdentitiesShareASet: two handsets of one subscription share a public identity (TS 23.228 §5.2.1a).
func TestTwoPrivateIdentitiesShareASet(t *testing.T) {
	withLab(t, nil, func(t *testing.T, l *lab) {
		const other = "tablet@ims.example"
		l.wantStatus(l.register(private1, public1, "Contact: "+contact1), 200)
		l.callID = "call-2"
		accepted := l.wantStatus(l.register(other, public1, "Contact: <sip:alice@192.0.2.2>;expires=600"), 200)
		if got := sip.Values(accepted, "Contact"); len(got) != 2 {
			t.Errorf("Contact: %v", got)
		}
		l.wantAssigned("1 1") // each private identity is registered for itself

		l.wantStatus(l.register(other, public1, "Contact: *", "Expires: 0"), 200)
		l.wantAssigned("1 1 5")
		if user, _ := l.r.Lookup(public1); len(user.Bindings) != 1 || user.Bindings[0].Private != private1 {
			t.Errorf("%+v", user.Bindings)
		}
	})
}

// flow returns what makes a contact a flow of RFC 5626: its reg-id, and outbound support by the handset and the first proxy.
func flow(id string) string {
	return ";reg-id=" + id + "\r\nSupported: outbound\r\nPath: <sip:token@192.0.2.10;lr;ob>"
}

// TestOutbound: a handset that supports outbound, behind a first proxy that does, gets Require: outbound (RFC 5626 §6). Otherwise a
// reg-id is ignored.
func TestOutbound(t *testing.T) {
	instance := `;+sip.instance="<urn:uuid:1>"`

	for _, test := range []struct {
		name     string
		headers  []string
		outbound bool
	}{
		{"both have it", []string{"Supported: path, outbound", "Path: <sip:p;lr;ob>", "Contact: " + contact1 + instance + ";reg-id=1"}, true},
		{"the handset does not say so", []string{"Path: <sip:p;lr;ob>", "Contact: " + contact1 + instance + ";reg-id=1"}, false},
		{
			"the first Path has no ob",
			[]string{"Supported: outbound", "Path: <sip:p;lr>, <sip:q;lr;ob>", "Contact: " + contact1 + instance + ";reg-id=1"},
			false,
		},
		{"no instance", []string{"Supported: outbound", "Path: <sip:p;lr;ob>", "Contact: " + contact1 + ";reg-id=1"}, false},
		{"no reg-id", []string{"Supported: outbound", "Path: <sip:p;lr;ob>", "Contact: " + contact1 + instance}, false},
		{"a bare reg-id, as a Pixel has it", []string{"Contact: " + contact1 + ";reg-id"}, false},
		{"a reg-id that is no number, and means nothing", []string{"Contact: " + contact1 + instance + ";reg-id=x"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			withLab(t, nil, func(t *testing.T, l *lab) {
				accepted := l.wantStatus(l.register(private1, public1, test.headers...), 200)
				if got := sip.HasToken(accepted, "Require", "outbound"); got != test.outbound {
					t.Errorf("Require: outbound: %v, want %v\n%s", got, test.outbound, accepted)
				}
			})
		})
	}
}
