package overn5_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/media"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
	"github.com/dialtone-ims/dialtone/pkg/policy"
)

// A call creates a session, changes it, and deletes it; each request has everything that the call needs.
func TestCall(t *testing.T) {
	withDesk(t, func(t *testing.T, d *desk) {
		leg := d.leg(call)
		if err := d.need(leg, needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}

		path := d.only()
		q := d.pcf.Sessions()[path]

		if q.IPv4 != "10.45.0.2" || q.IPv6 != "" || q.DNN != "ims" || q.GPSI != "msisdn-15550001" || q.ChargingID != "icid" ||
			q.ApplicationID != call.Service || q.ServiceInfoStatus != npcf.Final || q.SIPForking != "" {
			t.Errorf("%+v", q)
		}

		c := q.MediaComponents["1"]
		if c == nil || c.Type != "AUDIO" || c.Status != "ENABLED" || c.Uplink != "80 Kbps" || c.Downlink != "80 Kbps" || len(c.Codecs) != 2 {
			t.Fatalf("%+v", c)
		}

		want := []string{"permit out 17 from 198.51.100.7 to 10.45.0.2 50000", "permit in 17 from 10.45.0.2 to 198.51.100.7 40000"}
		if got := c.SubComponents["1"].Descriptions; !slices.Equal(got, want) {
			t.Errorf("flows %q, want %q", got, want)
		}
		if rtcp := c.SubComponents["2"]; rtcp == nil || rtcp.Usage != npcf.RTCP || rtcp.Status != "" {
			t.Errorf("%+v", rtcp)
		}

		if open := d.bearers.Sessions(); len(open) != 1 || !strings.HasSuffix(open[0].Server, path) || open[0].State != bearer.Granted {
			t.Errorf("%+v", open)
		}

		if err := d.need(leg, needs(t, offered+"a=sendonly\r\n"+video, answered+"a=recvonly\r\n"+video)); err != nil {
			t.Fatal(err)
		}

		q = d.pcf.Sessions()[path]
		c = q.MediaComponents["1"]
		if c.Status != "ENABLED-UPLINK" || c.SubComponents["2"].Status != "ENABLED" || q.MediaComponents["2"] == nil {
			t.Errorf("%+v", q)
		}

		leg.End()
		leg.End()
		d.said("POST 201", "PATCH 200", "DELETE 204")
	})
}

// A UE of IPv6 is identified by its address, not by its prefix.
func TestIPv6(t *testing.T) {
	withDesk(t, func(t *testing.T, d *desk) {
		which := call
		which.UE, which.Identity, which.ServiceURN, which.Forked = netip.MustParseAddr("2001:db8::7"), "sip:user@ims", "sos", true

		leg := d.leg(which)
		if err := d.need(leg, needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}

		q := d.pcf.Sessions()[d.only()]
		if q.IPv6 != "2001:db8::7" || q.IPv4 != "" || q.GPSI != "" || q.ServiceURN != "sos" || q.SIPForking != npcf.SeveralDialogues {
			t.Errorf("%+v", q)
		}
		leg.End()
	})
}

