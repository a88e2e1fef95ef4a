package gm

import (
	"testing"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// RFC 5626 §5.3.1, §11.5: 430 tells the S-CSCF that this P-CSCF does not reach a contact any more; that is for the P-CSCF to say.
func TestFlowFailed(t *testing.T) {
	t.Run("a token of before a restart", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.scscf.Send(mwAddress, d.request("INVITE", "sip:alice@"+aliceAt, "Via: SIP/2.0/UDP 192.0.2.3:5060;branch="+sip.NewBranch(),
				"Route: <sip:lost@"+mwAddress+";lr>")...)
			d.scscf.Response(430)
		})
	})

	for contact, status := range map[string]int{
		"sip:alice@192.0.2.99:5060;transport=tcp": 430, // behind a NAT: nothing leads there
		"sip:alice@10.0.0.1:5064;transport=tcp":   500, // nobody listens, but somebody may again
	} {
		t.Run("its connection is gone, Contact "+contact, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				p := d.dial()
				p.send(
					d.request(
						"REGISTER",
						"sip:ims.example",
						"Via: SIP/2.0/TCP 10.0.0.1:5060;rport;branch="+sip.NewBranch(),
						"To: <"+alice+">",
						authorization,
						"Contact: <"+contact+">",
					)...)
				r := d.icscf.Request("REGISTER")
				d.icscf.Answer(r, 200, "Contact: <"+contact+">;expires=600", "Service-Route: <"+route+">", "P-Associated-URI: <"+alice+">")
				p.next()
				p.conn.Close()
				synctest.Wait()
				d.toAlice("MESSAGE")
				d.scscf.Response(status)
			})
		})
	}

	t.Run("a handset that says 430 says 480", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			d.register()
			d.toAlice("MESSAGE")
			d.alice.Answer(d.alice.Request("MESSAGE"), 430)
			d.scscf.Response(480)
		})
	})
}
