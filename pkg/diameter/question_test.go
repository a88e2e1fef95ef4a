package diameter_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

// TestSecondConnection: a peer connects while its connection looks open (RFC 6733 §5.6.4): the old one is tested, and stays if it
// answers.
func TestSecondConnection(t *testing.T) {
	type scene struct {
		*testing.T
		net   *network
		node  *diameter.Node
		first *rawPeer
	}

	again := func(s *scene) *rawPeer { return s.net.dialRaw(s.T, "b.example", addressA) }
	run := func(name string, c diameter.Config, test func(s *scene)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := newNetwork()
				n, stop := net.run(t, c, nil)
				defer stop()

				s := &scene{t, net, n, net.dialRaw(t, "b.example", addressA)}
				s.first.receive(257, false)
				test(s)
			})
		})
	}

	for name, c := range map[string]diameter.Config{
		"not configured": listening("a.example", addressA), "configured": listening("a.example", addressA, diameter.Peer{Host: "b.example"}),
	} {
		run(name+": the old one is dead: the new one is taken within seconds", c, func(s *scene) {
			began := time.Now()
			second := again(s)
			s.first.receive(280, true)

			if got := resultCode(second.receive(257, false)); got != 2001 {
				s.Errorf("CEA %d", got)
			}
			if d := time.Since(began); d > 3*time.Second {
				s.Errorf("it took %v", d)
			}
			s.first.ended()
			second.receive(280, true) // it was lost once
			wantState(s.T, s.node, "b.example", "R-Open", "REOPEN")

			if got := call(s.T, s.node, s.Context(), "b.example"); got != nil {
				second.answerLIR(second.receive(302, true), "sip:s")
				if o := <-got; o.err != nil {
					s.Error(o.err)
				}
			}
			second.conn.Close()
		})

		run(name+": the old one lives: the new one is rejected at once", c, func(s *scene) {
			began := time.Now()
			second := again(s)
			s.first.answerBase(s.first.receive(280, true))

			if got := resultCode(second.receive(257, false)); got != 5012 || time.Since(began) > time.Second {
				s.Errorf("CEA %d after %v", got, time.Since(began))
			}
			second.ended()
			wantState(s.T, s.node, "b.example", "R-Open", "OKAY")
			s.first.conn.Close()
		})

		run(name+": the old one ends while it is asked: the new one is taken", c, func(s *scene) {
			second := again(s)
			s.first.receive(280, true)
			s.first.conn.Close()

			if got := resultCode(second.receive(257, false)); got != 2001 {
				s.Errorf("CEA %d", got)
			}
			second.conn.Close()
		})

		run(name+": one after the other: the last waits", c, func(s *scene) {
			second := again(s)
			s.first.receive(280, true)
			third := again(s)
			s.first.receive(280, true)

			if got := resultCode(second.receive(257, false)); got != 5012 {
				s.Errorf("CEA %d for the one between", got)
			}
			second.ended()
			if got := resultCode(third.receive(257, false)); got != 2001 {
				s.Errorf("CEA %d for the last", got)
			}
			s.first.ended()
			third.conn.Close()
		})

		run(name+": the new one gives up", c, func(s *scene) {
			second := again(s)
			s.first.receive(280, true)
			second.conn.Close()

			time.Sleep(5 * time.Second) // no later than now it would have been taken
			wantState(s.T, s.node, "b.example", "R-Open", "OKAY")
			s.first.conn.Close()
		})

		run(name+": this node ends meanwhile", c, func(s *scene) { // run waits for it
			again(s)
			s.first.receive(280, true)
		})
	}
}
