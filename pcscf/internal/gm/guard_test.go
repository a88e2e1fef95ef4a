package gm

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/agreement"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/protection"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

func withGate(t *testing.T, change func(*protection.Config), test func(t *testing.T, d *desk)) {
	t.Helper()
	withDesk(t, func(_ *Config, o *Options) {
		c := protection.Default()
		if change != nil {
			change(&c)
		}
		o.Guard = protection.New(c, protection.Options{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	}, test)
}

func TestScanner(t *testing.T) {
	withGate(t, nil, func(t *testing.T, d *desk) {
		d.send("OPTIONS", "sip:pcscf.ims.example", "User-Agent: friendly-scanner")
		d.alice.Silent()
		d.send("OPTIONS", "sip:pcscf.ims.example", "User-Agent: a handset")
		d.alice.Response(200)
	})
}

func TestAccessList(t *testing.T) {
	deny := func(c *protection.Config) { c.Deny = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }

	withGate(t, deny, func(t *testing.T, d *desk) {
		for _, method := range []string{"REGISTER", "OPTIONS", "INVITE"} {
			d.send(method, "sip:pcscf.ims.example", authorization)
			d.alice.Response(403)
			if method == "INVITE" {
				d.alice.Send(gmAddress, d.request("ACK", "sip:pcscf.ims.example")...)
			}
		}
		d.icscf.Silent()
		d.scscf.Send(mwAddress, d.request("OPTIONS", "sip:"+mwAddress, "Via: SIP/2.0/UDP 192.0.2.3:5060;branch="+sip.NewBranch())...)
		d.scscf.Response(200) // the core is not looked at
	})
}

// Messages from the core's side are trusted; a handset that gets there must not be.
func TestWhoIsTheCore(t *testing.T) {
	core := func(c *protection.Config) { c.Core = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }

	withGate(t, core, func(t *testing.T, d *desk) {
		d.register()
		route := "Route: <sip:" + d.only().Token + "@" + mwAddress + ";lr>"
		d.alice.Send(mwAddress, d.request("MESSAGE", "sip:alice@"+aliceAt, route, "P-Asserted-Identity: <"+bob+">")...)
		d.alice.Response(403)
		d.alice.Silent() // and the MESSAGE goes nowhere
		d.toAlice("MESSAGE")
		d.alice.Request("MESSAGE")
	})
}

// In clear over UDP, excess messages are ignored; the stated address is served again after the window.
func TestForgedSource(t *testing.T) {
	limit := func(c *protection.Config) { c.Requests, c.RegisteredRequests = 16, 40 }

	t.Run("a stranger", func(t *testing.T) {
		withGate(t, limit, func(t *testing.T, d *desk) {
			for range 16 {
				d.send("MESSAGE", bob)
				d.alice.Response(403)
			}
			for range 60 {
				d.send("MESSAGE", bob)
			}
			d.send("MESSAGE", "urn:service:sos")
			d.alice.Response(403) // heard, and not registered
			synctest.Wait()
			if left := d.alice.All(); len(left) != 0 {
				t.Errorf("what is too much is answered: %v", left)
			}
			time.Sleep(2 * second)
			d.register()
		})
	})

	t.Run("a registered handset has its own allowance, and others behind its address have theirs", func(t *testing.T) {
		withGate(t, limit, func(t *testing.T, d *desk) {
			d.register()
			for range 40 {
				d.send("MESSAGE", bob)
				d.scscf.Answer(d.scscf.Request("MESSAGE"), 200)
				d.alice.Response(200)
			}
			for range 60 { // in its name
				d.send("MESSAGE", bob)
			}
			synctest.Wait()
			if left := d.scscf.All(); len(left) != 0 {
				t.Errorf("what is too much goes on: %v", left)
			}

			other := d.network.Peer(t, "10.0.0.1:5062")
			other.Send(
				gmAddress,
				d.request(
					"REGISTER",
					"sip:ims.example",
					"Via: SIP/2.0/UDP 10.0.0.1:5062;rport;branch="+sip.NewBranch(),
					"Contact: <sip:carol@10.0.0.1:5062>",
					"To: <sip:carol@ims.example>",
				)...)
			d.icscf.Request("REGISTER")

			time.Sleep(2 * second)
			d.send("MESSAGE", bob)
			d.scscf.Request("MESSAGE")
		})
	})

	t.Run("answers to challenges that went to nobody lock nobody out", func(t *testing.T) {
		withGate(t, func(c *protection.Config) { c.Failures = 5 }, func(t *testing.T, d *desk) {
			for range 20 {
				d.send(
					"REGISTER",
					"sip:ims.example",
					"To: <"+alice+">",
					strings.NewReplacer(
						`nonce=""`,
						`nonce="guessed"`,
						`response=""`,
						`response="00112233445566778899aabbccddeeff"`,
					).Replace(
						authorization,
					),
				)
				d.icscf.Answer(d.icscf.Request("REGISTER"), 403, "Reason: SIP")
				d.alice.Response(403)
			}
			d.register()
		})
	})
}

// A connection cannot be forged: a source that sends too much through it is banned.
func TestRateOfAConnection(t *testing.T) {
	withGate(t, func(c *protection.Config) { c.Requests = 16 }, func(t *testing.T, d *desk) {
		flow := stack.Flow{Endpoint: d.proxy.gm[0], Transport: "TCP", Remote: netip.MustParseAddrPort("10.0.0.9:40000")}
		m, err := sip.ParseMessage([]byte(strings.Join(d.request("MESSAGE", bob), "\r\n") + "\r\n\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		dropped := 0
		for range 20 {
			if d.proxy.Screen(flow, m) != nil {
				dropped++
			}
		}
		if dropped != 3 || len(d.proxy.guard.Bans()) != 1 { // the one before them is answered 503
			t.Errorf("%d dropped, bans %v", dropped, d.proxy.guard.Bans())
		}
		time.Sleep(299 * second)
		if d.proxy.Screen(flow, m) == nil {
			t.Error("heard while it is banned")
		}
	})
}

func TestTooManyFailures(t *testing.T) {
	answered := strings.NewReplacer(
		`nonce=""`,
		`nonce="n"`,
		`response=""`,
		`response="00112233445566778899aabbccddeeff"`,
	).Replace(
		authorization,
	)
	const challenge = `WWW-Authenticate: Digest realm="r",nonce="n"`
	five := func(c *protection.Config) { c.Failures = 5 }

	try := func(d *desk, status int, header string, lines ...string) {
		d.t.Helper()
		d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", authorization)
		d.icscf.Answer(d.icscf.Request("REGISTER"), 401, challenge)
		d.alice.Response(401)
		d.send("REGISTER", "sip:ims.example", append([]string{"To: <" + alice + ">"}, lines...)...)
		d.icscf.Answer(d.icscf.Request("REGISTER"), status, header)
		d.alice.Response(status)
	}

	for _, test := range []struct {
		name   string
		status int
		header string
		lines  []string
		locked bool
	}{
		{name: "403", status: 403, header: "Reason: SIP", lines: []string{answered}, locked: true},
		{name: "challenged again", status: 401, header: challenge, lines: []string{answered}, locked: true},
		{name: "first challenges are no failures", status: 401, header: challenge, lines: []string{authorization}},
		{name: "nor is a stale nonce", status: 401, header: challenge + ",stale=true", lines: []string{answered}},
		{
			name:   "nor a SIM that is out of step",
			status: 401,
			header: challenge,
			lines:  []string{strings.Replace(answered, `response=`, `auts="AAAAAAAAAAAAAAAAAAA=",response=`, 1)},
		},
		{name: "nor a network that is ill", status: 480, header: "Reason: SIP", lines: []string{answered}},
	} {
		t.Run(test.name, func(t *testing.T) {
			withGate(t, five, func(t *testing.T, d *desk) {
				for range 5 {
					try(d, test.status, test.header, test.lines...)
				}
				d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", authorization)
				if !test.locked {
					d.icscf.Request("REGISTER")
					return
				}
				r := d.alice.Response(429)
				if r.Reason != "Too Many Requests" || sip.Value(r, "Retry-After") != "300" || !strings.Contains(sip.Value(r, "Reason"), "OPc") {
					t.Errorf("the 429 does not say why:\n%s", r)
				}
				d.icscf.Silent()

				d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", authorization, "Contact: <sip:alice@"+aliceAt+";sos>")
				d.icscf.Request("REGISTER") // TS 24.229 §5.1.6.2: for an emergency
			})
		})
	}

	t.Run("a success begins anew", func(t *testing.T) {
		withGate(t, five, func(t *testing.T, d *desk) {
			for range 3 {
				for range 4 {
					try(d, 403, "Reason: SIP", answered)
				}
				d.register()
			}
		})
	})
}

// For an emergency a user who is locked is challenged and may answer by the SIM, but guesses no passwords.
func TestPasswordOfAnEmergencyRegistration(t *testing.T) {
	const urgent = "Contact: <sip:alice@" + aliceAt + ";sos>"
	answering := func(parameters string) string {
		return `Authorization: Digest username="alice@ims.example",realm="ims.example",nonce="n",uri="sip:ims.example",response="00"` + parameters
	}
	ask := func(d *desk, lines ...string) {
		d.send("REGISTER", "sip:ims.example", append(lines, "To: <"+alice+">")...)
	}
	fail := func(d *desk, contact string) {
		d.t.Helper()
		ask(d, contact, authorization)
		d.icscf.Answer(d.icscf.Request("REGISTER"), 401, `WWW-Authenticate: Digest realm="ims.example",nonce="n",algorithm=MD5`)
		d.alice.Response(401)
		ask(d, contact, answering(""))
		d.icscf.Answer(d.icscf.Request("REGISTER"), 403)
		d.alice.Response(403)
	}

	for _, contact := range []string{urgent, "Contact: <sip:alice@" + aliceAt + ">"} {
		withGate(t, func(c *protection.Config) { c.Failures = 5 }, func(t *testing.T, d *desk) {
			for range 5 {
				fail(d, contact)
			}

			for _, held := range []string{"", ",algorithm=MD5", ",algorithm=SHA-256", ",algorithm=AKA", `,auts="AAAAAAAAAAAAAAAAAAA="`} {
				ask(d, urgent, answering(held))
				d.alice.Response(429)
				d.icscf.Silent()
			}

			for _, passes := range []string{authorization, answering(",algorithm=AKAv1-MD5"), answering(",algorithm=akav2-sha-256")} {
				ask(d, urgent, passes)
				d.icscf.Answer(d.icscf.Request("REGISTER"), 401, `WWW-Authenticate: Digest realm="ims.example",nonce="n",algorithm=MD5`)
				d.alice.Response(401)
			}

			ask(d, urgent)
			d.icscf.Request("REGISTER")
		})
	}
}

func TestOversized(t *testing.T) {
	withGate(t, func(c *protection.Config) { c.MaxBody = 1000 }, func(t *testing.T, d *desk) {
		d.register()
		d.send("MESSAGE", bob, "\n"+strings.Repeat("x", 1001))
		d.alice.Response(513)
		d.send("MESSAGE", bob, "\n"+strings.Repeat("x", 1000))
		d.scscf.Request("MESSAGE")
	})
}

func TestBehindNAT(t *testing.T) {
	for _, test := range []struct {
		name  string
		lines []string
		says  string
	}{
		{"no NAT", nil, ""},
		{"a Contact without an address", []string{"Contact: <sip:4409cbde-1b1b@host.invalid>"}, ""},
		{"a private Contact", []string{"Contact: <sip:alice@192.168.1.7:5060>"}, "Contact says 192.168.1.7"},
		{"a Via of another address", []string{"Via: SIP/2.0/UDP 192.168.1.7:5060;rport;branch=z9hG4bKnat"}, "Via says 192.168.1.7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, nil, func(t *testing.T, d *desk) {
				for i := range 2 { // a refresh does not say it again
					lines := append([]string{"To: <" + alice + ">", authorization}, test.lines...)
					for j := range lines {
						lines[j] = strings.Replace(lines[j], "z9hG4bKnat", fmt.Sprintf("z9hG4bKnat%d", i), 1)
					}
					d.send("REGISTER", "sip:ims.example", lines...)
					r := d.icscf.Request("REGISTER")
					d.icscf.Answer(
						r,
						200,
						"Contact: "+sip.Value(r, "Contact")+";expires=600",
						"Service-Route: <"+route+">",
						"P-Associated-URI: <"+alice+">",
					)
					d.alice.Response(200)
				}

				n := strings.Count(d.log.String(), "behind a NAT")
				if test.says == "" && n != 0 ||
					test.says != "" && (n != 1 || !strings.Contains(d.log.String(), test.says) || !strings.Contains(d.log.String(), "iptables")) {
					t.Errorf("said %d times:\n%s", n, d.log)
				}

				d.toAlice("MESSAGE") // it is served at the address that it really has
				d.alice.Request("MESSAGE")
			})
		})
	}
}

// offering is a Security that offers associations for every challenge.
type offering struct{ Open }

func (offering) Challenge(_ *sip.Request, _ stack.Flow, response *sip.Response, _ agreement.Keys) error {
	sip.Set(response, "Security-Server", "ipsec-3gpp;q=0.1;alg=hmac-sha-1-96;spi-c=4096;spi-s=4097;port-c=6100;port-s=6110")
	return nil
}

// ESP does not pass a NAT (Kamailio_IMS_Config#5): the warning comes with the challenge, since nothing follows it.
func TestESPBehindNAT(t *testing.T) {
	for _, test := range []struct {
		name     string
		security Security
		contact  string
		says     bool
	}{
		{"a private Contact", offering{}, "192.168.1.7:5060", true},
		{"no NAT", offering{}, aliceAt, false},
		{"a private Contact, and no associations", Open{}, "192.168.1.7:5060", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			withDesk(t, func(_ *Config, o *Options) { o.Security = test.security }, func(t *testing.T, d *desk) {
				d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", authorization, "Contact: <sip:alice@"+test.contact+">")
				d.icscf.Answer(
					d.icscf.Request("REGISTER"),
					401,
					`WWW-Authenticate: Digest realm="ims.example",nonce="AAAA==",algorithm=AKAv1-MD5,ck="00",ik="00"`,
				)
				d.alice.Response(401)

				said := strings.Contains(d.log.String(), "will not come by ESP") && strings.Contains(d.log.String(), "Contact says 192.168.1.7")
				if said != test.says || (d.counted("registration", "REGISTER", "ESP behind NAT") == 1) != test.says {
					t.Errorf("said: %t, in\n%s", said, d.log)
				}
			})
		})
	}
}

// RFC 5626 §4.4.1 and handsets: line ends alone keep a NAT open. They are no messages, and do no harm.
func TestKeepAlive(t *testing.T) {
	withGate(t, func(c *protection.Config) { c.Requests = 3 }, func(t *testing.T, d *desk) {
		for range 100 {
			d.alice.Raw(gmAddress, "\r\n\r\n")
			d.alice.Raw(gmAddress, "\r\n")
			d.alice.Raw(gmAddress, "\x00")
		}
		d.alice.Silent()
		d.register()
	})
}
