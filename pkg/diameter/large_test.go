package diameter_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fiorix/go-diameter/v4/diam/avp"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// TestLargeMessages: no message is longer than max_message, in either direction, and one that is does no harm to the others on its
// connection.
func TestLargeMessages(t *testing.T) {
	large := strings.Repeat("x", 70_000)

	t.Run("§7.1.5 received: 5015 with its Session-Id, and the next one is served", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			_, stop := net.run(t, listening("hss.example", addressA), func(n *diameter.Node) {
				diameter.Handle(n, func(context.Context, *cx.LIR) (*cx.LIA, error) { return &cx.LIA{ServerName: "sip:s"}, nil })
			})
			defer stop()

			r := net.dialRaw(t, "a.example", addressA)
			r.receive(257, false)

			q := &cx.LIR{PublicIdentity: large}
			q.SessionID, q.OriginHost, q.OriginRealm, q.DestinationRealm = "s;large", r.host, "example", "example"
			m, err := r.d.Encode(q)
			if err != nil {
				t.Fatal(err)
			}
			r.send(m)
			a := r.receive(302, false)
			if session, err := a.FindAVP(avp.SessionID, 0); resultCode(a) != 5015 || err != nil || !strings.Contains(session.String(), "s;large") {
				t.Errorf("%d, %v %v", resultCode(a), session, err)
			}

			r.send(r.lir("", "example"))
			if got := resultCode(r.receive(302, false)); got != 2001 {
				t.Errorf("the next one: %d", got)
			}
			r.conn.Close()
		})
	})

	t.Run("an answer received: who asked is told, and the next one is taken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			l := net.mustListen(t, addressA)
			n, stop := net.run(t, dialling("scscf.example", diameter.Peer{Host: "hss.example", Address: addressA}), nil)
			defer stop()

			r := openRaw(t, "hss.example", l)
			o := call(t, n, t.Context(), "")
			r.answerLIR(r.receive(302, true), large)
			if got := <-o; got.err == nil {
				t.Error("it was taken")
			}

			o = call(t, n, t.Context(), "")
			r.answerLIR(r.receive(302, true), "sip:s")
			if got := <-o; got.err != nil {
				t.Error(got.err)
			}
			r.conn.Close()
		})
	})

	t.Run("sent: refused here, and nothing goes out", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			l := net.mustListen(t, addressA)
			n, stop := net.run(t, dialling("scscf.example", diameter.Peer{Host: "hss.example", Address: addressA}), nil)
			defer stop()

			r := openRaw(t, "hss.example", l)
			if _, err := diameter.Call[cx.LIA](t.Context(), n, &cx.LIR{PublicIdentity: large}); !errors.Is(err, diameter.ErrTooLarge) {
				t.Errorf("got %v", err)
			}
			synctest.Wait()
			r.quiet()

			o := call(t, n, t.Context(), "")
			r.answerLIR(r.receive(302, true), "sip:s")
			if got := <-o; got.err != nil {
				t.Error(got.err)
			}
			r.conn.Close()
		})
	})

	t.Run("an answer of ours: 5012 in its place", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			_, stop := net.run(t, listening("hss.example", addressA), func(n *diameter.Node) {
				diameter.Handle(n, func(context.Context, *cx.LIR) (*cx.LIA, error) { return &cx.LIA{ServerName: large}, nil })
			})
			defer stop()

			r := net.dialRaw(t, "a.example", addressA)
			r.receive(257, false)
			r.send(r.lir("", "example"))
			if got := resultCode(r.receive(302, false)); got != 5012 {
				t.Errorf("%d", got)
			}
			r.conn.Close()
		})
	})

	t.Run("16 MB that do not come", func(t *testing.T) {
		var fault *diameter.WireError
		_, _, err := dictionary(
			t,
		).Read(
			bytes.NewReader([]byte{1, 0xFF, 0xFF, 0xFC, 0x80, 0, 1, 46, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2}),
			maxMessage,
		)
		if err == nil || errors.As(err, &fault) {
			t.Errorf("got %v, want the end of the stream", err)
		}
	})
}
