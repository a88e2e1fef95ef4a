package trace

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/prometheus/client_golang/prometheus"
)

func record(t *testing.T, c Config) *Recorder {
	t.Helper()

	r, err := NewRecorder(c, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}

	return r
}

func message(transport string, data []byte) Message {
	return Message{
		Protocol: Diameter, Transport: transport, Sent: true, Data: data,
		Local: netip.MustParseAddrPort("[::1]:3868"), Remote: netip.MustParseAddrPort("[::2]:40000"),
	}
}

func TestNoTraceHasNoTap(t *testing.T) {
	if record(t, Config{}).Tap() != nil {
		t.Error("a recorder that keeps nothing has a tap")
	}
}

func TestRingIsBounded(t *testing.T) {
	tests := []struct {
		name          string
		ring, size, n int
		want          int
	}{
		{name: "by messages", ring: 10, size: 10, n: 1000, want: 10},
		{name: "by octets", ring: 1000, size: 1 << 20, n: 200, want: maxRingBytes >> 20},
		{name: "one message", ring: 1, size: 1, n: 50, want: 1},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := record(t, Config{Ring: test.ring})
			for range test.n {
				r.Tap()(message("TCP", make([]byte, test.size)))
			}

			kept := r.after(0, maxRing)
			if len(kept) != test.want {
				t.Fatalf("%d messages kept, want %d", len(kept), test.want)
			}
			for i, k := range kept {
				if want := uint64(test.n - test.want + i + 1); k.Sequence != want {
					t.Fatalf("message %d has sequence %d, want %d", i, k.Sequence, want)
				}
			}
			if len(r.ring) > 2*test.want+2 || r.bytes != test.want*test.size {
				t.Errorf("%d slots and %d octets are held", len(r.ring), r.bytes)
			}
		})
	}
}

func TestAfter(t *testing.T) {
	r := record(t, Config{Ring: 5})
	for range 8 {
		r.Tap()(message("UDP", []byte("x")))
	}

	for after, want := range map[uint64]int{0: 5, 2: 5, 3: 5, 4: 4, 7: 1, 8: 0, 99: 0} {
		if got := r.after(after, 100); len(got) != want {
			t.Errorf("After(%d): %d messages, want %d", after, len(got), want)
		}
	}

	if got := r.after(0, 2); len(got) != 2 || got[0].Sequence != 4 {
		t.Errorf("After(0, 2) = %v, want the two oldest", got)
	}
}

func TestBefore(t *testing.T) {
	r := record(t, Config{Ring: 5})
	for range 8 {
		r.Tap()(message("UDP", []byte("x")))
	}

	for before, want := range map[uint64]int{0: 5, 1: 0, 4: 0, 5: 1, 8: 4, 9: 5, 99: 5} {
		if got := r.before(before, 100); len(got) != want {
			t.Errorf("Before(%d): %d messages, want %d", before, len(got), want)
		}
	}

	if got := r.before(7, 2); len(got) != 2 || got[0].Sequence != 5 {
		t.Errorf("Before(7, 2) = %v, want the two newest of them", got)
	}
}

func TestCaptureFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.pcapng")
	r := record(t, Config{File: path})

	large := bytes.Repeat([]byte("0123456789"), 20_000) // needs several segments
	r.Tap()(message("TCP", large))
	r.Tap()(message("UDP", []byte("small")))

	if err := r.Close(); err != nil {
		t.Fatal(err)
	}

	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	reader, err := pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}

	var stream, datagrams []byte
	next := uint32(1)

	for {
		data, _, err := reader.ReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}

		packet := gopacket.NewPacket(data, reader.LinkType(), gopacket.Default)
		switch transport := packet.TransportLayer().(type) {
		case *layers.TCP:
			if transport.Seq != next {
				t.Fatalf("sequence number %d, want %d", transport.Seq, next)
			}
			next += uint32(len(transport.Payload))
			stream = append(stream, transport.Payload...)
		case *layers.UDP:
			datagrams = append(datagrams, transport.Payload...)
		default:
			t.Fatalf("a packet with neither TCP nor UDP: %v", packet)
		}
	}

	if !bytes.Equal(stream, large) || string(datagrams) != "small" {
		t.Errorf("read back %d octets of TCP and %q", len(stream), datagrams)
	}
}