// A refusal of the PCF is reported with what to check, with a cause as specified and without one as Open5GS does; and nothing is left of
// it.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		problem npcf.ProblemDetails
		words   []string
	}{
		{
			npcf.ProblemDetails{Status: 404, Title: "Not found", Detail: "10.45.0.2"},
			[]string{"the PCF answers 404 Not Found: it has no PDU session with the address 10.45.0.2: a NAT", `("Not found 10.45.0.2")`},
		},
		{npcf.ProblemDetails{Status: 500, Cause: "PDU_SESSION_NOT_AVAILABLE"}, []string{"500 PDU_SESSION_NOT_AVAILABLE: it has no PDU session"}},
		{npcf.ProblemDetails{Status: 403}, []string{"403 Forbidden: the subscriber's DNN for IMS has no PCC rule"}},
		{npcf.ProblemDetails{Status: 403, Cause: "REQUESTED_SERVICE_NOT_AUTHORIZED"}, []string{"403 REQUESTED_SERVICE_NOT_AUTHORIZED: the"}},
		{npcf.ProblemDetails{Status: 400, Title: "No medType"}, []string{"400 Bad Request: it does not take media", `("No medType")`}},
		{npcf.ProblemDetails{Status: 503}, []string{"the PCF answers 503 Service Unavailable"}},
	} {
		t.Run(test.words[0], func(t *testing.T) {
			withDesk(t, func(t *testing.T, d *desk) {
				d.pcf.Decide(func(bool, *npcf.AppSessionContextReqData) *policy.Refusal {
					return &policy.Refusal{ProblemDetails: test.problem}
				})

				leg := d.leg(call)
				refusal, ok := errors.AsType[*bearer.Refusal](d.need(leg, needs(t, offered, answered)))
				if !ok || refusal.Code != uint32(test.problem.Status) || refusal.Unknown || refusal.Undone {
					t.Fatalf("%+v", refusal)
				}

				for _, words := range test.words {
					if !strings.Contains(refusal.Why, words) {
						t.Errorf("%s\nwithout %s", refusal.Why, words)
					}
				}

				leg.End()
				d.said("POST " + strings.Fields(refusal.Why)[3])
			})
		})
	}
}

// Retry-After works like Retry-Interval of Rx.
func TestRefusedForATime(t *testing.T) {
	withDesk(t, func(t *testing.T, d *desk) {
		d.pcf.Decide(func(bool, *npcf.AppSessionContextReqData) *policy.Refusal {
			return &policy.Refusal{ProblemDetails: npcf.ProblemDetails{Status: 503}, RetryAfter: 60}
		})

		leg := d.leg(call)
		if err := d.need(leg, needs(t, offered, answered)); err == nil {
			t.Error("granted")
		}

		d.pcf.Decide(nil)
		time.Sleep(61 * time.Second)
		leg.End()
		d.said("POST 503", "POST 201", "DELETE 204")
	})
}

// A change of a session unknown to the PCF is followed by another session; a refused change, by one for what there was.
func TestChangeThatIsRefused(t *testing.T) {
	withDesk(t, func(t *testing.T, d *desk) {
		leg := d.leg(call)
		if err := d.need(leg, needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}

		d.pcf.Forget(d.only())
		if err := d.need(leg, needs(t, offered+"a=inactive\r\n", answered)); err != nil {
			t.Error(err)
		}

		d.pcf.Decide(func(patch bool, _ *npcf.AppSessionContextReqData) *policy.Refusal {
			if patch {
				return &policy.Refusal{ProblemDetails: npcf.ProblemDetails{Status: 403}}
			}

			return nil
		})
		if err := d.need(leg, needs(t, offered+video, answered+video)); err == nil {
			t.Error("granted")
		}
		synctest.Wait()

		if c := d.pcf.Sessions()[d.only()].MediaComponents; len(c) != 1 || c["1"].Status != "DISABLED" {
			t.Errorf("%+v", c)
		}

		leg.End()
		synctest.Wait()
		if left := d.pcf.Sessions(); len(left) != 0 {
			t.Errorf("%v", left)
		}
	})
}

// An unreachable PCF refuses nothing; one that was there when the call began is told of its end when it is back.
func TestNoPCF(t *testing.T) {
	withDesk(t, func(t *testing.T, d *desk) {
		leg := d.leg(call)
		if err := d.need(leg, needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}

		d.closePCF()

		refusal, ok := errors.AsType[*bearer.Refusal](d.need(d.leg(call), needs(t, offered, answered)))
		if !ok || !refusal.Undone || !strings.Contains(refusal.Why, "the PCF cannot be reached") {
			t.Errorf("%+v", refusal)
		}

		leg.End()
		time.Sleep(time.Minute)

		before := d.pcf
		d.pcf = policy.NewPCF(d.dial("192.0.2.20:0"))
		d.serve()
		time.Sleep(5 * time.Minute)
		d.said("DELETE 404")

		if got := heard(before); !slices.Equal(got, []string{"POST 201"}) {
			t.Errorf("%q", got)
		}
	})
}

