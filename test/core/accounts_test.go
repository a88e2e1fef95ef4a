package core

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/network"
)

// phone is one UDP socket with as many accounts as a test gives it.
type phone struct {
	*testing.T
	conn *net.UDPConn
	cseq int
}

// account is one of a phone's.
type account struct {
	network.Subscriber
	user, password string
}

func (a account) private() string { return a.user + "@" + network.Domain }
func (a account) uri() string     { return "sip:" + a.private() }

// subscribe makes a soft phone's subscriber with money of its own.
func subscribe(n *network.Network, user, msisdn string, balance int64) account {
	n.Helper()

	a := account{Subscriber: network.Subscriber{MSISDN: msisdn, Name: user}, user: user, password: "password of " + user}
	n.HSS(
		"POST",
		"/subscribers",
		map[string]any{"user": user, "msisdn": msisdn, "authentication": map[string]string{"password": a.password}},
		nil,
	)
	n.OCS("POST", "/accounts", map[string]any{"name": user, "balance": balance, "identities": []string{a.uri(), a.Tel()}}, nil)

	return a
}

func (p *phone) contact(user string) string { return "sip:" + user + "@" + p.conn.LocalAddr().String() }

// ask sends a request and gives its final response.
func (p *phone) ask(method, uri, from, to, contact string, more ...string) *sip.Response {
	p.Helper()

	p.cseq++
	lines := append([]string{
		method + " " + uri + " SIP/2.0",
		fmt.Sprintf("Via: SIP/2.0/UDP %s;rport;branch=%s", p.conn.LocalAddr(), sip.NewBranch()),
		"Max-Forwards: 70",
		fmt.Sprintf("From: <%s>;tag=%d", from, p.cseq), "To: <" + to + ">", fmt.Sprintf("Call-ID: %d-%s", p.cseq, p.Name()),
		fmt.Sprintf("CSeq: %d %s", p.cseq, method), "Contact: <" + contact + ">",
	}, more...)
	if _, err := p.conn.Write([]byte(strings.Join(lines, "\r\n") + "\r\nContent-Length: 0\r\n\r\n")); err != nil {
		p.Fatal(err)
	}

	_ = p.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	for buffer := make([]byte, 65536); ; {
		size, err := p.conn.Read(buffer)
		if err != nil {
			p.Fatalf("no answer to %s: %v", method, err)
		}
		m, err := sip.ParseMessage(append([]byte(nil), buffer[:size]...))
		if err != nil {
			p.Fatal(err)
		}
		if r, ok := m.(*sip.Response); ok && !r.IsProvisional() && int(r.CSeq().SeqNo) == p.cseq {
			return r
		}
	}
}

func (p *phone) register(a account) {
	p.Helper()

	home := "sip:" + network.Domain
	challenge, err := digest.ParseChallenge(
		sip.Value(p.ask("REGISTER", home, a.uri(), a.uri(), p.contact(a.user), "Expires: 600"), "WWW-Authenticate"),
	)
	if err != nil {
		p.Fatal(err)
	}
	credentials, err := digest.Answer(challenge, a.private(), []byte(a.password), "REGISTER", home, nil, 1, "cnonce")
	if err != nil {
		p.Fatal(err)
	}
	if r := p.ask("REGISTER", home, a.uri(), a.uri(), p.contact(a.user), "Expires: 600", "Authorization: "+
		credentials.String()); r.StatusCode != 200 {
		p.Fatalf("%s did not register:\n%s", a.user, r)
	}
}

// Two accounts of one soft phone, behind one socket: who sends pays, in whatever order they have registered, and what does not say
// whose it is costs nobody anything.
func TestTwoAccountsBehindOneSocket(t *testing.T) {
	n := network.Start(t)
	office, home := subscribe(n, "office", "15557001", 1000), subscribe(n, "home", "15557002", 1000)
	bob := n.Subscribe(0, "")
	b := n.Registered(bob, nil)
	go func() {
		for {
			select {
			case <-b.Messages():
			case <-t.Context().Done():
				return
			}
		}
	}()

	conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 7, 1)}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 10), Port: 5060})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p := &phone{T: t, conn: conn}
	p.register(office)
	p.register(home)

	balances := map[string]int64{office.user: 1000, home.user: 1000}
	for _, test := range []struct {
		name, contact, from string
		more                []string
		pays                string // "": 403
	}{
		{name: "the first, by its Contact", contact: p.contact("office"), from: office.uri(), pays: "office"},
		{name: "the second, by its Contact", contact: p.contact("home"), from: home.uri(), pays: "home"},
		{
			name:    "the first, by preferred identity",
			contact: p.contact("other"),
			from:    "sip:anonymous@anonymous.invalid",
			more:    []string{"P-Preferred-Identity: <" + office.Tel() + ">"},
			pays:    "office",
		},
		{name: "the second, by From", contact: p.contact("other"), from: home.uri(), pays: "home"},
		{
			name:    "the Contact of one with the identity of the other",
			contact: p.contact("home"),
			from:    home.uri(),
			more:    []string{"P-Preferred-Identity: <" + office.uri() + ">"},
		},
		{name: "neither", contact: p.contact("other"), from: "sip:anonymous@anonymous.invalid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := 200
			if test.pays == "" {
				want = 403
			}
			if r := p.ask("MESSAGE", bob.Tel(), test.from, bob.Tel(), test.contact, test.more...); r.StatusCode != want {
				t.Fatalf("want %d, got\n%s", want, r)
			}
			if test.pays != "" {
				balances[test.pays] -= 10
			}
			for _, a := range []account{office, home} {
				n.Await("what "+a.user+" pays", func() bool {
					balance, reserved := n.Balance(a.Subscriber)
					return reserved == 0 && balance == balances[a.user]
				})
			}
		})
	}
}
