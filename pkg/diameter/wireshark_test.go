package diameter_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/fiorix/go-diameter/v4/diam/avp"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
	"github.com/dialtone-ims/dialtone/pkg/diameter/swx"
)

const diameterPort = 3868

// capture writes a capture with each message in a TCP connection of its own.
func capture(t *testing.T, messages [][]byte) string {
	t.Helper()

	name := filepath.Join(t.TempDir(), "diameter.pcap")

	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	writer := pcapgo.NewWriter(file)
	if err := writer.WriteFileHeader(1<<16, layers.LinkTypeRaw); err != nil {
		t.Fatal(err)
	}

	for i, message := range messages {
		ip := &layers.IPv4{
			Version:  4,
			IHL:      5,
			TTL:      64,
			Protocol: layers.IPProtocolTCP,
			SrcIP:    net.IPv4(127, 0, 0, 1),
			DstIP:    net.IPv4(127, 0, 0, 2),
		}
		tcp := &layers.TCP{SrcPort: layers.TCPPort(40000 + i), DstPort: diameterPort, Seq: 1, Ack: 1, ACK: true, PSH: true, Window: 65535}
		buffer := gopacket.NewSerializeBuffer()

		if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
			t.Fatal(err)
		}
		if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{
			FixLengths:       true,
			ComputeChecksums: true,
		}, ip, tcp, gopacket.Payload(message)); err != nil {
			t.Fatal(err)
		}

		info := gopacket.CaptureInfo{Timestamp: time.Unix(int64(i), 0), CaptureLength: len(buffer.Bytes()), Length: len(buffer.Bytes())}
		if err := writer.WritePacket(info, buffer.Bytes()); err != nil {
			t.Fatal(err)
		}
	}

	return name
}

var (
	dissectedAVP = regexp.MustCompile(`AVP: (.+)\((\d+)\) l=\d+ f=(\S+)`)
	complaint    = regexp.MustCompile(`(?i)malformed|expert info|unreassembled`)
	newer        = regexp.MustCompile(`Unknown AVP (\d+) `) // than this tshark; TestDictionariesAgreeWithWireshark has them
)

// avpsOf returns the AVPs of a message in order, groups before their members, as tshark writes them: "601 VM-".
func avpsOf(t *testing.T, d *diameter.Dictionary, b []byte, groups map[wiresharkKey]bool) (avps []string) {
	t.Helper()

	for len(b) > 0 {
		key, flags, header := wiresharkKey{code: binary.BigEndian.Uint32(b)}, b[4], 8
		length := int(binary.BigEndian.Uint32(b[4:]) & 0xFFFFFF)
		shown := []byte("---")

		if flags&avp.Vbit != 0 {
			key.vendor, header, shown[0] = binary.BigEndian.Uint32(b[8:]), 12, 'V'
		}
		if flags&avp.Mbit != 0 {
			shown[1] = 'M'
		}

		avps = append(avps, fmt.Sprintf("%d %s", key.code, shown))
		if groups[key] {
			avps = append(avps, avpsOf(t, d, b[header:length], groups)...)
		}

		b = b[(length+3)&^3:]
	}

	return avps
}

// headers fills octets with values that tshark dissects in turn: some AVPs are header fields of SIP.
type headers struct{ everything }

func (h *headers) octets() []byte { return fmt.Appendf(nil, "<sip:user%d@example.org>", h.number(32)) }

