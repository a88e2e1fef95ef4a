package handset_test

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/memory"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// caller is a registered handset; the test plays its P-CSCF.
type caller struct {
	*handset.Handset
	t     *testing.T
	pcscf *memory.Peer

	mu   sync.Mutex
	said []string
}

func newCaller(t *testing.T) *caller {
	t.Helper()

	return newInsisting(t, nil)
}

// newInsisting returns a handset that gets its bearers so; nil: it does not insist on them.
func newInsisting(t *testing.T, reserve func(context.Context) error) *caller {
	t.Helper()

	network := memory.New()
	c := &caller{t: t, pcscf: network.Peer(t, "192.0.2.1:5060")}

	var err error
	if c.Handset, err = handset.New(handset.Config{
		IMSI: "001010000000001", Domain: "ims.example", Transport: "UDP", Expires: 3600, Network: network, CancelTime: 5 * time.Second,
		Reserve: reserve,
		Address: netip.MustParseAddrPort("192.0.2.101:5060"), Proxy: netip.MustParseAddrPort("192.0.2.1:5060"),
		Say: func(text string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.said = append(c.said, text)
		},
	}); err != nil {
		t.Fatal(err)
	}

	registered := make(chan error, 1)
	go func() { registered <- c.Register(t.Context()) }()

	r := c.pcscf.Request("REGISTER")
	c.pcscf.Answer(r, 200, "P-Associated-URI: <sip:alice@ims.example>", "Contact: "+sip.Value(r, "Contact"))

	if err := <-registered; err != nil {
		t.Fatal(err)
	}

	return c
}

type dialled struct {
	*handset.Call
	err error
}

// dial begins a call and returns its INVITE.
func (c *caller) dial() (invite *sip.Request, cancel func(), result <-chan dialled) {
	ctx, cancel := context.WithCancel(c.t.Context())
	ended := make(chan dialled, 1)

	go func() {
		call, err := c.Dial(ctx, "tel:+15550002")
		ended <- dialled{call, err}
	}()

	return c.pcscf.Request("INVITE"), cancel, ended
}

// wantSaid looks for lines in their order.
func (c *caller) wantSaid(wanted ...string) {
	c.t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()

	if len(c.said) != len(wanted) {
		c.t.Fatalf("it says %q, want %q", c.said, wanted)
	}

	for i, want := range wanted {
		if !strings.Contains(c.said[i], want) {
			c.t.Errorf("it says %q, want %q", c.said[i], want)
		}
	}
}

// A caller who waits for an answer is told for what, and what comes.
func TestDialSaysWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(t)
		defer c.Close()

		invite, cancel, result := c.dial()
		defer cancel()

		c.pcscf.Answer(invite, 100)
		c.wantSaid()
		time.Sleep(6 * time.Second)
		c.wantSaid("after 5s: no answer yet: the core is still working on it (100 Trying)")
		c.pcscf.Answer(invite, 180)
		c.wantSaid("100 Trying", "180 Ringing")
		time.Sleep(5 * time.Second)
		c.wantSaid("100 Trying", "180 Ringing", "after 10s: not answered yet: still 180 Ringing")
		c.pcscf.Answer(invite, 486)
		c.pcscf.Request("ACK")

		if d := <-result; d.err == nil || !strings.Contains(d.err.Error(), "486") {
			t.Errorf("%v", d.err)
		}

		time.Sleep(time.Hour)
		c.wantSaid("100 Trying", "180 Ringing", "after 10s") // and no more
	})
}

// RFC 3261 §9.1: a caller that ends cancels its INVITE, and waits for the end, but not for ever.
func TestDialIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCaller(t)
		defer c.Close()

		invite, cancel, result := c.dial()
		c.pcscf.Answer(invite, 100)
		synctest.Wait()
		cancel()
		c.pcscf.Answer(c.pcscf.Request("CANCEL"), 200)
		c.pcscf.Answer(invite, 487)
		c.pcscf.Request("ACK")

		if d := <-result; d.err == nil || !strings.Contains(d.err.Error(), "487") {
			t.Errorf("%v", d.err)
		}
	})

	synctest.Test(t, func(t *testing.T) { // the handset that is called does not exist any more
		c := newCaller(t)
		defer c.Close()

		invite, cancel, result := c.dial()
		c.pcscf.Answer(invite, 100)
		synctest.Wait()
		cancel()
		began := time.Now()
		c.pcscf.Answer(c.pcscf.Request("CANCEL"), 200)

		if d := <-result; d.err == nil || time.Since(began) != 5*time.Second {
			t.Errorf("after %v: %v", time.Since(began), d.err)
		}
	})

	synctest.Test(t, func(t *testing.T) { // the answer has crossed the CANCEL
		c := newCaller(t)
		defer c.Close()

		invite, cancel, result := c.dial()
		c.pcscf.Answer(invite, 180)
		synctest.Wait()
		cancel()
		c.pcscf.Answer(c.pcscf.Request("CANCEL"), 200)
		c.pcscf.Answer(invite, 200, "Contact: <sip:bob@192.0.2.1>")
		c.pcscf.Request("ACK")

		d := <-result
		if d.err != nil {
			t.Fatal(d.err)
		}

		hungUp := make(chan error, 1)
		go func() { hungUp <- d.HangUp(t.Context()) }()

		c.pcscf.Answer(c.pcscf.Request("BYE"), 200)

		if err := <-hungUp; err != nil {
			t.Error(err)
		}
	})
}

// A call ended by the network, as when credit runs out, was not hung up by the other side.
func TestForced(t *testing.T) {
	for reason, forced := range map[string]bool{
		"":                                  false,
		`SIP;cause=200;text="User hung up"`: false,
		`Q.850 ;cause=16;text="Terminated"`: false,
		`RELEASE_CAUSE;cause=1;text="User ends call"`:  false,
		`DIAMETER;cause=3002;text="UNABLE_TO_DELIVER"`: true,
		"SIP;cause=503":                       true,
		"Q.850;cause=16, DIAMETER;cause=4012": true,
		"RELEASE_CAUSE;cause=3":               true,
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCaller(t)
			defer c.Close()

			invite, cancel, result := c.dial()
			defer cancel()

			c.pcscf.Answer(invite, 200, "Contact: <sip:bob@192.0.2.1>")
			c.pcscf.Request("ACK")

			d := <-result
			if d.err != nil {
				t.Fatal(d.err)
			}

			bye := []string{
				"BYE sip:alice@192.0.2.101:5060 SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKbye", "Max-Forwards: 70",
				"From: <tel:+15550002>;tag=bob", "To: " + sip.Value(invite, "From"), "Call-ID: " + d.ID(), "CSeq: 1 BYE",
			}
			if reason != "" {
				bye = append(bye, "Reason: "+reason)
			}

			c.pcscf.Send("192.0.2.101:5060", bye...)
			c.pcscf.Response(200)
			<-d.Ended()

			if d.Forced() != forced || d.Why() != reason {
				t.Errorf("%q: forced %t, %q", reason, d.Forced(), d.Why())
			}
		})
	}
}
