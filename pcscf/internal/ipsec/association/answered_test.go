package association

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// TS 33.203 §7.4: a set stays until the requests that came through it are answered, and the answers can be retransmitted. The NOTIFY that
// ends the registration may overtake the 200 of the de-registration by any time.
func TestAnswerThroughAnEndingSet(t *testing.T) {
	for _, test := range []struct {
		name   string
		after  time.Duration // the request is answered when the set has been ending for so long
		repeat time.Duration // and its answer can be repeated so much later
		gone   bool          // by then
	}{
		{"at once", 0, 31 * time.Second, false},
		{"and not for ever", 0, 33 * time.Second, true},
		{"later than the set outlives its use", time.Minute, 31 * time.Second, false},
		{"and then not for ever", time.Minute, 33 * time.Second, true},
		{"later than the registration would have lasted", 11 * time.Minute, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				work := make(chan *stack.ServerTransaction, 1)
				answered := make(chan struct{})
				b := newBench(t, Optional)
				b.handler = func(tx *stack.ServerTransaction) {
					work <- tx
					<-answered
					_ = tx.Reply(200, "")
				}
				defer b.run()()

				server := b.challenge(b.clear(), 1, 31000, 31001)
				flow := b.protected(server, 31000)
				b.screen(0, flow, "REGISTER", answer(server, 1, 31000, 31001)...)
				b.Established(flow, 600)

				handset := b.network.Peer(t, netip.AddrPortFrom(ue, 31000).String())
				listening := b.network.Peer(t, netip.AddrPortFrom(ue, 31001).String())
				handset.Send(flow.Endpoint.Address().String(), "REGISTER sip:r SIP/2.0", "Via: SIP/2.0/UDP "+ue.String()+":31001;branch=z9hG4bK1",
					"Max-Forwards: 70", "From: <sip:a@b>;tag=1", "To: <sip:a@b>", "Call-ID: 1", "CSeq: 1 REGISTER")
				<-work

				b.Ended(b.Return(flow)) // by the NOTIFY
				time.Sleep(test.after)
				close(answered)
				if test.after < 10*time.Minute {
					listening.Response(200)
					b.states(0, 0, 0, 1)
				}

				time.Sleep(test.repeat)
				if test.gone {
					b.states(0, 0, 0, 0)
				} else {
					b.states(0, 0, 0, 1)
				}
			})
		})
	}
}
