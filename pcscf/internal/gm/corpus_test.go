package gm

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/corpus"
)

const labDomain = "ims.mnc001.mcc001.3gppnetwork.org"

// TestHandsets plays messages of real handsets, as they shape them, through a P-CSCF: a registration, the reg event, a call each way, a
// call given up, one declined, a short message, the end. Whatever the P-CSCF need not change arrives as it was sent.
func TestHandsets(t *testing.T) {
	messages := corpus.Load(t)

	for _, handset := range []string{"iphone-11", "iphone-16", "galaxy-a56", "pixel-10a", "moto-xt2417", "crosscall-z5"} {
		t.Run(handset, func(t *testing.T) {
			settle := func(c *Config, _ *Options) { c.HomeDomain, c.Interrogator = labDomain, "sip:icscf.ims.example" }

			withDesk(t, settle, func(t *testing.T, d *desk) {
				p := newPlayer(d, messages, handset)
				p.registration()
				p.callOut()
				p.cancelled()
				p.callIn()
				p.declined()
				p.message()
				p.deregistration()
			})
		})
	}
}

const callee = "Contact: <sip:6d1e0a52@10.45.0.9:5090>"

// routed answers as the S-CSCF forwards a callee's response: with itself in the route, behind the P-CSCF.
func (p *player) routed(r *sip.Request, status int, lines ...string) {
	p.t.Helper()

	lines = append(lines, "Record-Route: <sip:192.0.2.3:5060;lr>")
	for _, record := range sip.Values(r, "Record-Route") {
		lines = append(lines, "Record-Route: "+record)
	}

	p.scscf.Answer(r, status, lines...)
}

func (p *player) callOut() {
	p.t.Helper()
	p.routes = nil

	sent := p.send("call-out/001-INVITE")
	invite := p.scscf.Request("INVITE")
	p.same(sent, invite)
	p.asserted(invite)

	to := "To: " + sip.Value(invite, "To") + ";tag=peer"
	p.routed(invite, 183, to, callee, "Require: 100rel", "RSeq: 1")
	p.learn(p.response(183))

	for _, name := range []string{"call-out/002-PRACK", "call-out/003-UPDATE"} {
		sent = p.send(name)
		r := p.scscf.Request(strings.SplitAfter(name, "-")[2])
		p.same(sent, r)
		p.scscf.Answer(r, 200, callee)
		p.response(200)
	}

	p.routed(invite, 200, to, callee)
	p.response(200)

	sent = p.send("call-out/004-ACK")
	p.same(sent, p.scscf.Request("ACK"))

	sent = p.send("call-out/005-BYE")
	r := p.scscf.Request("BYE")
	p.same(sent, r)
	p.scscf.Answer(r, 200)
	p.response(200)
	p.routes = nil
}

// cancelled gives a call up as on loss of the bearer: the CANCEL has a Reason, and with some handsets a body.
func (p *player) cancelled() {
	p.t.Helper()

	p.send("cancel/001-INVITE")
	invite := p.scscf.Request("INVITE")
	to := "To: " + sip.Value(invite, "To") + ";tag=peer"
	p.routed(invite, 183, to, callee)
	p.response(183)

	sent := p.send("cancel/002-CANCEL")
	p.response(200)

	cancel := p.scscf.Request("CANCEL")
	p.scscf.Answer(cancel, 200)

	reason := field(string(sent.Raw), "Reason")
	if got := sip.Value(cancel, "Reason"); got != reason {
		p.t.Errorf("RFC 3326: the CANCEL goes on with Reason %q, want %q", got, reason)
	}

	p.scscf.Answer(invite, 487, to)
	p.scscf.Request("ACK")
	p.response(487)
	p.send("cancel/003-ACK")
	p.scscf.Silent()
}

// invite calls the handset, by the Path of its registration.
func (p *player) invite(callID string) *sip.Request {
	p.t.Helper()
	p.cseq++
	b := p.only()
	p.scscf.Send(
		mwAddress,
		"INVITE "+b.Contact+" SIP/2.0",
		"Via: SIP/2.0/UDP 192.0.2.3:5060;branch="+sip.NewBranch(),
		"Max-Forwards: 66",
		"Route: <"+p.proxy.mw.URI(b.Token)+";lr>",
		"Record-Route: <sip:192.0.2.3:5060;lr>",
		"From: <tel:+15550009>;tag=caller",
		"To: <sip:"+p.number+"@"+labDomain+">",
		"Call-ID: "+callID,
		"CSeq: "+strconv.Itoa(p.cseq)+" INVITE",
		"Contact: <sip:caller@192.0.2.3:5060>",
		"P-Asserted-Identity: <tel:+15550009>",
		"P-Called-Party-ID: <sip:"+p.number+"@"+labDomain+">",
	)

	return p.request("INVITE")
}

