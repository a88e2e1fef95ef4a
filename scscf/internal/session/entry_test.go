package session

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TestRequestInTheOtherPartysName: a party of a call sends its requests from its own side. A BYE in the other party's name would end the
// charging and leave that party in the call: it comes by the wrong entry of Route, whichever P-CSCF lets it pass, or by one that nobody
// has.
func TestRequestInTheOtherPartysName(t *testing.T) {
	const (
		callersTags = "From: <" + alice + ">;tag=a\nTo: <" + bob + ">;tag=b"
		calleesTags = "From: <" + bob + ">;tag=b\nTo: <" + alice + ">;tag=a"
	)

	for _, test := range []struct {
		name, tags string
		route      func(callers, callees string) string
		refused    bool
	}{
		{"the caller's", callersTags, func(callers, _ string) string { return callers }, false},
		{"the callee's", calleesTags, func(_, callees string) string { return callees + ", <sip:192.0.2.1;lr>" }, false},
		{"of the callee's by the caller's entry", calleesTags, func(callers, _ string) string { return callers + ", <sip:192.0.2.1;lr>" }, true},
		{"of the caller's by the callee's entry", callersTags, func(_, callees string) string { return callees }, true},
		{"by both", callersTags, func(callers, callees string) string { return callers + ", " + callees }, true},
		{"by one that is neither's", calleesTags, func(callers, _ string) string {
			token, _, _ := strings.Cut(callers[len("<sip:"):], "@")
			return strings.Replace(callers, token, token[:len(token)-13]+"AAAAAAAAAAAAA", 1)
		}, true},
		{"by the token alone", calleesTags, func(callers, _ string) string {
			token, _, _ := strings.Cut(callers[len("<sip:"):], "@")
			return strings.Replace(callers, token, token[:len(token)-14], 1)
		}, true},
	} {
		for _, moment := range []string{"in the call", "after a restart", "while it rings"} {
			t.Run(test.name+"/"+moment, func(t *testing.T) {
				withDesk(t, nil, func(t *testing.T, d *desk) {
					var invite *sip.Request
					if moment == "while it rings" {
						d.send(d.pcscf, "INVITE", bob, serviceRoute, "Record-Route: <sip:192.0.2.1;lr>")
						invite = d.icscf.Request("INVITE")
						d.icscf.Answer(invite, 183, "To: <"+bob+">;tag=b", "Contact: <sip:callee@192.0.2.2:5060>")
						d.route = sip.Value(d.pcscf.Response(183), "Record-Route")
					} else {
						invite = d.talk()
					}
					if moment == "after a restart" {
						d.crash(time.Second)
					}

					callees := sip.Value(invite, "Record-Route")
					from, at, uri := d.pcscf, d.icscf, "sip:callee@192.0.2.2:5060"
					if test.tags == calleesTags {
						from, at, uri = d.icscf, d.pcscf, "sip:caller@192.0.2.1:5060"
					}

					for _, method := range []string{"INFO", "UPDATE", "BYE"} {
						lines := append(strings.Split(test.tags, "\n"), "Call-ID: "+invite.CallID().Value())
						d.send(from, method, uri, test.route(d.route, callees), lines...)
						if test.refused {
							if r := from.Response(403); !strings.Contains(sip.Value(r, "Reason"), "other side") {
								t.Errorf("%s: Reason %s", method, sip.Value(r, "Reason"))
							}
							at.Silent()
							continue
						}
						at.Answer(at.Request(method), 200, "Contact: <"+uri+">")
						from.Response(200)
					}

					want := []string{"1#0"}
					if !test.refused && moment != "while it rings" {
						want = append(want, "3#1 used 0s cause 0")
					}
					synctest.Wait()
					for i := range d.asked {
						d.asked[i] = strings.Replace(d.asked[i], "used 1s", "used 0s", 1) // of the restart
					}
					d.wantAsked(want...)
				})
			})
		}
	}

	t.Run("ACK: the answer is not acknowledged by it", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.send(d.pcscf, "INVITE", bob, serviceRoute, "Record-Route: <sip:192.0.2.1;lr>")
			invite := d.icscf.Request("INVITE")
			d.icscf.Answer(invite, 200, "To: <"+bob+">;tag=b", "Contact: <sip:callee@192.0.2.2:5060>")
			d.pcscf.Response(200)
			d.send(d.icscf, "ACK", "sip:callee@192.0.2.2:5060", sip.Value(invite, "Record-Route"), "To: <"+bob+
				">;tag=b", "Call-ID: "+invite.CallID().Value())
			d.icscf.Silent()
			time.Sleep(ackTime)
			d.released(d.pcscf, "acknowledged")
			d.released(d.icscf, "acknowledged")
		})
	})
}

// TestEntryOfEachSide: each side of a call has an entry of its own in Record-Route, in provisional and final responses, and for each
// callee of a fork.
func TestEntryOfEachSide(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.send(d.pcscf, "INVITE", bob, serviceRoute, "Record-Route: <sip:192.0.2.1;lr>")
		invite := d.icscf.Request("INVITE")
		callees, callers := sip.Value(invite, "Record-Route"), ""
		for _, answer := range []struct {
			status int
			tag    string
		}{{183, "b"}, {183, "c"}, {200, "b"}, {200, "c"}} {
			d.icscf.Answer(invite, answer.status, "To: <"+bob+">;tag="+answer.tag, "Contact: <sip:callee@192.0.2.2:5060>")
			records := sip.Values(d.pcscf.Response(answer.status), "Record-Route")
			if callers == "" {
				callers = records[0]
			}
			if len(records) != 2 || records[0] != callers || callers == callees || records[1] != "<sip:192.0.2.1;lr>" {
				t.Errorf("%d of %s: %v; the callee has %s", answer.status, answer.tag, records, callees)
			}
		}
	})
}
