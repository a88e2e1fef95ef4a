package gm

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// phone is a handset over TCP.
type phone struct {
	t      *testing.T
	conn   net.Conn
	reader *bufio.Reader
}

func (d *desk) dial() *phone {
	d.t.Helper()
	conn, err := d.network.Dial(context.Background(), netip.MustParseAddrPort("10.0.0.1:49152"), netip.MustParseAddrPort(gmAddress))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })

	return &phone{d.t, conn, bufio.NewReader(conn)}
}

func (p *phone) send(lines ...string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, strings.Join(lines, "\r\n")+"\r\nContent-Length: 0\r\n\r\n"); err != nil {
		p.t.Fatal(err)
	}
}

// next returns the start line of the next message without a body.
func (p *phone) next() (head string) {
	p.t.Helper()
	for {
		line, err := p.reader.ReadString('\n')
		if err != nil {
			p.t.Fatal(err)
		}
		if line == "\r\n" {
			return head
		}
		head += line
	}
}

// request returns the next message, which must be a request with this method.
func (p *phone) request(method string) *sip.Request {
	p.t.Helper()
	head := p.next()
	m, err := sip.ParseMessage([]byte(head + "\r\n"))
	if err != nil {
		p.t.Fatalf("%v:\n%s", err, head)
	}
	r, ok := m.(*sip.Request)
	if !ok || string(r.Method) != method {
		p.t.Fatalf("want a %s, got\n%s", method, head)
	}

	return r
}

func (d *desk) registerByTCP(p *phone) {
	d.t.Helper()
	p.send(
		d.request(
			"REGISTER",
			"sip:ims.example",
			"Via: SIP/2.0/TCP 10.0.0.1:5060;rport;branch="+sip.NewBranch(),
			"To: <"+alice+">",
			authorization,
			"Contact: <sip:alice@10.0.0.1:5064;transport=tcp>",
		)...)
	r := d.icscf.Request("REGISTER")
	d.icscf.Answer(r, 200, "Contact: "+sip.Value(r, "Contact")+";expires=600", "Service-Route: <"+route+">", "P-Associated-URI: <"+alice+">")
	if head := p.next(); !strings.HasPrefix(head, "SIP/2.0 200") {
		d.t.Fatalf("got\n%s", head)
	}
}

func TestOverTCP(t *testing.T) {
	t.Run("requests to the handset come over its connection", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			p := d.dial()
			d.registerByTCP(p)
			d.toAlice("OPTIONS")
			if head := p.next(); !strings.HasPrefix(head, "OPTIONS ") {
				t.Errorf("got\n%s", head)
			}
		})
	})

	t.Run("RFC 5626 §4.4.1 two line ends are answered by one", func(t *testing.T) {
		withDesk(t, nil, func(t *testing.T, d *desk) {
			p := d.dial()
			d.registerByTCP(p)
			for range 3 {
				if _, err := io.WriteString(p.conn, "\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				pong := make([]byte, 2)
				if _, err := io.ReadFull(p.reader, pong); err != nil || string(pong) != "\r\n" {
					t.Errorf("%q %v", pong, err)
				}
			}
		})
	})

	t.Run("a Contact elsewhere is not believed", func(t *testing.T) {
		for contact, want := range map[string]bool{
			"sip:alice@10.0.0.1:5064;transport=tcp": true,
			"sip:alice@10.0.0.1":                    true,
			"sip:alice@192.0.2.99:5060":             false,
			"sip:alice@host.invalid":                false,
			"tel:+1":                                false,
		} {
			b := &binding.Binding{Contact: contact, Flow: stack.Flow{Transport: "TCP", Remote: netip.MustParseAddrPort("10.0.0.1:49152")}}
			if to, got := contacted(b); got != want {
				t.Errorf("%s: %v, want %v", contact, to, want)
			}
		}
	})
}

// TestConnectionGone: if the handset's connection is gone, its Contact gets the request as it came, with one Via of this P-CSCF, and the
// answer finds the way back (RFC 3261 §16.6 8, §16.7 3).
func TestConnectionGone(t *testing.T) {
	for name, end := range map[string]func(*phone){
		"FIN": func(p *phone) { p.conn.Close(); synctest.Wait() },
		"RST": func(p *phone) { memory.Reset(p.conn); synctest.Wait() },
		"FIN when the request is on its way": func(p *phone) {
			go func() { p.next(); p.conn.Close() }()
		},
		"RST when the request is on its way": func(p *phone) {
			go func() { p.next(); memory.Reset(p.conn) }()
		},
	} {
		for _, method := range []string{"OPTIONS", "INVITE", "MESSAGE", "INFO"} {
			t.Run(name+"/"+method, func(t *testing.T) {
				withDesk(t, nil, func(t *testing.T, d *desk) {
					listener, err := d.network.Listen(t.Context(), "10.0.0.1:5064", false)
					if err != nil {
						t.Fatal(err)
					}
					defer listener.Close()

					p := d.dial()
					d.registerByTCP(p)
					end(p)

					to := []string{"To: <" + alice + ">"}
					if method == "INFO" { // in a dialog
						to[0] += ";tag=a"
					}
					d.toAlice(method, to...)

					conn, err := listener.Accept()
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close()

					again := &phone{t, conn, bufio.NewReader(conn)}
					r := again.request(method)
					if vias := r.GetHeaders("Via"); len(vias) != 2 {
						t.Errorf("want a Via of the P-CSCF's and one of the S-CSCF's:\n%s", r)
					}
					if _, err := io.WriteString(conn, sip.NewResponse(r, 200, "").String()); err != nil {
						t.Fatal(err)
					}
					if response := d.scscf.Response(200); len(response.GetHeaders("Via")) != 1 {
						t.Errorf("came back as\n%s", response)
					}
				})
			})
		}
	}
}

// max_bindings: a handset beyond the limit is refused before the core registers it, since it could not be reached.
func TestTooManyHandsets(t *testing.T) {
	withDesk(t, func(c *Config, _ *Options) { c.MaxBindings = 1 }, func(t *testing.T, d *desk) {
		d.register()
		other := d.network.Peer(t, "10.0.0.2:5060")
		other.Send(
			gmAddress,
			d.request(
				"REGISTER",
				"sip:ims.example",
				"Via: SIP/2.0/UDP 10.0.0.2:5060;branch="+sip.NewBranch(),
				"To: <sip:carol@ims.example>",
				"Contact: <sip:carol@10.0.0.2>",
			)...)
		if r := other.Response(503); !strings.Contains(sip.Value(r, "Reason"), "max_bindings") || sip.Value(r, "Retry-After") == "" {
			t.Errorf("the 503 does not say why:\n%s", r)
		}
		d.icscf.Silent()
		d.register() // a refresh
		if n := d.counted("registration", "REGISTER", fmt.Sprint(503)); n != 1 {
			t.Errorf("counted %d times", n)
		}
	})
}
