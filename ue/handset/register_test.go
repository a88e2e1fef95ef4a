package handset_test

import (
	"net"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// A 408 of the handset's own says so: it is not in the logs of a core that has received or answered nothing.
func TestNobodyAnswers(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()

	timers := stack.DefaultConfig().Timers
	timers.T1, timers.T2 = time.Millisecond, 4*time.Millisecond // 64*T1 is all that it waits

	h, err := handset.New(handset.Config{
		IMSI: "001010000000001", Domain: "ims.mnc001.mcc001.3gppnetwork.org", Transport: "UDP", Expires: 600, Timers: timers,
		Address: netip.MustParseAddrPort("127.0.0.1:0"), Proxy: silent.LocalAddr().(*net.UDPAddr).AddrPort(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()

	want := regexp.MustCompile(`^408 Request Timeout \(not from the network: nobody answered; Call-ID \S+\)$`)
	if err := h.Register(t.Context()); err == nil || !want.MatchString(err.Error()) {
		t.Errorf("got %v, want %s", err, want)
	}
}
