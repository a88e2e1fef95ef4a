//go:build esp

package ipsec

import (
	"encoding/binary"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// wire is the link between the handsets and the core, seen from the handsets' side.
type wire struct {
	*testing.T
	socket int
	index  int
}

func packets(t *testing.T) *wire {
	t.Helper()

	w := &wire{T: t}

	if err := handsets.Do(func() error {
		device, err := net.InterfaceByName("gm")
		if err != nil {
			return err
		}

		w.index = device.Index
		all := int(binary.BigEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL & 0xff}))
		all = (all&0xff)<<8 | all>>8

		if w.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, all); err != nil {
			return err
		}

		return unix.Bind(w.socket, &unix.SockaddrLinklayer{Protocol: uint16(all), Ifindex: device.Index})
	}); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { unix.Close(w.socket) })

	return w
}

// esp is the next ESP packet with this SPI, with its Ethernet header.
func (w *wire) esp(spi uint32) []byte {
	w.Helper()

	_ = unix.SetsockoptTimeval(w.socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5})
	buffer := make([]byte, 4096)

	for latest := time.Now().Add(5 * time.Second); time.Now().Before(latest); {
		n, _, err := unix.Recvfrom(w.socket, buffer, 0)
		if err != nil {
			w.Fatal(err)
		}

		if frame := buffer[:n]; n > 42 && frame[12] == 8 && frame[13] == 0 && frame[23] == unix.IPPROTO_ESP &&
			binary.BigEndian.Uint32(frame[34:]) == spi {
			return append([]byte(nil), frame...)
		}
	}

	w.Fatalf("no ESP with SPI %#x", spi)

	return nil
}

// inject sends a frame as the handset would.
func (w *wire) inject(frame []byte) {
	w.Helper()

	if err := unix.Sendto(w.socket, frame, 0, &unix.SockaddrLinklayer{Ifindex: w.index, Halen: 6, Addr: [8]byte(frame[:8])}); err != nil {
		w.Fatal(err)
	}
}
