package stack_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// TestReasonTravelsWithCancel: Reason and related header fields go with CANCEL from hop to hop (RFC 3326), at once or when CANCEL may be
// sent.
func TestReasonTravelsWithCancel(t *testing.T) {
	tests := []struct {
		name, headers string
		late          bool // CANCEL comes before any provisional response
		want          string
	}{
		{"hung up", "Reason: SIP;cause=487;text=\"ORIGINATOR_CANCEL\"\r\n", false, `Reason: SIP;cause=487;text="ORIGINATOR_CANCEL"`},
		{
			"before it may be sent",
			"Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n",
			true,
			`Reason: SIP;cause=200;text="Call completed elsewhere"`,
		},
		{
			"preemption", "Reason: preemption;cause=1;text=\"UA Preemption\"\r\nResource-Priority: dsn.flash\r\n", false,
			`Reason: preemption;cause=1;text="UA Preemption", Resource-Priority: dsn.flash`,
		},
		{
			"several",
			"reason: SIP;cause=480, Q.850;cause=16\r\nReason: X;cause=1\r\n",
			false,
			"reason: SIP;cause=480, Q.850;cause=16, Reason: X;cause=1",
		},
		{"none, and what is of this hop alone", "P-Access-Network-Info: x\r\nX-Other: y\r\n", false, ""},
		{"more than CANCEL should carry", "Reason: SIP;text=\"" + strings.Repeat("x", 1000) + "\"\r\nSession-ID: 1\r\n", false, "Session-ID: 1"},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				caller, callee := n.peer(t, callerAt), n.peer(t, calleeAt)
				first := n.stack(t, proxyAt, relay(to("UDP", otherAt)))
				second := n.stack(t, otherAt, relay(to("UDP", calleeAt)))

				caller.send(first, caller.text("INVITE", "sip:b@example", "1"))
				invite := callee.request("INVITE")
				cancel := func() { caller.send(first, caller.text("CANCEL", "sip:b@example", "1", test.headers)) }

				if test.late {
					cancel()
					callee.nothing(100 * time.Millisecond)
				}
				callee.answer(second, invite, 180)
				if !test.late {
					caller.response(180)
					cancel()
				}

				r := callee.request("CANCEL")
				var got []string
				for _, h := range r.Headers() {
					switch strings.ToLower(h.Name()) {
					case "via", "route", "max-forwards", "from", "to", "call-id", "cseq", "content-length":
					default:
						got = append(got, h.Name()+": "+h.Value())
					}
				}
				if s := strings.Join(got, ", "); s != test.want {
					t.Errorf("CANCEL has %s\nwant %s", s, test.want)
				}
				callee.answer(second, r, 200)
				callee.answer(second, invite, 487)
				callee.request("ACK")
			})
		})
	}
}

// TestReasonOfCancelledBranches: a proxy that ends branches itself says why: the other callees learn that one took the call (RFC 3326
// §3.1).
func TestReasonOfCancelledBranches(t *testing.T) {
	tests := []struct {
		name   string
		status int // of the other callee; 0: nobody answers, until timer C
		want   string
	}{
		{"another one answered", 200, `SIP;cause=200;text="Call completed elsewhere"`},
		{"another one declined for all", 603, `SIP;cause=603;text="Decline"`},
		{"it rang too long", 0, `SIP;cause=408;text="Request Timeout"`},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				callee, other, caller := n.peer(t, calleeAt), n.peer(t, otherAt), n.stack(t, callerAt, &user{})
				proxy := n.stack(t, proxyAt, relay(func(r *sip.Request) stack.Plan {
					one, two := to("UDP", calleeAt)(r), to("UDP", otherAt)(sip.Copy(r))
					return stack.Plan{Groups: [][]stack.Branch{append(one.Groups[0], two.Groups[0]...)}}
				}))

				go func() {
					_, _ = caller.Do(context.WithoutCancel(t.Context()), request(t, "INVITE", "sip:b@"+proxyAt, nil), stack.Destination{})
				}()

				invite := callee.request("INVITE")
				callee.answer(proxy, invite, 180)

				asked := other.request("INVITE")
				if test.status > 0 {
					other.answer(proxy, asked, test.status)
				} else {
					other.answer(proxy, asked, 486)
				}

				cancel := callee.request("CANCEL")
				if got := sip.Value(cancel, "Reason"); got != test.want {
					t.Errorf("Reason: %s, want %s", got, test.want)
				}
				callee.answer(proxy, cancel, 200)
				callee.answer(proxy, invite, 487)
				time.Sleep(time.Minute)
			})
		})
	}
}
