package core

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/network"
)

// avp is one of Diameter (RFC 6733 §4.1), with the M bit.
func avp(code uint32, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, code)
	b = binary.BigEndian.AppendUint32(b, 0x40000000|uint32(8+len(data)))
	b = append(b, data...)

	return append(b, make([]byte, (4-len(b)%4)%4)...)
}

// message is a request of an application.
func message(code, application uint32, avps ...[]byte) []byte {
	var body []byte
	for _, a := range avps {
		body = append(body, a...)
	}
	b := binary.BigEndian.AppendUint32(nil, 0x01000000|uint32(20+len(body)))
	b = binary.BigEndian.AppendUint32(b, 0x80000000|code)
	b = binary.BigEndian.AppendUint32(b, application)

	return append(append(b, 0, 0, 0, 1, 0, 0, 0, 1), body...)
}

// answered reads one Diameter message, or the end of the connection.
func answered(conn net.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	head := make([]byte, 4)
	if _, err := io.ReadFull(conn, head); err == nil {
		_, _ = io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(head)&0xffffff)-4)
	}
}

// No label of any function comes from the wire unchecked: methods, statuses, commands, results, peers, realms and paths that nobody has
// heard of make no time series of their own.
func TestLabels(t *testing.T) {
	n := network.Start(t)
	const invented = 40

	for name, at := range map[string]string{
		"Gm":     "127.0.0.10:5060",
		"Mw":     "127.0.0.10:5070",
		"I-CSCF": "127.0.0.11:5060",
		"S-CSCF": "127.0.0.12:5060",
	} {
		conn, err := net.Dial("udp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()

		for i := range invented {
			_, err := fmt.Fprintf(
				conn,
				"INVENTED%d sip:x@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=%s\r\nMax-Forwards: 70\r\nFrom: <sip:invented%d@x>;tag=1\r\n"+
					"To: <sip:x@x>\r\n"+
					"Call-ID: %s-%d\r\nCSeq: 1 INVENTED%d\r\nEvent: invented%d\r\nP-Asserted-Identity: <sip:invented%d@x>\r\nContent-Length: 0\r\n\r\n",
				i,
				network.Domain,
				conn.LocalAddr(),
				sip.NewBranch(),
				i,
				name,
				i,
				i,
				i,
				i,
			)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(40 * time.Second))
			if _, err := conn.Read(make([]byte, 65536)); err != nil {
				t.Fatalf("%s does not answer: %v", name, err)
			}
			// A response to nothing.
			_, _ = fmt.Fprintf(
				conn,
				"SIP/2.0 %d Invented\r\nVia: SIP/2.0/UDP %s;branch=%s\r\nFrom: <sip:x>;tag=1\r\nTo: <sip:x>;tag=2\r\nCall-ID: %d\r\n"+
					"CSeq: 1 INVENTED%d\r\nContent-Length: 0\r\n\r\n",
				620+i,
				at,
				sip.NewBranch(),
				i,
				i,
			)
		}
	}

	for _, at := range []string{"127.0.0.13:3868", "127.0.0.14:3868"} {
		for i := range invented {
			conn, err := net.Dial("tcp", at)
			if err != nil {
				t.Fatal(err)
			}
			host, realm := avp(264, fmt.Appendf(nil, "invented%d.example", i)), avp(296, fmt.Appendf(nil, "invented%d", i))
			_, _ = conn.Write(
				message(
					257,
					0,
					host,
					realm,
					avp(257, []byte{0, 1, 127, 0, 0, 1}),
					avp(266, make([]byte, 4)),
					avp(269, []byte("invented")),
					avp(258, []byte{0xff, 0xff, 0xff, 0xff}),
				),
			)
			answered(conn)
			_, _ = conn.Write(
				message(
					uint32(8_000_000+i),
					uint32(16_000_000+i),
					avp(263, []byte("invented;1")),
					host,
					realm,
					avp(283, fmt.Appendf(nil, "invented%d", i)),
				),
			)
			answered(conn)
			conn.Close()
		}
	}

	for _, function := range []string{"pcscf", "icscf", "scscf", "hss", "ocs"} {
		for i, admin := range []string{"10", "11", "12", "13", "14"} {
			request, err := http.NewRequestWithContext(
				t.Context(),
				fmt.Sprint("INVENTED", i),
				"http://127.0.0."+admin+":9090/invented"+function,
				nil,
			)
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
		}
	}

	for _, function := range []string{"pcscf", "icscf", "scscf", "hss", "ocs"} {
		t.Run(function, func(t *testing.T) {
			series := map[string]int{}
			for line := range strings.Lines(n.Metrics(function)) {
				if strings.HasPrefix(line, "#") {
					continue
				}
				if lower := strings.ToLower(line); strings.Contains(lower, "invented") || strings.Contains(line, `"80000`) ||
					strings.Contains(line, `"62`) ||
					strings.Contains(line, `"63`) {
					t.Errorf("a stranger has made a series: %s", line)
				}
				name, _, _ := strings.Cut(line, "{")
				if series[name]++; series[name] > invented && !strings.HasSuffix(name, "_bucket") {
					t.Errorf("more than %d series of %s", invented, name)
				}
			}
			if len(series) < 20 {
				t.Errorf("only %d metrics were read", len(series))
			}
		})
	}
}
