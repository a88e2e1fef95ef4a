package app

import (
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/test/foreign"
)

// TestStrangerWithTheNameOfAPeer: a node with the S-CSCF's name, but from another address, gets no vectors, and does not lock the S-CSCF
// out.
func TestStrangerWithTheNameOfAPeer(t *testing.T) {
	c := settings(t)
	c.Diameter.AllowUnknownPeers = false
	c.Diameter.Listen = []diameter.Listener{{Address: "127.0.0.1:0"}}
	c.Diameter.Peers = []diameter.Peer{{Host: "scscf." + home, Realm: home, Sources: []string{"127.0.0.12"}}}
	h := start(t, c)
	private := h.add("001010000000001", "15550001")
	address := h.built.Node.Addresses()[0].String()

	peer := func() *foreign.Peer {
		return &foreign.Peer{T: t, Host: "scscf." + home, Realm: home, Capabilities: foreign.Applications(cx.Application.ID)}
	}

	stranger, cea := peer().Dial(address) // from 127.0.0.1
	if cea == nil || cea.Number(foreign.ResultCode) != 3010 {
		t.Errorf("CEA to the stranger: %+v", cea)
	}
	stranger.Ended()

	conn, cea := peer().DialFrom("127.0.0.12", address)
	if cea == nil || cea.Number(foreign.ResultCode) != 2001 {
		t.Fatalf("CEA to the S-CSCF: %+v", cea)
	}
	if a := assign(conn, private); a == nil || a.Number(foreign.ResultCode) != 2001 {
		t.Errorf("SAA: %+v", a)
	}
}

// TestPeerConnectsAnew: an S-CSCF whose machine disappeared silently is served again within seconds, not only when the watchdog has found
// its old connection dead (RFC 6733 §5.6.4).
func TestPeerConnectsAnew(t *testing.T) {
	h := start(t, settings(t))
	private := h.add("001010000000001", "15550001")
	address := h.built.Node.Addresses()[0].String()

	peer := func() *foreign.Peer {
		return &foreign.Peer{T: t, Host: "scscf." + home, Realm: home, Capabilities: foreign.Applications(cx.Application.ID)}
	}

	before := peer()
	old, cea := before.Dial(address)
	if cea == nil || cea.Number(foreign.ResultCode) != 2001 {
		t.Fatalf("CEA: %+v", cea)
	}

	if _, cea := peer().Dial(address); cea == nil || cea.Number(foreign.ResultCode) != 5012 {
		t.Errorf("CEA while the old connection lives: %+v", cea)
	}

	before.Deaf(true)
	began := time.Now()
	conn, cea := peer().Dial(address)
	if cea == nil || cea.Number(foreign.ResultCode) != 2001 || time.Since(began) > 15*time.Second {
		t.Fatalf("CEA after %v: %+v", time.Since(began), cea)
	}
	old.Ended()
	if a := assign(conn, private); a == nil || a.Number(foreign.ResultCode) != 2001 {
		t.Errorf("SAA: %+v", a)
	}
}

// TestSilentSockets: one address that opens all possible connections, and is silent, locks no configured peer out.
func TestSilentSockets(t *testing.T) {
	c := settings(t)
	c.Diameter.MaxConnections = 8
	c.Diameter.Peers = []diameter.Peer{{Host: "scscf." + home, Realm: home}, {Host: "icscf." + home, Realm: home}}
	h := start(t, c)
	address := h.built.Node.Addresses()[0].String()

	flood := &foreign.Peer{T: t, Host: "flood." + home, Realm: home}
	for range 32 {
		flood.Silent("127.0.0.1", address)
	}

	for _, name := range []string{"scscf.", "icscf."} {
		peer := &foreign.Peer{T: t, Host: name + home, Realm: home, Capabilities: foreign.Applications(cx.Application.ID)}
		if _, cea := peer.DialFrom("127.0.0.2", address); cea == nil || cea.Number(foreign.ResultCode) != 2001 {
			t.Errorf("CEA to %s: %+v", peer.Host, cea)
		}
	}
}
