package diameter_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fiorix/go-diameter/v4/diam"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// TestDeadPeer: a peer that takes everything and sends nothing (RFC 3539 §3.4.1).
func TestDeadPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		l := net.mustListen(t, addressA)
		n, stop := net.run(t, dialling("a.example", diameter.Peer{Host: "hss.example", Address: addressA}), nil)
		defer stop()

		within := func(what string, began time.Time, low, high time.Duration) {
			t.Helper()
			if d := time.Since(began); d < low || d > high {
				t.Errorf("%s after %v, want %v to %v", what, d, low, high)
			}
		}

		began := time.Now()
		r := openRaw(t, "hss.example", l)
		r.receive(280, true)
		within("DWR", began, 28*time.Second, 32*time.Second)

		time.Sleep(33 * time.Second)
		wantState(t, n, "hss.example", "I-Open", "SUSPECT")
		if o := <-call(t, n, t.Context(), ""); !errors.Is(o.err, diameter.ErrUnroutable) {
			t.Errorf("a call to a suspect peer: %v", o.err)
		}
		if n.Ready() == nil {
			t.Error("ready with a suspect peer alone")
		}

		r.ended()
		within("the end", began, 84*time.Second, 96*time.Second)

		r = openRaw(t, "hss.example", l)
		up := time.Now()
		wantState(t, n, "hss.example", "I-Open", "REOPEN")

		r.answerBase(r.receive(280, true))
		within("the first DWR after the loss", up, 0, 0)

		o := call(t, n, t.Context(), "") // there is nobody else
		r.answerLIR(r.receive(302, true), "sip:s")
		if got := <-o; got.err != nil {
			t.Error(got.err)
		}

		r.answerBase(r.receive(280, true))
		wantState(t, n, "hss.example", "I-Open", "REOPEN")
		r.answerBase(r.receive(280, true))
		wantState(t, n, "hss.example", "I-Open", "OKAY")
		within("back in service", up, 56*time.Second, 64*time.Second)
		r.conn.Close()
	})
}

// TestTrafficSparesTheWatchdog: any message is a sign of life (RFC 3539 §3.4.1).
func TestTrafficSparesTheWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		var served atomic.Int32
		n, stop := net.run(t, listening("hss.example", addressA), serveLIR("sip:s", &served))
		defer stop()

		r := net.dialRaw(t, "a.example", addressA)
		r.receive(257, false)

		for range 10 {
			time.Sleep(20 * time.Second)
			r.send(r.lir("", "example"))
			r.receive(302, false) // and no DWR
		}

		r.receive(280, true)
		time.Sleep(33 * time.Second)
		wantState(t, n, "a.example", "R-Open", "SUSPECT")
		r.send(r.lir("", "example"))
		r.receive(302, false)
		wantState(t, n, "a.example", "R-Open", "OKAY")
		r.conn.Close()
	})
}

// twoPeers runs a test of a node with a connection to a.example, which it prefers, and one to b.example.
func twoPeers(t *testing.T, change func(*diameter.Config), test func(t *testing.T, n *diameter.Node, a, b *rawPeer)) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		la, lb := net.mustListen(t, addressA), net.mustListen(t, addressB)

		c := dialling("scscf.example", diameter.Peer{Host: "a.example", Address: addressA}, diameter.Peer{Host: "b.example", Address: addressB})
		c.Routes = []diameter.Route{{Peer: "b.example", Metric: 2}, {Peer: "a.example", Metric: 1}}
		if change != nil {
			change(&c)
		}

		n, stop := net.run(t, c, nil)
		defer stop()

		a, b := openRaw(t, "a.example", la), openRaw(t, "b.example", lb)
		synctest.Wait()
		test(t, n, a, b)
		a.conn.Close()
		b.conn.Close()
	})
}

