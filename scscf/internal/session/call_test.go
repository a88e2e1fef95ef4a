package session

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"

	"github.com/dialtone-ims/dialtone/scscf/internal/call"
)

// TestCall: a call from its INVITE to its BYE, as reported to the OCS (TS 24.229 §5.4.3.2, TS 32.260 §5.3.2.1).
func TestCall(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		invite := d.talk()
		time.Sleep(100 * time.Second)
		d.within(invite, "BYE", `Reason: Q.850;cause=16;text="normal"`)
		d.icscf.Answer(d.icscf.Request("BYE"), 200)
		d.pcscf.Response(200)
		d.wantAsked("1#0", "3#1 used 100s cause 0")
		if d.server.calls.Len() != 0 {
			t.Error("the call is still there")
		}
	})
}

// TestCauseOfAFailedCall: the cause of a session that was not set up is its SIP status (TS 32.299 §7.2.35).
func TestCauseOfAFailedCall(t *testing.T) {
	for status, want := range map[int]string{486: "3#1 used 0s cause 486", 603: "3#1 used 0s cause 603", 302: "3#1 used 0s cause -302"} {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.send(d.pcscf, "INVITE", bob, serviceRoute)
			d.icscf.Answer(d.icscf.Request("INVITE"), status)
			d.pcscf.Response(status)
			d.wantAsked("1#0", want)
		})
	}
}

// TestUnrefreshedSessionIsReleased: a session that nobody refreshes is released on both sides, and its charging ends (RFC 4028).
func TestUnrefreshedSessionIsReleased(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.talk("Session-Expires: 120;refresher=uas")
		began := time.Now()
		time.Sleep(110 * time.Second)
		d.icscf.Silent()
		time.Sleep(15 * time.Second)

		for _, peer := range []string{"caller", "callee"} {
			p := d.pcscf
			if peer == "callee" {
				p = d.icscf
			}
			bye := p.Request("BYE")
			if took := time.Since(began); took < 120*time.Second || took > 126*time.Second {
				t.Errorf("%s: BYE after %s", peer, took)
			}
			if !strings.Contains(sip.Value(bye, "Reason"), "nobody refreshed the session") {
				t.Errorf("%s: Reason %q", peer, sip.Value(bye, "Reason"))
			}
			p.Answer(bye, 200)
		}
		d.wantAsked("1#0", "3#1 used 125s cause 1")
	})
}

// TestRefresh: the 2xx of a refresh keeps a session alive, for the interval in it (RFC 4028 §8.2).
func TestRefresh(t *testing.T) {
	tests := []struct {
		name     string
		method   string
		status   int
		expires  string
		released time.Duration // after the refresh at 60 s; 0: not within ten minutes
	}{
		{name: "UPDATE", method: "UPDATE", status: 200, expires: "Session-Expires: 300;refresher=uac", released: 305 * time.Second},
		{name: "re-INVITE", method: "INVITE", status: 200, expires: "Session-Expires: 180;refresher=uac", released: 185 * time.Second},
		{name: "compact", method: "UPDATE", status: 200, expires: "x: 300;refresher=uac", released: 305 * time.Second},
		{name: "a refresh that fails is none", method: "UPDATE", status: 491, released: 65 * time.Second},
		{name: "a 2xx without the header ends the timer", method: "UPDATE", status: 200},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				invite := d.talk("Session-Expires: 120;refresher=uac")
				time.Sleep(60 * time.Second)
				d.within(invite, test.method)
				lines := []string{"Contact: <sip:callee@192.0.2.2:5060>"}
				if test.expires != "" {
					lines = append(lines, test.expires)
				}
				d.icscf.Answer(d.icscf.Request(test.method), test.status, lines...)
				d.pcscf.Response(test.status)
				refreshed := time.Now()

				if test.method == "INVITE" && test.status >= 300 {
					d.icscf.Request("ACK")
				}

				for range 601 {
					synctest.Wait()
					if d.over() {
						break
					}
					time.Sleep(time.Second)
				}

				got := time.Since(refreshed).Truncate(time.Second)
				if !d.over() {
					got = 0
				}
				if got != test.released {
					t.Errorf("released after %s, want %s", got, test.released)
				}
			})
		})
	}
}

