package handset_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/memory"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// An automatic handset takes one call after another, reports their ends, and messages, and stays registered.
func TestAutomatic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const at, core = "192.0.2.101:5060", "192.0.2.1:5060"

		network := memory.New()
		pcscf := network.Peer(t, core)

		h, err := handset.New(handset.Config{
			IMSI: "001010000000001", Domain: "ims.example", Transport: "UDP", Expires: 3600, Network: network,
			Address: netip.MustParseAddrPort(at), Proxy: netip.MustParseAddrPort(core),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()

		registers := func() {
			r := pcscf.Request("REGISTER")
			pcscf.Answer(r, 200, "P-Associated-URI: <sip:alice@ims.example>", "Contact: "+sip.Value(r, "Contact"))
		}

		registered := make(chan error, 1)
		go func() { registered <- h.Register(t.Context()) }()
		registers()
		if err := <-registered; err != nil {
			t.Fatal(err)
		}

		var (
			mu   sync.Mutex
			said []string
		)

		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})

		go func() {
			defer close(ended)
			h.Automatic(ctx, func(line string) {
				mu.Lock()
				defer mu.Unlock()
				said = append(said, line)
			})
		}()

		send := func(method, call, to string, cseq string, body ...string) {
			pcscf.Send(at, append([]string{
				method + " sip:alice@" + at + " SIP/2.0", "Via: SIP/2.0/UDP " + core + ";branch=" + sip.NewBranch(), "Max-Forwards: 70",
				"From: <sip:bob@ims.example>;tag=b", "To: " + to, "Call-ID: " + call, "CSeq: " + cseq + " " + method, "Contact: <sip:bob@" + core + ">",
			}, body...)...)
		}

		for _, call := range []string{"first", "second"} {
			send("INVITE", call, "<sip:alice@ims.example>", "1")
			pcscf.Response(180)
			to := sip.Value(pcscf.Response(200), "To")
			send("ACK", call, to, "1")
			send("BYE", call, to, "2")
			pcscf.Response(200)
			synctest.Wait()
		}

		send("MESSAGE", "third", "<sip:alice@ims.example>", "1", "Content-Type: text/plain", "\nhello")
		pcscf.Response(200)
		synctest.Wait()

		time.Sleep(1800 * time.Second) // synctest's time
		registers()
		synctest.Wait()
		time.Sleep(1800 * time.Second)
		registers()
		synctest.Wait()

		send("INVITE", "last", "<sip:alice@ims.example>", "1") // a call that is up when the handset ends is hung up
		pcscf.Response(180)
		send("ACK", "last", sip.Value(pcscf.Response(200), "To"), "1")
		synctest.Wait()
		cancel()
		pcscf.Answer(pcscf.Request("BYE"), 200)
		<-ended

		want := []string{"call from sip:bob@ims.example", "the call from sip:bob@ims.example is over"}
		want = append(slices.Repeat(want, 2), "message from sip:bob@ims.example: hello", "call from sip:bob@ims.example")
		if !slices.Equal(said, want) {
			t.Errorf("it says\n%s", strings.Join(said, "\n"))
		}
	})
}
