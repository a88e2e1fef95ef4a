package association

import (
	"errors"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// A connection between the ports of a set ends with the set: nothing passes by it any more.
func TestConnectionsEndWithTheirSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		defer b.run()()

		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)
		b.screen(0, flow, "REGISTER", answer(server, 1, 31000, 31001)...)
		b.Established(flow, 600)

		conn, err := b.network.Dial(t.Context(), netip.AddrPortFrom(ue, 31000), flow.Endpoint.Address())
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { _, err := conn.Read(make([]byte, 1)); ended <- err }()

		time.Sleep(time.Minute)
		select {
		case err := <-ended:
			t.Fatalf("it ended before: %v", err)
		default:
		}

		b.Ended(b.Return(flow))
		time.Sleep(33 * time.Second)
		b.states(0, 0, 0, 0)
		select {
		case err := <-ended:
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		default:
			t.Error("the set is gone, and the connection is not")
			conn.Close()
		}
	})
}
