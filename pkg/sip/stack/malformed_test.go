package stack_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// torture has a proxy's answer to each message of RFC 4475; "" is none. 200 is the answer of the callee behind it: the message is passed
// on.
var torture = []struct{ section, name, answer string }{
	{"3.1.1.1", "wsinv", "200 OK"},
	{"3.1.1.2", "intmeth", "400 NUL in the Header Fields"}, // valid, but a NUL in a quoted string ends it for many hops behind
	{"3.1.1.3", "esc01", "200 OK"},
	{"3.1.1.4", "escnull", "200 OK"},
	{"3.1.1.5", "esc02", "200 OK"},
	{"3.1.1.6", "lwsdisp", "200 OK"},
	{"3.1.1.7", "longreq", "200 OK"},
	{"3.1.1.8", "dblreq", "200 OK"}, // octets behind the body are dropped
	{"3.1.1.9", "semiuri", "200 OK"},
	{"3.1.1.10", "transports", "200 OK"},
	{"3.1.1.11", "mpart01", "200 OK"},
	{"3.1.1.12", "unreason", ""}, // a response to nothing that was sent
	{"3.1.1.13", "noreason", ""},
	{"3.1.2.1", "badinv01", "400 Malformed Via"},
	{"3.1.2.2", "clerr", "400 Content-Length Larger Than the Body"},
	{"3.1.2.3", "ncl", "400 Malformed Content-Length"},
	{"3.1.2.4", "scalar02", "400 Malformed CSeq"},
	{"3.1.2.5", "scalarlg", ""}, // a response
	{"3.1.2.6", "quotbal", "400 Malformed To"},
	{"3.1.2.7", "ltgtruri", "400 Malformed Request-URI"},
	{"3.1.2.8", "lwsruri", "400 Malformed Request-Line"},
	{"3.1.2.9", "lwsstart", "400 Malformed Request-Line"},
	{"3.1.2.10", "trws", "400 Malformed Request-Line"},
	{"3.1.2.11", "escruri", "200 OK"},  // headers in the Request-URI: harmless on the way, the callee's to refuse
	{"3.1.2.12", "baddate", "200 OK"},  // nobody on the way reads Date
	{"3.1.2.13", "regbadct", "200 OK"}, // Contact is the registrar's to read
	{"3.1.2.14", "badaspec", "400 Malformed To"},
	{"3.1.2.15", "baddn", "400 Header Fields Without an End"}, // as its file has it
	{"3.1.2.16", "badvers", "505 Version Not Supported"},
	{"3.1.2.17", "mismatch01", "400 CSeq Names Another Method"},
	{"3.1.2.18", "mismatch02", "400 CSeq Names Another Method"},
	{"3.1.2.19", "bigcode", ""}, // a response
	{"3.2.1", "badbranch", "200 OK"},
	{"3.3.1", "insuf", "400 Missing From"},
	{"3.3.2", "unkscm", "200 OK"}, // it can be read; the function decides whether it leads anywhere
	{"3.3.3", "novelsc", "416 Unsupported URI Scheme"},
	{"3.3.4", "unksm2", "200 OK"}, // the scheme of To and From is not the proxy's business
	{"3.3.5", "bext01", "420 Bad Extension"},
	{"3.3.6", "invut", "200 OK"}, // bodies are the callee's
	{"3.3.7", "regaut01", "200 OK"},
	{"3.3.8", "multi01", "400 More Than One CSeq"},
	{"3.3.9", "mcl01", "400 More Than One Content-Length"},
	{"3.3.10", "bcast", ""}, // a response
	{"3.3.11", "zeromf", "483 Too Many Hops"},
	{"3.3.12", "cparam01", "200 OK"},
	{"3.3.13", "cparam02", "200 OK"},
	{"3.3.14", "regescrt", "200 OK"},
	{"3.3.15", "sdp01", "200 OK"},
	{"3.4.1", "inv2543", "200 OK"},
}

// answering returns a user that answers requests which a proxy would pass on.
func answering() *user {
	return &user{request: func(_ context.Context, s *stack.Stack, tx *stack.ServerTransaction) {
		if _, _, refusal := s.Forwardable(tx.Request()); refusal != nil {
			_ = tx.Respond(refusal.Response(tx.Request()))
			return
		}
		_ = tx.Reply(200, "")
	}}
}

func TestRFC4475(t *testing.T) {
	files, err := filepath.Glob("../testdata/rfc4475/*.dat")
	if err != nil || len(files) != len(torture) {
		t.Fatalf("%d files, %d verdicts: %v", len(files), len(torture), err)
	}

	for _, test := range torture {
		t.Run(test.section+" "+test.name, func(t *testing.T) {
			raw, err := os.ReadFile("../testdata/rfc4475/" + test.name + ".dat")
			if err != nil {
				t.Fatal(err)
			}

			within(t, func(t *testing.T, n *network) {
				s := n.stack(t, proxyAt, answering())
				// All answers go to the default port, but for one.
				sender, elsewhere := n.peer(t, "192.0.2.9:5060"), n.peer(t, "192.0.2.9:5050")
				sender.send(s, string(raw))

				got := append(sender.drained(), elsewhere.drained()...)
				if want := "SIP/2.0 " + test.answer; test.answer == "" && len(got) != 0 || test.answer != "" && strings.Join(got, ", ") != want {
					t.Errorf("answered by %q, want %q", got, test.answer)
				}

				time.Sleep(time.Hour)
				s.empty(t)
			})
		})
	}
}

