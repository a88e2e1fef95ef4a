package diameter

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
)

// from is a connection that was accepted from an address.
type from struct {
	net.Conn
	address string
	closed  bool
}

func (f *from) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(f.address + ":1"))
}

func (f *from) Close() error {
	f.closed = true
	return nil
}

func TestSlots(t *testing.T) {
	address := func(i int) *from { return &from{address: fmt.Sprintf("192.0.2.%d", i)} }

	t.Run("one source of strangers gets its share, and no more", func(t *testing.T) {
		s := newSlots(16, 2)
		for i := range 4 {
			if s.take(address(1)) == nil {
				t.Fatalf("the %d. was refused", i+1)
			}
		}
		if s.take(address(1)) != nil {
			t.Error("a fifth of 16")
		}
		if s.take(address(2)) == nil {
			t.Error("another source was refused")
		}
	})

	t.Run("who says nothing makes room, the oldest first", func(t *testing.T) {
		s := newSlots(4, 1)
		silent := []*from{address(1), address(2), address(3), address(4)}
		var first *slot
		for _, conn := range silent {
			taken := s.take(conn)
			if first == nil {
				first = taken
			}
		}
		taken := s.take(address(5))
		if taken == nil || !silent[0].closed || silent[1].closed {
			t.Fatalf("%v, closed %v %v", taken, silent[0].closed, silent[1].closed)
		}
		if s.name(first, true) {
			t.Error("who made room has a name all the same")
		}
		s.leave(first) // as its goroutine does
		if s.taken != 4 {
			t.Errorf("%d taken", s.taken)
		}
	})

	t.Run("configured peers have their places, however many strangers there are", func(t *testing.T) {
		s := newSlots(8, 3)
		for i := range 8 {
			taken := s.take(address(i))
			if got := s.name(taken, false); got != (i < 5) {
				t.Errorf("stranger %d: %v", i, got)
			}
			if taken.state == slotWaiting {
				s.leave(taken)
			}
		}
		for range 3 { // all behind one address
			if taken := s.take(address(99)); taken == nil || !s.name(taken, true) {
				t.Error("a configured peer was refused")
			}
		}
	})

	t.Run("what is given back is there again", func(t *testing.T) {
		s := newSlots(8, 2)
		for i := range 1000 {
			taken := s.take(address(i % 3))
			if taken == nil {
				t.Fatal("full")
			}
			if i%3 > 0 {
				s.name(taken, i%3 == 1)
			}
			s.leave(taken)
			s.leave(taken)
		}
		if s.taken != 0 || s.unknown != 0 || len(s.waiting) != 0 || len(s.strange) != 0 {
			t.Errorf("%+v", s)
		}
	})
}