func TestFailover(t *testing.T) {
	again := func(t *testing.T, first, second *diameter.Message) {
		t.Helper()
		if first.Header.CommandFlags&diam.RetransmittedFlag != 0 || second.Header.CommandFlags&diam.RetransmittedFlag == 0 {
			t.Errorf("flags %02x, then %02x: the T flag belongs to the second", first.Header.CommandFlags, second.Header.CommandFlags)
		}
		if first.Header.EndToEndID != second.Header.EndToEndID {
			t.Errorf("End-to-End %x, then %x", first.Header.EndToEndID, second.Header.EndToEndID)
		}
	}

	t.Run("RFC 6733 §5.5.4 a lost connection", func(t *testing.T) {
		twoPeers(t, nil, func(t *testing.T, n *diameter.Node, a, b *rawPeer) {
			o := call(t, n, t.Context(), "")
			first := a.receive(302, true)
			a.conn.Close()
			second := b.receive(302, true)
			again(t, first, second)
			b.answerLIR(second, "sip:b")
			if got := <-o; got.err != nil || got.answer.ServerName != "sip:b" {
				t.Errorf("%+v", got)
			}
		})
	})

	t.Run("RFC 6733 §3 what its sender has sent before has the T flag from the start", func(t *testing.T) {
		twoPeers(t, nil, func(t *testing.T, n *diameter.Node, a, _ *rawPeer) {
			done := make(chan error, 1)
			go func() {
				q := &cx.LIR{PublicIdentity: "sip:a"}
				q.Retransmitted = true
				_, err := diameter.Call[cx.LIA](t.Context(), n, q)
				done <- err
			}()

			first := a.receive(302, true)
			if first.Header.CommandFlags&diam.RetransmittedFlag == 0 {
				t.Errorf("flags %02x", first.Header.CommandFlags)
			}
			a.answerLIR(first, "sip:a")
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	})

	t.Run("RFC 3539 §3.4.1 a suspect peer", func(t *testing.T) {
		twoPeers(t, func(c *diameter.Config) { c.RequestTimeout = 10 * time.Minute }, func(t *testing.T, n *diameter.Node, a, b *rawPeer) {
			o := call(t, n, t.Context(), "")
			first := a.receive(302, true)
			a.receive(280, true)
			second := b.receiveAlive(302)
			again(t, first, second)
			b.answerLIR(second, "sip:b")
			if got := <-o; got.err != nil || got.answer.ServerName != "sip:b" {
				t.Errorf("%+v", got)
			}
			a.answerLIR(first, "sip:late") // nobody waits for it, and it does no harm; the peer is alive, though
			wantState(t, n, "a.example", "I-Open", "OKAY")
		})
	})

	t.Run("a suspect peer without alternative is waited for", func(t *testing.T) {
		twoPeers(t, func(c *diameter.Config) { c.RequestTimeout = 10 * time.Minute }, func(t *testing.T, n *diameter.Node, a, b *rawPeer) {
			o := call(t, n, t.Context(), "a.example")
			first := a.receive(302, true)
			a.receive(280, true)
			time.Sleep(33 * time.Second)
			a.answerLIR(first, "sip:a")
			if got := <-o; got.err != nil || got.answer.ServerName != "sip:a" {
				t.Errorf("%+v", got)
			}
		})
	})

	t.Run("RFC 6733 §5.5.4 a request for one host fails with it", func(t *testing.T) {
		twoPeers(t, nil, func(t *testing.T, n *diameter.Node, a, b *rawPeer) {
			o := call(t, n, t.Context(), "a.example")
			a.receive(302, true)
			a.conn.Close()
			if got := <-o; !errors.Is(got.err, diameter.ErrUnroutable) {
				t.Errorf("%+v", got)
			}
			b.quiet()
		})
	})

	t.Run("RFC 6733 §7.1.3 TOO_BUSY: another peer is asked, without the T flag", func(t *testing.T) {
		twoPeers(t, nil, func(t *testing.T, n *diameter.Node, a, b *rawPeer) {
			refuse := func(r *rawPeer) {
				q := r.receive(302, true)
				if q.Header.CommandFlags&diam.RetransmittedFlag != 0 {
					t.Errorf("%s got the T flag", r.host)
				}
				m := diam.NewMessage(302, diam.ErrorFlag, cx.Application.ID, 0, 0, nil)
				result(3004)(m)
				r.answer(q, m)
			}

			o := call(t, n, t.Context(), "")
			refuse(a)
			b.answerLIR(b.receive(302, true), "sip:b")
			if got := <-o; got.err != nil || got.answer.ServerName != "sip:b" {
				t.Errorf("%+v", got)
			}

			o = call(t, n, t.Context(), "")
			refuse(a)
			refuse(b)
			if got := <-o; got.err != nil || got.answer.Result != diameter.TooBusy {
				t.Errorf("both are busy: %+v", got)
			}
		})
	})

	t.Run("the metric chooses, then the other; the first again when it is back and proven", func(t *testing.T) {
		twoPeers(t, nil, func(t *testing.T, n *diameter.Node, a, b *rawPeer) {
			a.conn.Close()
			synctest.Wait()
			o := call(t, n, t.Context(), "")
			b.answerLIR(b.receive(302, true), "sip:b")
			if got := <-o; got.err != nil {
				t.Error(got.err)
			}
		})
	})

	t.Run("a timeout, and a caller who gives up", func(t *testing.T) {
		twoPeers(t, nil, func(t *testing.T, n *diameter.Node, a, b *rawPeer) {
			began := time.Now()
			if got := <-call(t, n, t.Context(), ""); !errors.Is(got.err, diameter.ErrTimeout) || time.Since(began) != 5*time.Second {
				t.Errorf("%+v after %v", got, time.Since(began))
			}
			first := a.receive(302, true)
			a.answerLIR(first, "sip:late")

			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if got := <-call(t, n, ctx, ""); !errors.Is(got.err, context.DeadlineExceeded) {
				t.Errorf("%+v", got)
			}
		})
	})
}
