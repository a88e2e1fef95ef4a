package app

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/nameserver"
)

// hop is a next hop of the S-CSCF: it reports its requests, and answers as it is told to.
type hop struct {
	address string
	asked   chan string
	answer  func(*stack.ServerTransaction)
}

func startHop(t *testing.T, answer func(*stack.ServerTransaction)) *hop {
	t.Helper()

	h := &hop{asked: make(chan string, 10), answer: answer}
	stack, err := stack.New(
		stack.DefaultConfig(stack.EndpointConfig{Name: "Mw", Address: "127.0.0.1:0", Transports: []string{"udp"}}),
		h,
		stack.Options{},
	)
	if err != nil {
		t.Fatal(err)
	}

	h.address = stack.Endpoint("Mw").Address().String()
	run(t, stack.Run)

	return h
}

func (h *hop) HandleRequest(_ context.Context, tx *stack.ServerTransaction) {
	h.asked <- tx.Request().Recipient.String()
	h.answer(tx)
}

func (*hop) HandleAck(context.Context, *stack.Ack) {}

// TestENUM: numbers that ENUM knows, does not know, and cannot look up (TS 24.229 §5.4.3.2, RFC 6116).
func TestENUM(t *testing.T) {
	const apex = "e164.example"

	icscf := startHop(t, func(tx *stack.ServerTransaction) {
		if tx.Request().Recipient.Scheme == "tel" {
			_ = tx.Reply(404, "", sip.NewHeader("Reason", `Diameter;cause=5001;text="USER_UNKNOWN"`))
			return
		}
		_ = tx.Reply(200, "")
	})
	gateway := startHop(t, func(tx *stack.ServerTransaction) { _ = tx.Reply(200, "") })

	name := func(digits string) string {
		var labels []string
		for _, d := range digits {
			labels = append([]string{string(d)}, labels...)
		}
		return strings.Join(labels, ".") + "." + apex + "."
	}
	server := nameserver.Start(t,
		name("15550002")+` 60 IN NAPTR 10 10 "u" "E2U+sip" "!^\\+(.*)$!sip:\\1@`+home+`!" .`,
		fmt.Sprintf(`%s 60 IN NAPTR 10 10 "u" "E2U+sip" "!^.*$!sip:carol@%s!" .`, name("15550003"), gateway.address),
	)
	server.Deny(name("15550005"), dns.RcodeServerFailure)
	server.Deny(name("49305"), dns.RcodeServerFailure)
	server.Drop(name("15550006"))

	c := start(t, func(c *Config) {
		c.Sessions.Trusted = []string{"127.0.0.1"} // all hops are there
		c.Enum.Apex, c.Enum.Timeout = apex, 300*time.Millisecond
		c.SIP.Resolver.Servers = []string{server.Address}
		c.Sessions.Interrogator = "sip:" + icscf.address
		c.Sessions.Charging.Enabled = false
		c.Sessions.Numbers.Breakout = map[string]string{"+49": "sip:" + gateway.address + ";lr"}
	})
	h := newHandset(t, c)
	wantStatus(t, h.registerFully("Contact: "+h.contact(), "Path: "+h.path()), 200)

	tests := []struct {
		name, number   string
		icscf, gateway string // what they get
		status         int
		log            string
	}{
		{name: "a user of the home network", number: "tel:+1-555-0002", icscf: "sip:15550002@" + home, status: 200},
		{name: "another network", number: "tel:+15550003", gateway: "sip:carol@" + gateway.address, status: 200},
		{name: "nobody's", number: "tel:+15550004", icscf: "tel:+15550004", status: 404},
		{name: "DNS fails, and nobody here has it", number: "tel:+15550005", icscf: "tel:+15550005", status: 404, log: "SERVFAIL"},
		{name: "DNS is silent, and nobody here has it", number: "tel:+15550006", icscf: "tel:+15550006", status: 404, log: "timeout"},
		{name: "DNS fails, and there is a way out", number: "tel:+49305", icscf: "tel:+49305", gateway: "tel:+49305", status: 200},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := h.send(
				"MESSAGE",
				test.number,
				"<"+test.number+">",
				"Route: <sip:orig@"+c.address.String()+";lr>",
				"P-Asserted-Identity: <"+public+">",
			)
			wantStatus(t, r, test.status)

			for hop, want := range map[*hop]string{icscf: test.icscf, gateway: test.gateway} {
				got := ""
				if len(hop.asked) > 0 {
					got = <-hop.asked
				}
				if got != want {
					t.Errorf("the request comes for %q, want %q", got, want)
				}
			}

			if !strings.Contains(c.log.String(), test.log) {
				t.Errorf("the log does not say %q", test.log)
			}
		})
	}
}
