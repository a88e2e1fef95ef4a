package trace

import (
	"bufio"
	"io"
	"log/slog"
	"net/netip"
	"os"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

const (
	captureQueue = 4096      // messages that may wait for the disk
	maxSegment   = 60 * 1024 // octets of one TCP segment in the file
	maxFlows     = 65536     // TCP directions whose sequence numbers are remembered
)

// capture writes messages as IP packets, so that Wireshark reads them as if captured in clear.
type capture struct {
	queue chan Message
	done  chan error
}

func createCapture(path string, log *slog.Logger) (*capture, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}

	packets, err := newPacketWriter(file)
	if err != nil {
		file.Close()
		return nil, err
	}

	c := &capture{queue: make(chan Message, captureQueue), done: make(chan error, 1)}

	go func() {
		var failed error

		for m := range c.queue {
			if failed != nil {
				continue // the disk is full or gone: reported once, then drained
			}

			if failed = packets.write(m); failed == nil && len(c.queue) == 0 {
				failed = packets.flush()
			}

			if failed != nil {
				log.Error("the capture file ends here", "file", path, "cause", failed)
			}
		}

		if failed == nil {
			failed = packets.flush()
		}

		if err := file.Close(); failed == nil {
			failed = err
		}

		c.done <- failed
	}()

	return c, nil
}

// offer queues a message. It returns false if the disk is too slow.
func (c *capture) offer(m Message) bool {
	select {
	case c.queue <- m:
		return true
	default:
		return false
	}
}

func (c *capture) close() error {
	close(c.queue)
	return <-c.done
}

type direction struct{ from, to netip.AddrPort }

type packetWriter struct {
	buffer   *bufio.Writer
	file     *pcapgo.NgWriter
	sequence map[direction]uint32
	begun    map[connection]bool // of HTTP
}

func newPacketWriter(w io.Writer) (*packetWriter, error) {
	buffer := bufio.NewWriter(w)

	file, err := pcapgo.NewNgWriter(buffer, layers.LinkTypeRaw)
	if err != nil {
		return nil, err
	}

	return &packetWriter{buffer: buffer, file: file, sequence: map[direction]uint32{}, begun: map[connection]bool{}}, nil
}

func (p *packetWriter) flush() error {
	if err := p.file.Flush(); err != nil {
		return err
	}

	return p.buffer.Flush()
}

func (p *packetWriter) write(m Message) error {
	way := direction{m.Remote, m.Local}
	if m.Sent {
		way = direction{m.Local, m.Remote}
	}

	if m.Transport == "UDP" {
		udp := &layers.UDP{SrcPort: layers.UDPPort(way.from.Port()), DstPort: layers.UDPPort(way.to.Port())}
		return p.packet(m, way, layers.IPProtocolUDP, udp, m.Data)
	}

	data := m.Data

	if m.Protocol == HTTP {
		var begin []byte
		if begin, data = p.frames(m, way); begin != nil {
			if err := p.stream(m, clientOf(m, way), begin); err != nil {
				return err
			}
		}
	}

	return p.stream(m, way, data)
}

// clientOf returns the direction of requests.
func clientOf(m Message, way direction) direction {
	if method, _ := start(m.Data); method == "" {
		return direction{way.to, way.from}
	}

	return way
}

// stream writes octets as segments of TCP.
func (p *packetWriter) stream(m Message, way direction, data []byte) error {
	for len(data) > 0 {
		segment := data[:min(len(data), maxSegment)]
		data = data[len(segment):]

		if err := p.packet(m, way, layers.IPProtocolTCP, p.segment(way, uint32(len(segment))), segment); err != nil {
			return err
		}
	}

	return nil
}

// segment numbers the octets of each direction, so that a reader can reassemble the stream.
func (p *packetWriter) segment(way direction, length uint32) *layers.TCP {
	if len(p.sequence) >= maxFlows {
		clear(p.sequence)
	}

	back := direction{way.to, way.from}
	tcp := &layers.TCP{
		SrcPort: layers.TCPPort(way.from.Port()), DstPort: layers.TCPPort(way.to.Port()),
		Seq: 1 + p.sequence[way], Ack: 1 + p.sequence[back], ACK: true, PSH: true, Window: 65535,
	}
	p.sequence[way] += length

	return tcp
}

type transportLayer interface {
	gopacket.SerializableLayer
	SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
}

func (p *packetWriter) packet(m Message, way direction, protocol layers.IPProtocol, transport transportLayer, data []byte) error {
	from, to := way.from.Addr().Unmap(), way.to.Addr().Unmap()

	var network interface {
		gopacket.NetworkLayer
		gopacket.SerializableLayer
	} = &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: protocol, SrcIP: from.AsSlice(), DstIP: to.AsSlice()}
	if from.Is6() {
		network = &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: protocol, SrcIP: from.AsSlice(), DstIP: to.AsSlice()}
	}

	if err := transport.SetNetworkLayerForChecksum(network); err != nil {
		return err
	}

	buffer := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}

	if err := gopacket.SerializeLayers(buffer, options, network, transport, gopacket.Payload(data)); err != nil {
		return err
	}

	packet := buffer.Bytes()

	return p.file.WritePacket(gopacket.CaptureInfo{Timestamp: m.Time, CaptureLength: len(packet), Length: len(packet)}, packet)
}