// dissectable sets the values that tshark dissects in turn and that are not text.
func dissectable(c diameter.Commander) diameter.Commander {
	access := func(at *rx.AccessInformation) {
		at.UserLocation = []byte{130, 0, 0xF1, 0x10, 0, 1, 0, 0xF1, 0x10, 0, 0, 1, 1} // TAI and ECGI
		at.TimeZone = []byte{0x40, 0}
		at.ReleaseCauses = [][]byte{{0x10, 36}}
		at.TWANIdentifier = []byte{0, 3, 'l', 'a', 'b'} // an SSID
	}

	switch m := c.(type) {
	case *rx.AAR:
		m.FramedIPAddress = rx.FramedIPv4(netip.MustParseAddr("10.45.0.2"))
		m.FramedIPv6Prefix = rx.FramedIPv6(netip.MustParseAddr("2001:db8::2"))
	case *rx.RAR:
		access(&m.AccessInformation)
	case *rx.STA:
		access(&m.AccessInformation)
	case *sh.UDR:
		m.User.MSISDN = s6a.TBCD("15550001")
	case *sh.PUR:
		m.User.MSISDN = s6a.TBCD("15550001")
	case *sh.SNR:
		m.User.MSISDN = s6a.TBCD("15550001")
	case *sh.PNR:
		m.User.MSISDN = s6a.TBCD("15550001")
	case *s6a.AIR:
		m.VisitedPLMN = []byte{0x00, 0xF1, 0x10}
	case *s6a.ULR:
		m.VisitedPLMN = []byte{0x00, 0xF1, 0x10}
	case *s6a.ULA:
		m.Subscription.MSISDN = s6a.TBCD("15550001")
	case *s6a.IDR:
		m.Subscription.MSISDN = s6a.TBCD("15550001")
	}

	return c
}

// TestTsharkDissectsEveryCommand: tshark dissects every command, with all its fields, without a complaint and into the AVPs intended.
func TestTsharkDissectsEveryCommand(t *testing.T) {
	t.Parallel() // it waits for another program

	d, known := dictionary(t), wireshark(t)
	groups, unknown := map[wiresharkKey]bool{}, map[string]bool{}

	for _, application := range []uint32{
		0, ro.Application.ID, cx.Application.ID, rx.Application.ID, s6a.Application.ID, sh.Application.ID, swx.Application.ID,
	} {
		for _, a := range d.Attributes(application) {
			key := wiresharkKey{a.Code, a.Vendor}
			_, dissected := known[key]
			unknown[strconv.Itoa(int(a.Code))] = !dissected
			groups[key] = a.Type == "Grouped" && dissected
		}
	}

	var (
		raw    [][]byte
		titles []string
	)

	for _, command := range commands {
		c := dissectable(filled(command(), new(headers)))
		raw, titles = append(raw, serialized(t, d, c)), append(titles, nameOf(c))
	}

	for _, command := range diameter.BaseCommands() {
		c := filled(command, new(headers))
		raw, titles = append(raw, serialized(t, d, c)), append(titles, nameOf(c))
	}

	inputs := hostile()

	for _, name := range []string{ // those whose Failed-AVP has nothing that tshark in its turn would find odd
		"an Unsigned32 of two octets", "an Unsigned32 of two octets in a group", "groups nested without end",
		"an address of a family without a value", "a CC-Request-Type of one octet", "a request with the E bit",
	} {
		var fault *diameter.WireError
		if _, _, err := d.Read(bytes.NewReader(inputs[name]), maxMessage); !errors.As(err, &fault) {
			t.Fatalf("%s: %v", name, err)
		}

		answer, err := diameter.Serialize(d.RefuseWire(fault, home))
		if err != nil {
			t.Fatal(err)
		}

		raw, titles = append(raw, answer), append(titles, "the answer to "+name)
	}

	output, err := exec.Command("tshark", "-r", capture(t, raw), "-V", "-O", "diameter").Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, output)
	}

	frames := strings.Split(strings.TrimPrefix(string(output), "Frame "), "\nFrame ")
	if len(frames) != len(raw) {
		t.Fatalf("tshark shows %d messages of %d:\n%s", len(frames), len(raw), output)
	}

	for i, frame := range frames {
		t.Run(titles[i], func(t *testing.T) {
			var got []string

			for _, line := range strings.Split(frame, "\n") {
				if match := newer.FindStringSubmatch(line); match != nil && unknown[match[1]] {
					continue
				}

				if complaint.MatchString(line) {
					t.Errorf("tshark: %s", strings.TrimSpace(line))
				}

				if match := dissectedAVP.FindStringSubmatch(line); match != nil {
					got = append(got, match[2]+" "+match[3])

					if match[1] == "Unknown" && !unknown[match[2]] {
						t.Errorf("tshark does not know: %s", strings.TrimSpace(line))
					}
				}
			}

			if diff := cmp.Diff(avpsOf(t, d, raw[i][20:], groups), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
