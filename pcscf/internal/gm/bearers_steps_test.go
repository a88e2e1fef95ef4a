package gm

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// moment is how far a call has come when something happens to it.
type moment int

const (
	askSent     moment = iota // the first request has not arrived yet
	askDone                   // its answer is on its way
	ringing                   // granted, before the 200
	inCall                    //
	changeSent                // the request of a change has not arrived yet
	changeDone                // its answer is on its way
	endSent                   // the end has not arrived yet
	endDone                   // its answer is on its way
	afterMoment               // none
)

var moments = [...]string{
	"AAR on its way", "AAA on its way", "before the 200", "in the call", "update on its way", "answer to the update on its way",
	"STR on its way", "STA on its way",
}

// accident is what happens then.
type accident int

const (
	nothing    accident = iota
	pcscfAnew           // the P-CSCF is started anew
	serverAnew          // the PCRF or PCF is started anew, and has its sessions
	serverLost          // the same, and it has lost them
	aborted             // ASR, or the notification that the session is terminated
	lost                // RAR, or the notification that the bearers are lost
	afterAccident
)

var accidents = [...]string{"nothing", "the P-CSCF is started anew", "the server is started anew", "the server forgets all", "ASR", "RAR"}

// situation is one row of the table.
type situation struct {
	moment   moment
	accident accident
}

// restarts reports whether one side is started anew.
func (s situation) restarts() bool {
	return slices.Contains([]accident{pcscfAnew, serverAnew, serverLost}, s.accident)
}

// possible reports whether it can be: the server cannot speak of a session that it does not know yet, or any more.
func (s situation) possible() bool {
	return s.accident != aborted && s.accident != lost || s.moment != askSent && s.moment != endDone
}

// TS 29.214 §4.4.4, §4.4.6, TS 29.514 §4.2.4, §4.2.5: each side is started anew at each moment of a call, and the PCRF or PCF ends the
// session or reports lost bearers. Each session that it has granted is ended, once, and none is left open.
func TestNoSessionIsLeftOpen(t *testing.T) {
	for name, make := range map[string]func(*testing.T) server{"Rx": newPCRFServer, "N5": newPCFServer} {
		for m := range afterMoment {
			for a := range afterAccident {
				s := situation{m, a}
				if !s.possible() {
					continue
				}

				t.Run(fmt.Sprintf("%s/%s/%s", name, moments[m], accidents[a]), func(t *testing.T) {
					withServer(t, make, func(_ *testing.T, d *desk, n *network) { n.situation(d, s) })
				})
			}
		}
	}
}

// situation makes a call until its moment, lets the accident happen, ends the call if it is still there, and looks at what is left.
func (n *network) situation(d *desk, s situation) {
	c := &callOfAlice{desk: d, network: n, until: s.moment}
	c.begin()

	if s.moment >= inCall {
		c.answer()
	}
	if s.moment == changeSent || s.moment == changeDone {
		c.change()
	}
	if s.moment >= endSent {
		c.hangUp()
	}

	n.happens(s)
	c.release()

	if s.accident != pcscfAnew {
		c.finish()
	}

	time.Sleep(5 * time.Minute)
	synctest.Wait()
	n.check(s)
}

// happens lets an accident happen.
func (n *network) happens(s situation) {
	switch s.accident {
	case nothing:
	case pcscfAnew:
		n.stopPCSCF()
		n.server.Watch(nil, nil)
		n.startPCSCF()
		time.Sleep(10 * time.Second)
		n.sessions.Resume()
	case serverAnew, serverLost:
		n.stopServer()
		n.server.Watch(nil, nil)

		if s.accident == serverLost {
			n.server.Clear()
		}

		n.startServer()
		time.Sleep(10 * time.Second)
	default:
		order := n.server.abort
		if s.accident == lost {
			order = n.server.lose
		}

		for _, session := range n.server.open() {
			if err := order(session); err != nil {
				n.t.Errorf("the P-CSCF does not take it: %v", err)
			}
		}

		synctest.Wait()
	}
}

// check looks at what is left, and how the sessions have ended.
func (n *network) check(s situation) {
	k := n.server.kinds()

	// A PCF names its sessions. If the answer with the name is lost, nobody can delete the session (docs/bearers.md).
	overN5 := k.ask == "POST"
	nameless := overN5 && s.moment == askDone && s.restarts()

	left := 0
	if nameless && s.accident != serverLost {
		left = 1
	}

	if open := n.server.open(); len(open) != left {
		n.t.Errorf("left open at the server: %q", open)
	}
	for _, s := range n.sessions.Sessions() {
		n.t.Errorf("left at the P-CSCF: %s %s", s.Session, s.State)
	}
	if count := n.unexpected(); count != 0 {
		n.t.Errorf("%v events without a row", count)
	}

	ends, known := 1, 1 // requests for the end of the session, and those of them that the server knew it at

	switch {
	case nameless, overN5 && s.accident == aborted && s.moment == changeSent: // the answer to the change says that it is gone
		ends, known = 0, 0
	case s.moment == endDone && s.restarts(): // the answer is lost, and the request is repeated
		ends = 2
	case s.accident == serverLost, overN5 && s.accident == aborted: // a PCF forgets what it terminates
		known = 0
	}

	n.wantEnds(ends, known)
}