func (p *player) callIn() {
	p.t.Helper()

	invite := p.invite("in-1")
	p.answer(invite, "call-in/001-100-INVITE")
	sent := p.answer(invite, "call-in/002-183-INVITE")
	progress := p.scscf.Response(183)
	p.shown(sent, progress)

	routes := sip.Values(progress, "Record-Route")

	within := func(method string, lines ...string) *sip.Request {
		p.cseq++

		head := []string{
			method + " " + p.only().Contact + " SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.3:5060;branch=" + sip.NewBranch(), "Max-Forwards: 66",
			"From: <tel:+15550009>;tag=caller", "To: " + sip.Value(progress, "To"), "Call-ID: in-1", "CSeq: " + strconv.Itoa(p.cseq) + " " + method,
		}
		for i := len(routes) - 1; i >= 0; i-- {
			if !strings.Contains(routes[i], "192.0.2.3") {
				head = append(head, "Route: "+routes[i])
			}
		}

		p.scscf.Send(mwAddress, append(head, lines...)...)

		return p.request(method)
	}

	p.answer(within("PRACK", "RAck: 1 1 INVITE"), "call-in/003-200-PRACK")
	p.shown(corpus.Message{}, p.scscf.Response(200))

	sent = p.answer(within("UPDATE", "Contact: <sip:caller@192.0.2.3:5060>"), "call-in/004-200-UPDATE")
	p.shown(sent, p.scscf.Response(200))

	sent = p.answer(invite, "call-in/005-180-INVITE")
	p.shown(sent, p.scscf.Response(180))

	sent = p.answer(invite, "call-in/006-200-INVITE")
	p.shown(sent, p.scscf.Response(200))

	p.cseq++
	p.scscf.Send(
		mwAddress,
		"ACK "+p.only().Contact+" SIP/2.0",
		"Via: SIP/2.0/UDP 192.0.2.3:5060;branch="+sip.NewBranch(),
		"Max-Forwards: 66",
		"From: <tel:+15550009>;tag=caller",
		"To: "+sip.Value(progress, "To"),
		"Call-ID: in-1",
		"CSeq: "+strconv.Itoa(int(invite.CSeq().SeqNo))+" ACK",
		"Route: <"+p.proxy.mw.URI(p.only().Token)+";lr>",
	)
	p.request("ACK")

	bye := p.messages["call-in/007-BYE"]
	bye.Raw = []byte(
		strings.Replace(rewritten(rewritten(string(bye.Raw), "Route", sip.Values(invite, "Record-Route")), "Call-ID", []string{"in-1"}),
			"BYE sip:caller@10.45.0.9:5090", "BYE sip:caller@192.0.2.3:5060", 1),
	)
	p.write(bye)

	r := p.scscf.Request("BYE")
	p.same(bye, r)
	p.scscf.Answer(r, 200)
	p.response(200)
}

// shown expects that a response arrives with the handset's own text and body, and without anything of its own network.
func (p *player) shown(sent corpus.Message, arrived *sip.Response) {
	p.t.Helper()

	if sip.Has(arrived, "P-Preferred-Identity") {
		p.t.Error("P-Preferred-Identity goes on into the core in a response")
	}

	if sent.Raw == nil {
		return
	}

	status, _, _ := strings.Cut(string(sent.Raw), "\r\n")
	if got, _, _ := strings.Cut(arrived.String(), "\r\n"); got != status {
		p.t.Errorf("%q, want %q", got, status)
	}

	_, body, _ := strings.Cut(string(sent.Raw), "\r\n\r\n")
	if got := string(arrived.Body()); got != body {
		p.t.Errorf("body %q\nwant %q", got, body)
	}

	for _, name := range []string{"Contact", "Reason", "RSeq", "Require", "Session-Expires"} {
		if got, want := strings.Join(sip.Values(arrived, name), ","), field(string(sent.Raw), name); got != want &&
			strings.ReplaceAll(got, ",", ", ") != want {
			p.t.Errorf("%s: %s\nwant %s", name, got, want)
		}
	}
}

func (p *player) declined() {
	p.t.Helper()

	for _, name := range slices.Sorted(maps.Keys(p.messages)) {
		if !strings.HasPrefix(name, "declined/") || strings.HasSuffix(name, "BYE") {
			continue
		}

		invite := p.invite(name)
		sent := p.answer(invite, name)
		p.request("ACK")
		status, _ := strconv.Atoi(strings.Split(name, "-")[1])
		p.shown(sent, p.scscf.Response(status))
		p.scscf.Send(mwAddress, "ACK "+p.only().Contact+" SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.3:5060;branch="+sip.NewBranch(), "Max-Forwards: 66",
			"From: <tel:+15550009>;tag=caller", "To: "+sip.Value(invite, "To"), "Call-ID: "+name, "CSeq: 999 ACK")
		synctest.Wait()
	}
}

func (p *player) message() {
	p.t.Helper()

	sent := p.send("message/001-MESSAGE")
	r := p.scscf.Request("MESSAGE")
	p.same(sent, r)
	p.asserted(r)
	p.scscf.Answer(r, 202)
	p.response(202)
}

func (p *player) deregistration() {
	p.t.Helper()

	sent := p.send("deregistration/001-REGISTER")
	r := p.icscf.Request("REGISTER")
	p.same(sent, r)
	p.icscf.Answer(r, 200, "Expires: 0")
	p.response(200)

	if b := p.only(); b.Registered || b.Ended == "" {
		p.t.Errorf("the registration goes on: %+v", b)
	}
}
