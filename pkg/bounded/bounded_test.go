package bounded_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/bounded"
)

// arrivals is a listener that those connections have come to.
type arrivals struct {
	net.Listener
	all []net.Conn
}

func (a *arrivals) Accept() (c net.Conn, err error) {
	if len(a.all) == 0 {
		return nil, net.ErrClosed
	}

	c, a.all = a.all[0], a.all[1:]

	return c, nil
}

type arrival struct {
	net.Conn
	from   string
	closed bool
}

func (a *arrival) Close() error { a.closed = true; return nil }

func (a *arrival) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(a.from))
}

// Of one source two are taken, in all three; IPv4 in IPv6 is the same source. One that is closed, even twice, makes room for one.
func TestListener(t *testing.T) {
	come := func(to *arrivals, from string) *arrival {
		a := &arrival{from: from}
		to.all = append(to.all, a)

		return a
	}

	under := &arrivals{}
	l := bounded.Listener(under, 3, 2)
	accept := func(want bool, from string) net.Conn {
		t.Helper()

		a := come(under, from)

		c, err := l.Accept()
		if taken := err == nil; taken != want || a.closed == want || !want && !errors.Is(err, net.ErrClosed) {
			t.Fatalf("%s: taken %t, closed %t, want taken %t", from, taken, a.closed, want)
		}

		return c
	}

	first := accept(true, "192.0.2.1:1")
	accept(true, "[::ffff:192.0.2.1]:2")
	accept(false, "192.0.2.1:3")
	accept(true, "[2001:db8::1]:1")
	accept(false, "192.0.2.2:1")

	for range 2 {
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
	}

	accept(true, "192.0.2.2:1")
	accept(false, "192.0.2.1:4")
	accept(false, "192.0.2.3:1")
}