// The PCF ends a session: the leg is told, and the session is deleted once the PCF is not busy with it any more (TS 29.514 §4.2.5.3).
func TestTerminated(t *testing.T) {
	withDesk(t, func(t *testing.T, d *desk) {
		if err := d.need(d.leg(call), needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}

		if status, err := d.pcf.Terminate(t.Context(), d.only()); err != nil || status != http.StatusNoContent {
			t.Errorf("%d %v", status, err)
		}
		if lost := d.losses(); len(lost) != 1 || !lost[0].All || lost[0].Why != policy.Terminated {
			t.Errorf("%+v", lost)
		}
		if got := heard(d.pcf); len(got) != 1 {
			t.Errorf("it is spoken to while it is busy: %q", got)
		}

		time.Sleep(3 * time.Second)
		d.said("POST 201", "DELETE 404")
	})
}

// A session of signalling makes the PCF report loss and a change of access; it outlives a restart with its registration.
func TestSignalling(t *testing.T) {
	which := bearer.Leg{UE: call.UE, Identity: "sip:user@ims", Signalling: "token"}

	withDesk(t, func(t *testing.T, d *desk) {
		if err := d.need(d.leg(which), media.Signalling()); err != nil {
			t.Fatal(err)
		}

		path := d.only()
		q := d.pcf.Sessions()[path]
		c := q.MediaComponents["0"]

		if c == nil || c.Type != "CONTROL" || c.SubComponents["0"] == nil || c.SubComponents["0"].Usage != npcf.AFSignalling {
			t.Fatalf("%+v", q)
		}
		if events := q.EventsSubscription.Events; len(events) != 2 || q.ServiceInfoStatus != "" {
			t.Errorf("%+v", q)
		}

		var (
			leg     *bearer.CallLeg
			adopted bool
		)
		d.stop()
		d.start(func() { leg, adopted = d.bearers.Adopt(which, d.lose) })

		if err := d.need(leg, media.Signalling()); err != nil || !adopted || d.only() != path {
			t.Errorf("adopted %t: %v", adopted, err)
		}

		for _, test := range []struct {
			said npcf.EventsNotification
			lost int
		}{
			{npcf.EventsNotification{Events: []npcf.EventNotification{{Event: npcf.AccessTypeChange}}, AccessType: "NON_3GPP_ACCESS"}, 0},
			{npcf.EventsNotification{Events: []npcf.EventNotification{{Event: "USAGE_REPORT"}}}, 0},
			{npcf.EventsNotification{
				Events: []npcf.EventNotification{{Event: npcf.FailedResourcesAllocation}},
				Failed: []npcf.ResourcesAllocationInfo{{Status: "INACTIVE", Flows: []npcf.Flows{{Component: 0}}}},
			}, 1},
		} {
			if status, err := d.pcf.Notify(t.Context(), path, test.said); err != nil || status != http.StatusNoContent {
				t.Errorf("%d %v", status, err)
			}
			if lost := d.losses(); len(lost) != test.lost {
				t.Errorf("%+v: %+v", test.said, lost)
			}
		}

		if access := d.bearers.Sessions()[0].Access; access != "NON_3GPP_ACCESS" {
			t.Errorf("access %q", access)
		}

		leg.End()
		d.said("POST 201", "DELETE 204")
	})
}