// wantEnds looks for the ends of each session that the server has granted.
func (n *network) wantEnds(wantAll, wantKnown int) {
	k := n.server.kinds()
	all, known := map[string]int{}, map[string]int{}
	granted := map[string]bool{}

	var heard []string

	for _, e := range n.server.Events() {
		heard = append(heard, e.String())
		success := e.Result/100 == 2 || e.Result/1000 == 2

		switch {
		case e.Kind == k.ask && success:
			granted[e.Session] = true
		case e.Kind == k.end && success:
			all[e.Session]++
			known[e.Session]++
		case e.Kind == k.end:
			all[e.Session]++
		}
	}

	for session := range granted {
		if all[session] != wantAll || known[session] != wantKnown {
			n.t.Errorf("%d ends of %s, want %d, and %d that the server knew, want %d: %q",
				all[session], session, wantAll, known[session], wantKnown, heard)
		}
	}
}

// callOfAlice is a call that alice makes.
type callOfAlice struct {
	*desk
	network *network
	until   moment

	invite *sip.Request
	routes []string
	up     bool

	held chan struct{}
}

// hold holds the next request of a kind, before or after it is carried out, if that is the call's moment.
func (c *callOfAlice) hold(kind string, before, after moment) {
	if c.until != before && c.until != after {
		return
	}

	held := make(chan struct{})
	c.held = held

	wait := func(ctx context.Context, k string) {
		if k != kind {
			return
		}

		select {
		case <-held:
		case <-ctx.Done():
		}
	}

	if c.until == before {
		c.network.server.Watch(wait, nil)
	} else {
		c.network.server.Watch(nil, wait)
	}
}

// release lets what is held go on.
func (c *callOfAlice) release() {
	c.network.server.Watch(nil, nil)

	if c.held != nil {
		close(c.held)
		c.held = nil
	}

	synctest.Wait()
}

func (c *callOfAlice) begin() {
	c.hold(c.network.server.kinds().ask, askSent, askDone)

	c.invite = c.desk.invite(inviteVia, sdp, "\n"+own)
	describe(c.scscf, c.invite, 183, hers, bobs(c.invite, "b")...)
	synctest.Wait()

	if c.until > askDone {
		c.alice.Response(183)
	}
}

func (c *callOfAlice) answer() {
	describe(c.scscf, c.invite, 200, hers, bobs(c.invite, "b")...)
	c.routes = c.routesOf(c.alice.Response(200))
	c.within("ACK", c.invite.CallID().Value(), append(slices.Clone(c.routes), "CSeq: "+strconv.Itoa(int(c.invite.CSeq().SeqNo))+" ACK")...)
	c.scscf.Request("ACK")
	synctest.Wait()

	c.up = true
}

func (c *callOfAlice) change() {
	c.hold(c.network.server.kinds().change, changeSent, changeDone)
	c.within("UPDATE", c.invite.CallID().Value(), append(slices.Clone(c.routes), sdp, "\n"+own+"a=sendonly\r\n")...)
	describe(c.scscf, c.scscf.Request("UPDATE"), 200, hers+"a=recvonly\r\n", "Contact: <sip:bob@198.51.100.7>")
	synctest.Wait()
}

func (c *callOfAlice) hangUp() {
	c.hold(c.network.server.kinds().end, endSent, endDone)
	c.within("BYE", c.invite.CallID().Value(), c.routes...)
	c.scscf.Answer(c.scscf.Request("BYE"), 200)
	synctest.Wait()

	c.up = false
}

// finish ends the call from alice's side, if nobody else has.
func (c *callOfAlice) finish() {
	if ended := c.settle(); ended {
		return
	}

	switch {
	case c.up:
		c.within("BYE", c.invite.CallID().Value(), c.routes...)
	case c.until < inCall:
		c.send("CANCEL", bob, "Call-ID: "+c.invite.CallID().Value(), "CSeq: "+strconv.Itoa(int(c.invite.CSeq().SeqNo))+" CANCEL", inviteVia)
	}

	c.settle()
}

// settle answers what the P-CSCF sends to either side until it sends nothing more, and reports whether it has ended the call.
func (c *callOfAlice) settle() (ended bool) {
	for quiet := false; !quiet; {
		time.Sleep(10 * second) // longer than a message is held, and than the ACK is waited for
		synctest.Wait()

		quiet = true

		for _, m := range c.scscf.All() {
			if r, ok := m.(*sip.Request); ok && !r.IsAck() {
				quiet, ended = false, true
				c.scscf.Answer(r, 200)

				if r.Method == "CANCEL" {
					c.scscf.Answer(c.invite, 487, "To: <"+bob+">;tag=b")
				}
			}
		}

		for _, m := range c.alice.All() {
			switch m := m.(type) {
			case *sip.Request:
				quiet, ended = false, true
				c.alice.Answer(m, 200)
			case *sip.Response:
				ended = ended || m.StatusCode >= 300 && strings.HasSuffix(m.CSeq().Value(), "INVITE")
			}
		}
	}

	return ended
}
