package gm

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/corpus"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// player is one handset of the corpus at a desk. Its UDP messages leave from its peer, the rest through one connection.
type player struct {
	*desk
	t        *testing.T
	messages map[string]corpus.Message // by scenario/NNN-…
	source   netip.AddrPort
	peer     *memory.Peer
	conn     net.Conn
	streamed chan string
	number   string
	routes   []string // of the dialog, as the handset has learned them
}

func newPlayer(d *desk, all []corpus.Message, handset string) *player {
	p := &player{desk: d, t: d.t, messages: map[string]corpus.Message{}, streamed: make(chan string, 16)}

	for _, m := range all {
		if m.Handset == handset {
			p.messages[strings.TrimPrefix(m.Name, handset+"/")] = m
		}
	}

	p.source = p.messages["registration/002-REGISTER"].Source
	p.peer = d.network.Peer(d.t, p.source.String())

	conn, err := d.network.Dial(context.Background(), p.source, netip.MustParseAddrPort(gmAddress))
	if err != nil {
		d.t.Fatal(err)
	}

	p.conn = conn
	d.t.Cleanup(func() { conn.Close() })

	go p.read()

	return p
}

// read reads messages from the connection until it ends.
func (p *player) read() {
	reader := bufio.NewReader(p.conn)

	for {
		head, length := "", 0

		for !strings.HasSuffix(head, "\r\n\r\n") {
			line, err := reader.ReadString('\n')
			if err != nil {
				return
			}

			head += line

			if name, value, found := strings.Cut(line, ":"); found && strings.EqualFold(name, "Content-Length") {
				length, _ = strconv.Atoi(strings.TrimSpace(value))
			}
		}

		body := make([]byte, length)
		if _, err := io.ReadFull(reader, body); err != nil {
			return
		}

		p.streamed <- head + string(body)
	}
}

// next returns the next message, other than 100, that reaches the handset.
func (p *player) next() sip.Message {
	p.t.Helper()

	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		raw := ""

		select {
		case raw = <-p.streamed:
		default:
			raw = string(p.peer.Octets(time.Second / 10))
		}

		if raw == "" {
			continue
		}

		m, err := sip.ParseMessage([]byte(raw))
		if err != nil {
			p.t.Fatalf("the handset got what cannot be read: %v\n%s", err, raw)
		}

		if r, ok := m.(*sip.Response); !ok || r.StatusCode != 100 {
			return m
		}
	}

	p.t.Fatal("the handset waited in vain for a message")

	return nil
}

func (p *player) response(status int) *sip.Response {
	p.t.Helper()

	r, ok := p.next().(*sip.Response)
	if !ok || r.StatusCode != status {
		p.t.Fatalf("the handset wants a %d, got\n%s", status, r)
	}

	return r
}

func (p *player) request(method string) *sip.Request {
	p.t.Helper()

	m := p.next()

	r, ok := m.(*sip.Request)
	if !ok || string(r.Method) != method {
		p.t.Fatalf("the handset wants a %s, got\n%s", method, m)
	}

	return r
}

// send sends a request of the corpus. Within a dialog its Route is the one that the handset has learned, in the handset's own spelling.
func (p *player) send(name string) corpus.Message {
	p.t.Helper()

	m, found := p.messages[name]
	if !found {
		p.t.Fatalf("the corpus has no %s", name)
	}

	if raw := string(m.Raw); len(p.routes) > 0 && strings.Contains(raw, ";tag=peer") {
		m.Raw = []byte(rewritten(raw, "Route", p.routes))
	}

	p.write(m)

	return m
}

func (p *player) write(m corpus.Message) {
	p.t.Helper()

	if m.Transport == "UDP" {
		p.peer.Raw(gmAddress, string(m.Raw))
		return
	}

	if _, err := p.conn.Write(m.Raw); err != nil {
		p.t.Fatal(err)
	}
}

// answer sends a response of the corpus to a request that the handset got: Via, Record-Route, From, To, Call-ID and CSeq are the
// request's, written the handset's way. A response goes back the way the request came.
func (p *player) answer(r *sip.Request, name string) corpus.Message {
	p.t.Helper()

	m, found := p.messages[name]
	if !found {
		p.t.Fatalf("the corpus has no %s", name)
	}

	raw := string(m.Raw)
	for _, field := range []string{"Via", "Record-Route", "From", "Call-ID", "CSeq"} {
		raw = rewritten(raw, field, sip.Values(r, field))
	}

	to := sip.Value(r, "To")
	if !strings.Contains(to, ";tag=") {
		to += ";tag=callee"
	}

	m.Raw, m.Transport = []byte(rewritten(raw, "To", []string{to})), r.Via().Transport
	p.write(m)

	return m
}