// TestAnswerDoesNotProlongTheSession: the interval of the answer is not higher than that of the request (RFC 4028 §9). A callee's higher
// or unreadable value does not switch the timer off: the caller gets the interval requested, and a call that is not refreshed is released
// by it.
func TestAnswerDoesNotProlongTheSession(t *testing.T) {
	const beyond = "Session-Expires: 4294967295;refresher=uas"

	for _, test := range []struct {
		name     string
		asked    []string // of the INVITE
		answer   string
		told     string        // Session-Expires of the 200 to the caller
		lasts    time.Duration // from the 200, or from its refresh a minute later
		refresh  bool
		noTimers bool // the S-CSCF requests nothing
	}{
		{
			name: "to who knows timers", asked: []string{"Supported: timer", "Session-Expires: 600"}, answer: beyond, told: "600;refresher=uas",
			lasts: 605 * time.Second,
		},
		{name: "to who does not", answer: beyond, told: "1800;refresher=uas", lasts: 1805 * time.Second},
		{
			name: "what cannot be read", asked: []string{"Supported: timer"}, answer: "Session-Expires: never", told: "1800;refresher=uac",
			lasts: 1805 * time.Second,
		},
		{name: "of a refresh", answer: beyond, told: "1800;refresher=uas", lasts: 1805 * time.Second, refresh: true},
		{name: "where nobody asks", answer: beyond, told: "4294967295;refresher=uas", lasts: 24 * time.Hour, noTimers: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(d *desk) {
				d.config.Timer = call.Timer{SessionExpires: 1800 * time.Second, MinSE: 90 * time.Second}
				if test.noTimers {
					d.config.Timer.SessionExpires = 0
				}
			}, func(t *testing.T, d *desk) {
				d.send(d.pcscf, "INVITE", bob, serviceRoute, append([]string{"Record-Route: <sip:192.0.2.1;lr>"}, test.asked...)...)
				invite := d.icscf.Request("INVITE")
				d.icscf.Answer(invite, 200, "To: <"+bob+">;tag=b", "Contact: <"+callee+">", test.answer)
				ok := d.pcscf.Response(200)
				d.route = sip.Value(ok, "Record-Route")
				d.within(invite, "ACK")
				d.icscf.Request("ACK")

				if test.refresh {
					time.Sleep(time.Minute)
					d.within(invite, "UPDATE")
					d.icscf.Answer(d.icscf.Request("UPDATE"), 200, "Contact: <"+callee+">", test.answer)
					ok = d.pcscf.Response(200)
				}

				if got := sip.Values(ok, "Session-Expires"); len(got) != 1 || got[0] != test.told {
					t.Errorf("the caller gets Session-Expires %q, want %q", got, test.told)
				}

				time.Sleep(test.lasts - time.Second)
				synctest.Wait()
				if d.over() {
					t.Fatal("the call is over too early")
				}
				time.Sleep(2 * time.Second)
				d.released(d.pcscf, "nobody refreshed the session")
				d.released(d.icscf, "nobody refreshed the session")
				synctest.Wait()
				if n := d.server.calls.Len(); n != 0 || !d.over() {
					t.Errorf("%d calls are left", n)
				}
			})
		})
	}
}

// over reports whether the OCS has got the last report of a call.
func (d *desk) over() bool {
	d.mu.Lock()
	defer d.mu.Unlock()

	return len(d.asked) > 0 && strings.HasPrefix(d.asked[len(d.asked)-1], "3#")
}

