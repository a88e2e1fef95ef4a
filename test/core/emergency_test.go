package core

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// An emergency call reaches its centre whatever else is dead, and costs nothing (TS 24.229 §5.2.10); without a centre it goes nowhere.
func TestEmergencyCallWithADeadCore(t *testing.T) {
	n := network.Start(t, `DIALTONE_PCSCF_EMERGENCY_PSAPS={"sos": "sip:psap@127.0.0.25:5060"}`)

	psap, err := handset.New(handset.Config{
		IMSI: "psap", Domain: network.Domain, Transport: "UDP", Address: netip.MustParseAddrPort("127.0.0.25:5060"),
		Proxy: netip.MustParseAddrPort("127.0.0.10:5070"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer psap.Close()

	answered := n.Answering(psap)
	alice := n.Subscribe(0, "") // without money
	a := n.Registered(alice, nil)

	call := func(target string, byCentre bool) {
		t.Helper()

		c, err := a.Dial(t.Context(), target)
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}

		other := <-answered

		first, last := c, other
		if byCentre {
			first, last = other, c
		}

		if err := first.HangUp(t.Context()); err != nil {
			t.Errorf("%s: hanging up: %v", target, err)
		}
		<-last.Ended()
	}

	call("urn:service:sos.police", false)
	call("tel:112", true)

	if balance, reserved := n.Balance(alice); balance != 0 || reserved != 0 {
		t.Errorf("the emergency calls were charged: balance %d, reserved %d", balance, reserved)
	}

	for _, function := range []string{"hss", "ocs", "scscf", "icscf"} {
		n.Kill(function)
	}

	call("urn:service:sos", false)
	call("tel:911", true)

	if log := n.Log("pcscf"); strings.Count(log, `msg="emergency call answered"`) != 4 {
		t.Errorf("the log has not each of the four calls:\n%s", log)
	}
	if m := n.Metrics("pcscf"); !strings.Contains(m, `dialtone_pcscf_emergency_calls_total{outcome="200",sender="registered"} 4`) {
		t.Error("the calls are not counted")
	}
}

// By default there is no centre, and a breakout for all numbers is no way out.
func TestEmergencyCallWithoutACentre(t *testing.T) {
	n := network.Start(t, `DIALTONE_SCSCF_SESSIONS_NUMBERS_BREAKOUT={"": "sip:127.0.0.24:5060;lr"}`)
	gateway := serve(t, "127.0.0.24:5060")
	a := n.Registered(n.Subscribe(1000, ""), nil)

	for _, target := range []string{
		"urn:service:sos", "tel:112", "tel:911;phone-context=" + network.Domain, "sip:112@" + network.Domain + ";user=phone",
	} {
		if _, err := a.Dial(t.Context(), target); err == nil || !strings.Contains(err.Error(), "emergency.psaps") {
			t.Errorf("%s: %v", target, err)
		}
	}

	if got := gateway.last(); got != nil {
		t.Errorf("the gateway got\n%s", got)
	}
}
