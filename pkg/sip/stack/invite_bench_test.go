package stack_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// BenchmarkInvite is a call through one proxy, as seen by the proxy: INVITE, 100, 180, 200 and ACK in, the same out. The other sides
// write and read octets, so that only the proxy is measured.
func BenchmarkInvite(b *testing.B) {
	n := newNetwork()
	proxy := n.stack(b, proxyAt, relay(nil))
	caller, callee := n.peer(b, callerAt), n.peer(b, calleeAt)

	// An INVITE of a handset's size.
	more := "Supported: 100rel, timer, precondition, path\r\n" +
		"Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, MESSAGE, REFER, NOTIFY, INFO\r\n" +
		"P-Asserted-Identity: <sip:001010000000001@ims.mnc001.mcc001.3gppnetwork.org>\r\nSession-Expires: 1800;refresher=uac\r\n" +
		"P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000001\r\nUser-Agent: Benchmark\r\n" +
		"Accept-Contact: *;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel\"\r\n"
	invite := caller.text("INVITE", "sip:b@"+calleeAt, "BRANCH", more)
	ack := caller.text("ACK", "sip:b@"+calleeAt, "ACKBRANCH")

	b.ReportAllocs()
	b.ResetTimer()

	for i := range b.N {
		id := fmt.Sprint(i)
		caller.send(proxy, strings.ReplaceAll(invite, "BRANCH", id))
		request := callee.Octets(time.Minute)
		for _, line := range []string{"SIP/2.0 180 Ringing\r\n", "SIP/2.0 200 OK\r\n"} {
			callee.send(proxy, line+answerTo(request))
			if got := caller.Octets(time.Minute); !bytes.HasPrefix(got, []byte(line)) {
				b.Fatalf("%s came, want %s", got, line)
			}
		}
		caller.send(proxy, strings.ReplaceAll(ack, "BRANCH", id))
		if got := callee.Octets(time.Minute); !bytes.HasPrefix(got, []byte("ACK")) {
			b.Fatalf("%s came, want ACK", got)
		}
	}
}

// answerTo returns the header fields that a response copies from its request.
func answerTo(request []byte) string {
	var answer strings.Builder

	for line := range bytes.Lines(request) {
		for _, name := range []string{"Via:", "From:", "To:", "Call-ID:", "CSeq:", "Record-Route:"} {
			if bytes.HasPrefix(line, []byte(name)) {
				if name == "To:" {
					line = append(bytes.TrimSpace(line), ";tag=callee\r\n"...)
				}
				answer.Write(line)
			}
		}
	}

	answer.WriteString("Contact: <sip:b@" + calleeAt + ">\r\nContent-Length: 0\r\n\r\n")

	return answer.String()
}
