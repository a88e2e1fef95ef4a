package gm

import (
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// A call that rings while the P-CSCF restarts can be answered: the responses go by their Via, to the S-CSCF of the registration and to the
// calling handset, without what is not meant for it; those of nobody else do, and not for ever.
func TestResponseOfBeforeTheRestart(t *testing.T) {
	const (
		own     = "Via: SIP/2.0/UDP " + mwAddress + ";branch=z9hG4bKlost"
		ownGm   = "Via: SIP/2.0/UDP " + gmAddress + ";branch=z9hG4bKlost"
		scscfs  = "Via: SIP/2.0/UDP 192.0.2.3:5060;branch=z9hG4bKscscf"
		others  = "Via: SIP/2.0/UDP 198.51.100.9:5060;branch=z9hG4bKother"
		alices  = "Via: SIP/2.0/UDP 10.0.0.1:1;received=10.0.0.1;rport=5060;branch=z9hG4bKalice"
		restart = true
	)

	response := func(status string, lines ...string) []string {
		return append([]string{
			"SIP/2.0 " + status,
		}, append(lines, "From: <"+bob+">;tag=b", "To: <"+alice+">;tag=a", "Call-ID: c", "CSeq: 1 INVITE",
			"Contact: <sip:alice@"+aliceAt+">", "P-Asserted-Identity: <"+bob+">", "P-Charging-Vector: icid-value=x", "Service-Route: <sip:evil>")...)
	}

	for _, test := range []struct {
		name     string
		fromCore bool
		lines    []string
		restored bool
		later    time.Duration
		passes   bool
	}{
		{name: "of a handset", lines: response("200 OK", ownGm, scscfs), restored: restart, passes: true},
		{name: "of a handset, provisional", lines: response("180 Ringing", ownGm, scscfs), restored: restart, passes: true},
		{name: "of a handset, to somebody else", lines: response("200 OK", ownGm, others), restored: restart},
		{name: "of a handset, of a process that was not restarted", lines: response("200 OK", ownGm, scscfs)},
		{name: "of a handset, long after", lines: response("200 OK", ownGm, scscfs), restored: restart, later: 4 * time.Minute},
		{name: "of a handset, that came by another", lines: response("200 OK", others, scscfs), restored: restart},
		{name: "of the core", fromCore: true, lines: response("200 OK", own, alices), restored: restart, passes: true},
		{name: "of the core, to a stranger", fromCore: true, lines: response("200 OK", own, others), restored: restart},
		{name: "of the core, of a process that was not restarted", fromCore: true, lines: response("200 OK", own, alices)},
		{name: "of the core, with no Via left", fromCore: true, lines: response("200 OK", own), restored: restart},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				if test.restored {
					b := *d.only()
					b.Restored = time.Now()
					if err := d.proxy.bindings.Put(&b); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(test.later)
				elsewhere := d.network.Peer(t, "198.51.100.9:5060")

				to, at := d.scscf, gmAddress
				if test.fromCore {
					to, at = d.alice, mwAddress
					d.scscf.Send(at, test.lines...)
				} else {
					d.alice.Send(at, test.lines...)
				}

				elsewhere.Silent()
				if !test.passes {
					d.scscf.Silent()
					d.alice.Silent()
					return
				}

				r := to.Response(map[bool]int{true: 180, false: 200}[strings.Contains(test.lines[0], "180")])
				if n := len(sip.Values(r, "Via")); n != 1 {
					t.Errorf("%d Via", n)
				}
				if !test.fromCore && (sip.Has(r, "Service-Route") || sip.Has(r, "P-Charging-Vector")) {
					t.Errorf("a handset speaks for the core:\n%s", r)
				}
				want(t, r, "P-Asserted-Identity", "<"+map[bool]string{true: bob, false: alice}[test.fromCore]+">")
			})
		})
	}
}

// An answer to a handset in place of a silent core does not reveal the core's address.
func TestSilentCoreIsNotNamed(t *testing.T) {
	for _, method := range []string{"INVITE", "MESSAGE"} {
		t.Run(method, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				d.register()
				d.send(method, bob)
				time.Sleep(40 * time.Second)
				for _, m := range d.alice.All() {
					if r, ok := m.(*sip.Response); ok && (sip.Has(r, "Warning") || strings.Contains(r.String(), "192.0.2.3")) {
						t.Errorf("the handset gets\n%s", r)
					}
				}
			})
		})
	}
}

// Nor do the core's own statements in a response or in a request.
func TestCoreIsNotNamed(t *testing.T) {
	const (
		said  = `Reason: SIP;cause=504;text="no answer from 192.0.2.77:5060, nor from sip:scscf2.ims.example:5060"`
		shown = `SIP;cause=504;text="no answer from a hidden address, nor from a hidden address"`
	)

	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", authorization)
		d.icscf.Answer(d.icscf.Request("REGISTER"), 504, said)
		want(t, d.alice.Response(504), "Reason", shown)

		d.register()
		d.send("MESSAGE", bob)
		d.scscf.Answer(d.scscf.Request("MESSAGE"), 504, said)
		want(t, d.alice.Response(504), "Reason", shown)

		d.toAlice("MESSAGE", said)
		want(t, d.alice.Request("MESSAGE"), "Reason", shown)

		branch := "Via: SIP/2.0/UDP 192.0.2.3:5060;branch=z9hG4bKcancelled"
		d.toAlice("INVITE", branch, "Call-ID: d", "CSeq: 1 INVITE")
		d.alice.Answer(d.alice.Request("INVITE"), 180, "To: <"+alice+">;tag=a")
		d.scscf.Response(180)
		d.toAlice("CANCEL", said, branch, "Call-ID: d", "CSeq: 1 CANCEL")
		want(t, d.alice.Request("CANCEL"), "Reason", shown)
	})
}

// The name of an I-CSCF that cannot be resolved appears in the log only.
func TestNameOfTheICSCFIsNotTold(t *testing.T) {
	withDesk(t, func(c *Config, _ *Options) { c.Interrogator = "sip:nowhere.ims.example" }, func(t *testing.T, d *desk) {
		d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", authorization)
		want(t, d.alice.Response(504), "Reason", `SIP;cause=504;text="the I-CSCF cannot be found"`)
	})
}
