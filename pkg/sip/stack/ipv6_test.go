package stack_test

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

func six(c *stack.Config) { c.Endpoints[0].Address = "[::1]:0" }

// TestCallOverIPv6: a call over IPv6, and the addresses in its messages (RFC 5118).
func TestCallOverIPv6(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			invites, acks := make(chan *sip.Request, 1), make(chan *sip.Request, 1)
			callee := start(t, &user{
				request: func(_ context.Context, s *stack.Stack, tx *stack.ServerTransaction) {
					invites <- sip.Copy(tx.Request())
					_ = tx.Reply(200, "", sip.NewHeader("Contact", "<"+uri(s, "bob", transport)+">"))
				},
				ack: func(_ context.Context, _ *stack.Stack, ack *stack.Ack) { acks <- ack.Request },
			}, six)
			proxy, caller := start(t, relay(nil), six), start(t, &user{}, six)

			invite := request(t, "INVITE", uri(callee, "bob", transport), proxy)
			r, err := caller.Do(t.Context(), invite, stack.Destination{})
			if err != nil || r.StatusCode != 200 {
				t.Fatalf("%v %v", r, err)
			}

			came := <-invites
			at := func(s *stack.Stack) string { return "[::1]:" + strconv.Itoa(int(s.Endpoint("Mw").Address().Port())) }

			if got, want := sip.Value(came, "Record-Route"), "<sip:"+at(proxy)+";lr>"; got != want {
				t.Errorf("Record-Route is %s, want %s", got, want)
			}

			for i, s := range []*stack.Stack{proxy, caller} { // §4.1: in brackets; a sent-by that is the source needs no received
				via := came.GetHeaders("Via")[i].Value()
				if !strings.Contains(via, " "+at(s)+";branch=") || strings.Contains(via, "received") {
					t.Errorf("Via %d is %s, want %s", i, via, at(s))
				}
			}

			dialog, err := sip.NewDialogUAC(invite, r)
			if err != nil {
				t.Fatal(err)
			}
			ack, err := dialog.NewAck(invite.CSeq().SeqNo)
			if err != nil {
				t.Fatal(err)
			}
			if err := caller.SendStateless(t.Context(), ack, stack.Destination{}); err != nil {
				t.Fatal(err)
			}

			if ack := <-acks; sip.Has(ack, "Route") || ack.Recipient.Host != "[::1]" && ack.Recipient.Host != "::1" {
				t.Errorf("the ACK came as\n%s", ack)
			}
		})
	}
}

// TestReceivedOverIPv6: received and rport of IPv6 (RFC 3581 §4, RFC 5118 §4.5).
func TestReceivedOverIPv6(t *testing.T) {
	s := start(t, answering(), six)

	tests := []struct{ name, sentBy, want string }{
		{"its own address", "[::1]:%p", "SIP/2.0/UDP [::1]:%p;branch=z9hG4bKx"},
		{"its own address, written out", "[0:0:0:0:0:0:0:1]:%p", "SIP/2.0/UDP [0:0:0:0:0:0:0:1]:%p;branch=z9hG4bKx"},
		{"§4.5 another", "[2001:db8::9]:%p", "SIP/2.0/UDP [2001:db8::9]:%p;branch=z9hG4bKx;received=::1"},
		{"a name", "handset.example:%p", "SIP/2.0/UDP handset.example:%p;branch=z9hG4bKx;received=::1"},
		{"RFC 3581 another, and rport", "[2001:db8::9]:9;rport", "SIP/2.0/UDP [2001:db8::9]:9;branch=z9hG4bKx;received=::1;rport=%p"},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("[::1]:0")))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()

			port := strconv.Itoa(c.LocalAddr().(*net.UDPAddr).Port)
			host, parameters, _ := strings.Cut(strings.ReplaceAll(test.sentBy, "%p", port), ";")
			if parameters != "" {
				parameters = ";" + parameters
			}
			text := "OPTIONS sip:b@example SIP/2.0\r\nVia: SIP/2.0/UDP " + host + ";branch=z9hG4bKx" + parameters +
				"\r\nMax-Forwards: 70\r\nFrom: <sip:a@example>;tag=1\r\nTo: <sip:b@example>\r\nCall-ID: " + test.name +
				"\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
			if _, err := c.WriteToUDPAddrPort([]byte(text), s.Endpoint("Mw").Address()); err != nil {
				t.Fatal(err)
			}

			b := make([]byte, 2000)
			_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, err := c.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			if want := "Via: " + strings.ReplaceAll(test.want, "%p", port) + "\r\n"; !strings.Contains(string(b[:n]), want) {
				t.Errorf("want %s in\n%s", want, b[:n])
			}
		})
	}
}

