package core

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// The S-CSCF is killed in the midst of a call and started again: the BYE passes, and what was used is charged.
func TestSCSCFKilledInACall(t *testing.T) {
	n := network.Start(t)
	alice, bob := n.Subscribe(1000, ""), n.Subscribe(0, "")
	a, b := n.Registered(alice, nil), n.Registered(bob, nil)
	answered := n.Answering(b)

	call, err := a.Dial(t.Context(), bob.Tel())
	if err != nil {
		t.Fatal(err)
	}
	other := <-answered

	n.AwaitKept(alice, bob)
	n.Kill("scscf")
	n.Run("scscf")
	if _, reserved := n.Balance(alice); reserved == 0 {
		t.Fatal("the reservation of a call that goes on is gone")
	}

	if err := call.HangUp(t.Context()); err != nil {
		t.Errorf("BYE: %v", err)
	}
	<-other.Ended()
	n.Await("the settlement", func() bool { _, reserved := n.Balance(alice); return reserved == 0 })
	if balance, _ := n.Balance(alice); balance >= 1000 || balance < 970 {
		t.Errorf("balance %d after a call of some seconds at 1 each", balance)
	}
}

// The P-CSCF is killed in the midst of calls and started again with what it keeps: nobody registers again, either side hangs up,
// and new calls reach both (TS 24.229 §5.2.6).
func TestPCSCFKilledInCalls(t *testing.T) {
	data := "DIALTONE_PCSCF_DATA=" + t.TempDir()
	n := network.Start(t, data)
	alice, bob, carol := n.Subscribe(1000, ""), n.Subscribe(1000, ""), n.Subscribe(1000, "")
	a, b, c := n.Registered(alice, nil), n.Registered(bob, nil), n.Registered(carol, nil)
	answeredB, answeredC := n.Answering(b), n.Answering(c)

	toBob, err := a.Dial(t.Context(), bob.Tel())
	if err != nil {
		t.Fatal(err)
	}
	bobs := <-answeredB

	if _, err := b.Dial(t.Context(), carol.Tel()); err != nil {
		t.Fatal(err)
	}
	carols := <-answeredC

	n.Kill("pcscf")
	n.Run("pcscf", data)

	if err := toBob.HangUp(t.Context()); err != nil {
		t.Errorf("the caller's BYE: %v", err)
	}
	<-bobs.Ended()

	if err := carols.HangUp(t.Context()); err != nil {
		t.Errorf("the callee's BYE: %v", err)
	}

	n.Await("both settlements", func() bool {
		_, first := n.Balance(alice)
		_, second := n.Balance(bob)

		return first == 0 && second == 0
	})

	again, err := c.Dial(t.Context(), bob.Tel())
	if err != nil {
		t.Fatalf("a call after the restart: %v", err)
	}
	<-answeredB

	if err := again.HangUp(t.Context()); err != nil {
		t.Error(err)
	}

	// The P-CSCF watches the registrations again: one that the network takes away ends there, too.
	n.HSS("DELETE", "/subscribers/"+carol.IMSI, nil, nil)
	n.Await("the registration to end", func() bool {
		_, err := c.Dial(t.Context(), bob.Tel())
		return network.Status(err) == 403
	})
}

// After a restart of the P-CSCF a dialog is no way to send messages for nothing: in one that never was none passes, and in a call that is
// over who sends pays.
func TestNoFreeMessagesAfterARestart(t *testing.T) {
	data := "DIALTONE_PCSCF_DATA=" + t.TempDir()
	n := network.Start(t, data)
	alice, bob := n.Subscribe(1000, ""), n.Subscribe(1000, "")

	var ofCall []string // route set of the callee
	invented := false
	a := n.Registered(alice, nil)
	b := n.Registered(bob, func(c *handset.Config) {
		c.Answer = func(r *sip.Response) { ofCall = sip.Values(r, "Record-Route") }
		c.Alter = func(r *sip.Request) {
			if r.Method != "MESSAGE" {
				return
			}
			routes := ofCall
			if invented { // past the call, by the Service-Route
				own := slices.IndexFunc(ofCall, func(route string) bool { return strings.Contains(route, "call-") })
				routes = append(slices.Clone(ofCall[:own]), sip.Values(r, "Route")...)
			}
			r.Recipient = sip.Uri{Scheme: "sip", User: "alice", Host: a.Address().Addr().String(), Port: int(a.Address().Port())}
			sip.Set(r, "To", "<"+alice.Tel()+">;tag=invented")
			sip.Set(r, "Route", strings.Join(routes, ", "))
		}
	})
	answered := n.Answering(b)

	call, err := a.Dial(t.Context(), bob.Tel())
	if err != nil {
		t.Fatal(err)
	}
	<-answered
	if err := call.HangUp(t.Context()); err != nil {
		t.Fatal(err)
	}

	n.Kill("pcscf")
	n.Run("pcscf", data)

	invented = true
	if response, err := b.Message(t.Context(), alice.Tel(), "free"); err != nil || response.StatusCode != 403 {
		t.Errorf("a MESSAGE in an invented dialog: %v %v", response, err)
	}

	invented = false
	if response, err := b.Message(t.Context(), alice.Tel(), "paid"); err != nil || response.StatusCode != 200 {
		t.Fatalf("a MESSAGE in a call that is over: %v %v", response, err)
	}
	if m := <-a.Messages(); string(m.Body) != "paid" {
		t.Errorf("alice got %q", m.Body)
	}
	n.Await("the debit", func() bool { balance, reserved := n.Balance(bob); return reserved == 0 && balance == 990 })
}

// The S-CSCF is killed while a message is on its way for which money is reserved: it is given back when the S-CSCF is there again, not by
// the supervision of the OCS.
func TestSCSCFKilledInAMessage(t *testing.T) {
	n := network.Start(t)
	alice, bob := n.Subscribe(100, ""), n.Subscribe(0, "")
	a, b := n.Registered(alice, nil), n.Registered(bob, nil)

	where := net.UDPAddrFromAddrPort(b.Address())
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	silent, err := net.ListenUDP("udp", where) // a handset that takes what comes, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()

	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = a.Message(ctx, bob.Tel(), "hello")
	}()
	defer func() { cancel(); <-sent }()

	if err := silent.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := silent.ReadFrom(make([]byte, 1<<16)); err != nil {
		t.Fatal(err)
	}
	if balance, reserved := n.Balance(alice); reserved != 10 {
		t.Fatalf("balance %d, reserved %d, while the message is on its way", balance, reserved)
	}

	n.Kill("scscf")
	n.Run("scscf")
	n.Await("the return", func() bool { balance, reserved := n.Balance(alice); return reserved == 0 && balance == 100 })
}
