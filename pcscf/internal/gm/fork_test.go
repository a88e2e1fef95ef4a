package gm

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// A user with two handsets, one of which is off: the request forks before it comes here, so both copies have one Call-ID and one
// tag. However often that is, and however it ends, nothing is left of it at either.
func TestForkToTwoHandsets(t *testing.T) {
	withDesk(t, func(c *Config, _ *Options) { c.MaxDialogs = 10 }, func(t *testing.T, d *desk) {
		d.register()
		first := d.only().Token
		second := d.network.Peer(t, "10.0.0.2:5060")
		second.Send(
			gmAddress,
			d.request(
				"REGISTER",
				"sip:ims.example",
				"Via: SIP/2.0/UDP 10.0.0.2:5060;branch="+sip.NewBranch(),
				"To: <"+alice+">",
				authorization,
				"Contact: <sip:alice@10.0.0.2>",
			)...)
		d.icscf.Answer(
			d.icscf.Request("REGISTER"),
			200,
			"Contact: <sip:alice@10.0.0.2>;expires=600000",
			"Service-Route: <"+route+">",
			"P-Associated-URI: <"+alice+">",
		)
		second.Response(200)

		var off string
		for _, b := range d.proxy.bindings.All() {
			if b.Token != first {
				off = b.Token
			}
		}

		for i := range 50 {
			callID := fmt.Sprintf("Call-ID: fork-%d", i)
			for _, token := range []string{first, off} {
				d.scscf.Send(
					mwAddress,
					d.request(
						"INVITE",
						"sip:alice@"+aliceAt,
						"Via: SIP/2.0/UDP 192.0.2.3:5060;branch=z9hG4bK"+token+fmt.Sprint(i),
						"From: <"+bob+">;tag=b",
						"To: <"+alice+">",
						"Contact: <sip:bob@192.0.2.99>",
						"Route: <sip:"+token+"@"+mwAddress+";lr>",
						callID,
						"CSeq: 1 INVITE",
					)...)
			}
			invite := d.alice.Request("INVITE")
			d.alice.Answer(invite, 200, "To: <"+alice+">;tag=a", "Contact: <sip:alice@"+aliceAt+">")
			d.scscf.Response(200)
			if i%2 == 0 { // the S-CSCF cancels; nothing was heard of the handset that is off
				d.scscf.Send(
					mwAddress,
					d.request("CANCEL", "sip:alice@"+aliceAt, "Via: SIP/2.0/UDP 192.0.2.3:5060;branch=z9hG4bK"+off+fmt.Sprint(i), "From: <"+bob+">;tag=b",
						"To: <"+alice+">", "Route: <sip:"+off+"@"+mwAddress+";lr>", callID, "CSeq: 1 CANCEL")...)
			}
			d.scscf.Send(
				mwAddress,
				d.request("BYE", "sip:alice@"+aliceAt, "Via: SIP/2.0/UDP 192.0.2.3:5060;branch="+sip.NewBranch(), "From: <"+bob+">;tag=b",
					"To: <"+alice+">;tag=a", "Route: <sip:"+first+"@"+mwAddress+";lr>", callID, "CSeq: 2 BYE")...)
			d.alice.Answer(d.alice.Request("BYE"), 200)
			time.Sleep(time.Minute)
			d.scscf.All()
			second.All()
			d.register()
		}
		synctest.Wait()
		if n := d.proxy.dialogs.Len(); n != 0 {
			t.Errorf("%d dialogs are left", n)
		}
		for range 10 { // and neither has fewer places than before
			d.call()
		}
	})
}

// A callee that answers two early dialogs and loses one, at the caller's P-CSCF: the lost one ends 64*T1 after the answer (RFC 3261
// §13.2.2.4), not when it might have stopped ringing.
func TestLostForkOfTheCaller(t *testing.T) {
	withDesk(t, nil, func(t *testing.T, d *desk) {
		d.register()
		d.send("INVITE", bob)
		invite := d.scscf.Request("INVITE")
		records := sip.Values(invite, "Record-Route")
		for _, tag := range []string{"b1", "b2"} {
			d.scscf.Answer(
				invite,
				183,
				"Record-Route: "+records[0],
				"Record-Route: "+records[1],
				"To: <"+bob+">;tag="+tag,
				"Contact: <sip:bob@198.51.100.7>",
			)
			d.alice.Response(183)
		}
		d.scscf.Answer(
			invite,
			200,
			"Record-Route: "+records[0],
			"Record-Route: "+records[1],
			"To: <"+bob+">;tag=b1",
			"Contact: <sip:bob@198.51.100.7>",
		)
		d.alice.Response(200)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := d.proxy.dialogs.Len(); n != 1 {
			t.Errorf("%d dialogs, want the one that was answered", n)
		}
	})
}
