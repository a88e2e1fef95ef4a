package core

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// TestTrust: what a handset says of itself goes no further than the P-CSCF (TS 24.229 §5.2.6.3).
func TestTrust(t *testing.T) {
	n := network.Start(t)
	n.HSS("PUT", "/service-profiles/seen", map[string]any{"name": "seen", "filter_criteria": []any{map[string]any{
		"priority": 1, "application_server": map[string]any{"server_name": "sip:127.0.0.20:5060", "default_handling": 0},
		"trigger": map[string]any{"cnf": 1, "service_points": []any{map[string]any{"groups": []int{0}, "method": "MESSAGE"}}},
	}}}, nil)

	as := serve(t, "127.0.0.20:5060")
	alice, bob := n.Subscribe(1000, "seen"), n.Subscribe(0, "")
	preferred := ""
	a := n.Registered(alice, func(c *handset.Config) {
		c.Alter = func(r *sip.Request) {
			if r.Method != "MESSAGE" {
				return
			}
			sip.Set(r, "P-Preferred-Identity", "<"+preferred+">")
			sip.Add(r, "p-asserted-identity", "<"+bob.Tel()+">")
			sip.Add(r, "P-Charging-Vector", `icid-value="forged"`)
			sip.Add(r, "P-Served-User", "<"+bob.Tel()+">;sescase=orig")
			sip.Set(r, "Route", "<sip:127.0.0.14:5060;lr>") // past the S-CSCF
		}
	})
	n.Registered(bob, nil)

	for _, test := range []struct{ name, preferred, asserted string }{
		{"an identity of the user's is asserted", alice.Tel(), alice.Tel()},
		{"another's is not: the default one is", bob.Tel(), "sip:+" + alice.MSISDN + "@" + network.Domain},
	} {
		t.Run(test.name, func(t *testing.T) {
			preferred = test.preferred
			response, err := a.Message(t.Context(), bob.Tel(), "x")
			if err != nil || response.StatusCode != 200 {
				t.Fatalf("%v %v", response, err)
			}

			r := as.last()
			if got := sip.Values(r, "P-Asserted-Identity"); len(got) == 0 || got[0] != "<"+test.asserted+">" ||
				strings.Contains(strings.Join(got, " "), bob.MSISDN) {
				t.Errorf("P-Asserted-Identity %v, want <%s> first and nothing of bob's", got, test.asserted)
			}
			if got := sip.Value(r, "P-Charging-Vector"); strings.Contains(got, "forged") || !strings.Contains(got, "icid-value=") {
				t.Errorf("P-Charging-Vector %s", got)
			}
			if got := sip.Value(r, "P-Served-User"); strings.Contains(got, bob.MSISDN) {
				t.Errorf("P-Served-User %s", got)
			}
			if sip.Has(r, "P-Preferred-Identity") {
				t.Error("P-Preferred-Identity goes on into the core")
			}
		})
	}

	t.Run("a source that is not registered: 403", func(t *testing.T) {
		conn, err := net.DialUDP(
			"udp",
			&net.UDPAddr{IP: net.IPv4(127, 0, 9, 9)},
			net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.10:5060")),
		)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()

		_, err = conn.Write(
			[]byte("MESSAGE " + bob.Tel() + " SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.9.9;rport;branch=z9hG4bKtrust\r\nMax-Forwards: 70\r\n" +
				"From: <" + alice.Tel() + ">;tag=1\r\nTo: <" + bob.Tel() + ">\r\nCall-ID: trust\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n"),
		)
		if err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 4096)
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		size, err := conn.Read(answer)
		if err != nil || !strings.HasPrefix(string(answer[:size]), "SIP/2.0 403") {
			t.Errorf("%s %v", answer[:size], err)
		}
	})
}