// rewritten replaces the values of a header field, on one line or on several as they are there. A missing field is not added.
func rewritten(raw, name string, values []string) string {
	head, body, _ := strings.Cut(raw, "\r\n\r\n")

	var lines []string

	done := false

	for _, line := range strings.Split(head, "\r\n") {
		field, value, _ := strings.Cut(line, ": ")
		if field != name {
			lines = append(lines, line)
			continue
		}

		joined := strings.Contains(value, ",")

		switch {
		case done:
		case joined:
			lines = append(lines, name+": "+strings.Join(values, ","))
		default:
			for _, value := range values {
				lines = append(lines, name+": "+value)
			}
		}

		done = true
	}

	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// changed lists the header fields that a P-CSCF may remove, add or change.
var changed = []string{
	"Via", "Max-Forwards", "Route", "Record-Route", "Path", "Require", "Proxy-Require", "Security-Client", "Security-Verify",
	"Max-Breadth",
	"Authorization",
	"P-Preferred-Identity",
	"P-Asserted-Identity",
	"P-Charging-Vector",
	"P-Visited-Network-ID",
	"Content-Length",
}

// same expects that what arrived is what was sent, in its order and to the octet, except what a P-CSCF may change.
func (p *player) same(sent corpus.Message, arrived sip.Message) {
	p.t.Helper()

	fields := func(raw string) []string {
		head, _, _ := strings.Cut(raw, "\r\n\r\n")
		lines := strings.Split(head, "\r\n")[1:]

		return slices.DeleteFunc(lines, func(line string) bool {
			name, _, _ := strings.Cut(line, ":")
			return slices.ContainsFunc(changed, func(c string) bool { return strings.EqualFold(c, name) })
		})
	}

	if sent, arrived := fields(string(sent.Raw)), fields(arrived.String()); !slices.Equal(sent, arrived) {
		p.t.Errorf("it arrived changed\nsent:\n\t%s\narrived:\n\t%s", strings.Join(sent, "\n\t"), strings.Join(arrived, "\n\t"))
	}

	_, body, _ := strings.Cut(string(sent.Raw), "\r\n\r\n")
	if got := string(arrived.Body()); got != body {
		p.t.Errorf("body %q\nwant %q", got, body)
	}

	for _, name := range []string{"P-Preferred-Identity", "Security-Client", "Security-Verify"} {
		if sip.Has(arrived, name) {
			p.t.Errorf("%s goes on into the core", name)
		}
	}
}

func (p *player) registration() {
	p.t.Helper()

	sent := p.send("registration/002-REGISTER")
	r := p.icscf.Request("REGISTER")
	p.same(sent, r)

	msisdn := map[string]string{
		"iphone-11":    "1",
		"iphone-16":    "2",
		"galaxy-a56":   "3",
		"pixel-10a":    "4",
		"moto-xt2417":  "5",
		"crosscall-z5": "6",
	}[sent.Handset]
	p.number = "+1555000" + msisdn
	p.icscf.Answer(r, 200, "Contact: "+sip.Value(r, "Contact")+";expires=3600", "Service-Route: <"+route+">",
		"P-Associated-URI: <sip:"+p.number+"@"+labDomain+">", "P-Associated-URI: <tel:"+p.number+">")
	p.response(200)

	sent = p.send("registration/003-SUBSCRIBE")
	r = p.scscf.Request("SUBSCRIBE")
	p.same(sent, r)
	p.asserted(r)
	p.scscf.Answer(r, 200, "To: "+sip.Value(r, "To")+";tag=scscf1", "Contact: <sip:192.0.2.3:5060>", "Expires: 3600")
	p.response(200)

	subscriber, _, _ := sip.Contacts(r)
	p.toHandset(r, "NOTIFY", subscriber[0].URI, "From: "+sip.Value(r, "To")+";tag=scscf1", "To: "+sip.Value(r, "From"), "Event: reg",
		"Subscription-State: active;expires=3600")

	notify := p.request("NOTIFY")
	p.answer(notify, "registration/004-200-NOTIFY")
	p.scscf.Response(200)
}

// asserted expects that the P-CSCF asserts the identity to the core.
func (p *player) asserted(r *sip.Request) {
	p.t.Helper()
	want(p.t, r, "P-Asserted-Identity", "<sip:"+p.number+"@"+labDomain+">")
}

// toHandset sends a request of the core within the dialog that one of the handset's requests began.
func (p *player) toHandset(began *sip.Request, method, uri string, lines ...string) {
	p.t.Helper()
	p.cseq++

	head := []string{
		method + " " + uri + " SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.3:5060;branch=" + sip.NewBranch(), "Max-Forwards: 69",
		"Call-ID: " + began.CallID().Value(), "CSeq: " + strconv.Itoa(p.cseq) + " " + method, "Contact: <sip:192.0.2.3:5060>",
	}
	for _, record := range sip.Values(began, "Record-Route") {
		head = append(head, "Route: "+record)
	}

	p.scscf.Send(mwAddress, append(head, lines...)...)
}

// learn stores the route set that a response gives the caller (RFC 3261 §12.1.2).
func (p *player) learn(r *sip.Response) {
	p.routes = slices.Clone(sip.Values(r, "Record-Route"))
	slices.Reverse(p.routes)
}

func field(raw, name string) string {
	for _, line := range strings.Split(raw, "\r\n") {
		if found, value, _ := strings.Cut(line, ": "); found == name {
			return value
		}
	}

	return ""
}