// TestDialogBetweenIPVersions: a proxy between IPv6 and IPv4 is in the route twice, so that each side has an address that it reaches (RFC
// 5658); a dialog goes on through it from either side.
func TestDialogBetweenIPVersions(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			proxy := relay(nil)
			proxy.request = func(ctx context.Context, s *stack.Stack, tx *stack.ServerTransaction) {
				out, own, refusal := s.Forwardable(tx.Request())
				if refusal != nil {
					_ = tx.Respond(refusal.Response(tx.Request()))
					return
				}
				if tx.Request().IsInvite() {
					sip.AddRecordRoute(out, s.Endpoint("Gm").URI("token"))
					sip.AddRecordRoute(out, s.Endpoint("Mw").URI("token"))
				} else if len(own) != 2 {
					t.Errorf("%d own routes in %s", len(own), out.Method)
				}
				s.Forward(tx, stack.Plan{Groups: [][]stack.Branch{{{Request: out}}}})
			}
			middle := start(t, proxy, func(c *stack.Config) {
				c.Endpoints = append(c.Endpoints, stack.EndpointConfig{Name: "Gm", Address: "[::1]:0", Transports: []string{"udp", "tcp"}})
			})

			dialogs, acks, byes := make(chan *sip.Dialog, 1), make(chan *stack.Ack, 1), make(chan string, 2)
			answer := func(ctx context.Context, s *stack.Stack, tx *stack.ServerTransaction) {
				r := tx.Request()
				if !r.IsInvite() {
					byes <- tx.Flow().Remote.Addr().String()
					_ = tx.Reply(200, "")
					return
				}
				response := sip.NewResponse(r, 200, "")
				response.AppendHeader(sip.NewHeader("Contact", "<"+uri(s, "bob", transport)+">"))
				dialog, err := sip.NewDialogUAS(r, response)
				if err != nil {
					t.Error(err)
				}
				dialogs <- dialog
				_ = tx.Respond(response)
			}
			callee := start(t, &user{request: answer, ack: func(_ context.Context, _ *stack.Stack, ack *stack.Ack) { acks <- ack }})
			caller := start(t, &user{request: answer}, six)

			invite := request(t, "INVITE", uri(callee, "bob", transport), nil)
			sip.PushRoute(invite, middle.Endpoint("Gm").URI(""))
			sip.Set(invite, "Contact", "<"+uri(caller, "alice", transport)+">")

			r, err := caller.Do(t.Context(), invite, stack.Destination{})
			if err != nil || r.StatusCode != 200 {
				t.Fatalf("%v %v", r, err)
			}

			dialog, err := sip.NewDialogUAC(invite, r)
			if err != nil {
				t.Fatal(err)
			}
			ack, err := dialog.NewAck(invite.CSeq().SeqNo)
			if err != nil {
				t.Fatal(err)
			}
			if err := caller.SendStateless(t.Context(), ack, stack.Destination{}); err != nil {
				t.Fatal(err)
			}
			if got := <-acks; !got.Flow.Remote.Addr().Is4() {
				t.Errorf("the ACK comes from %s", got.Flow.Remote)
			}

			for _, side := range []struct {
				stack  *stack.Stack
				dialog *sip.Dialog
				from   string // as the other side sees it
			}{{caller, dialog, "127.0.0.1"}, {callee, <-dialogs, "::1"}} {
				bye, err := side.dialog.NewRequest("BYE")
				if err != nil {
					t.Fatal(err)
				}
				if r, err := side.stack.Do(t.Context(), bye, stack.Destination{}); err != nil || r.StatusCode != 200 || stack.Local(r) {
					t.Fatalf("%v %v", r, err)
				}
				if got := <-byes; got != side.from {
					t.Errorf("BYE comes from %s, want %s", got, side.from)
				}
			}
		})
	}
}