// What nobody has asked for is refused, by the status alone: a session that there is not, and what cannot be read.
func TestNotificationsOfNothing(t *testing.T) {
	withDesk(t, func(t *testing.T, d *desk) {
		if err := d.need(d.leg(call), needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}

		own := d.pcf.Sessions()[d.only()].NotificationURI
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		client := &http.Client{Transport: &http.Transport{Protocols: protocols, DialContext: d.dial("192.0.2.30:0")}}
		defer client.CloseIdleConnections()

		for _, test := range []struct {
			uri, body string
			want      int
		}{
			{"http://" + notify + "/n5/v1/sessions/x" + npcf.Terminate, `{"termCause":"x","resUri":"y"}`, http.StatusNotFound},
			{"http://" + notify + "/n5/v1/sessions/x" + npcf.Notify, `{"evNotifs":[]}`, http.StatusNotFound},
			{own + npcf.Terminate, `{`, http.StatusBadRequest},
			{own + npcf.Notify, `[]`, http.StatusBadRequest},
			{own + npcf.Notify, `{"evSubsUri":"` + strings.Repeat("x", 1<<16) + `"}`, http.StatusBadRequest},
			{own + "/elsewhere", `{}`, http.StatusNotFound},
			{own + npcf.Notify, `{"evNotifs":[]}`, http.StatusNoContent},
		} {
			answer, err := client.Post(test.uri, "application/json", bytes.NewReader([]byte(test.body)))
			if err != nil {
				t.Fatal(err)
			}
			said, err := io.ReadAll(answer.Body)
			if err := errors.Join(err, answer.Body.Close()); err != nil {
				t.Fatal(err)
			}

			if answer.StatusCode != test.want || len(said) != 0 {
				t.Errorf("%.100s %.30s: %d %q, want %d without a body", test.uri, test.body, answer.StatusCode, said, test.want)
			}
		}

		if lost := d.losses(); len(lost) != 0 {
			t.Errorf("%+v", lost)
		}
	})
}

// A PCF that was started anew uses the names of its sessions again: the call that had one before neither changes nor deletes what is
// another's now.
func TestNameUsedAgain(t *testing.T) {
	for name, changes := range map[string]bool{"at its end": false, "at a change": true} {
		t.Run(name, func(t *testing.T) {
			withDesk(t, func(t *testing.T, d *desk) {
				before, after := d.leg(call), d.leg(call)
				if err := d.need(before, needs(t, offered, answered)); err != nil {
					t.Fatal(err)
				}

				path := d.only()
				d.pcf.Clear()
				if err := d.need(after, needs(t, offered, answered)); err != nil || d.only() != path {
					t.Fatal(err)
				}

				want := []string{"POST 201", "POST 201"}
				if changes {
					if err := d.need(before, needs(t, offered+"a=inactive\r\n", answered)); err != nil {
						t.Error(err)
					}
					want = append(want, "POST 201", "DELETE 204")
				}

				before.End()
				synctest.Wait()
				if c := d.pcf.Sessions()[d.only()].MediaComponents["1"]; d.only() != path || c.Status != "ENABLED" {
					t.Errorf("the other call's session: %+v", c)
				}

				after.End()
				d.said(append(want, "DELETE 204")...)
			})
		})
	}
}

// What goes over N5 is traced, requests and notifications with their answers.
func TestTraced(t *testing.T) {
	withDesk(t, func(t *testing.T, d *desk) {
		leg := d.leg(call)
		if err := d.need(leg, needs(t, offered, answered)); err != nil {
			t.Fatal(err)
		}
		if status, err := d.pcf.Notify(t.Context(), d.only(), npcf.EventsNotification{}); err != nil || status != http.StatusNoContent {
			t.Errorf("%d %v", status, err)
		}
		leg.End()
		synctest.Wait()

		d.mu.Lock()
		defer d.mu.Unlock()

		var got []string
		for _, m := range d.traced {
			start, _, _ := strings.Cut(string(m.Data), "\r\n")
			if at := strings.Index(start, "sessions/"); at >= 0 && strings.Contains(start, "/n5/") {
				start = "POST NAME/notify HTTP/2"
			}
			got = append(got, fmt.Sprintf("%t %v %s", m.Sent, m.Remote.Addr(), start))
		}

		want := []string{
			"true 192.0.2.20 POST /npcf-policyauthorization/v1/app-sessions HTTP/2", "false 192.0.2.20 HTTP/2 201 Created",
			"false 192.0.2.20 POST NAME/notify HTTP/2", "true 192.0.2.20 HTTP/2 204 No Content",
			"true 192.0.2.20 POST /npcf-policyauthorization/v1/app-sessions/1/delete HTTP/2", "false 192.0.2.20 HTTP/2 204 No Content",
		}
		if !slices.Equal(got, want) {
			t.Errorf("the trace has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}
