package app

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/foreign"
)

// Codes of Ro that the tests look at.
const (
	serviceInformation, imsInformation, eventType, sipMethod  = 873, 876, 823, 824
	servicesCreditControl, grantedUnit, ccTime, specificUnits = 456, 431, 420, 417
)

// foreignOCS is an OCS of another make, and beside it a node that has every application, takes every request, and answers nothing, or
// 3007.
type foreignOCS struct {
	*foreign.Peer
	stray *foreign.Peer

	mu      sync.Mutex
	results []uint32 // of the next CCAs, except for Terminate, which may still be in flight; then 2001
	refuses bool     // the other node answers 3007
}

// startForeign starts an S-CSCF between its HSS and the two, and an I-CSCF that answers everything with 200.
func startForeign(t *testing.T) (*foreignOCS, *core, *handset) {
	t.Helper()

	o := &foreignOCS{
		Peer: &foreign.Peer{T: t, Host: "ocs." + home, Realm: home, Capabilities: foreign.Applications(ro.Application.ID)},
		stray: &foreign.Peer{
			T:            t,
			Host:         "aaa." + home,
			Realm:        home,
			Capabilities: foreign.Applications(ro.Application.ID, cx.Application.ID, foreign.Relay),
		},
	}
	o.Answer = o.answer
	o.stray.Answer = func(c *foreign.Conn, q *foreign.Message) *foreign.Message {
		o.mu.Lock()
		defer o.mu.Unlock()
		if !o.refuses {
			return nil
		}
		return c.Reply(q, 3007)
	}
	charging, stray := o.Listen("127.0.0.1:0"), o.stray.Listen("127.0.0.1:0")

	var interrogator *handset
	c := start(t, func(c *Config) {
		interrogator = newHandset(t, &core{})
		c.Sessions.Interrogator = "sip:" + interrogator.address()
		c.Diameter.Peers = append(c.Diameter.Peers,
			diameter.Peer{Host: o.Host, Realm: home, Address: charging}, diameter.Peer{Host: o.stray.Host, Realm: home, Address: stray})
		c.Diameter.ReconnectMax = c.Diameter.ReconnectMin
	})
	interrogator.core = c
	await(t, "the connections to the OCS and to the other node", func() bool {
		open := 0
		for _, p := range c.scscf.node.Peers() {
			if p.State == "open" {
				open++
			}
		}
		return open == 3
	})

	h := newHandset(t, c)
	wantStatus(t, h.registerFully("Contact: "+h.contact()), 200)

	return o, c, h
}

func (o *foreignOCS) answer(c *foreign.Conn, q *foreign.Message) *foreign.Message {
	o.mu.Lock()
	defer o.mu.Unlock()

	kind, result := q.Number(foreign.RequestType), uint32(2001)
	if len(o.results) > 0 && kind != uint32(ro.Terminate) {
		result, o.results = o.results[0], o.results[1:]
	}

	answer := []foreign.AVP{
		foreign.Number(foreign.AuthApplication, 0, ro.Application.ID), foreign.Number(foreign.RequestType, 0, kind),
		foreign.Number(foreign.RequestNumber, 0, q.Number(foreign.RequestNumber)),
	}
	if result == 2001 && kind != uint32(ro.Terminate) {
		one := foreign.AVP{Code: specificUnits, Flags: 0x40, Data: []byte{0, 0, 0, 0, 0, 0, 0, 1}}
		answer = append(
			answer,
			foreign.Group(
				servicesCreditControl,
				0,
				foreign.Group(grantedUnit, 0, foreign.Number(ccTime, 0, 600), one),
				foreign.Number(foreign.ResultCode, 0, 2001),
			),
		)
	}

	return c.Reply(q, result, answer...)
}

func (o *foreignOCS) say(results ...uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.results = results
}

// wantAsked fails the test unless these CCRs came after the first n, and the other node got none.
func (o *foreignOCS) wantAsked(t *testing.T, n int, want ...string) {
	t.Helper()

	came := o.Await(strings.Join(want, ", "), func(m []foreign.Message) bool { return len(m) >= n+len(want) })
	var got []string
	for _, q := range came[n:] {
		got = append(got, fmt.Sprintf("%d#%d %s to %s", q.Number(foreign.RequestType), q.Number(foreign.RequestNumber),
			q.Text(serviceInformation, imsInformation, eventType, sipMethod), strings.TrimSuffix(q.Text(foreign.DestinationHost), "."+home)))
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("the OCS was asked\n%s\nwant\n%s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
	if stray := o.stray.Requests(); len(stray) != 0 {
		t.Errorf("%d requests went to the node that is not meant", len(stray))
	}
}

// TestForeignOCS: Ro over real connections with an OCS that is not ours.
func TestForeignOCS(t *testing.T) {
	o, c, h := startForeign(t)
	callee := "sip:bob@" + home
	first := func(method, uri string, more ...string) *sip.Response {
		t.Helper()
		h.callID = sip.NewCallID()
		return h.send(method, uri, "<"+callee+">", append([]string{
			"Route: <sip:orig@" + c.address.String() + ";lr>", "P-Asserted-Identity: <" + public + ">", "Contact: " + h.contact(),
		}, more...)...)
	}

	t.Run("RFC 8506 §6.5 a message stays with the OCS that answered", func(t *testing.T) {
		n := len(o.Requests())
		wantStatus(t, first("MESSAGE", callee), 200)
		o.wantAsked(t, n, "1#0 MESSAGE to ", "3#1 MESSAGE to ocs")
	})

	t.Run("RFC 8506 §9.1 4011: granted, and no more is said", func(t *testing.T) {
		n := len(o.Requests())
		o.say(4011)
		wantStatus(t, first("MESSAGE", callee), 200)
		wantStatus(t, first("MESSAGE", callee), 200)
		o.wantAsked(t, n, "1#0 MESSAGE to ", "1#0 MESSAGE to ", "3#1 MESSAGE to ocs")
	})

	t.Run("3xxx: its code is in the Reason", func(t *testing.T) {
		n := len(o.Requests())
		o.say(3004)
		o.mu.Lock()
		o.refuses = true
		o.mu.Unlock()
		r := first("MESSAGE", callee)
		wantStatus(t, r, 503)
		if reason := sip.Value(r, "Reason"); !strings.HasPrefix(reason, "DIAMETER;cause=300") {
			t.Errorf("Reason: %s", reason)
		}
		if got := len(o.Requests()) - n; got != 1 {
			t.Errorf("%d CCRs", got)
		}
	})

	t.Run("a call whose Request-URI cannot be told ends here, and harms no other", func(t *testing.T) {
		n := len(o.Requests())
		wantStatus(t, first("INVITE", "sip:"+strings.Repeat("1", 20_000)+"@"+home), 414)
		wantStatus(t, first("INVITE", callee, "Subject: "+strings.Repeat("x", 20_000)), 200)
		came := o.Await("the CCR of the other call", func(m []foreign.Message) bool { return len(m) > n })
		if method := came[n].Text(serviceInformation, imsInformation, eventType, sipMethod); method != "INVITE" {
			t.Errorf("CCR of %s", method)
		}
	})
}