// TestMalformedRequests: the answer names the fault, and finds its request (RFC 3261 §16.3 1, §18.3, §21.4.1).
func TestMalformedRequests(t *testing.T) {
	tests := []struct {
		name, old, new string
		answer         string
	}{
		{"§18.3 a body cut short", "Content-Length: 0", "Content-Length: 50", "400 Content-Length Larger Than the Body"},
		{"§18.3 a length that is none", "Content-Length: 0", "Content-Length: many", "400 Malformed Content-Length"},
		{"§8.1.1.5 CSeq without a number", "CSeq: 1", "CSeq: x", "400 Malformed CSeq"},
		{"§8.1.1.5 CSeq without a method", "CSeq: 1 MESSAGE", "CSeq: 1", "400 Malformed CSeq"},
		{"§8.1.1.5 no CSeq", "CSeq: 1 MESSAGE\r\n", "", "400 Missing CSeq"},
		{"§8.1.1.4 no Call-ID", "Call-ID: 1\r\n", "", "400 Missing Call-ID"},
		{"§8.1.1.3 no From", "From: <sip:a@example>;tag=1\r\n", "", "400 Missing From"},
		{"§8.1.1.3 From that does not end", "From: <sip:a@example>;tag=1", "From: <sip:a@example;tag=1", "400 Malformed From"},
		{"§19.3 a tag in quotes", "tag=1", `tag="q q"`, "400 Malformed From Tag"},
		{"§19.3 a tag in quotes, of To", "To: <sip:b@example>", `To: <sip:b@example>;tag="q"`, "400 Malformed To Tag"},
		{"§8.1.1.2 no To", "To: <sip:b@example>\r\n", "", "400 Missing To"},
		{"§8.1.1.2 two To", "To: <sip:b@example>", "To: <sip:b@example>\r\nt: <sip:c@example>", "400 More Than One To"},
		{"§8.1.1.6 Max-Forwards that is none", "Max-Forwards: 70", "Max-Forwards: -1", "400 Malformed Max-Forwards"},
		{"§8.1.1.6 Max-Forwards beyond all", "Max-Forwards: 70", "Max-Forwards: 99999999999", "400 Malformed Max-Forwards"},
		{"§7.3.1 folded, and malformed", "CSeq: 1 MESSAGE", "CSeq:\r\n x", "400 Malformed CSeq"},
		{"§8.1.1.1 no Request-URI", "sip:b@example ", "", "400 Malformed Request-Line"},
		{"§8.1.1.1 a Request-URI without a host", "sip:b@example ", "sip: ", "400 Malformed Request-URI"},
		{"§8.2.2.1 a scheme that nobody knows", "sip:b@example ", "soap.beep://192.0.2.103:3002 ", "416 Unsupported URI Scheme"},
		{"§25.1 a bare LF", "Call-ID: 1", "Call-ID: 1\nX: y", "400 Bare LF in the Header Fields"},
		{"§25.1 a bare CR", "Call-ID: 1", "Call-ID: 1\rX: y", "400 Bare CR in the Header Fields"},
		{"§7.3.1 the headers do not end", "\r\n\r\n", "\r\n", "400 Header Fields Without an End"},
		{"§7.2 a response", "MESSAGE sip:b@example SIP/2.0\r\n", "SIP/2.0 200 OK\r\nX: y\r\nCSeq: x\r\n", ""},
		{"§17.1.1.3 ACK is never answered", "MESSAGE", "ACK", ""},
		{"§8.1.1.7 no Via to answer by", "Via: SIP/2.0/UDP", "Via: ", ""},
		{"garbage", "MESSAGE sip:b@example SIP/2.0", "hello", ""},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			within(t, func(t *testing.T, n *network) {
				s, sender := n.stack(t, proxyAt, answering()), n.peer(t, callerAt)

				text := strings.ReplaceAll(sender.text("MESSAGE", "sip:b@example", "1"), test.old, test.new)
				if test.name == "§17.1.1.3 ACK is never answered" {
					text = strings.Replace(text, "CSeq: 1", "CSeq: x", 1)
				}
				sender.send(s, text)
				got := string(sender.already())

				if test.answer == "" && got != "" || test.answer != "" && !strings.HasPrefix(got, "SIP/2.0 "+test.answer+"\r\n") {
					t.Errorf("answered by\n%s\nwant %q", got, test.answer)
				}
				if test.answer != "" && !strings.Contains(got, "\r\nVia: SIP/2.0/UDP "+callerAt+";branch=z9hG4bK1\r\n") {
					t.Errorf("the answer has not the Via of its request:\n%s", got)
				}

				sender.send(s, sender.text("MESSAGE", "sip:b@example", "2")) // and the next is served
				sender.response(200)
				time.Sleep(time.Hour)
				s.empty(t)
			})
		})
	}
}

// TestBranchOfTheCookieAlone: a branch of the magic cookie alone does not distinguish transactions (RFC 4475 §3.2.1).
func TestBranchOfTheCookieAlone(t *testing.T) {
	within(t, func(t *testing.T, n *network) {
		s, sender := n.stack(t, proxyAt, answering()), n.peer(t, callerAt)
		text := sender.text("MESSAGE", "sip:b@example", "")

		sender.send(s, strings.Replace(text, "Call-ID: ", "Call-ID: one", 1))
		sender.response(200)
		sender.send(s, strings.Replace(text, "Call-ID: ", "Call-ID: two", 1))
		if r := sender.response(200); r.CallID().Value() != "two" {
			t.Errorf("the second request was taken for the first: %s", r.CallID().Value())
		}
	})
}
