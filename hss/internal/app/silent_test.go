package app

import (
	"fmt"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/test/foreign"
)

const (
	registrationTermination = 304
	serverAssignment        = 301

	userName, publicIdentity, serverName, assignmentType, dataAvailable = 1, 601, 602, 614, 624
)

// assign makes a foreign S-CSCF register a user.
func assign(c *foreign.Conn, private string) *foreign.Message {
	const v = cx.VendorID

	return c.Call(
		&foreign.Message{
			Flags:       foreign.Request | foreign.Proxiable,
			Command:     serverAssignment,
			Application: cx.Application.ID,
			AVPs: []foreign.AVP{
				foreign.Text(foreign.SessionID, 0, c.Peer.Host+";1;"+private),
				foreign.Group(260, 0, foreign.Number(foreign.VendorID, 0, v), foreign.Number(foreign.AuthApplication, 0, cx.Application.ID)),
				foreign.Number(277, 0, 1), // NO_STATE_MAINTAINED
				foreign.Text(
					foreign.OriginHost,
					0,
					c.Peer.Host,
				), foreign.Text(foreign.OriginRealm, 0, c.Peer.Realm), foreign.Text(foreign.DestinationRealm, 0, home),
				foreign.Text(
					userName,
					0,
					private,
				), foreign.Text(publicIdentity, v, "sip:"+private), foreign.Text(serverName, v, "sip:"+c.Peer.Host+":5060"),
				foreign.Number(assignmentType, v, uint32(cx.AssignRegistration)), foreign.Number(dataAvailable, v, 0),
			},
		},
	)
}

// TestSilentServer: RTRs and PPRs of one S-CSCF wait in its own line. An S-CSCF that receives them and is silent delays nobody else.
func TestSilentServer(t *testing.T) {
	const users = 40

	c := settings(t)
	c.Diameter.RequestTimeout = time.Minute // that long is each of the silent one's requests out
	h := start(t, c)

	silent := &foreign.Peer{T: t, Host: "silent." + home, Realm: home, Capabilities: foreign.Applications(cx.Application.ID)}
	conn, cea := silent.Dial(h.built.Node.Addresses()[0].String())
	if cea == nil || cea.Number(foreign.ResultCode) != 2001 {
		t.Fatalf("CEA: %+v", cea)
	}

	for i := range users {
		private := h.add(fmt.Sprintf("0010100000001%02d", i), fmt.Sprintf("1555100%02d", i))
		if a := assign(conn, private); a == nil || a.Number(foreign.ResultCode) != 2001 {
			t.Fatalf("SAA: %+v", a)
		}
	}

	other := connect(t, h, "scscf")
	private := h.add("001010000000001", "15550001")
	other.register(private, "sip:"+private)

	for i := range users {
		h.api("DELETE", fmt.Sprintf("/subscribers/0010100000001%02d/registration", i), nil, nil)
	}
	silent.Await("its first RTR", func(came []foreign.Message) bool { return len(came) > 0 })

	for range 3 {
		h.api("DELETE", "/subscribers/001010000000001/registration", nil, nil)
		other.pushed(1)
		want(t, "outcome", h.finished().State, subscriber.PushDelivered)
		other.register(private, "sip:"+private)
	}

	if came := silent.Requests(); len(came) != 1 || came[0].Command != registrationTermination {
		t.Errorf("%d requests came to the silent one, want the first RTR alone", len(came))
	}

	var list provisioning.PushList
	h.api("GET", "/pushes", nil, &list)
	pending := 0
	for _, push := range list.Pushes {
		if push.State == subscriber.PushPending {
			pending++
		}
	}
	want(t, "what waits for the silent one", pending, users)
}
