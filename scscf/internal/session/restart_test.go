package session

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/charging"
)

// crash kills the S-CSCF, leaving the files as they were at this instant, and starts another one.
func (d *desk) crash(away time.Duration) {
	d.t.Helper()
	synctest.Wait()

	left := map[string][]byte{}
	for _, name := range []string{"calls.jsonl", "charging.jsonl", "events.jsonl"} {
		raw, err := os.ReadFile(filepath.Join(d.directory, name))
		if err != nil {
			d.t.Fatal(err)
		}
		left[name] = raw
	}

	d.mu.Lock()
	d.killed = true
	d.mu.Unlock()
	d.stop()
	d.mu.Lock()
	d.killed = false
	d.mu.Unlock()
	for name, raw := range left {
		if err := os.WriteFile(filepath.Join(d.directory, name), raw, 0o600); err != nil {
			d.t.Fatal(err)
		}
	}

	time.Sleep(away)
	d.start()
	synctest.Wait()
}

// TestCallOverARestart: a kill in the middle of a call: its BYE passes, and its CCR Terminate reports the whole call.
func TestCallOverARestart(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		invite := d.talk()
		time.Sleep(30 * time.Second)
		d.crash(10 * time.Second)
		time.Sleep(60 * time.Second)
		d.within(invite, "BYE")
		d.icscf.Answer(d.icscf.Request("BYE"), 200)
		d.pcscf.Response(200)
		d.wantAsked("1#0", "3#1 used 100s cause 0")

		d.crash(time.Second)
		if d.server.calls.Len() != 0 {
			t.Error("a call that has ended came back")
		}
	})
}

// TestQuotaOverARestart: the quota ends after the restart: more is requested, and both sides are released if there is none.
func TestQuotaOverARestart(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.talk()
		d.crash(10 * time.Second)
		d.mu.Lock()
		d.ocs = noCredit
		d.mu.Unlock()
		time.Sleep(580 * time.Second)
		for _, p := range []peer{d.pcscf, d.icscf} {
			p.Answer(p.Request("BYE"), 200)
		}
		d.wantAsked("1#0", "2#1 used 590s", "3#2 used 0s cause 0")
	})
}

// TestSessionTimerOverARestart: the session expired while the S-CSCF was down, or expires afterwards (RFC 4028).
func TestSessionTimerOverARestart(t *testing.T) {
	for name, away := range map[string]time.Duration{"out while away": 200 * time.Second, "out afterwards": 10 * time.Second} {
		t.Run(name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				invite := d.talk("Session-Expires: 120;refresher=uas")
				d.within(invite, "INFO") // and the BYEs have higher numbers than this
				d.icscf.Answer(d.icscf.Request("INFO"), 200)
				d.pcscf.Response(200)
				began := time.Now()
				d.crash(away)
				byeAt := max(away, 125*time.Second)
				for _, p := range []peer{d.pcscf, d.icscf} {
					time.Sleep(max(0, byeAt-time.Since(began)))
					bye := p.Request("BYE")
					p.Answer(bye, 200)
					if p == peer(d.icscf) && bye.CSeq().SeqNo <= uint32(d.cseq) {
						t.Errorf("the BYE to the callee has CSeq %d, and %d was there before", bye.CSeq().SeqNo, d.cseq)
					}
					if p == peer(d.icscf) && bye.Recipient.String() != "sip:callee@192.0.2.2:5060" {
						t.Errorf("the BYE goes to %s", bye.Recipient.String())
					}
				}
				d.wantAsked("1#0", fmt.Sprintf("3#1 used %ds cause 1", int(byeAt.Seconds())))
			})
		})
	}
}

// TestRingingOverARestart: a call that rang when the process was killed can never be answered: its reservation is returned at once.
func TestRingingOverARestart(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.send(d.pcscf, "INVITE", bob, serviceRoute)
		invite := d.icscf.Request("INVITE")
		d.icscf.Answer(invite, 180, "To: <"+bob+">;tag=b")
		d.pcscf.Response(180)
		d.crash(time.Second)
		d.mu.Lock()
		last := d.asked[len(d.asked)-1]
		d.mu.Unlock()
		if last != "3#1 used 0s cause 3" {
			t.Errorf("the OCS was asked %v", d.asked)
		}
	})
}

type peer interface {
	Request(method string) *sip.Request
	Answer(r *sip.Request, status int, lines ...string)
}

// TestMessageOverARestart: a message is on its way when the process is killed: its reservation is returned, once, and a debit stays. One
// that waited for the OCS has not gone on.
func TestMessageOverARestart(t *testing.T) {
	for _, test := range []struct {
		name, events string
		within       bool
		want         []string
	}{
		{name: "reserved", events: charging.Reserved, want: []string{"1#0", "3#1 used 0 cause 3"}},
		{name: "debited", events: charging.Immediate, want: []string{"4#0"}},
		{name: "within a call", events: charging.Reserved, within: true, want: []string{"1#0", "1#0", "3#1 used 0 cause 3"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(d *desk) {
				d.charge.Events, d.charge.InDialog, d.charge.Settle = test.events, []string{"MESSAGE"}, 10*time.Minute
			}, func(t *testing.T, d *desk) {
				if test.within {
					d.within(d.talk(), "MESSAGE", "Content-Type: text/plain", "\nhello!")
				} else {
					d.send(d.pcscf, "MESSAGE", bob, serviceRoute)
				}
				d.icscf.Request("MESSAGE")
				d.crash(time.Second)
				d.wantAsked(test.want...)
				d.crash(time.Second)
				d.wantAsked(test.want...)
			})
		})
	}
}

// TestInviteComesAgainAfterARestart: an INVITE repeated to an S-CSCF that was killed while it rang goes on with its former Record-Route,
// by which the next hops recognise it (stack.Repeated), and the callee's requests find the new call.
func TestInviteComesAgainAfterARestart(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		send := func(more ...string) *sip.Request {
			d.cseq = 0
			d.send(d.pcscf, "INVITE", bob, serviceRoute, append(more, "Record-Route: <sip:token@192.0.2.1;lr>")...)
			return d.icscf.Request("INVITE")
		}

		first := send()
		another := send("Contact: <sip:caller@192.0.2.8>")
		if entry := sip.Value(first, "Record-Route"); sip.Value(another, "Record-Route") == entry {
			t.Errorf("two calls have the entry %s", entry)
		}

		d.crash(time.Second)
		again := send()
		if want, got := sip.Value(first, "Record-Route"), sip.Value(again, "Record-Route"); got != want {
			t.Errorf("Record-Route: %s\nbefore the restart %s", got, want)
		}

		ok := []string{"To: <" + bob + ">;tag=b", "Contact: <sip:callee@192.0.2.2:5060>"}
		d.icscf.Answer(again, 200, ok...)
		d.route = sip.Value(d.pcscf.Response(200), "Record-Route")
		d.within(again, "ACK")
		d.icscf.Request("ACK")
		d.within(again, "BYE")
		d.icscf.Answer(d.icscf.Request("BYE"), 200)
		d.pcscf.Response(200)
		synctest.Wait()
		if n := d.server.calls.Len(); n != 0 {
			t.Errorf("%d calls are left", n)
		}
	})
}