// TestSessionInterval: what a proxy does with the interval requested (RFC 4028 §8.1).
func TestSessionInterval(t *testing.T) {
	tests := []struct {
		name    string
		timer   call.Timer
		headers []string
		status  int    // of the refusal
		expires string // as it goes on
		minSE   string
		answer  string // Session-Expires of the 2xx, if the callee gives none
	}{
		{name: "nothing wanted", timer: call.Timer{MinSE: 90 * time.Second}},
		{
			name:    "asked for where nobody asks",
			timer:   call.Timer{SessionExpires: 1800 * time.Second, MinSE: 90 * time.Second},
			expires: "1800",
		},
		{
			name:    "the caller refreshes when the callee cannot",
			timer:   call.Timer{SessionExpires: 1800 * time.Second, MinSE: 90 * time.Second},
			headers: []string{"Supported: timer"},

			expires: "1800",

			answer: "1800;refresher=uac",
		},
		{
			name:    "without a timer of its own the S-CSCF stands by those who asked",
			timer:   call.Timer{MinSE: 90 * time.Second},
			headers: []string{"Supported: timer", "Session-Expires: 600"},

			expires: "600",

			answer: "600;refresher=uac",
		},
		{
			name:    "longer is shortened",
			timer:   call.Timer{SessionExpires: 1800 * time.Second, MinSE: 90 * time.Second},
			headers: []string{"Supported: timer", "Session-Expires: 7200;refresher=uas"},

			expires: "1800;refresher=uas",

			answer: "1800;refresher=uac",
		},
		{
			name:    "not below Min-SE of the request",
			timer:   call.Timer{SessionExpires: 600 * time.Second, MinSE: 90 * time.Second},
			headers: []string{"Session-Expires: 7200", "Min-SE: 900"},

			expires: "900",
			minSE:   "900",
		},
		{
			name:    "shorter stays",
			timer:   call.Timer{SessionExpires: 1800 * time.Second, MinSE: 90 * time.Second},
			headers: []string{"Session-Expires: 100"},
			expires: "100",
		},
		{
			name:    "too short: 422",
			timer:   call.Timer{SessionExpires: 1800 * time.Second, MinSE: 200 * time.Second},
			headers: []string{"Supported: timer", "Session-Expires: 100"},
			status:  422,

			minSE: "200",
		},
		{
			name:    "too short, and cannot ask again: raised",
			timer:   call.Timer{SessionExpires: 1800 * time.Second, MinSE: 200 * time.Second},
			headers: []string{"Session-Expires: 100"},

			expires: "200",
			minSE:   "200",
		},
		{
			name:    "what cannot be read is not there",
			timer:   call.Timer{MinSE: 90 * time.Second},
			headers: []string{"Session-Expires: soon"},
			expires: "soon",
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(d *desk) { d.config.Timer = test.timer }, func(t *testing.T, d *desk) {
				d.send(d.pcscf, "INVITE", bob, serviceRoute, test.headers...)
				if test.status != 0 {
					r := d.pcscf.Response(test.status)
					if sip.Value(r, "Min-SE") != test.minSE {
						t.Errorf("Min-SE %q", sip.Value(r, "Min-SE"))
					}
					return
				}
				r := d.icscf.Request("INVITE")
				if got := sip.Value(r, "Session-Expires"); got != test.expires {
					t.Errorf("Session-Expires %q, want %q", got, test.expires)
				}
				if got := sip.Value(r, "Min-SE"); got != test.minSE {
					t.Errorf("Min-SE %q, want %q", got, test.minSE)
				}
				d.icscf.Answer(
					r,
					200,
					"To: <"+bob+">;tag=b",
					"Contact: <sip:callee@192.0.2.2:5060>",
					"Record-Route: "+sip.Value(r, "Record-Route"),
				)
				ok := d.pcscf.Response(200)
				if got := sip.Value(ok, "Session-Expires"); got != test.answer {
					t.Errorf("the 200 has Session-Expires %q, want %q", got, test.answer)
				}
				if sip.HasToken(ok, "Require", "timer") != (test.answer != "") {
					t.Errorf("the 200 has Require %q", sip.Values(ok, "Require"))
				}
			})
		})
	}
}
