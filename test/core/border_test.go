package core

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/network"
)

// With protection.core, whoever reaches a port of the core is not heard there: nobody pays for what a stranger says in his name. And
// no handset reaches into the core by a Request-URI.
func TestBorder(t *testing.T) {
	const core = "_PROTECTION_CORE=[127.0.0.8/29]"

	n := network.Start(t, "DIALTONE_PCSCF"+core, "DIALTONE_ICSCF"+core, "DIALTONE_SCSCF"+core)
	alice, bob := n.Subscribe(1000, ""), n.Subscribe(0, "")
	a, b := n.Registered(alice, nil), n.Registered(bob, nil)
	answered := n.Answering(b)

	call, err := a.Dial(t.Context(), bob.Tel())
	if err != nil {
		t.Fatal(err)
	}
	other := <-answered
	if err := call.HangUp(t.Context()); err != nil {
		t.Error(err)
	}
	<-other.Ended()
	n.Await("the settlement", func() bool { _, reserved := n.Balance(alice); return reserved == 0 })
	before, _ := n.Balance(alice)

	for function, at := range map[string]string{"pcscf": "127.0.0.10:5070", "icscf": "127.0.0.11:5060", "scscf": "127.0.0.12:5060"} {
		t.Run("a stranger at the port of the "+function, func(t *testing.T) {
			conn, err := net.Dial("udp", at)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()

			_, err = fmt.Fprintf(
				conn,
				"MESSAGE %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=%s\r\nMax-Forwards: 70\r\nRoute: <sip:orig@127.0.0.12:5060;lr>\r\n"+
					"From: <%s>;tag=1\r\nTo: <%s>\r\nCall-ID: stranger-%s\r\nCSeq: 1 MESSAGE\r\nP-Asserted-Identity: <%s>\r\nContent-Length: 0\r\n\r\n",
				bob.Tel(),
				conn.LocalAddr(),
				sip.NewBranch(),
				alice.Tel(),
				bob.Tel(),
				function,
				alice.Tel(),
			)
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			answer := make([]byte, 4096)
			if read, err := conn.Read(answer); err != nil || !strings.HasPrefix(string(answer[:read]), "SIP/2.0 403 ") ||
				!strings.Contains(string(answer[:read]), `text="this is the core side: set the P-CSCF as outbound proxy"`) {
				t.Errorf("%v, answered\n%s", err, answer[:read])
			}
			n.Await("the request to be dropped", func() bool {
				return strings.Contains(n.Metrics(function), `dialtone_sip_refused_total{reason="screen"} 1`)
			})
		})
	}

	for _, target := range []string{
		"sip:x@127.0.0.13:3868;transport=tcp",
		"sip:x@127.0.0.14:9090",
		"sip:x@127.0.0.12:5060",
		"sip:x@icscf." + network.Domain,
	} {
		t.Run("a handset calls "+target, func(t *testing.T) {
			response, err := a.Message(t.Context(), target, "x")
			if network.Status(err) != 403 && (response == nil || response.StatusCode != 403) {
				t.Errorf("got %v %v, want 403", response, err)
			}
		})
	}

	if balance, reserved := n.Balance(alice); balance != before || reserved != 0 {
		t.Errorf("balance %d, reserved %d, want %d and nothing", balance, reserved, before)
	}
	select {
	case m := <-b.Messages():
		t.Errorf("a stranger's message came: %s", m.Body)
	default:
	}
}
