package core

import (
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// A handset with a Contact of 55 kB is refused, and takes nothing from the others, whose messages go by the same connections.
func TestContactWithoutEnd(t *testing.T) {
	n := network.Start(
		t,
		"DIALTONE_PCSCF_SIP_UDP_SIZE_LIMIT=1",
		"DIALTONE_ICSCF_SIP_UDP_SIZE_LIMIT=1",
		"DIALTONE_SCSCF_SIP_UDP_SIZE_LIMIT=1",
	) // all by TCP
	alice, bob, mallory := n.Subscribe(1000, ""), n.Subscribe(0, ""), n.Subscribe(0, "")
	a := n.Registered(alice, func(c *handset.Config) { c.Transport = "TCP" })
	b := n.Registered(bob, func(c *handset.Config) { c.Transport = "TCP" })
	answered := n.Answering(b)

	call, err := a.Dial(t.Context(), bob.Tel())
	if err != nil {
		t.Fatal(err)
	}
	other := <-answered

	m := n.Handset(mallory, func(c *handset.Config) {
		c.Transport = "TCP"
		c.Alter = func(r *sip.Request) {
			if r.Method == "REGISTER" {
				sip.Set(r, "Contact", sip.Value(r, "Contact")+";x="+strings.Repeat("x", 55_000))
			}
		}
	})
	for range 3 {
		if err := m.Register(t.Context()); network.Status(err) != 513 {
			t.Errorf("got %v, want 513", err)
		}
		if response, err := a.Message(t.Context(), bob.Tel(), "x"); err != nil || response.StatusCode != 200 {
			t.Errorf("another handset: %v %v", response, err)
		}
		if err := b.Register(t.Context()); err != nil {
			t.Errorf("another handset: %v", err)
		}
	}

	if err := call.HangUp(t.Context()); err != nil {
		t.Error(err)
	}
	<-other.Ended()

	for _, function := range []string{"pcscf", "icscf", "scscf"} {
		if metrics := n.Metrics(function); strings.Contains(metrics, `dialtone_sip_retransmissions_total{direction="sent",endpoint="Mw"}`) ||
			strings.Contains(metrics, `dialtone_sip_malformed_total{`) {
			t.Errorf("the %s had to repeat something, or could not read it", function)
		}
	}
}
