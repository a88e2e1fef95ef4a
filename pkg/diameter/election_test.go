package diameter_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// TestElection: RFC 6733 §5.6.4.
func TestElection(t *testing.T) {
	t.Run("two nodes that dial each other keep one connection, the one that the lesser name opened", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			a, stopA := net.run(t, listening("a.example", addressA, diameter.Peer{Host: "b.example", Address: addressB}), nil)
			defer stopA()
			b, stopB := net.run(t, listening("b.example", addressB, diameter.Peer{Host: "a.example", Address: addressA}), nil)
			defer stopB()

			time.Sleep(time.Minute)
			synctest.Wait()

			sa, sb := statusOf(t, a, "b.example"), statusOf(t, b, "a.example")
			if sa.State != "open" || sb.State != "open" || (sa.Machine == "I-Open") == (sb.Machine == "I-Open") {
				t.Errorf("a: %+v\nb: %+v", sa, sb)
			}
		})
	})

	t.Run("Wait-Returns, won: the initiator connection goes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			l := net.mustListen(t, addressB)
			n, stop := net.run(t, listening("z.example", addressA, diameter.Peer{Host: "b.example", Address: addressB}), nil)
			defer stop()

			initiated, _ := acceptRaw(t, "b.example", l)
			responded := net.dialRaw(t, "b.example", addressA)

			if got := resultCode(responded.receive(257, false)); got != 2001 {
				t.Errorf("CEA %d", got)
			}
			initiated.ended()
			wantState(t, n, "b.example", "R-Open", "OKAY")
			responded.conn.Close()
		})
	})

	t.Run("Wait-Returns, lost: the CEA comes and the responder connection goes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			l := net.mustListen(t, addressB)
			n, stop := net.run(t, listening("a.example", addressA, diameter.Peer{Host: "b.example", Address: addressB}), nil)
			defer stop()

			initiated, cer := acceptRaw(t, "b.example", l)
			responded := net.dialRaw(t, "b.example", addressA)
			wantState(t, n, "b.example", "Wait-Returns", "INITIAL")

			third := net.dialRaw(t, "b.example", addressA)
			if got := resultCode(third.receive(257, false)); got == 2001 {
				t.Error("a third connection was taken")
			}
			third.ended()

			initiated.answer(cer, initiated.capabilities(0, result(2001)))
			responded.ended()
			wantState(t, n, "b.example", "I-Open", "OKAY")
			initiated.conn.Close()
		})
	})

	t.Run("Wait-Returns, lost, but the peer gives the initiator connection up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			l := net.mustListen(t, addressB)
			n, stop := net.run(t, listening("a.example", addressA, diameter.Peer{Host: "b.example", Address: addressB}), nil)
			defer stop()

			initiated, _ := acceptRaw(t, "b.example", l)
			responded := net.dialRaw(t, "b.example", addressA)
			responded.quiet()
			initiated.conn.Close()

			if got := resultCode(responded.receive(257, false)); got != 2001 {
				t.Errorf("CEA %d", got)
			}
			wantState(t, n, "b.example", "R-Open", "OKAY")
			responded.conn.Close()
		})
	})

	// The network answers the node's dialling when the test says so.
	whileDialling := func(t *testing.T, host string, test func(t *testing.T, n *diameter.Node, responded *rawPeer, answer chan<- net.Conn)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			pipes, answer := newNetwork(), make(chan net.Conn)
			n, err := diameter.New(
				listening(host, addressA, diameter.Peer{Host: "b.example", Address: addressB}),
				[]diameter.Application{cx.Application},
				diameter.Options{
					Listen: pipes.Listen,
					Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
						select {
						case conn := <-answer:
							if conn != nil {
								return conn, nil
							}
							return nil, errors.New("connection refused")
						case <-ctx.Done():
							return nil, ctx.Err()
						}
					},
				},
			)
			if err != nil {
				t.Fatal(err)
			}

			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- n.Run(ctx) }()
			wantState(t, n, "b.example", "Wait-Conn-Ack", "INITIAL")

			responded := pipes.dialRaw(t, "b.example", addressA)
			wantState(t, n, "b.example", "Wait-Conn-Ack/Elect", "INITIAL")
			test(t, n, responded, answer)

			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}

	t.Run("Wait-Conn-Ack/Elect, the dialling fails: the responder connection it is", func(t *testing.T) {
		whileDialling(t, "a.example", func(t *testing.T, n *diameter.Node, responded *rawPeer, answer chan<- net.Conn) {
			responded.quiet()
			answer <- nil
			responded.receive(257, false)
			wantState(t, n, "b.example", "R-Open", "OKAY")
			responded.conn.Close()
		})
	})

	t.Run("Wait-Conn-Ack/Elect, the dialling succeeds and the election is won", func(t *testing.T) {
		whileDialling(t, "z.example", func(t *testing.T, n *diameter.Node, responded *rawPeer, answer chan<- net.Conn) {
			near, far := net.Pipe()
			answer <- near
			initiated := newRawPeer(t, "b.example", far)
			initiated.receive(257, true)
			initiated.ended()
			responded.receive(257, false)
			wantState(t, n, "b.example", "R-Open", "OKAY")
			responded.conn.Close()
		})
	})

	t.Run("Wait-Conn-Ack/Elect, the responder connection goes, and the dialling goes on", func(t *testing.T) {
		whileDialling(t, "z.example", func(t *testing.T, n *diameter.Node, responded *rawPeer, answer chan<- net.Conn) {
			responded.conn.Close()
			wantState(t, n, "b.example", "Wait-Conn-Ack", "INITIAL")
			near, far := net.Pipe()
			answer <- near
			initiated := newRawPeer(t, "b.example", far)
			initiated.answer(initiated.receive(257, true), initiated.capabilities(0, result(2001)))
			wantState(t, n, "b.example", "I-Open", "OKAY")
			initiated.conn.Close()
		})
	})

	t.Run("Wait-Conn-Ack/Elect, and the node stops", func(t *testing.T) {
		whileDialling(t, "z.example", func(t *testing.T, _ *diameter.Node, responded *rawPeer, _ chan<- net.Conn) {
			go func() {
				for range responded.came { // perhaps a CEA, if the end of the dialling was seen first
				}
				responded.conn.Close()
			}()
		})
	})

	t.Run("R-Open: a second connection is rejected if the first is alive, unless the peer was restarted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			n, stop := net.run(t, listening("a.example", addressA), nil)
			defer stop()

			first := net.dialRaw(t, "b.example", addressA, stateID(1000))
			first.receive(257, false)

			second := net.dialRaw(t, "b.example", addressA, stateID(1000))
			first.answerBase(first.receive(280, true))
			if got := resultCode(second.receive(257, false)); got != 5012 {
				t.Errorf("CEA %d for a second connection", got)
			}
			second.ended()

			restarted := net.dialRaw(t, "b.example", addressA, stateID(1001))
			if got := resultCode(restarted.receive(257, false)); got != 2001 {
				t.Errorf("CEA %d for a restarted peer", got)
			}
			first.ended()
			restarted.receive(280, true) // it was lost once: the watchdog tests it
			wantState(t, n, "b.example", "R-Open", "REOPEN")
			restarted.conn.Close()
		})
	})
}
