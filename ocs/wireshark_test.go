package main_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// capture writes all messages of Ro, each in a TCP connection of its own.
func (o *ocs) capture() string {
	o.Helper()

	name := filepath.Join(o.TempDir(), "ro.pcap")
	file, err := os.Create(name)
	if err != nil {
		o.Fatal(err)
	}
	defer file.Close()

	writer := pcapgo.NewWriter(file)
	if err := writer.WriteFileHeader(1<<16, layers.LinkTypeRaw); err != nil {
		o.Fatal(err)
	}

	o.mu.Lock()
	defer o.mu.Unlock()

	for i, message := range o.all {
		ip := &layers.IPv4{
			Version:  4,
			IHL:      5,
			TTL:      64,
			Protocol: layers.IPProtocolTCP,
			SrcIP:    net.IPv4(127, 0, 0, 1),
			DstIP:    net.IPv4(127, 0, 0, 2),
		}
		tcp := &layers.TCP{SrcPort: layers.TCPPort(40000 + i), DstPort: 3868, Seq: 1, Ack: 1, ACK: true, PSH: true, Window: 65535}
		buffer := gopacket.NewSerializeBuffer()
		if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
			o.Fatal(err)
		}
		if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{
			FixLengths:       true,
			ComputeChecksums: true,
		}, ip, tcp, gopacket.Payload(message)); err != nil {
			o.Fatal(err)
		}
		info := gopacket.CaptureInfo{Timestamp: time.Unix(int64(i), 0), CaptureLength: len(buffer.Bytes()), Length: len(buffer.Bytes())}
		if err := writer.WritePacket(info, buffer.Bytes()); err != nil {
			o.Fatal(err)
		}
	}

	return name
}

func tshark(t *testing.T, arguments ...string) string {
	t.Helper()

	out, err := exec.Command("tshark", arguments...).Output()
	if err != nil {
		t.Fatalf("tshark (apt-get install tshark): %v", err)
	}

	return string(out)
}

var complaint = regexp.MustCompile(`(?i)malformed|expert info|unknown avp|unreassembled`)

// TestRoBeforeWireshark makes another dissector read the OCS's quotas, their ends and the balance.
func TestRoBeforeWireshark(t *testing.T) {
	o := run(
		t,
		"DIALTONE_OCS_CREDIT_THRESHOLD=7s",
		"DIALTONE_OCS_CREDIT_VALIDITY=30m",
		"DIALTONE_OCS_CREDIT_LOW_BALANCE=250",
		"DIALTONE_OCS_CREDIT_SHOW_BALANCE=true",
	)
	o.do("PUT", "/tariffs/standard", map[string]any{
		"name":       "standard",
		"rates":      []any{perSecond},
		"final_unit": map[string]any{"action": "redirect", "redirect_address": "sip:top-up@example.org"},
	}, nil)
	o.do("POST", "/accounts", map[string]any{"name": "alice", "balance": 500, "identities": []string{"tel:+15550001"}}, nil)

	o.send(ccr("nf;1", ro.Initial, 0, seconds(300), nil))
	o.send(ccr("nf;1", ro.Update, 1, seconds(300), seconds(280)))
	o.do("POST", "/accounts/alice/top-up", map[string]any{"amount": 100}, nil)
	asked(o, o.rar)
	o.send(ccr("nf;1", ro.Update, 2, seconds(100), seconds(1)))
	o.send(ccr("nf;1", ro.Terminate, 3, nil, seconds(9)))
	o.send(ccr("nf;2", ro.Update, 1, seconds(1), nil)) // 5002

	file := o.capture()
	if text := tshark(t, "-r", file, "-V"); complaint.MatchString(text) {
		t.Errorf("tshark complains: %s", complaint.FindAllString(text, 5))
	}

	fields := []string{
		"diameter.Result-Code", "diameter.CC-Time", "diameter.Validity-Time", "diameter.Time-Quota-Threshold", "diameter.Final-Unit-Action",
		"diameter.Redirect-Server-Address", "diameter.Low-Balance-Indication", "diameter.Value-Digits",
	}
	arguments := []string{"-r", file, "-Y", "diameter.cmd.code == 272 && diameter.flags.request == 0", "-T", "fields", "-E", "separator=|"}
	for _, field := range fields {
		arguments = append(arguments, "-e", field)
	}

	want := []string{
		"2001,2001|300|1800|7|||0|500",
		"2001,2001|220|1800||1|sip:top-up@example.org|1|220",
		"2001,2001|100|1800|7|||0|319",
		"2001||||||0|290,310",
		"5002|||||||",
	}
	if got := strings.Split(strings.TrimSpace(tshark(t, arguments...)), "\n"); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the answers are, by %s,\n%s\nwant\n%s", strings.Join(fields, " "), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	if got := strings.Fields(tshark(t, "-r", file, "-Y", "diameter.cmd.code == 258", "-T", "fields", "-e", "diameter.Session-Id", "-e",
		"diameter.Re-Auth-Request-Type", "-e", "diameter.Result-Code")); strings.Join(
		got,
		" ",
	) != "nf;1 0 nf;1 2002" {
		t.Errorf("RAR and RAA are %q", got)
	}
}
