package border_test

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dialtone-ims/dialtone/pkg/border"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// nobody handles nothing.
type nobody struct{ t *testing.T }

func (n nobody) HandleRequest(context.Context, *stack.ServerTransaction) {
	n.t.Error("a stranger is heard")
}
func (n nobody) HandleAck(context.Context, *stack.Ack) { n.t.Error("a stranger's ACK is heard") }

// A telephone that follows its Service-Route by itself is told what to do; a flood is not answered.
func TestStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const scscf = "192.0.2.1:5060"

		network, registry := memory.New(), prometheus.NewRegistry()
		core := border.Core{netip.MustParsePrefix("192.0.2.0/24")}

		stack, err := stack.New(stack.DefaultConfig(stack.EndpointConfig{Name: "SIP", Address: scscf, Transports: []string{"udp"}}), nobody{t},
			stack.Options{Network: network, Metrics: registry, Screen: core.Screen(nil)})
		if err != nil {
			t.Fatal(err)
		}

		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- stack.Run(ctx) }()

		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()

		phone := network.Peer(t, "198.51.100.1:5060")
		send := func(first, method string, number int) {
			phone.Send(
				scscf,
				first,
				"Via: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK"+strconv.Itoa(number),
				"From: <sip:a@a>;tag=1",
				"To: <sip:b@b>",
				"Call-ID: "+strconv.Itoa(number),
				"CSeq: 1 "+method,
				"Max-Forwards: 70",
			)
		}

		send("INVITE sip:b@b SIP/2.0", "INVITE", 1)
		if got := sip.Value(
			phone.Response(403),
			"Reason",
		); got != `SIP;cause=403;text="this is the core side: set the P-CSCF as outbound proxy"` {
			t.Errorf("Reason: %s", got)
		}
		send("ACK sip:b@b SIP/2.0", "ACK", 1)
		send("SIP/2.0 200 OK", "INVITE", 1)
		phone.Silent()

		time.Sleep(time.Second) // synctest's time
		for i := range 100 {
			send("MESSAGE sip:b@b SIP/2.0", "MESSAGE", 2+i)
		}
		for range 10 {
			phone.Response(403)
		}
		phone.Silent()

		time.Sleep(time.Second)
		send("MESSAGE sip:b@b SIP/2.0", "MESSAGE", 1000)
		phone.Response(403)

		const counted = "# HELP dialtone_sip_refused_total Messages and connections refused, by reason.\n" +
			"# TYPE dialtone_sip_refused_total counter\ndialtone_sip_refused_total{reason=\"screen\"} 103\n"
		if err := testutil.GatherAndCompare(registry, strings.NewReader(counted), "dialtone_sip_refused_total"); err != nil {
			t.Error(err)
		}
	})
}
